import { PassThrough } from 'node:stream'
import { stripVTControlCharacters } from 'node:util'
import { describe, expect, test } from 'vitest'
import { LeftByPerson } from '../../../src/cli/command-errors.ts'
import { askPassword, linesOn, plainDialogue, promptedDialogue } from '../../../src/cli/terminal/dialogue.ts'
import type { Asked } from '../../../src/cli/terminal/prompts.ts'

const line = (text: string, usual: string | null = null): Asked => ({ text, usual, problem: () => null })

function abortable(): { readonly signal: AbortSignal; readonly abort: () => void } {
  const controller = new AbortController()
  return { signal: controller.signal, abort: () => controller.abort() }
}

function prompt() {
  const input = new PassThrough()
  const shown: string[] = []
  const answer = askPassword('Password of alice at pop.example.net', { input, show: (text) => shown.push(text) })
  return { input, shown, answer }
}

test('a password is read up to the end of the line and never shown', async () => {
  const { input, shown, answer } = prompt()
  input.write('corr')
  input.write('ect hörse \r')
  expect(await answer).toBe('correct hörse ')
  expect(shown.join('')).toBe('Password of alice at pop.example.net: \n')
})

test('a mistake can be corrected', async () => {
  const { input, answer } = prompt()
  input.write('wrogn\u007f\u007fng\r')
  expect(await answer).toBe('wrong')
})

test.each([
  ['Ctrl-C', '\u0003'],
  ['Ctrl-D', '\u0004'],
])('%s means that none is given', async (_, key) => {
  const { input, answer } = prompt()
  input.write(key)
  await expect(answer).rejects.toMatchObject({ code: 'ERR_ABORTED' })
})

const KINDS = ['on a terminal', 'in plain lines'] as const

describe.each(KINDS)('a dialogue %s', (kind) => {
  const open = () => {
    const input = new PassThrough()
    const shown: string[] = []
    const output = new PassThrough()
    output.setEncoding('utf8').on('data', (text: string) => shown.push(text))
    const { signal, abort } = abortable()
    const dialogue =
      kind === 'in plain lines'
        ? plainDialogue({ input, show: (text) => shown.push(text) }, signal)
        : promptedDialogue({ input, output }, signal)
    return { input, abort, dialogue, seen: () => stripVTControlCharacters(shown.join('')), raw: () => shown.join('') }
  }
  /** Resolves when it is there, so that keys are read. */
  const stands = async (seen: () => string, text: string): Promise<void> => {
    await expect.poll(seen, { interval: 1 }).toContain(text)
  }

  test('gives a line without spaces around it', async () => {
    const { input, seen, dialogue } = open()
    const answer = dialogue.ask(line('Where'))
    await stands(seen, 'Where:')
    input.write('  there \r')
    expect(await answer).toBe('there')
    const again = dialogue.ask(line('And'))
    await stands(seen, 'And:')
    input.write('\r')
    expect(await again).toBe('')
  })

  test('gives the usual answer, which it shows, when nothing is typed', async () => {
    const { input, seen, dialogue } = open()
    const answer = dialogue.ask(line('Where', 'here'))
    await stands(seen, '[here]')
    input.write('\r')
    expect(await answer).toBe('here')
  })

  test('shows a password never, not even its length', async () => {
    const { input, seen, dialogue } = open()
    const answer = dialogue.askSecret('Password')
    await stands(seen, 'Password:')
    input.write(' s3cret')
    input.write('\u0014\u007fT\r')
    expect(await answer).toMatch(/^ s3cre/)
    expect(seen()).not.toMatch(/s3|\*|•/)
  })

  test('does not show what was pasted behind the line, and gives it to nobody', async () => {
    const { input, seen, dialogue } = open()
    const first = dialogue.ask(line('User'))
    await stands(seen, 'User:')
    input.write('alice\rs3cret\r')
    expect(await first).toBe('alice')
    const second = dialogue.ask(line('Folder'))
    await stands(seen, 'Folder:')
    input.write('INBOX\r')
    expect(await second).toBe('INBOX')
    expect(seen()).not.toContain('s3cret')
  })

  test.each([
    ['Ctrl-C', '\u0003'],
    ['Ctrl-D', '\u0004'],
  ])('ends with %s', async (_, key) => {
    for (const secret of [false, true]) {
      const { input, seen, dialogue } = open()
      const answer = secret ? dialogue.askSecret('Where') : dialogue.ask(line('Where', 'here'))
      await stands(seen, 'Where')
      input.write(key)
      await expect(answer).rejects.toBeInstanceOf(LeftByPerson)
    }
  })

  test('ends with its input', async () => {
    const { input, seen, dialogue } = open()
    const answer = dialogue.ask(line('Where'))
    await stands(seen, 'Where')
    input.end()
    await expect(answer).rejects.toBeInstanceOf(LeftByPerson)
  })

  test('ends with a signal', async () => {
    const { seen, dialogue, abort } = open()
    const answer = dialogue.ask(line('Where'))
    await stands(seen, 'Where')
    abort()
    await expect(answer).rejects.toBeInstanceOf(LeftByPerson)
  })

  test('escapes what a server suggested', async () => {
    const { input, raw, dialogue } = open()
    const answer = dialogue.ask(line('User', 'al\u001b[2Jice\u202e'))
    await stands(raw, 'ice')
    input.write('\r')
    await answer
    for (const unsafe of ['\u001b[2J', '\u202e']) expect(raw()).not.toContain(unsafe)
  })
})

test('on a terminal a wrong answer stays in its line, with what is expected, to be corrected', async () => {
  const input = new PassThrough()
  const output = new PassThrough()
  let seen = ''
  output.setEncoding('utf8').on('data', (text: string) => (seen += stripVTControlCharacters(text)))
  const dialogue = promptedDialogue({ input, output }, abortable().signal)
  const isPort = (typed: string): string | null => (/^\d+$/.test(typed) ? null : 'expected a port')
  const answer = dialogue.ask({ text: 'Port', usual: null, problem: isPort })
  await expect.poll(() => seen, { interval: 1 }).toContain('Port:')
  input.write('995x\r')
  await expect.poll(() => seen, { interval: 1 }).toContain('expected a port')
  input.write('\u007f\r')
  expect(await answer).toBe('995')
})

describe('lines that are typed', () => {
  const open = (onTerminal: boolean) => {
    const input = new PassThrough()
    const output = new PassThrough()
    const controller = new AbortController()
    const lines = linesOn({ input, output: onTerminal ? output : null, prompt: 'work> ' }, controller.signal)
    return { input, output, controller, lines }
  }

  test('come one after another, each asked for', async () => {
    const { input, output, lines } = open(true)
    const first = lines.next()
    input.write('stot\u007f\u007fat\r')
    expect(await first).toEqual({ done: false, value: 'stat' })
    const second = lines.next()
    input.write('\u0004')
    expect((await second).done).toBe(true)
    expect(String(output.read()).match(/work> /g)?.length).toBeGreaterThanOrEqual(2)
  })

  test('from a pipe are not asked for', async () => {
    const { input, output, lines } = open(false)
    input.end('one\r\ntwo\nthree')
    expect(await Array.fromAsync(lines)).toEqual(['one', 'two', 'three'])
    expect(output.read()).toBeNull()
  })

  test.each(['Ctrl-C', 'a signal'])('end with %s', async (how) => {
    const { input, controller, lines } = open(true)
    const line = lines.next()
    if (how === 'Ctrl-C') input.write('\u0003')
    else controller.abort()
    await expect(line).rejects.toMatchObject({ code: 'ERR_ABORTED' })
  })
})

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

  test.each([1001, 10_000, 1_000_000])('takes a line of %d characters for none, and asks again', async (count) => {
    const { input, seen, dialogue } = open()
    const answer = dialogue.ask(line('Where'))
    await stands(seen, 'Where:')
    input.write('x'.repeat(count))
    input.write('\r')
    await stands(seen, 'expected at most 1000 characters: the rest was left out')
    input.write('\u0015there\r')
    expect(await answer).toBe('there')
  })

  test('a password that is too long is asked for again, and nothing of it is shown', async () => {
    const { input, seen, dialogue } = open()
    const answer = dialogue.askSecret('Password')
    await stands(seen, 'Password:')
    input.write(`${'s3'.repeat(5000)}\r`)
    await stands(seen, 'expected at most 8000 characters: the rest was left out: once more')
    await expect.poll(() => seen().match(/Password:/g)?.length ?? 0, { interval: 1 }).toBeGreaterThanOrEqual(2)
    input.write('good\r')
    expect(await answer).toBe('good')
    expect(seen()).not.toContain('s3')
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

describe('what is pasted, where the terminal marks it', () => {
  const pasted = (text: string): string => `\u001b[200~${text}\u001b[201~`
  const open = () => {
    const input = new PassThrough()
    const output = new PassThrough()
    let raw = ''
    output.setEncoding('utf8').on('data', (text: string) => (raw += text))
    const dialogue = promptedDialogue({ input, output }, abortable().signal)
    const stands = async (text: string): Promise<void> => {
      await expect.poll(() => stripVTControlCharacters(raw), { interval: 1 }).toContain(text)
    }
    return { input, dialogue, stands, raw: () => raw }
  }

  test('the terminal is asked to, for as long as a question stands', async () => {
    const { input, dialogue, stands, raw } = open()
    const answer = dialogue.ask(line('Where'))
    await stands('Where:')
    expect(raw()).toContain('\u001b[?2004h')
    expect(raw()).not.toContain('\u001b[?2004l')
    input.write('x\r')
    await answer
    await expect.poll(() => raw().endsWith('\u001b[?2004l'), { interval: 1 }).toBe(true)
  })

  test.each([
    ['a line and its end', 'pop.example.net\r\n', 'pop.example.net', null],
    ['a unicode word', 'Pöst ✉ "a#b": \'c\'', 'Pöst ✉ "a#b": \'c\'', null],
    ['two lines', 'first\rsecond\r', 'first', 'expected one line: the lines behind it were left out'],
    ['ten thousand lines', 'first\n'.repeat(10_000), 'first', 'expected one line'],
    ['control bytes', 'a\u0003\u001b[2J\u0000\u0004b', 'a[2Jb', 'expected no control characters: they were left out'],
    ['a megabyte', 'x'.repeat(1_000_000), 'x'.repeat(1000), 'expected at most 1000 characters'],
  ])('%s', async (_, text, answered, told) => {
    const { input, dialogue, stands } = open()
    const answer = dialogue.ask(line('Where'))
    await stands('Where:')
    const bytes = Buffer.from(pasted(text))
    // As terminals send it: in parts, which end anywhere.
    for (let at = 0; at < bytes.length; at += 4095) input.write(bytes.subarray(at, at + 4095))
    input.write('\r')
    if (told !== null) {
      await stands(told)
      input.write('\r')
    }
    expect(await answer).toBe(answered)
  })

  test('is so at each place where it comes in two parts', async () => {
    const bytes = Buffer.from(`a${pasted('ö\rb')}c`)
    for (let cut = 1; cut < bytes.length; cut++) {
      // A marker that is cut behind its first byte is the key Escape, unless a paste goes on.
      if (bytes[cut - 1] === 0x1b && cut < 4) continue
      const { input, dialogue, stands } = open()
      const answer = dialogue.ask(line('Where'))
      await stands('Where:')
      input.write(bytes.subarray(0, cut))
      input.write(bytes.subarray(cut))
      input.write('\r')
      await stands('one line')
      input.write('\r')
      expect(await answer, String(cut)).toBe('aöc')
    }
  })

  test('answers no question behind the one that stands', async () => {
    const { input, dialogue, stands } = open()
    const first = dialogue.ask(line('User'))
    await stands('User:')
    input.write(pasted('alice\r\n'))
    input.write('\r')
    expect(await first).toBe('alice')
    const second = dialogue.ask(line('Folder'))
    await stands('Folder:')
    input.write('INBOX\r')
    expect(await second).toBe('INBOX')
  })
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

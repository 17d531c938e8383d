import { PassThrough } from 'node:stream'
import { describe, expect, test } from 'vitest'
import { askPassword, dialogueOn, linesOn } from '../../../src/cli/terminal/dialogue.ts'

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

describe('a dialogue', () => {
  const open = () => {
    const input = new PassThrough()
    const shown: string[] = []
    const controller = new AbortController()
    return {
      input,
      shown,
      controller,
      dialogue: dialogueOn({ input, show: (text) => shown.push(text) }, controller.signal),
    }
  }

  test('gives a line without spaces around it', async () => {
    const { input, shown, dialogue } = open()
    const answer = dialogue.ask('Where?')
    input.write('  there \r')
    expect(await answer).toBe('there')
    expect(shown.join('')).toContain('Where?')
    const again = dialogue.ask('And?')
    input.write('\r')
    expect(await again).toBe('')
  })

  test('cannot of a password', async () => {
    const { input, shown, dialogue } = open()
    const answer = dialogue.askSecret('Password')
    input.write('s3cret\r')
    expect(await answer).toBe('s3cret')
    expect(shown.join('')).not.toContain('s3')
  })

  test.each([
    ['Ctrl-C', '\u0003'],
    ['Ctrl-D', '\u0004'],
  ])('ends with %s', async (_, key) => {
    const { input, dialogue } = open()
    const answer = dialogue.ask('Where?')
    input.write(key)
    await expect(answer).rejects.toMatchObject({ code: 'ERR_ABORTED' })
  })

  test('ends with its input, or with a signal', async () => {
    const ended = open()
    const first = ended.dialogue.ask('Where?')
    ended.input.end()
    await expect(first).rejects.toMatchObject({ code: 'ERR_ABORTED' })
    const signalled = open()
    const second = signalled.dialogue.ask('Where?')
    signalled.controller.abort()
    await expect(second).rejects.toMatchObject({ code: 'ERR_ABORTED' })
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

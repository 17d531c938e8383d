import { PassThrough } from 'node:stream'
import { describe, expect, test } from 'vitest'
import { askPassword, dialogueOn } from '../../../src/cli/terminal/dialogue.ts'

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

  test('shows nothing of a password', async () => {
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

import { PassThrough } from 'node:stream'
import { expect, test } from 'vitest'
import { askPassword } from '../../../src/cli/terminal/dialogue.ts'

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

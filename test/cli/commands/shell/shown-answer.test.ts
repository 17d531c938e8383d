import { describe, expect, test } from 'vitest'
import { ShownAnswer } from '../../../../src/cli/commands/shell/shown-answer.ts'

async function shown(most: number, chunks: readonly (string | Buffer)[]): Promise<[string[], number]> {
  const lines: string[] = []
  const answer = new ShownAnswer(
    most,
    (line) => lines.push(line),
    () => Promise.resolve(true),
  )
  for (const chunk of chunks) await answer.write(Buffer.from(chunk))
  return [lines, answer.end()]
}

describe('an answer', () => {
  test('is the same wherever it is cut into chunks', async () => {
    const text = 'one\r\n\r\ntwo ü\r\nlast'
    const whole = await shown(9, [text])
    expect(whole).toEqual([['one', '', 'two ü', 'last'], 0])
    const bytes = Buffer.from(text)
    for (let at = 0; at <= bytes.length; at++)
      expect(await shown(9, [bytes.subarray(0, at), bytes.subarray(at)])).toEqual(whole)
  })

  test.each([
    [3, 0],
    [2, 1],
    [1, 2],
  ])('of three lines, with room for %i, lacks %i', async (most, lacks) => {
    const [lines, left] = await shown(most, ['a\r\nb\r\nc\r\n'])
    expect([lines.length, left]).toEqual([most, lacks])
  })

  test('with a line that does not end keeps the beginning of it', async () => {
    const [[line], left] = await shown(
      5,
      Array.from({ length: 1000 }, () => 'x'.repeat(65_536)),
    )
    expect([line?.length, left]).toEqual([2001, 0])
    expect(line?.endsWith('…')).toBe(true)
  })

  test('that is text in no encoding we know is shown by its bytes', async () => {
    expect((await shown(1, [Buffer.from('caf\xe9\r\n', 'latin1')]))[0]).toEqual(['caf\\xe9'])
  })
})

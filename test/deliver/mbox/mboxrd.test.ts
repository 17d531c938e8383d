// The form of messages in an mbox (D102): reversible, to the byte, however the message comes in.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { fromLine, MboxrdBody, unquoted } from '../../../src/deliver/mbox/mboxrd.ts'
import { ODD, SMALL, asLf } from '../scene.ts'

function form(chunks: readonly Buffer[], lineEndings: 'crlf' | 'lf' = 'crlf'): { text: string; bytes: number } {
  const body = new MboxrdBody(lineEndings)
  const out = [...chunks.map((chunk) => body.push(chunk)), body.end()]
  return { text: Buffer.concat(out).toString('latin1'), bytes: body.bytes }
}

describe('the From_ line', () => {
  test('has the date in UTC, as asctime writes it', () => {
    expect(fromLine('a@b.c', Date.UTC(2026, 10, 4, 3, 5, 7))).toBe('From a@b.c Wed Nov  4 03:05:07 2026\n')
    expect(fromLine('', Date.UTC(2026, 10, 24, 13, 10, 22))).toBe('From MAILER-DAEMON Tue Nov 24 13:10:22 2026\n')
  })
})

describe('a message', () => {
  test('has LF line ends and an empty line after it', () => {
    expect(form([SMALL]).text).toBe(`${asLf(SMALL).toString('latin1')}\n`)
  })

  test('gets the line end that its last line lacks, which does not count', () => {
    expect(form([Buffer.from('a\r\nb')])).toEqual({ text: 'a\nb\n\n', bytes: 3 })
    expect(form([Buffer.from('a\r\nb\r')])).toEqual({ text: 'a\nb\r\n\n', bytes: 4 })
    expect(form([])).toEqual({ text: '\n\n', bytes: 0 })
  })

  test('gets one > more before each line that looks like a From_ line, quoted or not, the first as well', () => {
    const lines = ['From a', '>From b', '>>From c', 'from d', ' From e', 'From', 'From:', '> From f', '>x>From g', '']
    expect(form([Buffer.from(lines.join('\r\n'))]).text).toBe(
      ['>From a', '>>From b', '>>>From c', 'from d', ' From e', 'From', 'From:', '> From f', '>x>From g', '', ''].join(
        '\n',
      ),
    )
  })

  test.each([
    ['odd bytes', ODD],
    ['From lines', Buffer.from('From a\r\n>From b\r\nx\r\n>>From c\r\n>>>\r\nFrom\r\n\rFrom d\r\nFro\r\nFrom ')],
  ])('comes out the same wherever it is cut: %s', (_, bytes) => {
    const whole = form([bytes])
    expect(form([...bytes].map((byte) => Buffer.of(byte)))).toEqual(whole)
    for (let at = 0; at <= bytes.length; at++) expect(form([bytes.subarray(0, at), bytes.subarray(at)])).toEqual(whole)
  })

  test('is itself again without the quoting, and no line in it is a From_ line', () => {
    const piece = fc.constantFrom('From ', '>', 'F', 'rom ', '\r\n', '\n', '\r', 'x', ' ', '\n\n', 'From', '\xff')
    fc.assert(
      fc.property(fc.array(fc.array(piece).map((pieces) => Buffer.from(pieces.join(''), 'latin1'))), (chunks) => {
        const { text, bytes } = form(chunks)
        const sent = asLf(Buffer.concat(chunks)).toString('latin1')
        expect(unquoted(text).slice(0, bytes)).toBe(sent)
        expect(`\n${text}`).not.toContain('\nFrom ')
      }),
      { numRuns: 1000 },
    )
  })

  test('that has LF line ends already keeps a CR before them', () => {
    expect(form([Buffer.from('a\r\nFrom b\n')], 'lf')).toEqual({ text: 'a\r\n>From b\n\n', bytes: 10 })
  })

  test('of one endless line of > costs no more than its length', () => {
    const chunk = Buffer.alloc(256 * 1024, '>')
    const { text } = form([chunk, chunk, chunk, Buffer.from('From x')])
    expect(text.length).toBe(3 * chunk.length + '>From x\n\n'.length)
  })
})

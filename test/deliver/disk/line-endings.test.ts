// Line ends: CRLF as LF and back, however the bytes are cut.
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { crlfToLf, lfToCrlf } from '../../../src/deliver/disk/line-endings.ts'
import { asLf, ODD } from '../scene.ts'

describe('line ends', () => {
  const soup = fc
    .array(fc.constantFrom('\r', '\n', '\r\n', 'a', '\0', '\xff', '\x0d\x0e\x0c', 'some text of a long line\x8d'), {
      maxLength: 60,
    })
    .map((parts) => Buffer.from(parts.join(''), 'latin1'))

  test('CRLF becomes LF and nothing else changes', () => {
    fc.assert(
      fc.property(soup, (bytes) => {
        const target = Buffer.alloc(bytes.length)
        expect(target.subarray(0, crlfToLf(bytes, target))).toEqual(asLf(bytes))
        const inPlace = Buffer.from(bytes)
        expect(inPlace.subarray(0, crlfToLf(inPlace, inPlace))).toEqual(asLf(bytes))
      }),
    )
    expect(asLf(ODD).length).toBeLessThan(ODD.length)
  })

  test('CRLF becomes LF wherever it stands, and a lone CR stays', () => {
    for (let length = 0; length < 40; length++)
      for (let at = 0; at <= length; at++)
        for (const end of ['\r\n', '\r', '\n', '\r\r\n']) {
          const bytes = Buffer.from(`${'x'.repeat(at)}${end}${'\x8d'.repeat(length - at)}`, 'latin1')
          const expected = asLf(bytes)
          expect(bytes.subarray(0, crlfToLf(bytes, bytes))).toEqual(expected)
        }
  })

  test('the way back gives what was received, where that had no lone LF', () => {
    fc.assert(
      fc.property(soup, (bytes) => {
        const received = Buffer.from(bytes.toString('latin1').replaceAll(/(?<!\r)\n/g, ''), 'latin1')
        const kept = asLf(received)
        const target = Buffer.alloc(2 * kept.length)
        expect(target.subarray(0, lfToCrlf(kept, target))).toEqual(received)
      }),
    )
  })
})

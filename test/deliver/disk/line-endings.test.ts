// Line ends: CRLF as LF and back, however the bytes are cut.
import * as fc from 'fast-check'
import { beforeAll, describe, expect, test, vi } from 'vitest'
import { crlfBlock, MOST_BLOCK_BYTES } from '../../../src/deliver/disk/crlf-block.ts'
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

  describe('of many bytes', () => {
    // After so many the block is used.
    beforeAll(() => {
      const much = Buffer.alloc(1 << 20)
      expect(crlfToLf(much, much)).toBe(much.length)
      expect(crlfBlock()).not.toBeNull()
    })

    function expectAsLf(bytes: Buffer): void {
      const target = Buffer.alloc(bytes.length + 3)
      expect(target.subarray(0, crlfToLf(bytes, target)).equals(asLf(bytes))).toBe(true)
      expect(target.subarray(3, 3 + crlfToLf(bytes, target, 3)).equals(asLf(bytes))).toBe(true)
      const inPlace = Buffer.from(bytes)
      expect(inPlace.subarray(0, crlfToLf(inPlace, inPlace)).equals(asLf(bytes))).toBe(true)
    }

    test('CRLF becomes LF and nothing else changes, in several blocks', () => {
      fc.assert(
        fc.property(soup, soup, fc.nat(2 * MOST_BLOCK_BYTES), (start, again, length) => {
          if (again.length > 0) expectAsLf(Buffer.concat([start, Buffer.alloc(length, again)]))
        }),
      )
    })

    test('CRLF becomes LF where a block ends, and at every place of sixteen bytes', () => {
      for (const around of [0, 300, MOST_BLOCK_BYTES, 2 * MOST_BLOCK_BYTES])
        for (let at = Math.max(0, around - 20); at < around + 20; at++)
          for (const end of ['\r\n', '\r', '\n', '\r\r\n', '\r\n\r\n', '\r'.repeat(20)])
            for (const behind of [0, 1, 400])
              expectAsLf(Buffer.from('x'.repeat(at) + end + '\x8d'.repeat(behind), 'latin1'))
    })

    test('where a system has no WebAssembly, the result is the same', async () => {
      vi.stubGlobal('WebAssembly', undefined)
      vi.resetModules()
      try {
        const { crlfToLf: other } = await import('../../../src/deliver/disk/line-endings.ts')
        const bytes = Buffer.from('some line\r\n'.repeat(100_000))
        const target = Buffer.alloc(bytes.length)
        for (let time = 0; time < 2; time++)
          expect(target.subarray(0, other(bytes, target)).equals(asLf(bytes))).toBe(true)
        const { crlfBlock: block } = await import('../../../src/deliver/disk/crlf-block.ts')
        expect(block()).toBeNull()
      } finally {
        vi.unstubAllGlobals()
        vi.resetModules()
      }
    })
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

// Line ends and dots on their way to SMTP.
import { describe, expect, test } from 'vitest'
import { NewlineRepair, WireCount, withCrlf } from '../../../src/deliver/smtp/content.ts'

const latin1 = (text: string): Buffer => Buffer.from(text, 'latin1')

const cases: readonly (readonly [string, string])[] = [
  ['', ''],
  ['a\r\nb\r\n', 'a\r\nb\r\n'],
  ['a\nb\n', 'a\r\nb\r\n'],
  ['a\rb', 'a\r\nb'],
  ['a\r', 'a\r\n'],
  ['\n\n\r\r', '\r\n\r\n\r\n\r\n'],
  ['a\r\r\nb', 'a\r\n\r\nb'],
  ['a\n\rb', 'a\r\n\r\nb'],
  ['x\n.\ny', 'x\r\n.\r\ny'],
  ['x\r.\ry', 'x\r\n.\r\ny'],
  ['x\n.\r\ny', 'x\r\n.\r\ny'],
  ['x\r.\r\ny', 'x\r\n.\r\ny'],
  ['x\r\n.\ry', 'x\r\n.\r\ny'],
  ['\u0000\n\u00ff\r\n', '\u0000\r\n\u00ff\r\n'],
]

describe('withCrlf', () => {
  test.each(cases)('makes %j %j', (bytes, whole) => {
    expect(withCrlf(latin1(bytes)).toString('latin1')).toBe(whole)
  })

  test('gives back the very buffer when there is nothing to mend', () => {
    const bytes = latin1('a\r\n.b\r\n')
    expect(withCrlf(bytes)).toBe(bytes)
  })
})

describe('NewlineRepair', () => {
  test.each(cases)('gives the same for %j cut in two anywhere, and byte by byte', (bytes, whole) => {
    const all = latin1(bytes)
    const cuts = [...Array(all.length + 1).keys()].map((at) => [all.subarray(0, at), all.subarray(at)])
    for (const chunks of [...cuts, [...all].map((byte) => Buffer.of(byte))]) {
      const repair = new NewlineRepair()
      const out = chunks.map((chunk) => repair.repair(chunk))
      expect(Buffer.concat([...out, repair.end()]).toString('latin1')).toBe(whole)
    }
  })
})

describe('WireCount', () => {
  test.each([
    ['', 5],
    ['a\r\n', 3 + 3],
    ['a', 1 + 5],
    ['.', 1 + 1 + 5],
    ['.a\r\n..\r\nb.\r\n', 2 + 12 + 3],
    ['a\r\n.\r\n.', 2 + 7 + 5],
  ])('counts %j as %d bytes, however it is cut', (bytes, wireBytes) => {
    const all = latin1(bytes)
    for (let at = 0; at <= all.length; at++) {
      const count = new WireCount()
      count.add(all.subarray(0, at))
      count.add(all.subarray(at))
      expect(count.wireBytes).toBe(wireBytes)
      expect(count.sizeBytes).toBe(all.length)
    }
  })

  test('knows eight-bit content from ASCII', () => {
    const count = new WireCount()
    count.add(latin1('abc'))
    expect(count.eightBit).toBe(false)
    count.add(latin1('\u00e9'))
    count.add(latin1('abc'))
    expect(count.eightBit).toBe(true)
  })
})

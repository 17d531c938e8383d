import fc from 'fast-check'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { display, displayBytes, grouped, localClock, localStamp, localTime } from '../src/display.ts'
import { redactor } from '../src/redact.ts'

describe('display', () => {
  it('leaves honest text as it is', () => {
    expect(display('Grüße, 世界 ✉ 😀')).toBe('Grüße, 世界 ✉ 😀')
  })

  it.each([
    ['\u001b]0;owned\u0007', '\\x1b]0;owned\\x07'],
    ['\u001b[2J', '\\x1b[2J'],
    ['a\rb\nc\td', 'a\\x0db\\x0ac\\x09d'],
    ['\u0000\u007f\u009b31m', '\\x00\\x7f\\x9b31m'],
    ['exe\u202egpj', 'exe\\u{202e}gpj'],
    ['\u2066a\u2069', '\\u{2066}a\\u{2069}'],
    ['pass\u200bword', 'pass\\u{200b}word'],
    ['soft\u00adhyphen', 'soft\\xadhyphen'],
    ['line\u2028and\u2029paragraph', 'line\\u{2028}and\\u{2029}paragraph'],
    ['\ufeffbom', '\\u{feff}bom'],
    ['\u206adeprecated', '\\u{206a}deprecated'],
    ['tag\u{e0041}', 'tag\\u{e0041}'],
    ['half \ud83d', 'half \\u{d83d}'],
  ])('escapes what could act on a terminal or forge a line: %j', (text, shown) => {
    expect(display(text)).toBe(shown)
  })

  it('cuts ten megabytes at the limit and says so', () => {
    const shown = display('x'.repeat(10_000_000))
    expect(shown).toBe(`${'x'.repeat(200)}…`)
    expect(display('abcdef', 3)).toBe('abc…')
    expect(display('abc', 3)).toBe('abc')
  })

  it('masks a secret that the limit would cut, wherever it begins', () => {
    const secret = 'correct-horse-Battery-staple-9'
    redactor.add(secret)
    for (const shown of [secret, encodeURIComponent(secret), Buffer.from(secret).toString('base64')]) {
      for (let start = 150; start <= 230; start++) {
        const text = display(`${'x'.repeat(start - 1)} ${shown} ${'y'.repeat(500)}`)
        expect(text).not.toContain(shown.slice(0, 6))
        expect(text.length).toBeLessThanOrEqual(201)
      }
    }
  })

  it('lets no control, format or surrogate character through, whatever comes', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (text) => {
        expect(display(text)).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u)
      }),
    )
  })
})

describe('displayBytes', () => {
  it.each([
    ['UTF-8 as text', Buffer.from('Grüße 世界'), 'Grüße 世界'],
    ['anything else byte by byte', Buffer.from([0x2d, 0xb5, 0xc7, 0x20, 0x61]), '-\\xb5\\xc7 a'],
    ['a lone byte at the end, not dropped', Buffer.from('abc\xe4', 'latin1'), 'abc\\xe4'],
    ['a byte order mark, not dropped', Buffer.from('\ufeffabc'), '\\u{feff}abc'],
    ['C1 controls in latin1', Buffer.from([0x9b, 0x41, 0xff]), '\\x9bA\\xff'],
    ['overlong forms as bytes', Buffer.from([0xc0, 0xaf]), '\\xc0\\xaf'],
    ['nothing', Buffer.alloc(0), ''],
  ])('shows %s', (_what, bytes, shown) => {
    expect(displayBytes(bytes)).toBe(shown)
  })

  it('says that it was cut, in UTF-8 and in bytes, also in the middle of a character', () => {
    expect(displayBytes(Buffer.from('世'.repeat(100)), 5)).toBe('世世世世世…')
    expect(displayBytes(Buffer.from('😀'.repeat(100)), 5)).toBe('😀😀\\u{d83d}…')
    expect(displayBytes(Buffer.alloc(100, 0xff), 2)).toBe('\\xff\\xff…')
  })

  it('gives bytes that no terminal obeys, whatever comes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        expect(displayBytes(bytes)).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u)
      }),
    )
  })
})

it.each([
  [0, '0'],
  [999, '999'],
  [1000, '1,000'],
  [20_000, '20,000'],
  [1_234_567, '1,234,567'],
])('%i is read as %s', (count, text) => {
  expect(grouped(count)).toBe(text)
})

describe('a point in time', () => {
  afterEach(() => vi.unstubAllEnvs())
  const AT = Date.parse('2026-11-29T18:05:09Z')

  it.each([
    ['Europe/Berlin', '2026-11-29 19:05', 'CET'],
    ['America/New_York', '2026-11-29 13:05', 'EST'],
    ['Australia/Sydney', '2026-11-30 05:05', 'AEDT'],
    ['Asia/Kolkata', '2026-11-29 23:35', 'UTC+5:30'],
    ['UTC', '2026-11-29 18:05', 'UTC'],
  ])('is told as the clocks in %s show it, with the name of the zone', (zone, time, name) => {
    vi.stubEnv('TZ', zone)
    expect(localTime(AT)).toBe(`${time}:09`)
    expect(localStamp(AT)).toBe(`${time} ${name}`)
  })

  it('in summer has the zone of the summer', () => {
    vi.stubEnv('TZ', 'Europe/Berlin')
    expect(localStamp(Date.parse('2026-07-01T18:05:00Z'))).toBe('2026-07-01 20:05 CEST')
  })

  it('of today has no date', () => {
    vi.stubEnv('TZ', 'Europe/Berlin')
    expect(localClock(AT, AT - 3_600_000)).toBe('19:05 CET')
    expect(localClock(AT + 6 * 3_600_000, AT)).toBe('2026-11-30 01:05 CET')
  })

  it('that no date can hold does not stop the answer', () => {
    expect(localStamp(1e300)).toMatch(/\d/)
  })
})

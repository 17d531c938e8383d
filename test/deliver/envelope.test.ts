// What popfetch writes on top of a message and who it says the sender is.
import { describe, expect, test } from 'vitest'
import { labelField, traceField } from '../../src/deliver/envelope.ts'
import type { Origin } from '../../src/message.ts'

const origin: Origin = {
  account: 'old-isp',
  host: 'pop.example.net',
  user: 'alice',
  uidl: 'u1',
  copy: 0,
  protocol: 'POP3S',
}
const by = { hostName: 'laptop', nowMs: Date.UTC(2026, 10, 24, 13, 10, 22) }

describe('traceField', () => {
  test('is one folded Received field with a UTC date', () => {
    expect(traceField(origin, by)).toBe(
      'Received: from pop.example.net by laptop with POP3S\r\n' +
        '\t(popfetch; account old-isp); Tue, 24 Nov 2026 13:10:22 +0000\r\n',
    )
  })

  test('pads a one-digit day with a zero', () => {
    expect(traceField(origin, { hostName: 'laptop', nowMs: Date.UTC(2026, 0, 1) })).toContain(
      'Thu, 01 Jan 2026 00:00:00 +0000',
    )
  })

  test.each([
    ['a line end', 'pop\r\nBcc: victim@example.com'],
    ['a bare CR', 'pop\rBcc: x'],
    ['NUL and escape sequences', 'pop\u0000\u001b[31m'],
    ['text above ASCII', 'пошта.example'],
    ['a comment', 'pop (evil); Mon'],
    ['a very long name', 'x'.repeat(5000)],
  ])('lets nothing through a name with %s', (_, evil) => {
    const field = traceField({ ...origin, host: evil, account: evil }, { ...by, hostName: evil })
    expect(field).toMatch(/^[\t\r\n\x20-\x7e]*$/)
    const lines = field.split('\r\n')
    expect(lines).toHaveLength(3)
    expect(lines[0]).toMatch(/^Received: from [\w.-]+ by [\w.-]+ with POP3S$/)
    expect(lines[1]).toMatch(/^\t\(popfetch; account [\w@.+-]+\); \w{3}, \d\d \w{3} \d{4} /)
    expect(lines[2]).toBe('')
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(998)
  })

  test('writes an IPv6 address as a literal, and a host without a name as unknown', () => {
    expect(traceField({ ...origin, host: '::1' }, { ...by, hostName: '' })).toContain('from [IPv6:::1] by unknown with')
    expect(traceField({ ...origin, host: '[2001:db8::1]' }, by)).toContain('from [IPv6:2001:db8::1] by')
  })
})

describe('labelField', () => {
  test('names the account and cannot be broken out of', () => {
    expect(labelField('old-isp')).toBe('X-Popfetch-Account: old-isp\r\n')
    expect(labelField('a\r\nTo: b')).toBe('X-Popfetch-Account: a__To__b\r\n')
  })
})

// What popfetch writes on top of a message, who it says the sender is, and how it knows mail that goes in a circle.
import { describe, expect, test } from 'vitest'
import { isAddress } from '../../src/deliver/address.ts'
import { envelopeSender, labelField, loopOf, loopToken, traceField } from '../../src/deliver/envelope.ts'
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
  test('is one folded Received field with a UTC date (D048)', () => {
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
  ])('lets nothing through a name with %s (D017, D048)', (_, evil) => {
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

describe('envelopeSender', () => {
  const header = (...lines: readonly string[]): Buffer =>
    Buffer.from(lines.map((line) => `${line}\r\n`).join(''), 'latin1')
  const original = { kind: 'original' } as const
  const mine = { kind: 'address', address: 'me@example.com' } as const
  const fallback = 'fallback@example.com'

  test('original is what Return-Path says', () => {
    const returned = header('Return-Path: <bounces+1=a.b@lists.example.org>', 'Subject: x')
    expect(envelopeSender(original, returned, fallback)).toEqual({
      address: 'bounces+1=a.b@lists.example.org',
      foreign: true,
    })
    expect(envelopeSender(original, header('Return-Path: bare@example.org'), fallback).address).toBe('bare@example.org')
  })

  test('original without a Return-Path is the fallback', () => {
    expect(envelopeSender(original, header('From: x@example.org'), fallback)).toEqual({
      address: fallback,
      foreign: false,
    })
  })

  test.each([
    '@',
    '<>x',
    '<a b@example.org>',
    '<a@example.org> SIZE=1',
    '<a@x> SIZE=1\r\n RCPT TO:<z@z>',
    '<@relay.example:a@example.org>',
    '<a@example.org, b@example.org>',
    '<"a b"@example.org>',
    `<${'a'.repeat(4096)}@example.org>`,
    `<a@${'b.'.repeat(200)}org>`,
    '<a@-example.org>',
    '<a..b@example.org>',
    '<.a@example.org>',
    '<a@example..org>',
    '<a@exa\u00e4mple.org>',
    '<a@[1.2.3]>',
    '<MAILER-DAEMON>',
    '"x" <a@example.org>',
  ])('a Return-Path of %j becomes the fallback, never another address (D045)', (value) => {
    expect(envelopeSender(original, header(`Return-Path: ${value}`), fallback).address).toBe(fallback)
  })

  test.each([original, { kind: 'null' } as const, mine])(
    'mail from the null sender goes out with it, whatever $kind says',
    (from) => {
      for (const value of ['<>', '< >', '<> (bounce)']) {
        expect(envelopeSender(from, header(`Return-Path: ${value}`), fallback).address).toBe('')
      }
    },
  )

  test('a delivery report whose server added no Return-Path counts as from the null sender (D044)', () => {
    const report = header('Content-Type: multipart/report; report-type=delivery-status;', '\tboundary="x"')
    expect(envelopeSender(mine, report, fallback).address).toBe('')
    const receipt = header('Content-Type: multipart/report; report-type=disposition-notification')
    expect(envelopeSender(mine, receipt, fallback).address).toBe('me@example.com')
  })

  test('an address and null are taken as they are configured', () => {
    expect(envelopeSender(mine, header('Return-Path: <x@example.org>'), fallback)).toEqual({
      address: 'me@example.com',
      foreign: false,
    })
    expect(envelopeSender({ kind: 'null' }, header('Return-Path: <x@example.org>'), fallback).address).toBe('')
  })
})

describe('isAddress', () => {
  test.each(['a@b', 'a.b+c@example.org', 'x@[192.0.2.1]', 'x@[IPv6:2001:db8::1]', `${'l'.repeat(64)}@example.org`])(
    'takes %j',
    (text) => expect(isAddress(text)).toBe(true),
  )

  test.each(['', '@b', 'a@', 'a', 'a@b.', 'a@b c', `${'l'.repeat(65)}@example.org`, 'a@[2001:db8::1]'])(
    'refuses %j',
    (text) => expect(isAddress(text)).toBe(false),
  )
})

const token = loopToken(origin, 'me@example.com')
const header = (text: string): Buffer => Buffer.from(text, 'latin1')

describe('loopToken', () => {
  test('differs with the mailbox and the recipient, not with the name of the account or the message', () => {
    expect(loopToken({ ...origin, account: 'other', uidl: '2' }, 'me@example.com')).toBe(token)
    expect(loopToken({ ...origin, user: 'v' }, 'me@example.com')).not.toBe(token)
    expect(loopToken({ ...origin, host: 'h' }, 'me@example.com')).not.toBe(token)
    expect(loopToken(origin, 'you@example.com')).not.toBe(token)
    expect(token).toMatch(/^[0-9a-f]{20}$/)
  })
})

describe('loopOf', () => {
  test('knows its own trace among others, however a server folded it', () => {
    const own = traceField(origin, { ...by, id: token })
    expect(loopOf(header(`Received: by x; y\r\n${own}Subject: x\r\n`), token)).toMatch(/it came back/)
    expect(loopOf(header(own.replace(' id ', '\r\n id ')), token)).toMatch(/it came back/)
  })

  test('is not misled by the trace of another mailbox, one without an id, or a token elsewhere', () => {
    const other = traceField(origin, { ...by, id: loopToken({ ...origin, user: 'v' }, 'me@example.com') })
    expect(loopOf(header(`${other}${traceField(origin, by)}Subject: id ${token} (popfetch; x)\r\n`), token)).toBeNull()
    expect(loopOf(header(`Received: from a by b id ${token}; x\r\n`), token)).toBeNull()
  })

  test('counts fifty Received fields as a long way, and one more as a circle', () => {
    expect(loopOf(header('Received: by x; y\r\n'.repeat(50)), token)).toBeNull()
    expect(loopOf(header('Received: by x; y\r\n'.repeat(51)), token)).toBe('it has 51 Received fields')
  })
})

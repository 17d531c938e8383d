// The names of files in a Maildir.
import { describe, expect, test } from 'vitest'
import { fileName, hostPart, intentOf, keyIn, ownName, sizedName } from '../../../src/deliver/maildir/name.ts'
import { messageKey } from '../../../src/deliver/message-key.ts'
import { attempt, origin } from './scene.ts'

describe('names', () => {
  test.each([
    ['laptop.example-1_a', 'laptop.example-1_a'],
    ['a/b:c', 'a\\057b\\072c'],
    ['a\\b,S=1', 'a\\134b\\054S\\0751'],
    ['a b\0\n', 'a\\040b\\000\\012'],
    ['\u00fc', '\\303\\274'],
    ['', 'localhost'],
  ])('host %j becomes %s', (host, part) => {
    expect(hostPart(host)).toBe(part)
  })

  test('stay below 200 bytes, and no escape is cut in two', () => {
    const host = hostPart('/'.repeat(300))
    expect(host).toMatch(/^(\\057)+$/)
    expect(sizedName(fileName(attempt(), host, 9e15), Number.MAX_SAFE_INTEGER).length).toBeLessThanOrEqual(200)
  })

  test('show the key of a message at a glance, also in cur/ and for a host that looks like one', () => {
    const one = attempt()
    for (const host of ['laptop', 'a.K0123456789abcdef01234567.example']) {
      const name = `${sizedName(fileName(one, host, 1_700_000_000_000), 400)}:2,S`
      expect(keyIn(name)).toBe(messageKey(one.origin))
      expect(ownName(name)?.key).toBe(keyIn(name))
    }
  })

  test('tell messages apart by account, user, UIDL and copy, and nothing else', () => {
    const one = origin('a', 1)
    const keys = [
      one,
      { ...one, account: 'b' },
      { ...one, user: 'b' },
      { ...one, uidl: 'A' },
      { ...one, uidl: 'a\xff' },
      { ...one, uidl: '../../x' },
      { ...one, copy: 2 },
    ].map(messageKey)
    expect(new Set(keys).size).toBe(keys.length)
    for (const key of keys) expect(key).toMatch(/^[0-9a-f]{24}$/)
    expect(messageKey({ ...one, host: 'other', protocol: 'POP3' })).toBe(messageKey(one))
  })

  test('are never made of an intent that is not one', () => {
    expect(() => fileName({ ...attempt(), intent: '../../../etc/x' }, 'h', 0)).toThrow(TypeError)
  })

  test('of others are not taken for ours', () => {
    for (const name of ['1.M2P3.host', '1.K12I34.host', 'K.I.', `x1.K${'0'.repeat(24)}I${'0'.repeat(16)}.h`]) {
      expect(intentOf(name)).toBeNull()
    }
  })
})

// A sealed sign-in opens with its key, under its name, and as it was sealed. Nothing else opens.
import { expect, test } from 'vitest'
import { Seal } from '../../src/oauth/seal.ts'

const KEY = 'k'.repeat(32)
const NAME = Buffer.from('company\0alice@example.org')
const seal = new Seal(KEY)
const TEXT = '{"refreshToken":"secret-ä"}'

test('what was sealed opens again, nothing of it can be seen, and no two are alike', () => {
  const [one, two] = [seal.close(NAME, TEXT), seal.close(NAME, TEXT)]
  expect(seal.open(NAME, one)).toEqual({ text: TEXT, isFormer: false })
  expect(new Seal(KEY).open(NAME, two)).toEqual({ text: TEXT, isFormer: false })
  expect(one.includes('secret')).toBe(false)
  expect(one.equals(two)).toBe(false)
  // The nonce, and all behind it.
  expect(one.subarray(9, 21).equals(two.subarray(9, 21))).toBe(false)
})

test('that of another does not open, wherever the names are cut', () => {
  const sealed = seal.close(NAME, TEXT)
  for (const other of ['company\0bob@example.org', 'companyalice@example.org', 'compan\0yalice@example.org', ''])
    expect([other, seal.open(Buffer.from(other), sealed)]).toEqual([other, { text: null, why: 'altered' }])
})

test('one that is cut, longer, or has one bit turned does not open', () => {
  const sealed = seal.close(NAME, TEXT)
  for (let length = 0; length < sealed.length; length++)
    expect(seal.open(NAME, sealed.subarray(0, length)).text).toBeNull()
  expect(seal.open(NAME, Buffer.concat([sealed, Buffer.of(0)])).text).toBeNull()
  for (let at = 0; at < sealed.length * 8; at++) {
    const altered = Buffer.from(sealed)
    altered[at >> 3] = (altered[at >> 3] ?? 0) ^ (1 << (at & 7))
    expect([at, seal.open(NAME, altered).text]).toEqual([at, null])
  }
})

test('another key is told from an altered text, a newer version from both', () => {
  const sealed = seal.close(NAME, TEXT)
  expect(new Seal('x'.repeat(32)).open(NAME, sealed)).toEqual({ text: null, why: 'key' })
  expect(seal.open(NAME, Buffer.concat([Buffer.of(2), sealed.subarray(1)]))).toEqual({ text: null, why: 'newer' })
})

test('a former key opens and says so, and never seals', () => {
  const changed = new Seal('n'.repeat(32), KEY)
  expect(changed.open(NAME, seal.close(NAME, TEXT))).toEqual({ text: TEXT, isFormer: true })
  const fresh = changed.close(NAME, TEXT)
  expect(changed.open(NAME, fresh)).toEqual({ text: TEXT, isFormer: false })
  expect(seal.open(NAME, fresh)).toEqual({ text: null, why: 'key' })
})

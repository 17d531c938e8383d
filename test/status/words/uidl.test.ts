import { expect, test } from 'vitest'
import { array, assert, nat, property } from 'fast-check'
import { possibleUidls, printedUidl } from '../../../src/status/words/uidl.ts'
import { display } from '../../../src/display.ts'

test('an ordinary UIDL is printed as it is and means itself alone', () => {
  expect(printedUidl('1f7c-"A+b/=')).toBe('1f7c-"A+b/=')
  expect(possibleUidls('1f7c-"A+b/=')).toEqual(['1f7c-"A+b/='])
})

test.each([
  ['a space', 'a b', 'a\\x20b'],
  ['a control character', 'a\u001b\u0000', 'a\\x1b\\x00'],
  ['a byte above ASCII', 'caf\u00e9', 'caf\\xe9'],
  ['a backslash', 'a\\x41', 'a\\x5cx41'],
])('%s is printed as an escape', (_, uidl, printed) => {
  expect(printedUidl(uidl)).toBe(printed)
})

test('whatever the bytes, what is printed is plain ASCII and is understood again, and so is what other output shows', () => {
  assert(
    property(array(nat(255), { minLength: 1, maxLength: 70 }), (bytes) => {
      const uidl = Buffer.from(bytes).toString('latin1')
      expect(printedUidl(uidl)).toMatch(/^[\x21-\x7e]+$/)
      expect(possibleUidls(printedUidl(uidl))).toContain(uidl)
      if (!uidl.includes('\\')) expect(possibleUidls(display(uidl))).toContain(uidl)
      expect(possibleUidls(uidl)[0]).toBe(uidl)
    }),
  )
})

test('what a terminal sends as UTF-8 is also taken for those bytes', () => {
  expect(possibleUidls('\u20ac')).toEqual(['\u00e2\u0082\u00ac'])
})

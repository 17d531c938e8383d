// What stands for {account}, {recipient}, {local} and {domain} in addresses and names.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { filledAddress, filledName, hasUnknownPlaceholder } from '../../src/deliver/placeholders.ts'

const filling = (mailbox: string | null) => ({ account: 'old-isp', mailbox })

test('an address has the recipient as it is, its local part without tag and case, and its domain', () => {
  const fill = (text: string): string => filledAddress(text, filling('Anna+Shop@Example.org'))
  expect(fill('{recipient}')).toBe('Anna+Shop@Example.org')
  expect(fill('{local}@in.example')).toBe('anna@in.example')
  expect(fill('{local}@{domain}')).toBe('anna@example.org')
  expect(fill('{account}+{local}@x.example')).toBe('old-isp+anna@x.example')
  expect(filledAddress('{local}@{account}', filling(null))).toBe('{local}@old-isp')
  expect(filledAddress('{local}@x', filling('+tag@example.org'))).toBe('+tag@x')
})

describe('a name', () => {
  const local = (mailbox: string): string => filledName('{local}', filling(mailbox))
  test.each([
    ['anna@example.org', 'anna'],
    ['Anna+tag@example.org', 'anna'],
    ['anna.b-c_d@example.org', 'anna.b-c_d'],
  ])('of %s is %s', (mailbox, name) => {
    expect(local(mailbox)).toBe(name)
  })

  test.each([
    'a/b',
    '..',
    '.',
    '.a',
    'a.',
    '$x',
    "o'hara",
    'gr\u00fc\u00dfe',
    'a=b',
    '%',
    '~',
    '&',
    'a*',
    'x'.repeat(151),
  ])('of %s is one component with a hash, which no address can be called', (text) => {
    const name = local(`${text}@example.org`)
    expect(name).toMatch(/^[a-z0-9_-]{0,60}=[0-9a-f]{16}$/)
    // Who is really called that has another.
    expect(local(`${name}@example.org`)).not.toBe(name)
  })

  test('of a recipient keeps @ and +, in lower case', () => {
    expect(filledName('/mail/{recipient}/x', filling('Anna+Tag@Example.org'))).toBe('/mail/anna+tag@example.org/x')
    expect(filledName('/mail/{domain}/{local}', filling('Anna@Example.org'))).toBe('/mail/example.org/anna')
  })

  test('never leaves its place, and two share one only if they differ by case or tag', () => {
    const part = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 80 }).filter((text) => !text.includes('@'))
    const known = new Map<string, string>()
    fc.assert(
      fc.property(part, (text) => {
        const name = local(`${text}@example.org`)
        expect(name).not.toMatch(/[/\\\0]|^\.|\.$|[^ -~]/)
        const tag = text.indexOf('+', 1)
        const plain = (tag < 0 ? text : text.slice(0, tag)).toLowerCase()
        expect(known.get(name) ?? plain).toBe(plain)
        known.set(name, plain)
      }),
    )
  })
})

test('anything else in braces is a slip of the pen', () => {
  expect(['{acount}', '{Local}', '{}', '{local }', '{{x}}'].every(hasUnknownPlaceholder)).toBe(true)
  expect(['{account}', '{recipient}{local}{domain}', 'plain', '{'].some(hasUnknownPlaceholder)).toBe(false)
})

// Which messages the conditions of `route` mean, whatever a sender writes.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { When } from '../../../src/config/schema.ts'
import { fits, matches } from '../../../src/poll/route/conditions.ts'
import { message } from '../../deliver/scene.ts'

const any: When = { from: null, to: null, subject: null, header: [], size: null }

function header(...lines: string[]) {
  return message(Buffer.from([...lines, '', 'body', ''].join('\r\n'), 'latin1'))
}

describe('a pattern', () => {
  test.each([
    ['invoice', 'invoice', true],
    ['invoice', 'Invoice', true],
    ['INVOICE', 'invoice', true],
    ['invoice', 'your invoice', false],
    ['*invoice*', 'your Invoice of May', true],
    ['*invoice', 'invoice 1', false],
    ['invoice*', 'invoice 1', true],
    ['*', '', true],
    ['**', 'x', true],
    ['a*b*c', 'a-b-c', true],
    ['a*b*c', 'a-c-b', false],
    ['a*a', 'a', false],
    ['ab*ba', 'aba', false],
    ['*a*a*', 'a', false],
    ['[a-z].?(x)+$', '[a-z].?(x)+$', true],
    ['[a-z]', 'a', false],
    ['GRÜSSE', 'grüsse', true],
    ['e\u0301', '\u00e9', true],
  ])('%s against "%s": %s', (pattern, text, expected) => {
    expect(matches(pattern, text)).toBe(expected)
  })

  test('fits what it was made from by leaving parts out', () => {
    const word = fc.string({ maxLength: 5 }).filter((text) => !text.includes('*'))
    fc.assert(
      fc.property(fc.array(fc.tuple(word, word), { minLength: 1, maxLength: 6 }), (parts) => {
        const pattern = parts.map(([kept]) => kept).join('*')
        const text = parts.map(([kept, left], at) => kept + (at < parts.length - 1 ? left : '')).join('')
        return matches(pattern, text)
      }),
    )
  })
})

describe('from', () => {
  const when = (from: string): When => ({ ...any, from })
  test.each([
    ['ada@example.org', 'From: Ada <ada@example.org>', true],
    ['ADA@example.org', 'From: ada@Example.ORG', true],
    ['da@example.org', 'From: ada@example.org', false],
    ['*@example.org', 'From: =?utf-8?Q?Ad=C3=A4?= <ada@example.org>', true],
    ['*@example.org', 'From: ada@example.org.evil.example', false],
    ['*@example.org', 'From: "x@example.org" <eve@evil.example>', false],
    ['*Adä*', 'From: =?utf-8?Q?Ad=C3=A4?= <ada@example.org>', true],
    ['b@example.org', 'From: a@example.org, b@example.org', true],
    ['b@example.org', 'From: friends: a@example.org, b@example.org;', true],
    ['ada@example.org', 'Subject: no From at all', false],
  ])('%s: %s: %s', (pattern, line, expected) => {
    expect(fits(when(pattern), header(line))).toBe(expected)
  })
})

test('to means To, Cc and Bcc, each of their addresses', () => {
  const letter = header('To: a@example.org', 'Cc: B <b@example.org>, c@example.org', 'Bcc: d@example.org')
  const fit = ['a', 'b', 'c', 'd', 'e'].filter((name) => fits({ ...any, to: `${name}@example.org` }, letter))
  expect(fit).toEqual(['a', 'b', 'c', 'd'])
})

describe('subject', () => {
  test.each([
    ['*Grüße*', 'Subject: =?ISO-8859-1?Q?Gr=FC=DFe?= aus Kiel'],
    ['Grüße', 'Subject: =?utf-8?B?R3LDvMOfZQ==?='],
    ['ab', 'Subject: =?utf-8?Q?a?= =?utf-8?Q?b?='],
    ['one two', 'Subject: one\r\n two'],
    ['grüße', `Subject: ${Buffer.from('Grüße').toString('latin1')}`],
    ['gr\u00fc\u00dfe', 'Subject: Gr\xfc\xdfe'],
    ['=?nonsense', 'Subject: =?nonsense'],
  ])('%s is found in what a reader sees of %j', (pattern, line) => {
    expect(fits({ ...any, subject: pattern }, header(line))).toBe(true)
  })
})

test('header means any field of that name, all conditions together', () => {
  const letter = header('X-A: 1', 'X-A: 2', 'List-Id: Dev <dev.lists.example>')
  const condition = (name: string, pattern: string) => ({ name, pattern })
  expect(fits({ ...any, header: [condition('x-a', '2'), condition('list-id', '*dev.lists*')] }, letter)).toBe(true)
  expect(fits({ ...any, header: [condition('x-a', '3'), condition('list-id', '*dev.lists*')] }, letter)).toBe(false)
  expect(fits({ ...any, header: [condition('x-b', '*')] }, letter)).toBe(false)
})

test('size is compared with what was received', () => {
  const letter = header('A: b')
  const { sizeBytes } = letter
  expect(fits({ ...any, size: { than: 'larger', bytes: sizeBytes } }, letter)).toBe(false)
  expect(fits({ ...any, size: { than: 'larger', bytes: sizeBytes - 1 } }, letter)).toBe(true)
  expect(fits({ ...any, size: { than: 'smaller', bytes: sizeBytes } }, letter)).toBe(false)
  expect(fits({ ...any, size: { than: 'smaller', bytes: sizeBytes + 1 } }, letter)).toBe(true)
})

test('whatever is in a header, comparing it ends and does not fail', () => {
  const nasty = ['=?', '=?utf-8?B?', '"', '(', '<', ',', ':', ';', '\\', '@', 'a@b,', '\xff', ' ']
  for (const piece of nasty) {
    const letter = header(`From: ${piece.repeat(60_000 / piece.length)}`, `Subject: ${piece.repeat(10_000)}`)
    expect(fits({ ...any, from: '*a*b*c*d*e*f*', subject: '*x*y*z*' }, letter)).toBe(false)
  }
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      const letter = message(Buffer.concat([Buffer.from('From: '), bytes, Buffer.from('\r\nSubject: '), bytes]))
      fits({ ...any, from: 'a', to: 'b', subject: 'c' }, letter)
    }),
  )
})

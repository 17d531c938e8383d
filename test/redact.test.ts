import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { displayBytes } from '../src/display.ts'
import { Redactor } from '../src/redact.ts'

const SECRET = 'pä"ss/w&rd+7'

function withSecret(secret: string): Redactor {
  const redactor = new Redactor()
  redactor.add(secret)
  return redactor
}

describe('a secret is masked', () => {
  const bytes = Buffer.from(SECRET)
  const plainBlob = Buffer.concat([Buffer.from('\0alice\0'), bytes])
  test.each([
    ['as it is', SECRET],
    ['as the server echoes its bytes', bytes.toString('latin1')],
    ['as the server says it back in latin1', displayBytes(Buffer.from(SECRET, 'latin1'))],
    ['as JSON shows it', JSON.stringify(SECRET)],
    ['in a URL', encodeURIComponent(SECRET)],
    ['as hexadecimal digits', bytes.toString('hex')],
    ['as capital hexadecimal digits', bytes.toString('hex').toUpperCase()],
    ['as base64', bytes.toString('base64')],
    ['as base64 without padding', bytes.toString('base64').replaceAll('=', '')],
    ['as base64url', bytes.toString('base64url')],
    ['in the blob of AUTH PLAIN', plainBlob.toString('base64')],
  ])('%s', (_form, shown) => {
    const masked = withSecret(SECRET).redact(`-ERR what is ${shown} to me`)
    expect(masked).not.toContain(shown)
    expect(masked).toContain('****')
    expect(masked).toMatch(/^-ERR what is .* to me$/)
  })

  test('at every alignment inside a longer base64 text, whatever stands around it', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 4, maxLength: 40 }), fc.string(), fc.string(), (secret, before, after) => {
        const blob = Buffer.from(`${before}${secret}${after}`).toString('base64')
        expect(withSecret(secret).redact(`AUTH ${blob} end`)).toBe('AUTH **** end')
      }),
    )
  })

  test('completely, when another secret is its beginning', () => {
    const redactor = withSecret('hunter')
    redactor.add('hunter2-and-more')
    expect(redactor.redact('PASS hunter2-and-more')).toBe('PASS ****')
  })

  test('only where it stands alone, when it is so short that words contain it', () => {
    const redactor = withSecret('an')
    expect(redactor.redact('an answer to "an" and any')).toBe('**** answer to "****" and any')
  })
})

test('text without a secret is left alone', () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom('a', 'b', '=', '-', ' ', '\n', '0') }), (text) => {
      expect(withSecret('XYZ-XYZ').redact(text)).toBe(text)
    }),
  )
})

test('an empty secret masks nothing', () => {
  expect(withSecret('').redact('nothing to hide')).toBe('nothing to hide')
})

test('of very many secrets the newest are remembered', () => {
  const redactor = new Redactor()
  for (let i = 0; i < 5000; i++) redactor.add(`token-${i}-of-many`)
  expect(redactor.redact('token-4999-of-many token-0-of-many')).toBe('**** token-0-of-many')
})

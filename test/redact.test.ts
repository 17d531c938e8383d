import { createHash } from 'node:crypto'
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

  test.each(['@_^@', 'A@Z_', '[k3]', 'Zz9~', 'q7w!'])(
    '%s, of four characters, in a text that has nothing to decode',
    (secret) => {
      const redactor = withSecret(secret)
      expect(redactor.redact(`is ${secret} right`)).toBe('is **** right')
      expect(redactor.redact(`is ${Buffer.from(secret).toString('hex')} right`)).toBe('is **** right')
    },
  )

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

  test.each([
    ['with a soft hyphen in it', 'hunt\u00ader2-and-more'],
    ['with zero-width characters in it', 'hun\u200dter2-\ufeffand-m\u200bore'],
    ['in capitals', 'HUNTER2-AND-MORE'],
    ['with every character percent-encoded, in either case', '%68%75%6e%74%65%72%32%2d%61%6E%64%2D%6d%6F%72%65'],
    ['in quoted-printable', 'hunter2=2Dand=2dm=\r\nore'],
    ['as references of HTML', 'hunter2&#45;and&#x2D;more'],
    ['as escapes of JSON', 'hunter2\\u002dand\\u002Dmore'],
    ['escaped twice', 'hunter2\\u0025\\u0032dand-more'.replace('\\u0032', '2')],
    ['as hexadecimal digits that begin at an odd place', `f${Buffer.from('hunter2-and-more').toString('hex')}`],
  ])('%s', (_form, shown) => {
    expect(withSecret('hunter2-and-more').redact(`you sent "${shown}"!`)).toBe('you sent "****"!')
  })

  test('in a piece of sixteen characters, and in a shorter one where the text is cut', () => {
    const redactor = withSecret('0123456789-abcdefghij-ABCDEFGHIJ')
    expect(redactor.redact('x 456789-abcdefghi x')).toBe('x **** x')
    expect(redactor.redact('x 01234567', 'end')).toBe('x ****')
    expect(redactor.redact('EFGHIJ x', 'start')).toBe('**** x')
    expect(redactor.redact('x 01234567 x', 'both')).toBe('x 01234567 x')
  })
})

describe('a password that is a common word (B12)', () => {
  test.each([
    ['wrong', '535 5.7.8 wrong user name or password', '535 5.7.8 wrong user name or password'],
    ['wrong', '-ERR bad password "wrong"', '-ERR bad password "****"'],
    ['wrong', '-ERR bad password <Wrong>', '-ERR bad password <****>'],
    ['wrong', 'at socks5://user:wrong@proxy.example', 'at socks5://user:****@proxy.example'],
    ['wrong', `you sent ${Buffer.from('\0alice\0wrong').toString('base64')}`, 'you sent ****'],
    ['login failed', '-ERR login failed', '-ERR login failed'],
    ['535', '535 5.7.8 no', '535 5.7.8 no'],
    ['an', 'an answer to "an" and any', 'an answer to "****" and any'],
  ])('is not told by the mask: %s in %s', (secret, text, shown) => {
    expect(withSecret(secret).redact(text)).toBe(shown)
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

test('of secrets that are alike each one is found', () => {
  const redactor = new Redactor()
  for (let i = 0; i < 5000; i++) redactor.add(`token-${i}-of-many`)
  for (let i = 0; i < 5000; i += 7) expect(redactor.redact(`<token-${i}-of-many>`)).toBe('<****>')
})

describe('tokens that change each hour', () => {
  const token = (account: number, hour: number): string => {
    const digits = createHash('sha512').update(`${account} ${hour}`).digest('base64url').repeat(18).slice(0, 1450)
    return `eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCIsImtpZCI6IjAx${digits}`
  }
  const afterHours = (hours: number, accounts = 20): Redactor => {
    const redactor = new Redactor()
    for (let hour = 0; hour < hours; hour++) {
      for (let account = 0; account < accounts; account++) {
        redactor.add(token(account, hour), `the token of ${account}`)
      }
    }
    return redactor
  }

  test('are held as long as they are among the last three of their account', () => {
    const redactor = afterHours(10)
    expect(redactor.load.secrets).toBe(60)
    for (const hour of [7, 8, 9]) expect(redactor.redact(`-ERR ${token(3, hour)} no`)).toBe('-ERR **** no')
  })

  test('need no more memory after four times as many hours', () => {
    const [few, many] = [afterHours(5).load, afterHours(20).load]
    expect(many.units).toBe(few.units)
    expect(many.pieces).toBeLessThan(1.1 * few.pieces)
  })

  test('are held within a limit, however many accounts there are', () => {
    const redactor = afterHours(1, 2000)
    expect(redactor.load.units).toBeLessThanOrEqual(1024 * 1024)
    expect(redactor.redact(token(1999, 0))).toBe('****')
  })

  test.each([
    ['a text without any', (n: number) => 'no such mailbox, try again '.repeat(n)],
    ['a text full of them', (n: number) => `${token(3, 0)} `.repeat(n)],
    ['a text full of their beginning', (n: number) => 'eyJhbGciOiJSUzI1NiIsIn'.repeat(n)],
  ])('cost work that is linear in the text: %s', (_what, text) => {
    const redactor = afterHours(3)
    const stepsOf = (n: number): number => {
      const before = redactor.load.steps
      redactor.redact(text(n))
      return redactor.load.steps - before
    }
    stepsOf(1)
    expect(stepsOf(40)).toBeLessThan(4.4 * stepsOf(10))
  })

  test('cost a text of random digits, such as UIDLs, no more than one look', () => {
    const redactor = new Redactor()
    redactor.add('Xq7-first-pass')
    const text = Array.from({ length: 2000 }, (_, n) => createHash('sha1').update(`${n}`).digest('hex')).join(' ')
    const before = redactor.load.steps
    expect(redactor.redact(text)).toBe(text)
    expect(redactor.load.steps - before).toBe(3 * text.length)
  })

  test('cost work for a text that does not grow with their number', () => {
    const text = 'no such mailbox, try again later. '.repeat(5)
    const stepsOf = (redactor: Redactor): number => {
      const before = redactor.load.steps
      redactor.redact(text)
      return redactor.load.steps - before
    }
    expect(stepsOf(afterHours(3, 80))).toBeLessThan(1.2 * stepsOf(afterHours(3, 20)))
  })
})

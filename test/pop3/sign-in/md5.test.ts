import { describe, expect, it } from 'vitest'
import { apopDigest, apopTimestamp } from '../../../src/pop3/sign-in/md5.ts'

describe('the timestamp of a greeting', () => {
  it.each([
    ['POP3 server ready <1896.697170952@dbc.mtview.ca.us>', '<1896.697170952@dbc.mtview.ca.us>'],
    ['<1.2@h> ready', '<1.2@h>'],
    ['ready', null],
    ['ready <1.2>', null],
    ['ready <@h>', null],
    ['ready <1@>', null],
    ['ready <1@2@3>', null],
    ['ready <1 2@h>', null],
    ['ready <1.2@h> <3.4@h>', null],
    ['ready <<1.2@h>>', null],
    ['ready >1.2@h<', null],
    ['ready <1.\u00e4@h>', null],
    [`ready <${'1'.repeat(260)}@h>`, null],
  ])('is one plain msg-id, or there is none: %j (P028)', (greeting, timestamp) => {
    expect(apopTimestamp(Buffer.from(greeting, 'latin1'))).toBe(timestamp)
  })

  it.each(['<', '<@', '@', '<a@b', '>'])(
    'is looked for in time that grows with the greeting alone: %j (P028)',
    (piece) => {
      // Quadratic, this would take minutes: the test would be ended.
      expect(apopTimestamp(Buffer.from(piece.repeat(1_000_000)))).toBeNull()
    },
  )

  it('makes the digest of RFC 1939', () => {
    expect(apopDigest('<1896.697170952@dbc.mtview.ca.us>', { user: 'mrose', password: 'tanstaaf' })).toBe(
      'c4c9334bac560ecc979e58001b3e22fb',
    )
  })
})

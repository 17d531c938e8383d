import { describe, expect, it } from 'vitest'
import { apop, apopTimestamp, cramMd5 } from '../../../src/pop3/sign-in/md5.ts'
import { misplaced } from '../../../src/pop3/sign-in/mechanism.ts'
import { ask, EMPTY, peer, textOf } from './exchanges.ts'

const cramFor = (user: string, password: string) => cramMd5.begin({ user, password })

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
    const greeting = Buffer.from('+OK POP3 server ready <1896.697170952@dbc.mtview.ca.us>')
    const commands = apop.commands({ user: 'mrose', password: 'tanstaaf' }, { ...peer, greeting, secure: true })
    expect(commands.map(({ bytes }) => String(bytes))).toEqual(['APOP mrose c4c9334bac560ecc979e58001b3e22fb\r\n'])
  })
})

describe('CRAM-MD5', () => {
  it('answers the challenge of RFC 2195, once', () => {
    const exchange = cramFor('tim', 'tanstaaftanstaaf')
    expect(exchange).toMatchObject({ initial: null, messages: 1 })
    const challenge = Buffer.from('<1896.697170952@postoffice.reston.mci.net>')
    expect(textOf(ask(exchange, challenge))).toBe('tim b913a602c7eda7a495b4e6e7334d3890')
    expect(ask(exchange, challenge)).toBe(misplaced)
  })

  it('has no answer to nothing', () => {
    expect(ask(cramFor('tim', 'x'), EMPTY)).toBe(misplaced)
  })
})

import { describe, expect, it } from 'vitest'
import { misplaced } from '../../../src/pop3/sign-in/mechanism.ts'
import { login, plain, userAndPass } from '../../../src/pop3/sign-in/plain.ts'
import { ask, EMPTY } from './exchanges.ts'

const plainFor = (user: string, password: string) => plain.begin({ user, password })
const loginFor = (user: string, password: string) => login.begin({ user, password })

describe('PLAIN', () => {
  it('is one message, with the user and password in it', () => {
    const exchange = plainFor('alice', ' p"ä')
    expect(exchange.messages).toBe(1)
    expect(exchange.initial).toEqual(Buffer.from('\0alice\0 p"ä'))
  })

  it('answers an empty challenge once, and no other (P069)', () => {
    const exchange = plainFor('alice', 'secret')
    expect(ask(exchange, Buffer.from('Username:'))).toBe(misplaced)
    expect(ask(exchange, EMPTY)).toEqual(Buffer.from('\0alice\0secret'))
    expect(ask(exchange, EMPTY)).toBe(misplaced)
  })

  it('sends composed characters and one kind of space, however they were typed (P075)', () => {
    const exchange = plainFor('u\u0308', 'pa\u0308s\u00a0s')
    expect(exchange.initial).toEqual(Buffer.from('\0\u00fc\0p\u00e4s s'))
  })
})

describe('LOGIN', () => {
  it('answers with the user name, then with the password, then with nothing', () => {
    const exchange = loginFor('alice', ' secret ')
    expect(exchange).toMatchObject({ initial: null, messages: 2 })
    expect(ask(exchange, Buffer.from('Benutzer:'))).toEqual(Buffer.from('alice'))
    expect(ask(exchange, EMPTY)).toEqual(Buffer.from(' secret '))
    expect(ask(exchange, EMPTY)).toBe(misplaced)
  })
})

describe('USER and PASS', () => {
  it('are both made before either is sent: a password that cannot be sent leaves no session half signed in (P073)', () => {
    expect(userAndPass.commands({ user: 'alice', password: ' p"a ' }).map(({ bytes }) => String(bytes))).toEqual([
      'USER alice\r\n',
      'PASS  p"a \r\n',
    ])
    expect(() => userAndPass.commands({ user: 'alice', password: 'x\r\nDELE 1' })).toThrow(
      expect.objectContaining({ code: 'ERR_CONFIG' }),
    )
  })
})

import { describe, expect, it } from 'vitest'
import { parseCapabilities } from '../../src/pop3/reply.ts'
import { chooseSignIn, mechanism } from '../../src/pop3/sasl.ts'

const EMPTY = Buffer.alloc(0)

describe('PLAIN', () => {
  it('is one message, with the user and password in it', () => {
    const plain = mechanism('plain', { user: 'alice', password: ' p"ä' })
    expect(plain.name).toBe('PLAIN')
    expect(plain.messages).toBe(1)
    expect(plain.initial).toEqual(Buffer.from('\0alice\0 p"ä'))
  })

  it('answers an empty challenge once, and no other (P069)', () => {
    const plain = mechanism('plain', { user: 'alice', password: 'secret' })
    expect(plain.answer(Buffer.from('Username:'))).toBeNull()
    expect(plain.answer(EMPTY)).toEqual(Buffer.from('\0alice\0secret'))
    expect(plain.answer(EMPTY)).toBeNull()
  })

  it('sends composed characters, however they were typed (P075)', () => {
    const plain = mechanism('plain', { user: 'a', password: 'pa\u0308ss' })
    expect(plain.initial).toEqual(Buffer.from('\0a\0p\u00e4ss'))
  })
})

describe('LOGIN', () => {
  it('answers with the user name, then with the password, then with nothing', () => {
    const login = mechanism('login', { user: 'alice', password: ' secret ' })
    expect(login).toMatchObject({ name: 'LOGIN', initial: null, messages: 2 })
    expect(login.answer(Buffer.from('Benutzer:'))).toEqual(Buffer.from('alice'))
    expect(login.answer(EMPTY)).toEqual(Buffer.from(' secret '))
    expect(login.answer(EMPTY)).toBeNull()
  })
})

describe('the choice of a mechanism', () => {
  const capabilities = (...lines: readonly string[]) => parseCapabilities(Buffer.from(lines.join('\r\n')))

  it.each([
    ['SASL LOGIN PLAIN', 'plain'],
    ['SASL LOGIN', 'login'],
    ['SASL XOAUTH2', 'user'],
    ['SASL', 'user'],
    ['USER', 'user'],
    ['', 'user'],
    ['auth=plain', 'plain'],
  ])('is the best of what is offered: %j', (line, chosen) => {
    expect(chooseSignIn('auto', capabilities(line))).toBe(chosen)
  })

  it('takes what was asked for by name when nothing is listed: the answer to the command wins (P038)', () => {
    expect(chooseSignIn('plain', capabilities())).toBe('plain')
    expect(chooseSignIn('login', capabilities('USER'))).toBe('login')
  })

  it('is refused when other mechanisms are listed and not that one (P070)', () => {
    expect(() => chooseSignIn('plain', capabilities('SASL LOGIN CRAM-MD5'))).toThrow(
      expect.objectContaining({
        code: 'ERR_MECHANISM',
        retry: 'never',
        message: 'the server does not offer the sign-in mechanism plain; it offers LOGIN, CRAM-MD5: change auth',
      }),
    )
    expect(chooseSignIn('user', capabilities('SASL PLAIN'))).toBe('user')
  })

  it('names mechanisms that cannot act on a terminal', () => {
    expect(() => chooseSignIn('plain', capabilities('SASL X\u001b[2J'))).toThrow(/offers X\\x1b\[2J/)
  })
})

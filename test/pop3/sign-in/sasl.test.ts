import { describe, expect, it } from 'vitest'
import { type Answer, type Mechanism, misplaced } from '../../../src/pop3/sign-in/mechanism.ts'
import { parseCapabilities } from '../../../src/pop3/wire/reply.ts'
import { chooseSignIn, mechanism, type SaslName } from '../../../src/pop3/sign-in/sasl.ts'

const EMPTY = Buffer.alloc(0)
const peer = { host: 'pop.example.net', port: 995 }
const password = { user: 'alice', password: 'secret' }
const token = { user: 'alice', token: 'ya29.a0' }
const withPassword = (name: SaslName, user: string, secret: string) => mechanism(name, { user, password: secret }, peer)

/** None of these takes its time. */
const ask = (asked: Mechanism, challenge: Buffer) => asked.answer(challenge) as Answer
const text = (answer: Answer) => (Buffer.isBuffer(answer) ? answer.toString() : answer.cancel)

describe('PLAIN', () => {
  it('is one message, with the user and password in it', () => {
    const plain = withPassword('plain', 'alice', ' p"ä')
    expect(plain.name).toBe('PLAIN')
    expect(plain.messages).toBe(1)
    expect(plain.initial).toEqual(Buffer.from('\0alice\0 p"ä'))
  })

  it('answers an empty challenge once, and no other (P069)', () => {
    const plain = withPassword('plain', 'alice', 'secret')
    expect(ask(plain, Buffer.from('Username:'))).toBe(misplaced)
    expect(ask(plain, EMPTY)).toEqual(Buffer.from('\0alice\0secret'))
    expect(ask(plain, EMPTY)).toBe(misplaced)
  })

  it('sends composed characters and one kind of space, however they were typed (P075)', () => {
    const plain = withPassword('plain', 'u\u0308', 'pa\u0308s\u00a0s')
    expect(plain.initial).toEqual(Buffer.from('\0\u00fc\0p\u00e4s s'))
  })
})

describe('LOGIN', () => {
  it('answers with the user name, then with the password, then with nothing', () => {
    const login = withPassword('login', 'alice', ' secret ')
    expect(login).toMatchObject({ name: 'LOGIN', initial: null, messages: 2 })
    expect(ask(login, Buffer.from('Benutzer:'))).toEqual(Buffer.from('alice'))
    expect(ask(login, EMPTY)).toEqual(Buffer.from(' secret '))
    expect(ask(login, EMPTY)).toBe(misplaced)
  })
})

describe('CRAM-MD5', () => {
  it('answers the challenge of RFC 2195, once', () => {
    const cram = withPassword('cram-md5', 'tim', 'tanstaaftanstaaf')
    expect(cram).toMatchObject({ name: 'CRAM-MD5', initial: null, messages: 1 })
    const challenge = Buffer.from('<1896.697170952@postoffice.reston.mci.net>')
    expect(text(ask(cram, challenge))).toBe('tim b913a602c7eda7a495b4e6e7334d3890')
    expect(ask(cram, challenge)).toBe(misplaced)
  })

  it('has no answer to nothing', () => {
    expect(ask(withPassword('cram-md5', 'tim', 'x'), EMPTY)).toBe(misplaced)
  })
})

describe('XOAUTH2', () => {
  it('waits for the server, then says who it is and shows the token (P065)', () => {
    const oauth = mechanism(
      'xoauth2',
      { user: 'someuser@example.com', token: 'ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg' },
      peer,
    )
    expect(oauth).toMatchObject({ name: 'XOAUTH2', initial: null, messages: 1, complaint: null })
    // The example of Google's documentation.
    expect(Buffer.from(text(ask(oauth, EMPTY))).toString('base64')).toBe(
      'dXNlcj1zb21ldXNlckBleGFtcGxlLmNvbQFhdXRoPUJlYXJlciB5YTI5LnZGOWRmdDRxbVRjMk52YjNSbGNrQmhkSFJoZG1semRHRXVZMjl0Q2cBAQ==',
    )
  })

  it('answers the explanation of a refusal with an empty line, and keeps its status alone (P067)', () => {
    const oauth = mechanism('xoauth2', token, peer)
    ask(oauth, EMPTY)
    expect(ask(oauth, Buffer.from('{"status":"401\\u001b","schemes":"bearer ya29.a0"}'))).toEqual(EMPTY)
    expect(oauth.complaint).toBe('status 401\\x1b')
    expect(ask(oauth, EMPTY)).toBe(misplaced)
  })

  it.each(['', '{', 'null', '"x"', '{}'])('takes %j for a refusal too', (explained) => {
    const oauth = mechanism('xoauth2', token, peer)
    ask(oauth, EMPTY)
    expect(ask(oauth, Buffer.from(explained))).toEqual(EMPTY)
    expect(oauth.complaint).toBe('the server did not say why')
  })

  it('shows the token only to a server that waits for it', () => {
    expect(ask(mechanism('xoauth2', token, peer), Buffer.from('Username:'))).toBe(misplaced)
  })

  it.each([
    ['a space', 'two words'],
    ['a control character', 'a\u0001auth=Bearer b'],
    ['JSON', '{"access_token":"x"}'],
    ['12 KiB and more', 'x'.repeat(12_289)],
  ])('does not send a token with %s (P066)', (_what, bad) => {
    for (const name of ['xoauth2', 'oauthbearer'] as const) {
      expect(() => mechanism(name, { user: 'alice', token: bad }, peer)).toThrow(
        expect.objectContaining({ code: 'ERR_CONFIG', retry: 'never', message: expect.not.stringContaining(bad) }),
      )
    }
  })

  it('does not send a user name with a separator', () => {
    expect(() => mechanism('xoauth2', { user: 'a\u0001b', token: 'x' }, peer)).toThrow(/user name/)
  })
})

describe('OAUTHBEARER', () => {
  it('names the server and escapes the user (RFC 7628 §4.1)', () => {
    const oauth = mechanism(
      'oauthbearer',
      { user: 'us=er,@example.com', token: 'vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==' },
      { host: 'server.example.com', port: 143 },
    )
    expect(oauth).toMatchObject({ name: 'OAUTHBEARER', initial: null, messages: 1 })
    expect(text(ask(oauth, EMPTY))).toBe(
      'n,a=us=3Der=2C@example.com,\u0001host=server.example.com\u0001port=143\u0001auth=Bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==\u0001\u0001',
    )
  })

  it('answers the explanation of a refusal with one octet (P067)', () => {
    const oauth = mechanism('oauthbearer', token, peer)
    ask(oauth, EMPTY)
    expect(ask(oauth, Buffer.from('{"status":"invalid_token"}'))).toEqual(Buffer.from('AQ==', 'base64'))
    expect(oauth.complaint).toBe('status invalid_token')
  })
})

describe('the choice of a mechanism', () => {
  const capabilities = (...lines: readonly string[]) => parseCapabilities(Buffer.from(lines.join('\r\n')))

  it.each([
    ['SASL LOGIN PLAIN SCRAM-SHA-1 SCRAM-SHA-256', 'scram-sha-256'],
    ['SASL LOGIN PLAIN SCRAM-SHA-1 SCRAM-SHA-256-PLUS', 'scram-sha-1'],
    ['SASL LOGIN PLAIN CRAM-MD5 XOAUTH2', 'plain'],
    ['SASL LOGIN CRAM-MD5', 'login'],
    ['SASL XOAUTH2', 'user'],
    ['SASL CRAM-MD5', 'user'],
    ['SASL', 'user'],
    ['USER', 'user'],
    ['', 'user'],
    ['auth=plain', 'plain'],
  ])('is the best of what is offered for a password: %j', (line, chosen) => {
    expect(chooseSignIn('auto', capabilities(line), password)).toBe(chosen)
  })

  it.each([
    ['SASL PLAIN XOAUTH2 OAUTHBEARER', 'xoauth2'],
    ['SASL PLAIN OAUTHBEARER', 'oauthbearer'],
    ['', 'xoauth2'],
  ])('is for a token one that takes tokens: %j', (line, chosen) => {
    expect(chooseSignIn('auto', capabilities(line), token)).toBe(chosen)
  })

  it('never sends a token as a password', () => {
    expect(() => chooseSignIn('auto', capabilities('USER', 'SASL PLAIN'), token)).toThrow(
      expect.objectContaining({ code: 'ERR_MECHANISM', retry: 'never' }),
    )
  })

  it('takes what was asked for by name when nothing is listed: the answer to the command wins (P038)', () => {
    expect(chooseSignIn('plain', capabilities(), password)).toBe('plain')
    expect(chooseSignIn('login', capabilities('USER'), password)).toBe('login')
    expect(chooseSignIn('scram-sha-256', capabilities('USER'), password)).toBe('scram-sha-256')
  })

  it('is refused when other mechanisms are listed and not that one (P070)', () => {
    expect(() => chooseSignIn('scram-sha-256', capabilities('SASL PLAIN LOGIN'), password)).toThrow(
      expect.objectContaining({
        code: 'ERR_MECHANISM',
        retry: 'never',
        message: 'the server does not offer the sign-in mechanism scram-sha-256; it offers PLAIN, LOGIN: change auth',
      }),
    )
    expect(chooseSignIn('user', capabilities('SASL PLAIN'), password)).toBe('user')
    expect(chooseSignIn('apop', capabilities('SASL PLAIN'), password)).toBe('apop')
  })

  it('names mechanisms that cannot act on a terminal', () => {
    expect(() => chooseSignIn('plain', capabilities('SASL X\u001b[2J'), password)).toThrow(/offers X\\x1b\[2J/)
  })
})

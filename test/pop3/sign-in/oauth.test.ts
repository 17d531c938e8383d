import { describe, expect, it } from 'vitest'
import { misplaced } from '../../../src/pop3/sign-in/mechanism.ts'
import { oauthbearer, xoauth2 } from '../../../src/pop3/sign-in/oauth.ts'
import { ask, EMPTY, peer, textOf } from './exchanges.ts'

const token = { user: 'alice', token: 'ya29.a0' }

describe('XOAUTH2', () => {
  it('waits for the server, then says who it is and shows the token (P065)', () => {
    const oauth = xoauth2.begin({
      user: 'someuser@example.com',
      token: 'ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg',
    })
    expect(oauth).toMatchObject({ initial: null, messages: 1, complaint: null })
    // The example of Google's documentation.
    expect(Buffer.from(textOf(ask(oauth, EMPTY))).toString('base64')).toBe(
      'dXNlcj1zb21ldXNlckBleGFtcGxlLmNvbQFhdXRoPUJlYXJlciB5YTI5LnZGOWRmdDRxbVRjMk52YjNSbGNrQmhkSFJoZG1semRHRXVZMjl0Q2cBAQ==',
    )
  })

  it('answers the explanation of a refusal with an empty line, and keeps its status alone (P067)', () => {
    const oauth = xoauth2.begin(token)
    ask(oauth, EMPTY)
    expect(ask(oauth, Buffer.from('{"status":"401\\u001b","schemes":"bearer ya29.a0"}'))).toEqual(EMPTY)
    expect(oauth.complaint).toBe('status 401\\x1b')
    expect(ask(oauth, EMPTY)).toBe(misplaced)
  })

  it.each(['', '{', 'null', '"x"', '{}'])('takes %j for a refusal too', (explained) => {
    const oauth = xoauth2.begin(token)
    ask(oauth, EMPTY)
    expect(ask(oauth, Buffer.from(explained))).toEqual(EMPTY)
    expect(oauth.complaint).toBe('the server did not say why')
  })

  it('shows the token only to a server that waits for it', () => {
    expect(ask(xoauth2.begin(token), Buffer.from('Username:'))).toBe(misplaced)
  })

  it.each([
    ['a space', 'two words'],
    ['a control character', 'a\u0001auth=Bearer b'],
    ['JSON', '{"access_token":"x"}'],
    ['12 KiB and more', 'x'.repeat(12_289)],
  ])('does not send a token with %s (P066)', (_what, bad) => {
    for (const mechanism of [xoauth2, oauthbearer]) {
      expect(() => mechanism.begin({ user: 'alice', token: bad }, peer)).toThrow(
        expect.objectContaining({ code: 'ERR_CONFIG', retry: 'never', message: expect.not.stringContaining(bad) }),
      )
    }
  })

  it('does not send a user name with a separator', () => {
    expect(() => xoauth2.begin({ user: 'a\u0001b', token: 'x' })).toThrow(/user name/)
  })
})

describe('OAUTHBEARER', () => {
  it('names the server and escapes the user (RFC 7628 §4.1)', () => {
    const oauth = oauthbearer.begin(
      { user: 'us=er,@example.com', token: 'vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==' },
      { host: 'server.example.com', port: 143 },
    )
    expect(oauth).toMatchObject({ initial: null, messages: 1 })
    expect(textOf(ask(oauth, EMPTY))).toBe(
      'n,a=us=3Der=2C@example.com,\u0001host=server.example.com\u0001port=143\u0001auth=Bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==\u0001\u0001',
    )
  })

  it('answers the explanation of a refusal with one octet (P067)', () => {
    const oauth = oauthbearer.begin(token, peer)
    ask(oauth, EMPTY)
    expect(ask(oauth, Buffer.from('{"status":"invalid_token"}'))).toEqual(Buffer.from('AQ==', 'base64'))
    expect(oauth.complaint).toBe('status invalid_token')
  })
})

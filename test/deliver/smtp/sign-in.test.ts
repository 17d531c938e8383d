// Signing in to an SMTP server: with what, and what is never done. XOAUTH2 is in xoauth2.test.ts.
import { describe, expect, test } from 'vitest'
import type { SmtpConfig } from '../../../src/deliver/smtp/smtp.ts'
import { PopfetchError } from '../../../src/errors.ts'
import {
  attempt,
  destination,
  failure,
  heardBy,
  hello,
  MAIL,
  message,
  never,
  outcome,
  scripted,
  sink,
} from './scene.ts'

describe('signing in', () => {
  const signIn = (password: string): Partial<SmtpConfig> => ({
    user: 'me',
    secret: () => Promise.resolve(password),
  })

  test.each(['auto', 'plain', 'login', 'cram-md5'] as const)('works with %s', async (auth) => {
    const server = await sink({ users: { me: 'secret word' } })
    await destination(server.port, { ...signIn('secret word'), auth }).deliver(attempt(), message(MAIL), never)
    expect(server.messages.map((sunk) => sunk.user)).toEqual(['me'])
  })

  test('a server that does not offer it gets no mail (D050)', async () => {
    const server = await scripted([...hello, { ignore: true }])
    const error = await failure(destination(server.port, signIn('secret')).deliver(attempt(), message(MAIL), never))
    expect(outcome(error)).toBe('TLS temporary destination 76')
    expect(error.message).toMatch(/does not offer to sign in: is this the submission port \(587 or 465\)\?/)
    expect(heardBy(server)).toBe('EHLO host.example\r\n')
  })

  test('a server that offers only CRAM-MD5 is asked for by name or not at all', async () => {
    const server = await sink({ users: { me: 'secret' }, more: { authMethods: ['CRAM-MD5'] } })
    const error = await failure(destination(server.port, signIn('secret')).ready(never))
    expect(error.message).toMatch(/offers CRAM-MD5, not PLAIN or LOGIN/)
    await destination(server.port, { ...signIn('secret'), auth: 'cram-md5' }).ready(never)
  })

  test('a refused password stops the destination and appears nowhere, though the server repeats it', async () => {
    const secret = 'correct horse battery'
    const server = await sink({ users: { me: 'other' } })
    server.faults.auth = `535 5.7.8 ${secret} (${Buffer.from(`\0me\0${secret}`).toString('base64')}) is wrong`
    const error = await failure(destination(server.port, signIn(secret)).deliver(attempt(), message(MAIL), never))
    expect(outcome(error)).toBe('SIGN temporary destination 77')
    expect(error.message).toMatch(/535 5\.7\.8 \*\*\*\*/)
    expect(error.message).not.toContain('horse')
    expect(error.message).not.toMatch(/[A-Za-z0-9+/]{20}/)
    expect(server.messages).toEqual([])
  })

  test('a password that cannot be read is said as it is, and retried as it says', async () => {
    const server = await sink({ users: { me: 'x' } })
    const cause = new PopfetchError('ERR_SECRET', 'pass show failed', { scope: 'destination', retry: 'soon' })
    const error = await failure(
      destination(server.port, { user: 'me', secret: () => Promise.reject(cause) }).ready(never),
    )
    expect(outcome(error)).toBe('SIGN temporary destination 75')
    expect(error.message).toContain('pass show failed')
    const missing = await failure(destination(server.port, { user: 'me' }).ready(never))
    expect(missing.message).toContain('no password is configured')
  })
})

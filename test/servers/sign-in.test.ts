// Signing in to a real Dovecot: every way to the mailbox, and every way that must stay closed.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startDovecot, type Dovecot } from './dovecot.ts'
import { makeMessage, readMaildir } from './mail.ts'
import { only, openDesk, type Desk } from './popfetch.ts'

const servers = new AsyncDisposableStack()
let dovecot: Dovecot
beforeAll(async () => {
  dovecot = servers.use(await startDovecot())
})
afterAll(() => servers.disposeAsync())

/** An account on this Dovecot, over TLS unless `keys` say otherwise, into the desk's Maildir. */
function account(desk: Desk, keys: object): object {
  const common = {
    host: 'localhost',
    port: dovecot.pop3sPort,
    ca: dovecot.certificate.caFile,
    password: dovecot.password,
  }
  return { accounts: { here: { ...common, deliver: { type: 'maildir', path: desk.maildir }, ...keys } } }
}

const mechanisms = ['auto', 'plain', 'login', 'user', 'cram-md5', 'scram-sha-1', 'scram-sha-256']
const ways: readonly { readonly way: string; keys: () => object }[] = [
  { way: 'in clear text on loopback', keys: () => ({ port: dovecot.pop3Port, tls: 'none', ca: undefined }) },
  { way: 'over TLS from the first byte', keys: () => ({}) },
  { way: 'over STLS', keys: () => ({ port: dovecot.pop3Port, tls: 'starttls' }) },
  {
    way: 'to an address that the certificate does not name, when its fingerprint is pinned',
    keys: () => ({ host: '127.0.0.1', ca: undefined, pin: dovecot.certificate.fingerprint }),
  },
  ...mechanisms.map((auth) => ({ way: `with auth: ${auth}`, keys: () => ({ auth }) })),
]

describe('a message is fetched', () => {
  test.each(ways.map((each, index) => ({ ...each, index })))('$way', async ({ keys, index }) => {
    await using desk = await openDesk()
    const user = `way-${index}`
    await dovecot.seed(user, 1, makeMessage)
    await desk.configure(account(desk, { user, ...keys() }))

    const result = await desk.run()

    expect(only(result)).toMatchObject({ outcome: 'ok', listed: 1, new: 1, delivered: 1, error: null })
    expect(result.exitCode).toBe(0)
    expect(result.stderr).toBe('')
    expect((await readMaildir(desk.maildir)).size).toBe(1)
  })
})

describe('nothing is fetched and no password leaves', () => {
  test.each([
    { reason: 'the certificate is for another name (P013)', keys: () => ({ host: '127.0.0.1' }) },
    { reason: 'the certificate was signed by an unknown authority', keys: () => ({ ca: undefined }) },
    { reason: 'another certificate is pinned', keys: () => ({ ca: undefined, pin: 'ab'.repeat(32) }) },
    {
      reason: 'the certificate is for another name, over STLS',
      keys: () => ({ host: '127.0.0.1', port: dovecot.pop3Port, tls: 'starttls' }),
    },
  ])('when $reason', async ({ keys, reason }) => {
    await using desk = await openDesk()
    const user = `closed-${reason.replaceAll(/\W+/g, '-')}`
    await dovecot.seed(user, 1, makeMessage)
    await desk.configure(account(desk, { user, ...keys() }))

    const result = await desk.run()

    expect(only(result)).toMatchObject({ outcome: 'failed', delivered: 0, error: { code: 'ERR_TLS' } })
    expect(result.exitCode).toBe(76)
    expect(result.stderr).toMatch(/^[^\n]+\n$/)
    expect(await dovecot.log()).not.toContain(user)
  })
})

test('a wrong password is one clear line and exit code 77', async () => {
  await using desk = await openDesk()
  await dovecot.seed('alice', 1, makeMessage)
  await desk.configure(account(desk, { user: 'alice', password: 'not-the-password' }))

  const result = await desk.run()

  expect(only(result)).toMatchObject({ outcome: 'failed', delivered: 0, error: { code: 'ERR_AUTH' } })
  expect(result.exitCode).toBe(77)
  expect(result.stderr).toMatch(/^[^\n]*\bhere\b[^\n]*\n$/)
  expect(result.stdout + result.stderr).not.toContain('not-the-password')
})

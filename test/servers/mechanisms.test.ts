// Every mechanism with a real Dovecot: those that keep the password here, and those that take a token.
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startDovecot, type Dovecot } from './dovecot.ts'
import { makeMessage, readMaildir } from './mail.ts'
import { type Desk, only, openDesk } from './popfetch.ts'
import { accessToken } from './token.ts'

const MECHANISMS = ['plain', 'login', 'cram-md5', 'apop', 'scram-sha-1', 'scram-sha-256'] as const

const servers = new AsyncDisposableStack()
let dovecot: Dovecot
let tokens: Dovecot
beforeAll(async () => {
  dovecot = servers.use(await startDovecot({ mechanisms: MECHANISMS }))
  tokens = servers.use(await startDovecot({ mechanisms: ['plain', 'xoauth2', 'oauthbearer'], tokens: true }))
})
afterAll(() => servers.disposeAsync())

function account(desk: Desk, server: Dovecot, keys: object): object {
  const common = { host: 'localhost', port: server.pop3sPort, ca: server.certificate.caFile }
  return { accounts: { here: { ...common, deliver: { type: 'maildir', path: desk.maildir }, ...keys } } }
}

describe('a message is fetched with auth', () => {
  test.each(['auto', 'user', ...MECHANISMS])('%s', async (auth) => {
    await using desk = await openDesk()
    const user = `with-${auth}`
    await dovecot.seed(user, 1, makeMessage)
    await desk.configure(account(desk, dovecot, { user, password: dovecot.password, auth }))
    expect(only(await desk.run())).toMatchObject({ outcome: 'ok', delivered: 1, error: null })
    const wanted = auth === 'auto' ? 'SCRAM-SHA-256' : auth === 'user' ? 'PLAIN' : auth.toUpperCase()
    expect(await dovecot.log()).toMatch(new RegExp(`Login: user=<${user}>, method=${wanted},`))
  })

  test.each(['auto', 'xoauth2', 'oauthbearer'])('%s and a token', async (auth) => {
    await using desk = await openDesk()
    const user = `token-${auth}`
    await tokens.seed(user, 1, makeMessage)
    await desk.configure(account(desk, tokens, { user, token: accessToken(user, 600), auth }))
    expect(only(await desk.run())).toMatchObject({ outcome: 'ok', delivered: 1, error: null })
    expect((await readMaildir(desk.maildir)).size).toBe(1)
  })
})

describe('a wrong secret is a refusal', () => {
  test.each(MECHANISMS)('to %s', async (auth) => {
    await using desk = await openDesk()
    await dovecot.seed('alice', 1, makeMessage)
    await desk.configure(account(desk, dovecot, { user: 'alice', password: 'not-the-password', auth }))
    const result = await desk.run()
    expect(only(result)).toMatchObject({ outcome: 'failed', error: { code: 'ERR_AUTH' } })
    expect(result.exitCode).toBe(77)
  })

  test.each(['xoauth2', 'oauthbearer'])('to %s, with what the server says of the token', async (auth) => {
    await using desk = await openDesk()
    await tokens.seed('alice', 1, makeMessage)
    await desk.configure(account(desk, tokens, { user: 'alice', token: accessToken('alice', -60), auth }))
    const result = await desk.run()
    expect(only(result)).toMatchObject({
      outcome: 'failed',
      error: { code: 'ERR_AUTH', message: expect.stringMatching(/^sign-in refused .*\(status \w+\)/) },
    })
    expect(result.exitCode).toBe(77)
  })
})

test('a token that has expired is asked for again, and the fresh one signs in', async () => {
  await using desk = await openDesk()
  await tokens.seed('bob', 2, makeMessage)
  const [stale, fresh] = [accessToken('bob', -60), accessToken('bob', 600)]
  const tool = join(desk.directory, 'get-token')
  await writeFile(tool, `#!/bin/sh\nif mkdir "$0.asked" 2>/dev/null; then echo ${stale}; else echo ${fresh}; fi\n`, {
    mode: 0o700,
  })
  await desk.configure(account(desk, tokens, { user: 'bob', token: { command: [tool] }, auth: 'xoauth2' }))
  const result = await desk.run()
  expect(only(result)).toMatchObject({ outcome: 'ok', delivered: 2, error: null })
  expect(result.stdout + result.stderr).not.toContain(fresh)
})

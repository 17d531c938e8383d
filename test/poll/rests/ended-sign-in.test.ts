// A sign-in at a provider that has ended (invalid_grant). No poll makes a further request, to the provider or to the mail
// server, until somebody signs in again. Then it is used at once.
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { Scene as SignInScene, clientOf, USER } from '../../oauth/scene.ts'
import { AuthorizationServer } from '../../support/authorization-server.ts'
import { SmtpSink } from '../../support/smtp-server.ts'
import { Scene, upTo } from '../scene.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE

beforeEach(() => void vi.useFakeTimers({ toFake: ['Date'], now: Date.now() }))
afterEach(() => void vi.useRealTimers())

function later(ms: number): void {
  vi.setSystemTime(Date.now() + ms)
}

/** The server refuses the next refresh token for good. */
function end(provider: AuthorizationServer): void {
  provider.faults.push({
    path: '/token',
    answer: (_, response) =>
      void response
        .writeHead(400, { 'content-type': 'application/json', 'cache-control': 'no-store' })
        .end('{"error":"invalid_grant","error_description":"Token has been revoked"}'),
  })
}

const SHAPES = {
  alone: ['next', 0],
  'with a Maildir': ['[inbox, next]', 3],
  'the first of two': ['{ first-of: [next, inbox] }', 0],
  'the second of two': ['{ first-of: [away, next] }', 3],
} as const

describe('a destination whose sign-in has ended', () => {
  test.each(Object.entries(SHAPES))('%s', async (_shape, [deliver, fetched]) => {
    await using provider = await AuthorizationServer.start()
    await using sink = await SmtpSink.start({ users: { [USER]: 'x' }, more: { authMethods: ['XOAUTH2'] } })
    await using scene = await Scene.create()
    await using signIns = await SignInScene.make(clientOf(provider.issuer), { folder: scene.path('state') })
    await signIns.signIn()
    scene.top = [
      'oauth:',
      `  company: { issuer: "${provider.issuer}", clientId: popfetch, scopes: [openid, email, mail], flow: device }`,
    ]
    scene.destinations = [
      `next: { type: smtp, host: 127.0.0.1, port: ${sink.port}, tls: none, user: ${USER}, token: { oauth: company }, to: bob@example.net }`,
      'inbox: { type: maildir, path: inbox }',
      'away: { type: command, run: [/bin/sh, -c, "exit 65"] }',
    ]
    scene.deliver = deliver
    scene.fill(3)
    later(2 * HOUR)
    end(provider)
    const before = provider.journal.length
    const first = await scene.poll({ eager: false })
    expect(first).toMatchObject({ outcome: 'failed', deferred: 3, error: { exit: 77 } })
    expect(first.error?.message).toContain('popfetch auth')
    const [asked, connections] = [provider.journal.length, sink.connections]
    expect(asked).toBeGreaterThan(before)
    expect(scene.count('RETR')).toBe(fetched)
    for (const [minutes, eager] of [
      [1, false],
      [1, true],
      [20, false],
      [300, false],
      [1, true],
      [2880, false],
    ] as const) {
      later(minutes * MINUTE)
      const report = await scene.poll({ eager })
      expect(report).toMatchObject({ outcome: 'paused', delivered: 0, deferred: 3, error: { exit: 77 } })
      expect(report.error?.message).toContain(' is paused until somebody signs in')
    }
    expect([provider.journal.length, sink.connections]).toEqual([asked, connections])
    expect(scene.count('RETR')).toBe(fetched)
    await signIns.signIn()
    const tokens = provider.tokenRequests
    await scene.poll({ eager: false })
    // Tried at once, with the token of the new sign-in, which the server of this test does not know.
    expect(sink.connections).toBeGreaterThan(connections)
    expect(provider.tokenRequests).toBeGreaterThanOrEqual(tokens)
    expect(scene.subjects()).toEqual(deliver.startsWith('[') ? upTo(3) : [])
  })
})

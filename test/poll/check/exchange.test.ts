// What Exchange Online answers to a token, and what `check --verbose` makes of it. One case is a person who signed in, the
// other an application that an administrator let in (client credentials). The answers are from Microsoft's page
// (application.ts) and from people's reports.
import { describe, expect, test } from 'vitest'
import type { Advice } from '../../../src/poll/report.ts'
import { answering, json } from '../../oauth/answers.ts'
import { ImapServer } from '../../support/imap-server.ts'
import { Scene } from '../scene.ts'

const USER = 'shared@example.org'
const FOUR = [/consented to the application permission/, /service principal of/, /no right on the mailbox/, /is off/]

/** A provider that gives a token to an application. */
const giving = json({ access_token: 'an-application-token', token_type: 'Bearer', expires_in: 3600 })
const client = (origin: string, flow: string): string =>
  `oauth: { ms: { tokenEndpoint: "${origin}/token", deviceEndpoint: "${origin}/d", clientId: c, clientSecret: s-e-c-r-e-t, scopes: [x], flow: ${flow} } }`

/** The final answer of a mailbox to the token of an application. */
async function answered(answer: string) {
  await using provider = await answering(giving)
  await using scene = await Scene.create()
  scene.top = [client(provider.origin, 'client-credentials')]
  scene.user = USER
  scene.token = '{ oauth: ms }'
  scene.server.capabilities!.before = ['SASL XOAUTH2']
  // Exchange misreads a token in the first line.
  scene.server.faults.refuseInitialResponse = true
  scene.server.faults.reply.set('+', answer)
  const { error, advice } = await scene.check({ thorough: true })
  const commands = scene.server.journal.commands()
  return { error, advice, commands }
}

const causes = (advice: readonly Advice[]): readonly string[] => advice.map(({ cause }) => cause)

describe('an application whose token the mailbox answers with', () => {
  test.each([
    '-ERR Authentication failure: unknown user name or bad password.',
    '-ERR Logon failure: unknown user name or bad password.',
    '-ERR [AUTH] Authentication failed',
    '-ERR',
  ])('%j is told the four things that an administrator does', async (answer) => {
    const { error, advice, commands } = await answered(answer)
    expect(error).toMatchObject({ code: 'ERR_AUTH' })
    expect(causes(advice)).toEqual(FOUR.map((text) => expect.stringMatching(text)))
    for (const { next } of advice)
      expect(next).toMatch(/entra\.microsoft\.com|New-ServicePrincipal|Add-MailboxPermission|-PopEnabled/)
    // Two lines; the first has nothing of the token. A refused token is renewed once.
    const auth = commands.filter((line) => line.startsWith('AUTH'))
    expect(auth).toEqual(Array.from({ length: auth.length }, () => 'AUTH XOAUTH2'))
    expect(auth.length).toBeLessThanOrEqual(2)
    expect(JSON.stringify([error, advice])).not.toContain('an-application-token')
  })

  test.each([
    '-ERR User is authenticated but not connected.',
    '-ERR Protocol disabled',
    '-ERR POP3 protocol is not enabled',
  ])('%j is told that POP is off, and nothing else', async (answer) => {
    const { error, advice } = await answered(answer)
    expect(error).toMatchObject({ code: 'ERR_AUTH' })
    expect(causes(advice)).toEqual(['POP is off for this mailbox'])
  })

  test.each(['-ERR [SYS/TEMP] later', '-ERR Server Unavailable. 15', '-ERR [IN-USE] mailbox locked'])(
    '%j is told to wait, and nothing of it counts as a refusal',
    async (answer) => {
      const { error, advice } = await answered(answer)
      expect(error).toMatchObject({ code: 'ERR_POP3_REPLY' })
      expect(causes(advice).join('\n')).not.toMatch(/consent|principal|POP is off/)
    },
  )
})

test('an application that IMAP refuses as a destination is told the same four things, for IMAP', async () => {
  await using provider = await answering(giving)
  await using imap = await ImapServer.start({ capabilities: 'UIDPLUS AUTH=XOAUTH2 SASL-IR' })
  await using scene = await Scene.create()
  scene.top = [client(provider.origin, 'client-credentials')]
  scene.destinations = [
    `inbox: { type: imap, host: 127.0.0.1, port: ${imap.port}, tls: none, user: ${USER}, token: { oauth: ms } }`,
  ]
  const [report] = await scene.trials()
  expect(report?.error).toMatchObject({ exit: 77 })
  expect(causes(report?.advice ?? [])).toEqual(FOUR.map((text) => expect.stringMatching(text)))
  expect(JSON.stringify(report?.advice)).toMatch(/IMAP\.AccessAsApp.*-ImapEnabled \$true/)
})

test('a provider that refuses the application is no matter for Exchange', async () => {
  await using provider = await answering(json({ error: 'invalid_client' }, 401))
  await using scene = await Scene.create()
  scene.top = [client(provider.origin, 'client-credentials')]
  scene.destinations = [
    `inbox: { type: imap, host: 127.0.0.1, port: 1, tls: none, user: ${USER}, token: { oauth: ms } }`,
  ]
  const [report] = await scene.trials()
  expect(report?.advice).toEqual([])
})

// The connections of an imap destination: kept ones that the server ends, tokens that end, and names in certificates.
import { expect, onTestFinished, test } from 'vitest'
import type { ImapConfig } from '../../../src/deliver/imap/settings.ts'
import { ca } from '../../support/certificates.ts'
import { ImapServer, type ImapServerOptions } from '../../support/imap-server.ts'
import { attempt, failure, message, never, SMALL } from '../scene.ts'
import { imapAt } from './imap-settings.ts'

async function scene(options: ImapServerOptions = {}, keys: Partial<ImapConfig> = {}) {
  const server = await ImapServer.start(options)
  const imap = imapAt(server.port, keys)
  onTestFinished(async () => {
    await imap[Symbol.asyncDispose]()
    await server[Symbol.asyncDispose]()
  })
  return { server, imap }
}

test.each(['* BYE Autologout; idle for too long\r\n', ''])(
  'a kept connection that the server ends (%j) costs no message, and is told to nobody',
  async (words) => {
    for (const capabilities of [undefined, 'UIDPLUS NAMESPACE AUTH=PLAIN']) {
      const { server, imap } = await scene(capabilities === undefined ? {} : { capabilities }, { concurrency: 1 })
      for (let round = 0; round < 4; round++) {
        const receipt = await imap.deliver(attempt(`u${round}`), message(SMALL), never)
        expect(receipt.text).toBe(`imap here, UID ${round + 1}`)
        await server.end(words)
      }
      expect(server.inbox.messages).toHaveLength(4)
      expect(server.connections).toBe(4)
      expect(server.said.filter((line) => line.includes('SEARCH'))).toEqual([])
    }
  },
)

test.each([
  ['AUTH=OAUTHBEARER', 'OAUTHBEARER'],
  ['AUTH=XOAUTH2', 'XOAUTH2'],
  ['AUTH=XOAUTH2 AUTH=OAUTHBEARER AUTH=PLAIN', 'OAUTHBEARER'],
])('a token goes to a server with %s by %s, for each connection as it is then', async (offered, mechanism) => {
  const tokens = ['secret', 'later']
  const users = { me: 'secret' }
  const { server, imap } = await scene(
    { capabilities: `LITERAL+ UIDPLUS NAMESPACE SASL-IR ${offered}`, users },
    { byToken: true, secret: () => Promise.resolve(tokens.shift() ?? ''), concurrency: 1 },
  )
  await imap.deliver(attempt('u1'), message(SMALL), never)
  // The first one ends in mid-poll.
  users.me = 'later'
  await server.end('* BYE your token has expired\r\n')
  await imap.deliver(attempt('u2'), message(SMALL), never)
  expect(server.inbox.messages).toHaveLength(2)
  const words = server.said.filter((line) => line.includes('AUTHENTICATE')).map((line) => line.split(' ')[2])
  expect(words).toEqual([mechanism, mechanism])
})

test('a server that takes no token gets none (76)', async () => {
  const { server, imap } = await scene({ capabilities: 'LITERAL+ UIDPLUS NAMESPACE AUTH=PLAIN' }, { byToken: true })
  expect(await failure(imap.ready(never))).toMatchObject({ exit: 76, conclusion: 'TLS' })
  expect(server.said.filter((line) => /AUTHENTICATE|LOGIN/.test(line))).toEqual([])
})

test.each(['implicit', 'starttls'] as const)(
  'with tls: %s, a certificate that bears the name of tlsName is taken, and one that bears only the host is not',
  async (tls) => {
    const at = { tls, host: 'localhost', ca }
    const named = await scene({ tls, certificate: 'wrong-host' }, { ...at, tlsName: 'elsewhere.example.org' })
    await named.imap.deliver(attempt(), message(SMALL), never)
    expect(named.server.inbox.messages).toHaveLength(1)
    const other = await scene({ tls, certificate: 'good' }, { ...at, tlsName: 'elsewhere.example.org' })
    expect(await failure(other.imap.ready(never))).toMatchObject({ exit: 76, conclusion: 'TLS' })
    expect(other.server.said.filter((line) => /LOGIN|AUTHENTICATE/.test(line))).toEqual([])
  },
)

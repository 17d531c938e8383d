// The way to a database over TLS: whom it trusts, and what is said when it does not.
import { createServer } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { caFile, certificates, type CertificateKind } from '../../support/certificates.ts'
import { Pop3Server } from '../../support/pop3-server.ts'
import { PostgresServer, USER } from '../../support/postgres-server.ts'
import { freePort } from '../program.ts'
import { Machine, type Ran } from './machine.ts'

async function polled(
  keys: object,
  kind: CertificateKind,
  host = 'localhost',
  encrypted = true,
): Promise<Ran & { mail: number }> {
  const port = await freePort()
  const access = ['local all all trust', `${encrypted ? 'hostssl' : 'host'} all all 127.0.0.1/32 trust`]
  await using server = await PostgresServer.start({
    port,
    access,
    ...(encrypted ? { certificate: certificates[kind] } : {}),
  })
  await using pop3 = await Pop3Server.start()
  pop3.mailbox('alice', 'secret').add('Subject: one\n\none\n', { uidl: 'u0' })
  const account = {
    host: pop3.host,
    port: pop3.port,
    tls: 'none',
    user: 'alice',
    password: 'secret',
    deliver: 'maildir:Mail',
  }
  await using machine = await Machine.start({
    state: { postgres: `postgres://${USER}@${host}:${server.port}/postgres`, ...keys },
    accounts: { home: account },
  })
  return { ...(await machine.run()), mail: (await machine.mail()).length }
}

test.each(['localhost', '127.0.0.1'])(
  'with an authority of its own that state.ca names it is used: %s',
  async (host) => {
    expect(await polled({ ca: caFile }, 'good', host)).toEqual({ code: 0, stdout: '', stderr: '', mail: 1 })
  },
)

test.each([
  ['of another authority', 'unknown-ca'],
  ['of no authority', 'self-signed'],
  ['for another host', 'wrong-host'],
  ['that has expired', 'expired'],
  ['without the host in subjectAltName', 'common-name'],
] as const)('a certificate %s is not trusted: 74 at once, and mail stays', async (_, kind) => {
  const ran = await polled({ ca: caFile }, kind)
  expect(ran).toMatchObject({ code: 74, stdout: '', mail: 0 })
  expect(ran.stderr).toContain('the certificate of the database is not trusted')
})

test('a server that offers no TLS gets no word without it', async () => {
  const ran = await polled({ ca: caFile }, 'good', 'localhost', false)
  expect(ran).toMatchObject({ code: 74, mail: 0 })
  expect(ran.stderr).toMatch(/does not support SSL/)
})

test('a server that says something else is told as away, and waited for no longer than that', async () => {
  const server = createServer((socket) => socket.on('error', () => {}).end('HTTP/1.1 400 Bad Request\r\n\r\n'))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  await using machine = await Machine.start({
    state: `postgres://${USER}@127.0.0.1:${port}/postgres`,
    accounts: { home: { host: '127.0.0.1', user: 'a', password: 'b', deliver: 'maildir:Mail' } },
  })
  expect(await machine.run()).toMatchObject({ code: 74, stderr: expect.stringContaining('the database is away') })
})

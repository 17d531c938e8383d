import { describe, expect, it } from 'vitest'
import { noCapabilities } from '../../src/pop3/wire/capabilities.ts'
import type { SessionOptions } from '../../src/pop3/session.ts'
import { StaleCapabilities } from '../../src/pop3/recoverable.ts'
import { Pop3Server } from '../support/pop3-server.ts'
import { alice, failure, open } from './sessions.ts'

const blob = Buffer.from('\0alice\0secret').toString('base64')
const remembered = { ...noCapabilities, names: new Set(['PIPELINING']), sasl: new Set(['PLAIN']) }
const implicit: Partial<SessionOptions> = { tlsMode: 'implicit', remembered }

async function said(server: Pop3Server): Promise<readonly string[]> {
  await server.journal.when(({ kind }) => kind === 'close')
  return server.journal.commands()
}

describe('what a server could do another day', () => {
  it('is gone by under TLS, and asked again in front of the lists (P036)', async () => {
    await using server = await Pop3Server.start({ tls: 'implicit' })
    server.mailbox('alice')
    await using session = await open(server, implicit)
    await session.signIn('auto', alice)
    await session.list()
    await session.quit()
    expect(await said(server)).toEqual([`AUTH PLAIN ${blob}`, 'CAPA', 'LIST', 'UIDL', 'QUIT'])
    expect(session.capabilities.names.has('TOP')).toBe(true)
  })

  it('is nothing without TLS', async () => {
    await using server = await Pop3Server.start()
    server.capabilities!.before = ['SASL LOGIN']
    server.mailbox('alice')
    await using session = await open(server, { remembered })
    await session.signIn('auto', alice)
    expect(session.signedInWith).toBe('login')
  })

  it('does not let a password out before TLS (P042, P048)', async () => {
    await using server = await Pop3Server.start()
    expect(await failure(open(server, { tlsMode: 'starttls', remembered }))).toMatchObject({ code: 'ERR_TLS' })
    expect(await said(server)).toEqual(['STLS'])
  })

  it('is not believed by who asks for a mechanism that it lacks: nothing is sent', async () => {
    await using server = await Pop3Server.start({ tls: 'implicit' })
    await using session = await open(server, implicit)
    expect(await failure(session.signIn('scram-sha-256', alice))).toBeInstanceOf(StaleCapabilities)
    expect(await said(server)).toEqual([])
  })

  it('gives way to nothing weaker in the same session: one attempt, then its end (P052, P070)', async () => {
    await using server = await Pop3Server.start({ tls: 'implicit' })
    server.mailbox('alice')
    server.capabilities!.afterTls = ['SASL LOGIN', 'USER']
    server.faults.reply.set('AUTH', '-ERR unknown command')
    await using session = await open(server, implicit)
    expect(await failure(session.signIn('auto', alice))).toBeInstanceOf(StaleCapabilities)
    expect(session.botched).toBeInstanceOf(StaleCapabilities)
    expect(await said(server)).toEqual([`AUTH PLAIN ${blob}`, 'CAPA'])
  })
})

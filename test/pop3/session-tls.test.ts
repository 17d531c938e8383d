import { createSecureContext, type TlsOptions } from 'node:tls'
import { describe, expect, it } from 'vitest'
import type { SessionOptions } from '../../src/pop3/session.ts'
import { badKinds, ca, certificates } from '../support/certificates.ts'
import { Pop3Server } from '../support/pop3-server.ts'
import { ScriptedServer } from '../support/scripted-server.ts'
import { alice, failure, open, signedIn } from './sessions.ts'

/** A limit, not a sleep: what these tests wait for never comes. */
const SHORT_MS = 150

const anchors = { ca, pin: null, clientCert: null, clientKey: null, name: null }
const implicit: Partial<SessionOptions> = { tlsMode: 'implicit' }
const starttls: Partial<SessionOptions> = { tlsMode: 'starttls' }
const pinned = (pin: string): Partial<SessionOptions> => ({
  tls: { ca: null, pin: [pin], clientCert: null, clientKey: null, name: null },
})

/** Neither a name nor a password, in the clear or as base64, in anything the server heard. */
function expectNoCredential(heard: string): void {
  expect(heard).not.toMatch(/USER|PASS|AUTH|alice|secret|YWxpY2U|c2VjcmV0/)
}

describe('TLS', () => {
  it.each([implicit, starttls])('protects the sign-in: $tlsMode', async (changes) => {
    await using server = await Pop3Server.start({ tls: changes.tlsMode === 'implicit' ? 'implicit' : 'starttls' })
    server.mailbox('alice')
    await using session = await signedIn(server, changes)
    expect(session.tlsFacts).toMatchObject({ protocol: 'TLSv1.3', fingerprint: certificates.good.pin })
    expect(session.tlsFacts).toMatchObject({
      validToMs: expect.any(Number),
      names: expect.stringContaining('localhost'),
    })
    const secrets = server.journal.of('command').filter(({ text }) => /^(?:AUTH|USER|PASS)/.test(text))
    expect(secrets.length).toBeGreaterThan(0)
    expect(secrets.every(({ secure }) => secure)).toBe(true)
  })

  it('names the host to the server, and never a number (P012)', async () => {
    const names: string[] = []
    const context = createSecureContext({ cert: certificates.good.certificate, key: certificates.good.key })
    const SNICallback: TlsOptions['SNICallback'] = (name, done) => {
      names.push(name)
      done(null, context)
    }
    await using server = await Pop3Server.start({ tls: 'implicit', tlsOptions: { SNICallback } })
    await using named = await open(server, { ...implicit, host: 'localhost' })
    await using numbered = await open(server, { ...implicit, host: '127.0.0.1' })
    expect([named.botched, numbered.botched]).toEqual([null, null])
    expect(names).toEqual(['localhost'])
  })

  it('shows a client certificate when there is one', async () => {
    const options = { requestCert: true, rejectUnauthorized: true, ca }
    await using server = await Pop3Server.start({ tls: 'implicit', tlsOptions: options })
    const { certificate: clientCert, key: clientKey } = certificates.client
    await using session = await open(server, { ...implicit, tls: { ...anchors, clientCert, clientKey } })
    await session.noop()
    // The server's refusal comes after the handshake in TLS 1.3: there is no greeting.
    expect(await failure(open(server, implicit))).toMatchObject({ scope: 'account' })
  })

  it('with certificates that are none is a matter of the configuration', async () => {
    await using server = await Pop3Server.start({ tls: 'implicit' })
    const tls = { ...anchors, clientCert: 'no certificate', clientKey: 'no key' }
    expect(await failure(open(server, { ...implicit, tls }))).toMatchObject({ code: 'ERR_CONFIG', retry: 'never' })
  })

  it('of an old version is refused, with the reason (P014)', async () => {
    const tlsOptions = { minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const
    await using server = await Pop3Server.start({ tls: 'implicit', tlsOptions })
    const error = await failure(open(server, implicit))
    expect(error.code).toBe('ERR_TLS')
    expect(error.message).toMatch(/older than 1\.2/)
  })
})

describe('a certificate', () => {
  it('that is bad ends the session, each with words of its own and before a credential is said (P009, P010)', async () => {
    const messages: string[] = []
    for (const certificate of badKinds) {
      for (const tls of ['implicit', 'starttls'] as const) {
        await using server = await Pop3Server.start({ tls, certificate })
        server.mailbox('alice')
        const error = await failure(signedIn(server, { tlsMode: tls }))
        expect(error).toMatchObject({ code: 'ERR_TLS', scope: 'account' })
        if (tls === 'implicit') messages.push(error.message.replace(/:\d+/, ''))
        await server.journal.when(({ kind }) => kind === 'close')
        expect(server.journal.of('connect').length).toBe(1)
        expectNoCredential(server.journal.commands().join('\n'))
        expect(server.journal.commands()).toEqual(tls === 'implicit' ? [] : ['CAPA', 'STLS'])
      }
    }
    expect(messages.map((message) => message.replace(/^TLS with 127\.0\.0\.1 failed: /, ''))).toEqual([
      'its certificate has expired: its owner must renew it (CERT_HAS_EXPIRED)',
      "its certificate is not valid yet: is this machine's clock right? (CERT_NOT_YET_VALID)",
      expect.stringMatching(
        /^its certificate is for another name \(.+\): use a host that it names, or set tlsName to one$/,
      ),
      expect.stringMatching(
        /^its certificate has no host name in subjectAltName .*: its owner must renew it; until then set pin$/,
      ),
      'its certificate is self-signed: check it, then set ca or pin for this account (DEPTH_ZERO_SELF_SIGNED_CERT)',
      expect.stringMatching(/^its certificate cannot be verified .+: set ca or pin \(UNABLE_/),
    ])
  })

  it.each(['implicit', 'starttls'] as const)(
    'that bears the name of tlsName is taken for it with %s, by whatever name the server is reached',
    async (tlsMode) => {
      await using server = await Pop3Server.start({ tls: tlsMode, certificate: 'wrong-host' })
      server.mailbox('alice')
      const named = (name: string): Partial<SessionOptions> => ({ tlsMode, tls: { ...anchors, name } })
      await using session = await signedIn(server, named('elsewhere.example.org'))
      expect(session.botched).toBeNull()
      for (const name of ['else.example.org', '127.0.0.1', 'elsewhere.example.org.evil.example']) {
        expect(await failure(signedIn(server, named(name)))).toMatchObject({ code: 'ERR_TLS' })
      }
    },
  )

  it('of a private authority is refused without its file, also after a session that was pinned', async () => {
    await using server = await Pop3Server.start({ tls: 'implicit' })
    await using session = await open(server, { ...implicit, ...pinned(certificates.good.pin) })
    expect(session.botched).toBeNull()
    expect(await failure(open(server, { ...implicit, tls: { ...anchors, ca: null } }))).toMatchObject({
      code: 'ERR_TLS',
    })
  })

  it.each(badKinds)('that is %s is accepted when it is the pinned one (P018)', async (certificate) => {
    await using server = await Pop3Server.start({ tls: 'implicit', certificate })
    server.mailbox('alice')
    await using session = await signedIn(server, { ...implicit, ...pinned(certificates[certificate].pin) })
    expect(session.tlsFacts?.fingerprint).toBe(certificates[certificate].pin)
  })

  it.each(['implicit', 'starttls'] as const)(
    'that is good is refused when another one is pinned: %s (P018)',
    async (tls) => {
      await using server = await Pop3Server.start({ tls })
      server.mailbox('alice')
      const pin = certificates.client.pin
      const error = await failure(signedIn(server, { tlsMode: tls, ...pinned(pin) }))
      expect(error.code).toBe('ERR_TLS')
      expect(error.message).toContain(`expected SHA-256 ${pin}, but it has ${certificates.good.pin}, valid until`)
      await server.journal.when(({ kind }) => kind === 'close')
      expectNoCredential(server.journal.commands().join('\n'))
    },
  )
})

describe('a server that does not speak TLS', () => {
  it('on the port for it is named as that, and hears no more than the first bytes of TLS (P007)', async () => {
    await using server = await ScriptedServer.start([[{ send: '+OK hi' }, { ignore: true }]])
    const error = await failure(signedIn(server, implicit))
    expect(error.code).toBe('ERR_TLS')
    expect(error.message).toMatch(/does not speak TLS on this port: port 110 wants tls: starttls/)
    await server.done
    const heard = Buffer.concat(server.heard[0] ?? []).toString('latin1')
    expect(heard.startsWith('\x16\x03')).toBe(true)
    expectNoCredential(heard)
  })

  it('and says nothing at all is given up (P006)', async () => {
    await using server = await ScriptedServer.start([[{ cut: 'stall' }]])
    expect(await failure(open(server, { ...implicit, timeoutMs: SHORT_MS }))).toMatchObject({
      code: 'ERR_TIMEOUT',
      message: expect.stringMatching(
        /^the TLS handshake with .* took longer than 0\.15 s: does this port speak TLS\?$/,
      ),
    })
  })

  it.each(['fin', 'rst'] as const)('and hangs up (%s) is not tried in the clear', async (cut) => {
    await using server = await ScriptedServer.start([[{ cut }]])
    // An RST may be there before the connection is.
    expect(['ERR_TLS', 'ERR_CONNECT']).toContain((await failure(signedIn(server, implicit))).code)
    expect(server.connections).toBe(1)
  })
})

describe('STLS', () => {
  it.each([
    ['is not listed and refused', false],
    ['is listed and refused', true],
  ])('that %s ends the session: one connection, no USER (P042, P043)', async (_what, listed) => {
    await using server = await Pop3Server.start({ tls: 'starttls' })
    if (!listed) server.capabilities!.before = ['USER', 'SASL PLAIN LOGIN']
    server.faults.reply.set('STLS', '-ERR \x1b[2Jno')
    server.mailbox('alice')
    const error = await failure(signedIn(server, starttls))
    expect(error.code).toBe('ERR_TLS')
    expect(error.message).toBe(
      'the server refused STLS: "\\x1b[2Jno": without TLS no password is sent; try tls: implicit (port 995)',
    )
    await server.journal.when(({ kind }) => kind === 'close')
    expect(server.journal.of('connect').length).toBe(1)
    expect(server.journal.commands()).toEqual(['CAPA', 'STLS'])
  })

  it('is said although nobody lists it, and then serves (P042)', async () => {
    await using server = await Pop3Server.start({ tls: 'starttls' })
    server.capabilities!.before = []
    await using session = await open(server, starttls)
    expect(session.tlsFacts).not.toBeNull()
  })

  it.each([
    ['a whole answer (P044)', '+OK injected'],
    ['a fragment that would be glued to the first answer (P045)', Buffer.from('+O')],
    ['a goodbye (P044)', '-ERR injected'],
  ])('with %s in the clear behind its +OK ends the session', async (_what, injection) => {
    await using server = await Pop3Server.start({ tls: 'starttls' })
    server.mailbox('alice')
    server.faults.stlsInjection = injection
    const error = await failure(signedIn(server, starttls))
    expect(['ERR_TLS', 'ERR_POP3_PROTOCOL', 'ERR_POP3_REPLY']).toContain(error.code)
    await server.journal.when(({ kind }) => kind === 'close')
    expect(server.journal.commands()).toEqual(['CAPA', 'STLS'])
  })

  it('with bytes in the clear in a later packet, where TLS begins, ends the session (P046)', async () => {
    await using server = await ScriptedServer.start([
      [
        { send: '+OK hi' },
        { expect: 'CAPA' },
        { send: '-ERR' },
        { expect: 'STLS' },
        { send: '+OK' },
        { pause: true },
        { send: '+OK injected' },
        { ignore: true },
      ],
    ])
    const error = await failure(signedIn(server, starttls))
    expect(['ERR_TLS', 'ERR_POP3_PROTOCOL']).toContain(error.code)
    await server.done
    expectNoCredential(Buffer.concat(server.heard[0] ?? []).toString('latin1'))
    expect(server.connections).toBe(1)
  })

  it('after whose +OK nothing comes is given up, with nothing said in the clear (P047, P050)', async () => {
    await using server = await Pop3Server.start({ tls: 'starttls' })
    server.faults.handshake = 'stall'
    expect(await failure(open(server, { ...starttls, timeoutMs: SHORT_MS }))).toMatchObject({ code: 'ERR_TIMEOUT' })
    expect(server.journal.commands()).toEqual(['CAPA', 'STLS'])
  })

  it('makes all that was said before it worth nothing (P035, P049)', async () => {
    await using server = await Pop3Server.start({ tls: 'starttls' })
    server.mailbox('alice')
    server.capabilities = {
      before: ['STLS', 'SASL LOGIN', 'PIPELINING', 'X-FORGED'],
      afterTls: ['SASL PLAIN'],
      afterLogin: ['UIDL'],
    }
    await using session = await open(server, starttls)
    expect([...session.capabilities.names]).toEqual(['SASL'])
    await session.signIn('auto', alice)
    expect(session.signedInWith).toBe('plain')
  })

  it('leaves nothing of what was said before it when the server then knows no CAPA', async () => {
    await using server = await Pop3Server.start({ tls: 'starttls' })
    server.faults.onCommand = (verb, _args, { secure }) => (verb === 'CAPA' && secure ? '-ERR' : 'serve')
    await using session = await open(server, starttls)
    expect(session.capabilities.names.size).toBe(0)
  })

  it('is interrupted when it is told to, in the middle of the handshake too', async () => {
    await using server = await Pop3Server.start({ tls: 'starttls' })
    server.faults.handshake = 'stall'
    const stop = new AbortController()
    const opening = open(server, starttls, stop.signal)
    await server.journal.when(({ text }) => text === 'STLS')
    stop.abort()
    expect(await failure(opening)).toMatchObject({ code: 'ERR_ABORTED' })
  })
})

describe('a password', () => {
  it('does not go out in the clear unless that was asked for, whatever the server says (P048)', async () => {
    for (const [greeting, answer] of [
      ['+OK PREAUTH you are in', '+OK TLS is on already'],
      ['+OK', '-ERR TLS is on already'],
      ['+OK', '+OK\r\n.'],
    ] as const) {
      await using server = await ScriptedServer.start([
        [
          { send: greeting },
          { expect: 'CAPA' },
          { send: '+OK\r\n.' },
          { expect: 'STLS' },
          { send: answer },
          { ignore: true },
        ],
      ])
      const error = await failure(signedIn(server, { ...starttls, timeoutMs: SHORT_MS }))
      expect(error.scope).toBe('account')
      await server.done
      expectNoCredential(Buffer.concat(server.heard[0] ?? []).toString('latin1'))
    }
  })
})

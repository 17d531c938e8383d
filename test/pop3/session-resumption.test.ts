import { execFile } from 'node:child_process'
import { constants } from 'node:crypto'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import { createServer, type Server } from 'node:tls'
import { promisify } from 'node:util'
import { afterEach, describe, expect, it, vi } from 'vitest'
import type { TlsFacts } from '../../src/pop3/network/tls-facts.ts'
import { TlsSessions } from '../../src/pop3/network/tls-sessions.ts'
import type { TlsOptions } from '../../src/pop3/network/trust.ts'
import { ca, caFile, type CertificateKind, certificates } from '../support/certificates.ts'
import { failure, open } from './sessions.ts'

const none = { clientCert: null, clientKey: null, name: null }
const trusting = { ca, pin: null, ...none }
const pinning = (...pin: readonly string[]) => ({ ca: null, pin, ...none })

/** Greets, knows no CAPA, and says which connections resumed a TLS session. */
class Greeter implements AsyncDisposable {
  readonly resumed: boolean[] = []
  /** How often a session was to be resumed that the server fails over. */
  attempts = 0
  readonly #server: Server

  private constructor(kind: CertificateKind, maxVersion: 'TLSv1.2' | 'TLSv1.3', secureOptions: number) {
    const { certificate, key } = certificates[kind]
    this.#server = createServer({ cert: certificate, key, maxVersion, secureOptions }, (socket) => {
      this.resumed.push(socket.isSessionReused())
      socket.on('error', () => {})
      socket.on('data', () => socket.write('-ERR what?\r\n'))
      socket.write('+OK hi\r\n')
    })
  }

  static async start(
    kind: CertificateKind = 'good',
    maxVersion: 'TLSv1.2' | 'TLSv1.3' = 'TLSv1.3',
    secureOptions = 0,
  ): Promise<Greeter> {
    const greeter = new Greeter(kind, maxVersion, secureOptions)
    await once(greeter.#server.listen(0, '127.0.0.1'), 'listening')
    return greeter
  }

  /** As servers do that ask for client certificates and lack a session id context. */
  failToResume(): void {
    const known = new Set<string>()
    this.#server.on('newSession', (id: Buffer, _session: Buffer, done: () => void) => {
      known.add(id.toString('hex'))
      done()
    })
    this.#server.on('resumeSession', (id: Buffer, done: (error: Error | null, session: null) => void) => {
      if (!known.has(id.toString('hex'))) return done(null, null)
      this.attempts++
      done(new Error('session id context uninitialized'), null)
    })
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  async visit(tls: TlsOptions, host = '127.0.0.1') {
    await using session = await open(this, { tlsMode: 'implicit', tls, host })
    return session.tlsFacts
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await promisify((done: () => void) => this.#server.close(done))()
  }
}

afterEach(() => void vi.useRealTimers())

describe('a TLS session', () => {
  it.each(['TLSv1.2', 'TLSv1.3'] as const)(
    'is resumed by the next connections to the same server: %s',
    async (version) => {
      await using server = await Greeter.start('good', version)
      const first = await server.visit(trusting)
      expect(await server.visit(trusting)).toEqual(first)
      expect(await server.visit(trusting)).toEqual(first)
      expect(server.resumed).toEqual([false, true, true])
    },
  )

  it('is given up by the connection itself where the server fails over it', async () => {
    await using server = await Greeter.start('good', 'TLSv1.2', constants.SSL_OP_NO_TICKET)
    server.failToResume()
    const first = await server.visit(trusting)
    expect(await server.visit(trusting)).toEqual(first)
    expect(await server.visit(trusting)).toEqual(first)
    expect(server.attempts).toBe(1)
  })

  it('is not resumed under another name, nor by who trusts something else', async () => {
    await using server = await Greeter.start()
    await server.visit(trusting)
    await server.visit(trusting, 'localhost')
    await server.visit(pinning(certificates.good.pin))
    await server.visit({ ...trusting, ca: `${ca}\n` })
    await server.visit({ ...trusting, name: 'localhost' })
    expect(server.resumed).toEqual([false, false, false, false, false])
  })

  it('does not get round a pin', async () => {
    await using server = await Greeter.start('expired')
    await server.visit(pinning(certificates.expired.pin))
    const error = await failure(server.visit(pinning(certificates.good.pin)))
    expect(error).toMatchObject({ code: 'ERR_TLS', message: expect.stringContaining('not the pinned') })
    expect(server.resumed.includes(true)).toBe(false)
  })

  it('is not resumed once its certificate was taken from the list of pins', async () => {
    await using server = await Greeter.start('wrong-host')
    const { pin } = certificates['wrong-host']
    await server.visit(pinning(certificates.good.pin, pin))
    await server.visit(pinning(certificates.good.pin, pin))
    expect(server.resumed).toEqual([false, true])
    const error = await failure(server.visit(pinning(certificates.good.pin)))
    expect(error).toMatchObject({ code: 'ERR_TLS', message: expect.stringContaining('not the pinned') })
  })

  it.each(['expired', 'wrong-host', 'unknown-ca'] as const)('of a certificate that is %s is not kept', async (kind) => {
    await using server = await Greeter.start(kind, 'TLSv1.2')
    // Its session is known under the pin, and must not serve where the certificate is to be checked.
    await server.visit(pinning(certificates[kind].pin))
    for (let count = 0; count < 2; count++) {
      expect(await failure(server.visit(trusting))).toMatchObject({ code: 'ERR_TLS' })
    }
    expect(server.resumed.includes(true)).toBe(false)
  })
})

describe('kept TLS sessions', () => {
  const session = Buffer.from('ticket')
  const facts = (validToMs: number): TlsFacts => ({
    protocol: 'TLSv1.3',
    cipher: '',
    subject: '',
    names: '',
    issuer: '',
    validFromMs: 0,
    validToMs,
    fingerprint: '',
    keyFingerprint: '',
  })

  it('are given once', () => {
    const sessions = new TlsSessions(() => 1000)
    sessions.keep('a', { session, verifiedMs: 1000, facts: facts(10_000) })
    expect(sessions.take('b')).toBeNull()
    expect(sessions.take('a')).toMatchObject({ session, verifiedMs: 1000 })
    expect(sessions.take('a')).toBeNull()
  })

  it.each([
    ['an hour after the certificate was checked in full', 1000, 1e12, 1000 + 3_600_000],
    ['when the certificate has expired', 1000, 5000, 5000],
    ['when the clock was set back', 1000, 1e12, 999],
  ])('are not given %s', (_, verifiedMs, validToMs, nowMs) => {
    const sessions = new TlsSessions(() => nowMs)
    sessions.keep('a', { session, verifiedMs, facts: facts(validToMs) })
    expect(sessions.take('a')).toBeNull()
  })

  it('are not kept where one may have been to blame for a failure', () => {
    const sessions = new TlsSessions(() => 1000)
    sessions.refuse('a')
    sessions.keep('a', { session, verifiedMs: 1000, facts: facts(10_000) })
    expect(sessions.take('a')).toBeNull()
  })

  it('go by the clock of the moment, not by the one that was there when they were made', () => {
    vi.useFakeTimers({ toFake: ['Date'], now: 1000 })
    const sessions = new TlsSessions()
    vi.useRealTimers()
    sessions.keep('one', { session, verifiedMs: Date.now(), facts: facts(Date.now() + 10_000) })
    expect(sessions.take('one')).not.toBeNull()
  })

  it('are few', () => {
    const sessions = new TlsSessions(() => 1000)
    for (let at = 0; at < 300; at++) sessions.keep(`${at}`, { session, verifiedMs: 1000, facts: facts(10_000) })
    expect(sessions.take('0')).toBeNull()
    expect(sessions.take('299')).not.toBeNull()
  })
})

describe('an authority that only the system knows', () => {
  it.each([
    ['is trusted', caFile, 'hi hi'],
    ['is trusted only when it is there', certificates['self-signed'].certificateFile, 'ERR_TLS ERR_TLS'],
  ])('%s', async (_, systemFile, expected) => {
    await using server = await Greeter.start()
    const program = `
      import { Session } from ${JSON.stringify(path.resolve('src/pop3/session.ts'))}
      const options = {
        host: '127.0.0.1', port: ${server.port}, timeoutMs: 10_000, tlsMode: 'implicit', proxy: null, pipelining: true,
        tls: { ca: null, pin: null, clientCert: null, clientKey: null, name: null }, askCapabilities: true,
        remembered: null, trace: null, via: null,
      }
      const visit = async () => {
        await using session = await Session.open(options, new AbortController().signal)
        return session.greeting
      }
      // At once: the second learns that the authorities are others now while it is on its way.
      console.log((await Promise.all([visit(), visit()].map((each) => each.catch(({ code }) => code)))).join(' '))`
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', program], {
      env: { SSL_CERT_FILE: systemFile, SSL_CERT_DIR: path.dirname(import.meta.filename) },
    })
    expect(stdout.trim()).toBe(expected)
  })
})

import { describe, expect, it, test } from 'vitest'
import { notPinned } from '../../../src/pop3/network/pin.ts'
import type { SessionOptions } from '../../../src/pop3/session.ts'
import { badKinds, ca, certificates } from '../../support/certificates.ts'
import { Pop3Server } from '../../support/pop3-server.ts'
import { failure, open, signedIn } from '../sessions.ts'

const OLD = 'aa'.repeat(32)
const OLDER = 'bb'.repeat(32)
const NEW = 'cc'.repeat(32)
const KEY = 'dd'.repeat(32)
const NOW = Date.UTC(2026, 10, 29)

function words(pin: readonly string[], changes: { isTrusted?: boolean; fromMs?: number; toMs?: number } = {}) {
  const { isTrusted = false, fromMs = Date.UTC(2026, 10, 1), toMs = Date.UTC(2027, 2, 1) } = changes
  const facts = { protocol: 'TLSv1.3', cipher: '', subject: '', names: '', issuer: '' }
  const certificate = { validFromMs: fromMs, validToMs: toMs, fingerprint: NEW, keyFingerprint: KEY }
  return notPinned(pin, { ...facts, ...certificate }, { isTrusted, nowMs: NOW })
}

describe('a certificate that is not pinned is described', () => {
  test('by what was expected, what came, and until when that is valid', () => {
    expect(words([OLD]).came).toBe(
      `its certificate is not the pinned one: expected SHA-256 ${OLD}, but it has ${NEW}, valid until 2027-03-01`,
    )
    expect(words([OLD, OLDER]).came).toContain(`expected one of the 2 in pin (${OLD}, ${OLDER}), but it has ${NEW}`)
    const many = Array.from({ length: 20 }, (_, at) => at.toString(16).padStart(64, '0'))
    expect(words(many).came).toContain(`expected one of the 20 in pin, but it has ${NEW}`)
    expect(words(many).next).toContain('add it to pin')
  })

  test.each([
    [{ toMs: Date.UTC(2026, 9, 1) }, 'valid until 2026-10-01, which is over'],
    [{ fromMs: Date.UTC(2027, 0, 1) }, 'valid from 2027-01-01'],
  ])('with its dates where they are wrong: %j', (changes, text) => {
    expect(words([OLD], changes).came).toMatch(new RegExp(`, ${text}$`))
  })

  test('with the line that keeps both, which holds as it is written', () => {
    for (const isTrusted of [true, false]) {
      const { next } = words([OLD], { isTrusted })
      expect(next).toMatch(new RegExp(`: pin: \\[${OLD}, ${NEW}\\]$`))
      expect(next.includes('probably renewed')).toBe(isTrusted)
    }
  })

  test('as the mistake that it is where pin has the digest of the key', () => {
    expect(words([OLD, KEY]).next).toBe(`pin has the digest of its key, and takes that of the certificate: pin: ${NEW}`)
  })
})

const pinned = (pin: readonly string[], authorities: string | null = null): Partial<SessionOptions> => ({
  tls: { ca: authorities, pin, clientCert: null, clientKey: null, name: null },
})

describe('a list of pins', () => {
  const both = [certificates['self-signed'].pin, certificates['unknown-ca'].pin]

  it.each([
    ['implicit', 'self-signed'],
    ['starttls', 'self-signed'],
    ['implicit', 'unknown-ca'],
    ['starttls', 'unknown-ca'],
  ] as const)('accepts any of its certificates: %s, %s', async (tlsMode, certificate) => {
    await using server = await Pop3Server.start({ tls: tlsMode, certificate })
    server.mailbox('alice')
    await using session = await signedIn(server, { tlsMode, ...pinned(both) })
    expect(session.tlsFacts?.fingerprint).toBe(certificates[certificate].pin)
  })

  it.each(badKinds)('accepts no other, and says that none vouches for it: %s', async (certificate) => {
    const others = badKinds.filter((kind) => kind !== certificate).map((kind) => certificates[kind].pin)
    await using server = await Pop3Server.start({ tls: 'implicit', certificate })
    for (const authorities of [null, ca]) {
      const error = await failure(open(server, { tlsMode: 'implicit', ...pinned(others, authorities) }))
      expect(error).toMatchObject({ code: 'ERR_TLS', message: expect.stringContaining('if its owner says') })
    }
    await server.journal.when(({ kind }) => kind === 'close')
    expect(server.journal.commands()).toEqual([])
  })

  it('says that a certificate was probably renewed where its chain and its name are good', async () => {
    await using server = await Pop3Server.start({ tls: 'implicit' })
    const error = await failure(open(server, { tlsMode: 'implicit', ...pinned(both, ca) }))
    expect(error.message).toMatch(/^TLS with 127\.0\.0\.1:\d+ failed: its certificate is not the pinned one/)
    expect(error.message).toContain(
      'an authority that is trusted here signed it for this name, so it was probably renewed',
    )
    expect(error.message).toContain(`pin: [${[...both, certificates.good.pin].join(', ')}]`)
  })

  it('of which one is the digest of the key is refused, with what is right', async () => {
    await using server = await Pop3Server.start({ tls: 'implicit', certificate: 'self-signed' })
    await using session = await open(server, { tlsMode: 'implicit', ...pinned([certificates['self-signed'].pin]) })
    const key = session.tlsFacts?.keyFingerprint ?? ''
    const error = await failure(open(server, { tlsMode: 'implicit', ...pinned([key]) }))
    expect(error.message).toMatch(new RegExp(`takes that of the certificate: pin: ${certificates['self-signed'].pin}$`))
  })
})

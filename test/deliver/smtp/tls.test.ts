// TLS to an SMTP server: what is verified before anything is said.
import { describe, expect, test } from 'vitest'
import { badKinds, ca, type CertificateKind, certificates } from '../../support/certificates.ts'
import {
  attempt,
  destination,
  failure,
  heardBy,
  hello,
  MAIL,
  message,
  never,
  outcome,
  scripted,
  sink,
} from './scene.ts'

describe('TLS', () => {
  test.each(['implicit', 'starttls'] as const)('with %s everything goes encrypted', async (tls) => {
    const server = await sink({ tls })
    await destination(server.port, { tls, ca, host: 'localhost' }).deliver(attempt(), message(MAIL), never)
    expect(server.messages.map((sunk) => sunk.secure)).toEqual([true])
  })

  test.each(badKinds.flatMap((kind) => [[kind, 'implicit'] as const, [kind, 'starttls'] as const]))(
    'a certificate that is %s is not believed with %s, and nothing is said to its server',
    async (certificate, tls) => {
      const server = await sink({ tls, certificate })
      const smtp = destination(server.port, { tls, ca, host: 'localhost' })
      const error = await failure(smtp.ready(never))
      expect(outcome(error)).toBe('TLS temporary destination 76')
      expect(error.message).toMatch(/^smtp mx: the TLS handshake: .*: check tls, ca and pin$/)
      expect(outcome(await failure(smtp.deliver(attempt(), message(MAIL), never)))).toBe('TLS temporary destination 76')
      expect(server.messages).toEqual([])
    },
  )

  test.each(['implicit', 'starttls'] as const)(
    'a certificate that bears the name of tlsName is taken with %s, and one that bears only the host is not',
    async (tls) => {
      const server = await sink({ tls, certificate: 'wrong-host' })
      const named = destination(server.port, { tls, ca, tlsName: 'elsewhere.example.org' })
      await named.deliver(attempt(), message(MAIL), never)
      expect(server.messages).toHaveLength(1)
      const other = await sink({ tls })
      const smtp = destination(other.port, { tls, ca, tlsName: 'elsewhere.example.org' })
      expect(outcome(await failure(smtp.ready(never)))).toBe('TLS temporary destination 76')
    },
  )

  test.each<[CertificateKind, string]>([
    ['expired', 'its certificate has expired: its owner must renew it (CERT_HAS_EXPIRED)'],
    ['future', "its certificate is not valid yet: is this machine's clock right? (CERT_NOT_YET_VALID)"],
    ['self-signed', 'its certificate is self-signed: check it, then set ca or pin (DEPTH_ZERO_SELF_SIGNED_CERT)'],
    ['unknown-ca', 'its certificate cannot be verified'],
    ['wrong-host', 'its certificate is for another name'],
  ])(
    'says of a certificate that is %s what it says of a mailbox’s, in words for people (D125)',
    async (certificate, words) => {
      for (const tls of ['implicit', 'starttls'] as const) {
        const server = await sink({ tls, certificate })
        const error = await failure(destination(server.port, { tls, ca, host: 'localhost' }).ready(never))
        expect(error.message).toContain(words)
        expect(error.message).not.toMatch(/this account|altnames|unable to/)
      }
    },
  )

  test('says of a port that speaks no TLS what to change (D125)', async () => {
    const server = await sink({ tls: 'starttls' })
    const error = await failure(destination(server.port, { tls: 'implicit', ca, host: 'localhost' }).ready(never))
    expect(error.message).toContain(
      'it does not speak TLS on this port: try tls: starttls, tls: implicit, or another port',
    )
  })

  test('without a ca of its own the system is trusted, which does not know ours', async () => {
    const server = await sink({ tls: 'implicit' })
    const smtp = destination(server.port, { tls: 'implicit', host: 'localhost' })
    expect((await failure(smtp.ready(never))).message).toMatch(/TLS handshake: /)
  })

  test.each(['implicit', 'starttls'] as const)('a pin replaces all other checks with %s', async (tls) => {
    const server = await sink({ tls, certificate: 'self-signed' })
    const { pin } = certificates['self-signed']
    await destination(server.port, { tls, pin: [pin] }).deliver(attempt(), message(MAIL), never)
    expect(server.messages).toHaveLength(1)
  })

  test.each(['implicit', 'starttls'] as const)(
    'another certificate than the pinned one gets no password and no mail with %s',
    async (tls) => {
      const server = await sink({ tls, users: { me: 'secret' } })
      const more = { tls, ca, pin: ['0'.repeat(64)], user: 'me', secret: () => Promise.resolve('secret') }
      let asked = 0
      server.faults.auth = () => `${535 + asked++} no`
      const error = await failure(destination(server.port, more).deliver(attempt(), message(MAIL), never))
      expect(outcome(error)).toBe('TLS temporary destination 76')
      expect(error.message).toContain(certificates.good.pin)
      expect(asked).toBe(0)
      expect(server.messages).toEqual([])
    },
  )

  test('STARTTLS that is not offered, or taken away on the wire, ends it (D050)', async () => {
    const server = await scripted([...hello, { expect: 'STARTTLS' }, { send: '502 what' }, { ignore: true }])
    const error = await failure(destination(server.port, { tls: 'starttls' }).deliver(attempt(), message(MAIL), never))
    expect(outcome(error)).toBe('TLS temporary destination 76')
    expect(heardBy(server)).toBe('EHLO host.example\r\nSTARTTLS\r\n')
  })

  test('unencrypted bytes after the answer to STARTTLS end it', async () => {
    const server = await scripted([
      ...hello,
      { expect: 'STARTTLS' },
      { send: '220 go\r\n250-mx\r\n250 AUTH PLAIN' },
      { ignore: true },
    ])
    const error = await failure(destination(server.port, { tls: 'starttls', ca }).ready(never))
    expect(outcome(error)).toBe('TLS temporary destination 76')
    expect(error.message).toMatch(/unencrypted bytes/)
    expect(heardBy(server)).not.toContain('MAIL')
  })
})

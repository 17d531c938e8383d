// The facts about a TLS connection that people are shown: whose certificate, and until when. All of them are safe to print.
import { createHash, X509Certificate } from 'node:crypto'
import type { TLSSocket } from 'node:tls'
import { display } from '../../display.ts'
import { PopfetchError } from '../../errors.ts'
import { notPinned } from './pin.ts'

type Seen = Parameters<typeof notPinned>[2]

export interface TlsFacts {
  readonly protocol: string
  readonly cipher: string
  readonly subject: string
  /** The names that the certificate is for; '' when it has none. */
  readonly names: string
  readonly issuer: string
  readonly validFromMs: number
  readonly validToMs: number
  /** SHA-256 of the leaf, hexadecimal. */
  readonly fingerprint: string
  /** SHA-256 of its public key (SPKI), hexadecimal; '' for a kind of key that Node does not know. */
  readonly keyFingerprint: string
}

/** Call after the handshake. `known`: the certificate, if somebody has asked for it already: Node may give it only once. */
export function tlsFactsOf(secured: TLSSocket, known?: X509Certificate): TlsFacts {
  const certificate = known ?? new X509Certificate(secured.getPeerCertificate().raw)
  const leaf = certificate.raw
  return {
    protocol: secured.getProtocol() ?? 'TLS',
    cipher: secured.getCipher().standardName,
    subject: display(certificate.subject?.replaceAll('\n', ', ') ?? ''),
    names: display(certificate.subjectAltName ?? ''),
    issuer: display(certificate.issuer?.replaceAll('\n', ', ') ?? ''),
    validFromMs: certificate.validFromDate.getTime(),
    validToMs: certificate.validToDate.getTime(),
    fingerprint: sha256(leaf),
    keyFingerprint: keyFingerprint(certificate),
  }
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex')
}

function keyFingerprint(certificate: X509Certificate): string {
  try {
    return sha256(certificate.publicKey.export({ type: 'spki', format: 'der' }))
  } catch {
    return ''
  }
}

/** The certificate is not a pinned one. Nothing was sent; `facts` describe the certificate. */
export class AnotherCertificate extends PopfetchError {
  override readonly name: string = 'AnotherCertificate'
  readonly facts: TlsFacts
  readonly seen: Seen
  /** What to do, as the end of the message has it. */
  readonly next: string

  constructor(
    facts: TlsFacts,
    { host, port, pin, ...seen }: Seen & { host: string; port: number; pin: readonly string[] },
  ) {
    const { came, next } = notPinned(pin, facts, seen)
    super('ERR_TLS', `TLS with ${host}:${port} failed: ${came}: ${next}`, { scope: 'account', retry: 'later' })
    this.facts = facts
    this.seen = seen
    this.next = next
  }
}

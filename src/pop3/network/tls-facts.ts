// The facts about a TLS connection that people are shown: whose certificate, and until when. All of them are safe to print.
import { createHash, X509Certificate } from 'node:crypto'
import type { TLSSocket } from 'node:tls'
import { display } from '../../display.ts'
import { PopfetchError } from '../../errors.ts'

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
    fingerprint: createHash('sha256').update(leaf).digest('hex'),
  }
}

/** The certificate is not the pinned one. Nothing was sent; `facts` describe the certificate. */
export class AnotherCertificate extends PopfetchError {
  override readonly name: string = 'AnotherCertificate'
  readonly facts: TlsFacts

  constructor(facts: TlsFacts, { host, port, pin }: { host: string; port: number; pin: string }) {
    super(
      'ERR_TLS',
      `the certificate of ${host}:${port} has the SHA-256 ${facts.fingerprint}, not the pinned ${pin}: if the server has a new certificate, check it and change pin`,
      { scope: 'account', retry: 'later' },
    )
    this.facts = facts
  }
}

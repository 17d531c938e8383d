// What is known of a TLS connection, for people: who is at the other end, and until when. Everything in it is safe to print.
import { createHash, X509Certificate } from 'node:crypto'
import type { TLSSocket } from 'node:tls'
import { display } from '../../display.ts'
import { PopfetchError } from '../../errors.ts'

export interface TlsFacts {
  readonly protocol: string
  readonly cipher: string
  readonly subject: string
  /** The names it is for; '' for a certificate without any. */
  readonly names: string
  readonly issuer: string
  readonly validFromMs: number
  readonly validToMs: number
  /** SHA-256 of the leaf, hexadecimal. */
  readonly fingerprint: string
}

/** Of a connection whose handshake is complete. */
export function tlsFactsOf(secured: TLSSocket): TlsFacts {
  const leaf = secured.getPeerCertificate().raw
  const certificate = new X509Certificate(leaf)
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

/** It is not the pinned one. Nothing was sent; `facts` tell whose it is. */
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

// Which certificates a connection trusts, as TLS contexts. Knows no socket.
// The one rule: an account's own ca or pin replaces everything else, and nothing here ever switches a check off.
import type * as tls from 'node:tls'
import { errnoOf, PopfetchError } from '../../errors.ts'
import { unusableCertificate } from './network-error.ts'
import { AnotherCertificate } from './tls-facts.ts'

export interface TlsOptions {
  /** PEM of the only authorities to trust; null: the system's and Node's own. */
  readonly ca: string | null
  /** SHA-256 of leaf certificates, 64 hexadecimal digits: any of them is right. Replaces chain, name and date checks. */
  readonly pin: readonly string[] | null
  readonly clientCert: string | null
  readonly clientKey: string | null
  /** The name that the certificate must bear, and SNI; null: the host's. */
  readonly name: string | null
}

/** Loaded at first use: Node then reads its authorities in a thread, 10 ms that a connection without TLS need not wait for. */
export function nodeTls(): typeof tls {
  return process.getBuiltinModule('node:tls')
}

const contexts = new Map<string, tls.SecureContext>()

/** One context for each set of authorities, because making one costs 2 ms. Throws ERR_CONFIG for unusable certificates. */
export function secureContext(options: TlsOptions): tls.SecureContext {
  const key = trustKey(options)
  const known = contexts.get(key)
  if (known !== undefined) return known
  const { ca, clientCert, clientKey } = options
  try {
    const context = nodeTls().createSecureContext({
      minVersion: 'TLSv1.2',
      ...trustedBy(ca),
      ...(clientCert === null || clientKey === null ? {} : { cert: clientCert, key: clientKey }),
    })
    contexts.set(key, context)
    return context
  } catch (error) {
    throw unusableCertificate(error)
  }
}

/** Equal for options that trust the same authorities and present the same client certificate. */
export function trustKey({ ca, pin, clientCert, clientKey }: TlsOptions): string {
  return JSON.stringify([ca ?? (pin === null ? 'system' : 'pin'), clientCert, clientKey])
}

/** The authorities of Node and of the system; null: those that Node brings are enough so far. Kept here, and never made the default
 *  of the process, which may belong to a program that embeds us. */
let authorities: string[] | null = null

/** What a connection that takes TLS options trusts: the authorities in `ca`; null: those of Node, and the system's once they were
 *  needed. */
export function trustedBy(ca: string | null): { readonly ca?: string | string[] } {
  const trusted = ca ?? authorities
  return trusted === null ? {} : { ca: trusted }
}

/** Runs `attempt`, and once more with the system's authorities when it failed over its certificate's chain or dates, or over a pin. A company's
 *  own authority is often known to the system only. Reading them takes 30 ms, a fifth of an idle poll, so it is done only when
 *  Node's own are not enough. */
export async function withTrust<T>({ ca, pin }: TlsOptions, attempt: () => Promise<T>): Promise<T> {
  const before = authorities
  try {
    return await attempt()
  } catch (error) {
    // A wrong name has another code: no authority would change that.
    const isUntrusted = error instanceof PopfetchError && CHAIN_CODE.test(errnoOf(error.cause) ?? '')
    // Whether a certificate that is not pinned has been renewed: the system may know its authority.
    const isUnknown = error instanceof AnotherCertificate && !error.seen.isTrusted
    if (!(pin === null ? isUntrusted : isUnknown) || ca !== null || before !== null) throw error
    trustSystem()
    return await attempt()
  }
}

const CHAIN_CODE = /^(?:CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_)/

function trustSystem(): void {
  if (authorities !== null) return
  const { getCACertificates } = nodeTls()
  authorities = [...new Set([...getCACertificates('default'), ...getCACertificates('system')])]
  // A context has the authorities of the moment when it was made.
  contexts.clear()
}

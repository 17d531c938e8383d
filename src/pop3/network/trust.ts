// Which certificates a connection trusts, as contexts of TLS. Knows no socket.
// The one rule: what an account names (ca, pin) replaces everything else; nothing here ever turns a check off.
import type * as tls from 'node:tls'
import { errnoOf, PopfetchError } from '../../errors.ts'
import { unusableCertificate } from './network-error.ts'

export interface TlsOptions {
  /** PEM of the only authorities to trust; null: the system's and Node's own. */
  readonly ca: string | null
  /** SHA-256 of the leaf certificate, 64 hexadecimal digits; replaces chain, name and date checks. */
  readonly pin: string | null
  readonly clientCert: string | null
  readonly clientKey: string | null
}

/** Loaded by the first connection that wants it: Node reads its authorities in a thread then, 10 ms that a connection
 *  without TLS need not wait for. */
export function nodeTls(): typeof tls {
  return process.getBuiltinModule('node:tls')
}

const contexts = new Map<string, tls.SecureContext>()

/** One context per process and set of authorities: making one costs 2 ms. Throws ERR_CONFIG for what is no certificate. */
export function secureContext(options: TlsOptions): tls.SecureContext {
  const key = trustKey(options)
  const known = contexts.get(key)
  if (known !== undefined) return known
  const { ca, clientCert, clientKey } = options
  try {
    const context = nodeTls().createSecureContext({
      minVersion: 'TLSv1.2',
      ...(ca === null ? {} : { ca }),
      ...(clientCert === null || clientKey === null ? {} : { cert: clientCert, key: clientKey }),
    })
    contexts.set(key, context)
    return context
  } catch (error) {
    throw unusableCertificate(error)
  }
}

/** The same for options that trust the same and show the same. */
export function trustKey({ ca, pin, clientCert, clientKey }: TlsOptions): string {
  return JSON.stringify([ca ?? (pin === null ? 'system' : 'pin'), clientCert, clientKey])
}

/** `node`: the authorities that Node brings; `system`: what the system trusts, too. */
let trusted: 'node' | 'system' = 'node'

/** What a failure of `attempt` over its certificate's chain or dates calls for: a company's own authority is often known to
 *  the system only. Reading those takes 30 ms, a fifth of an idle poll, so it is left until Node's own are not enough. */
export async function withTrust<T>({ ca, pin }: TlsOptions, attempt: () => Promise<T>): Promise<T> {
  const before = trusted
  try {
    return await attempt()
  } catch (error) {
    // The check of the name comes after these: no authority makes it another one.
    const isUntrusted = error instanceof PopfetchError && CHAIN_CODE.test(errnoOf(error.cause) ?? '')
    if (!isUntrusted || ca !== null || pin !== null || before === 'system') throw error
    trustSystem()
    return await attempt()
  }
}

const CHAIN_CODE = /^(?:CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_)/

function trustSystem(): void {
  if (trusted === 'system') return
  trusted = 'system'
  const { getCACertificates, setDefaultCACertificates } = nodeTls()
  setDefaultCACertificates([...new Set([...getCACertificates('default'), ...getCACertificates('system')])])
  // A context knows the authorities of the moment it was made at.
  contexts.clear()
}

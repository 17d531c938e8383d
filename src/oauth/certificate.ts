// How a client proves who it is by a certificate in place of a secret (RFC 7523), as administrators have it at Microsoft.
// https://learn.microsoft.com/entra/identity-platform/certificate-credentials
import { createHash, createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'
import * as oauth from 'oauth4webapi'
import { display } from '../display.ts'
import { PopfetchError } from '../errors.ts'

export interface Proof {
  /** For whom it is; null: the issuer, as RFC 7523 has it. */
  readonly audience: string | null
  /** What the provider takes of signatures by RSA. */
  readonly rsa: 'RS256' | 'PS256'
}

const CURVES: ReadonlyMap<string | undefined, string> = new Map([
  ['prime256v1', 'P-256'],
  ['secp384r1', 'P-384'],
  ['secp521r1', 'P-521'],
])

/** Rejects with ERR_CONFIG for what is no certificate, not its key, or of a kind that signs no proof. */
export async function certificateAuth(
  { certificate, key }: { readonly certificate: string; readonly key: string },
  { audience, rsa }: Proof,
): Promise<oauth.ClientAuth> {
  try {
    const owned = new X509Certificate(certificate)
    const secret = createPrivateKey(key)
    if (!owned.checkPrivateKey(secret)) throw new Error('they do not belong together')
    const bytes = secret.export({ format: 'der', type: 'pkcs8' })
    const imported = await crypto.subtle.importKey('pkcs8', new Uint8Array(bytes), algorithmOf(secret, rsa), false, [
      'sign',
    ])
    const thumbprint = createHash('sha256').update(owned.raw).digest('base64url')
    return oauth.PrivateKeyJwt(imported, {
      [oauth.modifyAssertion]: (header, payload) => {
        // Microsoft knows the certificate by it.
        header['x5t#S256'] = thumbprint
        if (audience !== null) payload['aud'] = audience
      },
    })
  } catch (cause) {
    const why = cause instanceof Error ? display(cause.message) : 'unknown reason'
    throw new PopfetchError('ERR_CONFIG', `cannot use clientCertificate and clientKey: ${why}`, {
      scope: 'account',
      retry: 'never',
      cause,
    })
  }
}

function algorithmOf({ asymmetricKeyType: type, asymmetricKeyDetails }: KeyObject, rsa: Proof['rsa']) {
  const namedCurve = CURVES.get(asymmetricKeyDetails?.namedCurve)
  if (type === 'rsa') return { name: rsa === 'PS256' ? 'RSA-PSS' : 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' }
  if (type === 'ec' && namedCurve !== undefined) return { name: 'ECDSA', namedCurve }
  throw new Error(`a key of the kind ${type ?? 'unknown'} cannot sign: use RSA`)
}

// How a client proves who it is by a certificate in place of a secret (RFC 7523), as administrators have it at Microsoft.
import { createHash, createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'
import * as oauth from 'oauth4webapi'
import { display } from '../display.ts'
import { PopfetchError } from '../errors.ts'

/** Rejects with ERR_CONFIG for what is no certificate, or not its key. */
export async function certificateAuth({
  certificate,
  key,
}: {
  certificate: string
  key: string
}): Promise<oauth.ClientAuth> {
  let owned: X509Certificate
  let secret: KeyObject
  try {
    owned = new X509Certificate(certificate)
    secret = createPrivateKey(key)
    if (!owned.checkPrivateKey(secret)) throw new Error('they do not belong together')
  } catch (cause) {
    const why = cause instanceof Error ? display(cause.message) : 'unknown reason'
    throw new PopfetchError('ERR_CONFIG', `cannot use clientCertificate and clientKey: ${why}`, {
      scope: 'account',
      retry: 'never',
      cause,
    })
  }
  const isRsa = secret.asymmetricKeyType === 'rsa'
  const algorithm = isRsa ? { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' } : { name: 'ECDSA', namedCurve: 'P-256' }
  const bytes = secret.export({ format: 'der', type: 'pkcs8' })
  const imported = await crypto.subtle.importKey('pkcs8', new Uint8Array(bytes), algorithm, false, ['sign'])
  const thumbprint = createHash('sha256').update(owned.raw).digest('base64url')
  return oauth.PrivateKeyJwt(imported, {
    [oauth.modifyAssertion]: (header) => {
      // Microsoft knows the certificate by it: https://learn.microsoft.com/entra/identity-platform/certificate-credentials
      header['x5t#S256'] = thumbprint
    },
  })
}

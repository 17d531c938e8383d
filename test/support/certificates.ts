// Certificates for localhost and 127.0.0.1, good and bad, from the files that certificates/make.sh made. They last 100 years;
// their private keys are public, so they are worth nothing outside the tests.
import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

export type CertificateKind =
  | 'good'
  | 'expired'
  | 'future'
  | 'wrong-host'
  | 'common-name'
  | 'self-signed'
  | 'unknown-ca'
  | 'client'
  | 'rsa'

export interface Certificate {
  readonly certificate: string
  readonly key: string
  readonly certificateFile: string
  readonly keyFile: string
  /** SHA-256 of the certificate, lower-case hex, as `pin` wants it. */
  readonly pin: string
}

const folder = join(import.meta.dirname, 'certificates')

function read(kind: CertificateKind): Certificate {
  const certificateFile = join(folder, `${kind}.pem`)
  const keyFile = join(folder, `${kind}.key`)
  const certificate = readFileSync(certificateFile, 'utf8')
  const pin = new X509Certificate(certificate).fingerprint256.replaceAll(':', '').toLowerCase()
  return { certificate, key: readFileSync(keyFile, 'utf8'), certificateFile, keyFile, pin }
}

/** The CA that signed `good`, `client`, `expired`, `future`, `wrong-host` and `common-name`. */
export const caFile: string = join(folder, 'ca.pem')
export const ca: string = readFileSync(caFile, 'utf8')

export const certificates: Readonly<Record<CertificateKind, Certificate>> = {
  good: read('good'),
  expired: read('expired'),
  future: read('future'),
  'wrong-host': read('wrong-host'),
  'common-name': read('common-name'),
  'self-signed': read('self-signed'),
  'unknown-ca': read('unknown-ca'),
  client: read('client'),
  rsa: read('rsa'),
}

/** The kinds that no client may accept. */
export const badKinds: readonly CertificateKind[] = [
  'expired',
  'future',
  'wrong-host',
  'common-name',
  'self-signed',
  'unknown-ca',
]

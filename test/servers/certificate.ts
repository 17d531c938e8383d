// A certificate authority and one server certificate, for the name `localhost` or for others, made again for each server. The
// address 127.0.0.1 is deliberately not in it: connecting to that is the test of a name mismatch.
import { join } from 'node:path'
import { findProgram, runProgram } from './program.ts'

export interface Certificate {
  readonly caFile: string
  readonly certificateFile: string
  readonly keyFile: string
  /** SHA-256 of the server certificate, as `pin` takes it. */
  readonly fingerprint: string
}

export async function makeCertificate(
  directory: string,
  names: readonly string[] = ['localhost'],
): Promise<Certificate> {
  const openssl = await findProgram('openssl', 'openssl')
  const at = (name: string): string => join(directory, name)
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
  await runProgram(
    openssl,
    [
      'req',
      '-x509',
      ...key,
      '-keyout',
      at('ca.key'),
      '-out',
      at('ca.pem'),
      '-days',
      '2',
      '-subj',
      '/CN=popfetch test CA',
    ],
    directory,
  )
  await runProgram(
    openssl,
    [
      'req',
      '-x509',
      ...key,
      '-keyout',
      at('server.key'),
      '-out',
      at('server.pem'),
      '-days',
      '2',
      '-subj',
      `/CN=${names[0] ?? ''}`,
      '-CA',
      at('ca.pem'),
      '-CAkey',
      at('ca.key'),
      '-addext',
      `subjectAltName=${names.map((name) => `DNS:${name}`).join(',')}`,
      '-addext',
      'basicConstraints=critical,CA:FALSE',
    ],
    directory,
  )
  const printed = await runProgram(
    openssl,
    ['x509', '-in', at('server.pem'), '-noout', '-fingerprint', '-sha256'],
    directory,
  )
  const fingerprint = /=([0-9A-F:]{95})/.exec(printed)?.[1]
  if (fingerprint === undefined) throw new Error(`openssl x509 printed no fingerprint: ${printed}`)
  return { caFile: at('ca.pem'), certificateFile: at('server.pem'), keyFile: at('server.key'), fingerprint }
}

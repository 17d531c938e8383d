// Access tokens (JWT, RFC 7519) that a Dovecot of the tests can check by itself, with a key that lies beside its configuration.
import { createHmac, randomBytes } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

const KEY = randomBytes(32)

/** Where Dovecot finds the key, and its settings for it (oauth2.conf). */
export async function layDownTokenKey(directory: string): Promise<string> {
  const keys = join(directory, 'keys')
  await mkdir(join(keys, 'default', 'HS256'), { recursive: true })
  await writeFile(join(keys, 'default', 'HS256', 'default'), KEY.toString('base64'), { mode: 0o644 })
  const settings = [
    'introspection_mode = local',
    `local_validation_key_dict = fs:posix:prefix=${keys}/`,
    'username_attribute = sub',
  ]
  await writeFile(join(keys, 'oauth2.conf'), `${settings.join('\n')}\n`, { mode: 0o644 })
  return keys
}

/** The same for tokens about which Dovecot asks the server that gave them (RFC 7662), at an address with name and secret in it. */
export async function layDownIntrospection(directory: string, address: string): Promise<string> {
  const keys = join(directory, 'keys')
  await mkdir(keys)
  const settings = [
    'introspection_mode = post',
    `introspection_url = ${address}`,
    'username_attribute = username',
    'active_attribute = active',
    'active_value = true',
  ]
  await writeFile(join(keys, 'oauth2.conf'), `${settings.join('\n')}\n`, { mode: 0o644 })
  return keys
}

/** A token of that user, good for this many seconds from now. */
export function accessToken(user: string, seconds: number): string {
  const now = Math.floor(Date.now() / 1000)
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  const claims = { sub: user, iat: now - 3600, nbf: now - 3600, exp: now + seconds }
  const signed = `${part({ alg: 'HS256', typ: 'JWT' })}.${part(claims)}`
  return `${signed}.${createHmac('sha256', KEY).update(signed).digest('base64url')}`
}

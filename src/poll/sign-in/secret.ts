// The account's password or token, read at the last moment, just before sign-in.
import type { Account } from '../../config/schema.ts'
import { resolveSecret } from '../../config/values/secret.ts'
import { PopfetchError } from '../../errors.ts'
import type { Credentials } from '../../pop3/sign-in/mechanism.ts'

export interface SecretContext {
  readonly env: NodeJS.ProcessEnv
  readonly signal: AbortSignal
}

/** The account's password or token, as it is at this moment. Rejects with ERR_SECRET. From now on it is masked in
 *  everything popfetch writes. */
export async function accountSecret(
  { password, token, name }: Account,
  { env, signal }: SecretContext,
): Promise<string> {
  const source = token ?? password
  if (source === null) {
    throw new PopfetchError('ERR_SECRET', `${name} has no password`, { scope: 'account', retry: 'never' })
  }
  const what = `the ${token === null ? 'password' : 'token'} of ${name}`
  return await resolveSecret(source, { env, signal, what })
}

export function credentialsOf({ user, token }: Account, secret: string): Credentials {
  return token === null ? { user, password: secret } : { user, token: secret }
}

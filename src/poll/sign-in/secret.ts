// The account's password or token, read at the last moment, just before sign-in.
import type { OfClients } from '../../config/oauth/sign-ins.ts'
import type { Account } from '../../config/schema.ts'
import { resolveSecret } from '../../config/values/secret.ts'
import { PopfetchError } from '../../errors.ts'
import type { Credentials } from '../../pop3/sign-in/mechanism.ts'

export interface SecretContext {
  /** Where sign-ins by `token: { oauth }` are. */
  readonly configuration: OfClients
  readonly env: NodeJS.ProcessEnv
  readonly signal: AbortSignal
}

/** The account's password or token, as it is at this moment. `refused`: the token that the server has just refused; of a sign-in
 *  another one is asked for then. Rejects with ERR_SECRET, and with the errors of oauth/oauth.ts. From now on it is masked in
 *  everything popfetch writes. */
export async function accountSecret(
  { password, token, name, user }: Account,
  { env, signal, configuration }: SecretContext,
  refused: string | null = null,
): Promise<string> {
  const source = token ?? password
  if (source === null) {
    throw new PopfetchError('ERR_SECRET', `${name} has no password`, { scope: 'account', retry: 'never' })
  }
  if (source.kind === 'oauth') {
    // Loaded at first use, because most people have a password.
    const { signInsOf } = await import('../../config/oauth/sign-ins.ts')
    const signIns = signInsOf(configuration, env)
    return (await signIns.tokenFor({ client: source.client, user, use: 'pop', refused, signal })).token
  }
  const what = `the ${token === null ? 'password' : 'token'} of ${name}`
  return await resolveSecret(source, { env, signal, what })
}

export function credentialsOf({ user, token }: Account, secret: string): Credentials {
  return token === null ? { user, password: secret } : { user, token: secret }
}

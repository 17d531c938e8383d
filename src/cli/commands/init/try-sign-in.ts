// Signs in as the new account will, and counts the messages that wait. Nothing is fetched, marked or remembered.
import type { OfClients } from '../../../config/oauth/sign-ins.ts'
import type { Account } from '../../../config/schema.ts'
import { silentLog } from '../../../log.ts'
import type { Surroundings } from '../../surroundings.ts'

export interface Waiting {
  readonly messages: number
  readonly bytes: number
}

/** Rejects with the error that a poll would have. */
export async function trySignIn(
  { account, configuration }: { readonly account: Account; readonly configuration: OfClients },
  { env, signal }: Pick<Surroundings, 'env' | 'signal'>,
): Promise<Waiting> {
  const { connect } = await import('../../../poll/sign-in/connect.ts')
  const { accountSecret, credentialsOf } = await import('../../../poll/sign-in/secret.ts')
  const secret = await accountSecret(account, { env, signal, configuration })
  const workarounds = { pipelining: true, capabilities: true }
  await using session = await connect(account, { log: silentLog, signal, env, workarounds })
  await session.signIn(account.auth, credentialsOf(account, secret))
  const listing = await session.list()
  const waiting = { messages: listing.length, bytes: listing.totalBytes }
  await session.quit()
  return waiting
}

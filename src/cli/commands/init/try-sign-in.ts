// Signs in as the new account will, and counts the messages that wait; and where its mail goes. Nothing is fetched, marked or
// remembered.
import type { OfClients } from '../../../config/oauth/sign-ins.ts'
import type { Account } from '../../../config/schema.ts'
import { silentLog } from '../../../log.ts'
import type { Surroundings } from '../../surroundings.ts'
import type { Drafted } from './new-account.ts'

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

/** Rejects with the error that a poll would have. A folder or label that is missing is made. */
export async function tryDestination(
  { account, configuration }: Pick<Drafted, 'account' | 'configuration'>,
  { env, signal, nowMs }: Pick<Surroundings, 'env' | 'signal' | 'nowMs'>,
): Promise<void> {
  const { Destinations } = await import('../../../poll/run/destinations.ts')
  await using destinations = new Destinations(configuration, env, nowMs)
  for (const name of account.deliver) {
    const { destination } = await destinations.target(name, account)
    await destination.ready(signal)
  }
}

// Signs in as the new account will, and counts the messages that wait; and tries where its mail goes. Nothing is fetched, marked or
// remembered, and no folder that a trial made is left: a person may yet say no.
import { rmdir, stat } from 'node:fs/promises'
import path from 'node:path'
import type { OfClients } from '../../../config/oauth/sign-ins.ts'
import type { Account, Configuration } from '../../../config/schema.ts'
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

type Tried = OfClients & Pick<Configuration, 'destinations'>

/** Gives what a person should know nevertheless. Rejects with the error that a poll would have. A folder or label of a server
 *  that is missing is made. */
export async function tryDestination(
  names: readonly string[],
  { account, configuration }: { readonly account: Account; readonly configuration: Tried },
  { env, signal, nowMs }: Pick<Surroundings, 'env' | 'signal' | 'nowMs'>,
): Promise<readonly string[]> {
  const { Destinations } = await import('../../../poll/run/destinations.ts')
  await using destinations = new Destinations(configuration, env, nowMs)
  const warnings: string[] = []
  for (const name of names) {
    const config = configuration.destinations.get(name)
    const folder = config?.type === 'maildir' ? config.path : null
    const missing = folder === null ? [] : await missingFolders(folder)
    try {
      const { destination } = await destinations.target(name, account)
      warnings.push(...(await destination.probe(signal)).warnings)
    } finally {
      // Only empty folders are removed, and only those that were not there before.
      for (const made of missing) await rmdir(made).catch(() => {})
    }
  }
  return warnings
}

/** The folders that a Maildir would make, the deepest first. */
async function missingFolders(root: string): Promise<readonly string[]> {
  const found: string[] = []
  for (const name of ['tmp', 'new', 'cur'])
    if (await isMissing(path.join(root, name))) found.push(path.join(root, name))
  for (let at = root; (await isMissing(at)) && path.dirname(at) !== at; at = path.dirname(at)) found.push(at)
  return found
}

async function isMissing(folder: string): Promise<boolean> {
  return await stat(folder).then(
    () => false,
    () => true,
  )
}

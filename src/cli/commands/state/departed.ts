// `popfetch state forget --departed`: what belongs to accounts and destinations that the configuration no longer names.
import { signedInBy } from '../../../config/oauth/signed-in.ts'
import { signInsOf } from '../../../config/oauth/sign-ins.ts'
import type { Configuration } from '../../../config/schema.ts'
import { display } from '../../../display.ts'
import { everyCopy } from '../../../ledger/sqlite/copies.ts'
import { departedNames, forgetAccount, forgetDestinations } from '../../../poll/account/tidy.ts'
import { counted } from '../../../status/words/amounts.ts'
import { accountBusy, refusal } from '../../command-errors.ts'
import type { LedgerContext } from '../../open/read-ledger.ts'
import { openToChange } from './opened.ts'

/** Everything of accounts and destinations that the configuration does not name. What stays, copies of the ledger, is named. */
export async function forgetDeparted(olderMs: number, context: LedgerContext): Promise<void> {
  const { outline, json, surroundings } = context
  const { output, env, nowMs, signal } = surroundings
  const { configuration } = outline
  // Names that cannot be read would count as departed.
  if (configuration === null)
    throw outline.problem ?? refusal('forgetting departed accounts: there is no configuration')
  if (outline.accounts === null)
    throw refusal(
      'forgetting departed accounts: which accounts there are is not known until a poll has asked (accountsFrom)',
    )
  await using writable = await openToChange(context)
  const users = new Map((await writable.accounts()).map(({ name, identity }) => [name, identity.user]))
  const departed = await departedNames(configuration, { ledger: writable, nowMs: nowMs() })
  const isYoung = ({ sinceMs }: { readonly sinceMs: number }): boolean => nowMs() - sinceMs < olderMs
  const forgotten: { account: string; messages: number }[] = []
  const claimed = new Set([...configuration.accounts, ...configuration.disabled].flatMap(({ formerly }) => formerly))
  for (const one of departed.accounts) {
    const { name: account } = one
    // Its new name takes it over at the next poll.
    if (claimed.has(account)) continue
    if (isYoung(one)) continue
    const messages = await forgetAccount(account, writable, signal)
    if (messages === null) throw accountBusy(`forgetting ${account}`)
    forgotten.push({ account, messages })
  }
  const destinations = await forgetDestinations(
    departed.destinations.filter((one) => !isYoung(one)),
    writable,
  )
  const gone = new Set(forgotten.map(({ account }) => users.get(account) ?? ''))
  const signIns = forgotten.length === 0 ? [] : await forgetSignIns(configuration, gone, env)
  const isNothing = forgotten.length + destinations.length === 0
  // What copies there are of a database, nobody knows here.
  const copies = isNothing || outline.postgres !== null ? [] : await everyCopy(writable.place)
  if (json) return output.object({ ok: true, forgotten, destinations, signIns, copies })
  for (const { account, messages } of forgotten)
    output.prose(`${account}: forgotten, with ${counted(messages, 'message')}`)
  for (const { client, user } of signIns) output.prose(`the sign-in of ${display(user)} at ${client} was forgotten`)
  for (const name of destinations) output.prose(`${display(name)}: forgotten, a destination`)
  if (forgotten.length + destinations.length === 0) output.prose('no account or destination to forget')
  if (copies.length > 0) output.prose(`copies of the ledger still have them: ${copies.join(', ')}`)
}

/** The kept sign-ins of these users that nobody else uses. */
async function forgetSignIns(
  configuration: Configuration,
  users: ReadonlySet<string>,
  env: NodeJS.ProcessEnv,
): Promise<readonly { readonly client: string; readonly user: string }[]> {
  const signIns = signInsOf(configuration, env)
  const wanted = signedInBy(configuration)
  const isWanted = (one: { client: string; user: string }): boolean =>
    wanted.some(({ client, user }) => client === one.client && user === one.user)
  const left = (await signIns.kept()).filter((one) => users.has(one.user) && !isWanted(one))
  for (const { client, user } of left) await signIns.forget(client, user)
  return left
}

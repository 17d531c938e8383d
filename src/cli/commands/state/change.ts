// `popfetch state retry|forget|rename|backup`: changes or copies the ledger. Everything that was named is looked up first, and
// nothing is changed when a part of it is wrong. An account that is being polled is left alone.
import { nameFault } from '../../../config/accounts/account-name.ts'
import type { Outline } from '../../../config/outline.ts'
import type { CommonOptions } from '../../common-options.ts'
import type { Surroundings } from '../../surroundings.ts'
import type { EntryKey, Ledger, Lease } from '../../../ledger/ledger.ts'
import type { Waiting } from '../../../ledger/records.ts'
import { forgetMessages, retryAtOnce } from '../../../poll/account/amend.ts'
import { resolvePath } from '../../../config/paths.ts'
import { forgetDeparted } from './departed.ts'
import { openToChange } from './opened.ts'
import type { StateRequests } from './options.ts'
import { possibleNames } from '../../../poll/route/route.ts'
import { requireAccount, requireMessages, type LedgerContext } from '../../open/read-ledger.ts'
import { counted } from '../../../status/words/amounts.ts'
import { accountBusy, refusal, usageError } from '../../command-errors.ts'

const ALL_WAITING: readonly Waiting[] = ['deferred', 'refused', 'held']

/** What waits is due at the next poll, and what is left alone is tried then. */
export async function retry({ accounts: named, only }: StateRequests['retry'], context: LedgerContext): Promise<void> {
  const { outline, ledger, json, surroundings } = context
  for (const name of named) await requireAccount(name, outline, ledger)
  const recorded = (await ledger.accounts()).map(({ name }) => name)
  const accounts = named.length === 0 ? recorded : named.filter((name) => recorded.includes(name))
  // As the machine that is to have them, which the configuration names.
  if (only.includes('elsewhere') && outline.problem !== null) throw outline.problem
  await using writable = await openToChange(context)
  await using leases = new AsyncDisposableStack()
  const taken: Lease[] = []
  for (const name of accounts) taken.push(leases.use(await leaseOf(name, writable)))
  const due: { account: string; due: number }[] = []
  const waiting = only.length === 0 ? ALL_WAITING : only
  for (const lease of taken) due.push({ account: lease.account, due: await writable.records.retry(lease, waiting) })
  const meant = named.length === 0 ? null : await destinationsOf(accounts, context)
  const destinations = only.length > 0 ? [] : await retryAtOnce(writable, meant, surroundings.nowMs())
  const { output } = surroundings
  if (json) return output.object({ ok: true, accounts: due, destinations })
  const also = only.includes('elsewhere') ? '; what another machine did deliver is there as well' : ''
  for (const { account, due: count } of due)
    if (count > 0) output.prose(`${account}: ${counted(count, 'message')} due at the next poll${also}`)
  for (const name of destinations) output.prose(`${name}: will be tried at the next poll`)
  if (destinations.length === 0 && due.every(({ due: count }) => count === 0)) output.prose('nothing is waiting')
}

/** Names of the destinations that these accounts deliver to, or that messages of theirs wait for. */
async function destinationsOf(
  accounts: readonly string[],
  { outline, ledger }: LedgerContext,
): Promise<ReadonlySet<string>> {
  const configured = outline.configuration?.accounts.filter(({ name }) => accounts.includes(name)) ?? []
  const names = new Set(configured.flatMap(possibleNames))
  for (const account of accounts)
    for await (const slice of ledger.records.list(account, 'open'))
      for (const { deliveries } of slice) for (const { destination } of deliveries) names.add(destination)
  return names
}

export async function forget(wanted: StateRequests['forget'], context: LedgerContext): Promise<void> {
  const { outline, ledger, json, surroundings } = context
  const { account, uidls, copy, yes, departedMs } = wanted
  if (departedMs !== null) return await forgetDeparted(departedMs, context)
  await requireAccount(account, outline, ledger)
  const record = (await ledger.accounts()).find(({ name }) => name === account)
  if (record === undefined) throw refusal(`forgetting messages of ${account}: it was never polled`)
  const all = uidls.length === 0
  const keys: EntryKey[] = []
  for (const uidl of new Set(uidls)) {
    for (const { key } of await requireMessages(ledger, { account, uidl, copy })) keys.push(key)
  }
  const count = all ? record.known : keys.length
  if ((all || count > 1) && !yes) {
    const what = `forgetting ${counted(count, 'message')} of ${account}`
    throw refusal(
      `${what}: the next poll treats them as new and delivers them again. If that is what you want, add --yes`,
    )
  }
  await using writable = await openToChange(context)
  await using lease = await leaseOf(account, writable)
  const forgotten = await forgetMessages(writable, lease, all ? 'all' : keys)
  // An account that is no longer configured need leave nothing behind.
  const removed = all && outline.accounts !== null && !outline.accounts.includes(account)
  if (removed) await writable.records.remove(lease)
  const { output } = surroundings
  if (json) output.object({ ok: true, account, forgotten, removed })
  else {
    const rest = removed
      ? 'and the account, which is not configured'
      : `the next poll fetches ${forgotten === 1 ? 'it' : 'them'} again if still on the server`
    output.prose(`${account}: ${counted(forgotten, 'message')} forgotten; ${rest}`)
  }
}

export async function rename(wanted: StateRequests['rename'], context: LedgerContext): Promise<void> {
  const { from, to, isDestination } = wanted
  const { outline, ledger, json, surroundings } = context
  if (from === to) throw usageError('both names are the same')
  if (isDestination) return await renameDestination(wanted, context)
  const fault = nameFault(to)
  if (fault !== null) throw usageError(`found ${fault.found}, expected ${fault.expected}`)
  const recorded = (await ledger.accounts()).find(({ name }) => name === from)
  if (recorded === undefined) {
    await requireAccount(from, outline, ledger)
    throw refusal(`renaming ${from}: it was never polled`)
  }
  await using writable = await openToChange(context)
  await using before = await leaseOf(from, writable)
  await using after = await leaseOf(to, writable)
  if (!(await writable.records.rename(before, after))) {
    const way = `if its messages may be forgotten: popfetch state forget ${to} --all-messages`
    throw refusal(
      `renaming ${from} to ${to}: messages of ${to} are already known, and the two cannot be merged: ${way}`,
    )
  }
  const { output } = surroundings
  if (json) output.object({ ok: true, from, to, messages: recorded.known })
  else output.prose(`${from} is ${to} now, with ${counted(recorded.known, 'message')}`)
  if (outline.accounts !== null && !outline.accounts.includes(to)) {
    output.problem(`warning: ${to} is not in the configuration yet`)
  }
}

/** The messages that wait for a destination follow it to its new name (S041). No account is polled meanwhile. */
async function renameDestination({ from, to }: StateRequests['rename'], context: LedgerContext): Promise<void> {
  const { json, surroundings } = context
  await using writable = await openToChange(context)
  await using leases = new AsyncDisposableStack()
  for (const { name } of await writable.accounts()) leases.use(await leaseOf(name, writable))
  const deliveries = await writable.renameDestination(from, to)
  if (deliveries === 0) throw refusal(`renaming the destination ${from}: nothing is recorded for it`)
  if (json) surroundings.output.object({ ok: true, from, to, deliveries })
  else surroundings.output.prose(`the destination ${from} is ${to} now, with ${counted(deliveries, 'record')}`)
}

export async function backUp(
  { file: typed }: StateRequests['backup'],
  { ledger, json, surroundings }: LedgerContext,
): Promise<void> {
  const { output, cwd, env } = surroundings
  const file = resolvePath(typed, cwd, env)
  await ledger.records.backup(file)
  if (json) output.object({ ok: true, file })
  else output.prose(`the ledger ${ledger.place} was copied to ${file}`)
}

export async function restore(
  { file: typed, json }: StateRequests['restore'] & Pick<CommonOptions, 'json'>,
  { statePath, postgres }: Outline,
  { output, cwd, env }: Surroundings,
): Promise<void> {
  if (postgres !== null) (await import('./database.ts')).refuseForDatabase('restore', postgres)
  const file = resolvePath(typed, cwd, env)
  const { restoreLedger } = await import('../../../ledger/sqlite/restore.ts')
  const { place, kept, accounts, messages } = await restoreLedger(statePath, file)
  if (json) return output.object({ ok: true, ledger: place, file, kept, accounts, messages })
  const what = `${counted(messages, 'message')} of ${counted(accounts, 'account')}`
  const before = kept === null ? '' : `; the one before is ${kept}`
  output.prose(`the ledger ${place} was restored from ${file}: ${what}${before}`)
}

async function leaseOf(account: string, ledger: Ledger): Promise<Lease> {
  const lease = await ledger.lease(account)
  if (lease !== null) return lease
  throw accountBusy(`repairing the ledger for ${account}`)
}

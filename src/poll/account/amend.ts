// What is changed in the ledger between polls, because a person or an import asks for it. Messages counted as seen,
// messages forgotten, destinations tried at once. What a poll would have recorded beside the messages is changed with them, so that the guards judge
// rightly.
import type { AccountIdentity, EntryKey, Ledger, Lease } from '../../ledger/ledger.ts'
import { waitForLease } from '../../ledger/lease.ts'
import { HEADERS_FROM } from './history.ts'
import { nextRest } from '../rests/rests.ts'

/** Messages that another program fetched before popfetch. */
export interface SeenElsewhere {
  readonly identity: AccountIdentity
  /** How many messages it was. */
  readonly count: number
  /** Do they count as delivered, so that `delete` applies to them? Else they are never deleted. */
  readonly delivered: boolean
  /** The UIDLs they may have, and when the other program saw each first (null: unknown): as many, or more where a spelling is
   *  in doubt. */
  readonly uidls: ReadonlyMap<string, number | null>
}

/** Remembers them as seen, which is neither fetched nor deleted, or as delivered elsewhere. What is known of the account already
 *  stays as it is, but for what was seen and is delivered now. */
export async function rememberSeen(ledger: Ledger, lease: Lease, seen: SeenElsewhere): Promise<void> {
  const record = await ledger.admit(lease, seen.identity)
  // A secret may be in one: the next poll looks.
  await ledger.records.note(lease.account, { maskedUidls: null })
  await ledger.start(
    lease,
    [...seen.uidls].map(([uidl, firstSeenMs]) => ({
      key: { uidl, copy: 0 },
      listedBytes: null,
      firstSeenMs,
      delivered: seen.delivered,
    })),
  )
  // Their headers are to be learnt, from the first on.
  await ledger.records.note(lease.account, { [HEADERS_FROM]: '0' })
  if (record.started) return
  // `alive`: a listing with almost none of them means other UIDLs, or another mailbox, and everything would come twice
  // (S020). `uidls`: so would a listing without any (P084). `imported`: the first listing must have at least one of them.
  const facts = { alive: String(seen.count), uidls: 'given', imported: String(seen.count) }
  await ledger.finish(lease, {
    identity: seen.identity,
    health: record,
    facts,
    wholeListing: false,
    mark: null,
    day: null,
  })
}

/** The next poll takes the messages for new. Gives how many were forgotten. */
export function forgetMessages(
  ledger: Ledger,
  lease: Lease,
  keys: readonly EntryKey[] | 'all',
  nowMs = Date.now(),
): Promise<number> {
  // `alive`: the guard against changed UIDs would miss the messages (S020). `forgotten`: what a Maildir has from before is no
  // sign of a lost ledger (DESIGN 4.3): the messages are wanted once more.
  const facts = { alive: null, forgotten: String(nowMs) }
  return keys === 'all' ? ledger.records.forgetAll(lease, facts) : ledger.records.forget(lease, keys, facts)
}

/** The next poll tries these destinations at once, if they are left alone (`names` null: all of them), but for one that a person
 *  paused. Gives the names of those that were left alone. */
export async function retryAtOnce(
  ledger: Pick<Ledger, 'destinations' | 'changeDestination' | 'pauses'>,
  names: ReadonlySet<string> | null,
  nowMs: number,
): Promise<readonly string[]> {
  const retried: string[] = []
  const paused = new Set((await ledger.pauses.all('destination')).map(({ name }) => name))
  for (const { key, recipient, names: called, rest } of await ledger.destinations()) {
    if (rest === null || rest.untilMs <= nowMs || called.some((name) => paused.has(name))) continue
    if (names !== null && !called.some((name) => names.has(name))) continue
    await ledger.changeDestination(key, recipient, (record) => nextRest(record, { kind: 'eager' }, nowMs).record)
    retried.push(...called.map((name) => (recipient === '' ? name : `${name} (${recipient})`)))
  }
  return retried
}

/** So long it waits for an account that is being polled. */
const WAIT = { tries: 40, everyMs: 250 } as const

/** What waits, was refused or is held is due now, of these accounts (null: of all), and destinations that are left alone are tried.
 *  An account that is at work all the time is left out. Rejects with ERR_LEDGER, and with the signal's reason. */
export async function retryAll(
  ledger: Ledger,
  accounts: readonly string[] | null,
  { nowMs, signal }: { readonly nowMs: number; readonly signal: AbortSignal },
): Promise<void> {
  for (const { name } of await ledger.accounts()) {
    if (accounts !== null && !accounts.includes(name)) continue
    await using lease = await waitForLease(ledger, name, { ...WAIT, signal })
    if (lease !== null) await ledger.records.retry(lease, ['deferred', 'refused', 'held'])
  }
  await retryAtOnce(ledger, null, nowMs)
}

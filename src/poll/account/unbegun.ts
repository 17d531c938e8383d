// Messages that wait on the server and that no delivery was begun of: the ledger has no row for them. How many there were at the
// last poll, and for which rate or which paused destination mail waits, is in the account's facts, so that `status` can tell.
// Pure.
import type { AccountRecord, FactChanges } from '../../ledger/ledger.ts'
import type { Unsettled } from '../../ledger/records.ts'

/** In AccountRecord.facts: how many they are. */
const UNBEGUN = 'unbegun'
/** In AccountRecord.facts: for which rate messages wait, and until when. */
const WAITS_FOR_RATE = 'waitsForRate'

/** In AccountRecord.facts: the destinations that mail waits for and that a person paused. */
export const WAITS_FOR_PAUSED = 'waitsForPaused'

/** In AccountRecord.facts: the machines that alone can see what became of a delivery. */
export const WAITS_FOR_MACHINE = 'waitsForMachine'

type Facts = AccountRecord['facts']

/** What a poll found, as far as it is news. `unbegun` null: it did not come to that. */
export function unbegunFacts(
  { unbegun, rateText }: { readonly unbegun: number | null; readonly rateText: string | null },
  before: Facts,
): FactChanges {
  if (unbegun === null) return {}
  const now = { [UNBEGUN]: unbegun === 0 ? null : String(unbegun), [WAITS_FOR_RATE]: rateText }
  return Object.fromEntries(Object.entries(now).filter(([fact, value]) => (before[fact] ?? null) !== value))
}

/** Null: none. */
export function namesFact(names: readonly string[]): string | null {
  return names.length === 0 ? null : JSON.stringify(names)
}

/** Destinations that were paused at the last poll, and that mail waits for. */
export function pausedWaitedFor(record: { readonly facts: Facts } | null): readonly string[] {
  const fact = record?.facts[WAITS_FOR_PAUSED]
  return fact === undefined ? [] : (JSON.parse(fact) as readonly string[])
}

/** Machines that mail waited for at the last poll. */
export function machinesWaitedFor(record: { readonly facts: Facts } | null): readonly string[] {
  const fact = record?.facts[WAITS_FOR_MACHINE]
  return fact === undefined ? [] : (JSON.parse(fact) as readonly string[])
}

/** All that is not settled, including these messages. */
export function withUnbegun(unsettled: Unsettled, record: { readonly facts: Facts } | null): Unsettled {
  return { ...unsettled, waiting: unsettled.waiting + Number(record?.facts[UNBEGUN] ?? 0) }
}

/** For people: for which rate messages wait; null: for none. */
export function rateWaitedFor(record: { readonly facts: Facts } | null): string | null {
  return record?.facts[WAITS_FOR_RATE] ?? null
}

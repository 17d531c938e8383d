// The migrations that were begun and are not finished: in ledgers of their own, and in that of the configuration. Only reads.
import { inFile, type StatePlace } from '../config/state/place.ts'
import { asPopfetchError } from '../errors.ts'
import type { Ledger } from '../ledger/ledger.ts'
import { migrationLedgers } from '../poll/plan/migrated.ts'
import { MEMO, sinceOf } from './resumption.ts'

export interface Unfinished {
  readonly account: string
  /** The ledger that remembers it. */
  readonly ledger: StatePlace
  /** The ledger knows nothing but this migration. */
  readonly own: boolean
  readonly sinceMs: number
  /** As `begin` was given it. */
  readonly memo: string
  /** Messages that the ledger knows, those of other migrations and polls among them where it is not its own. */
  readonly known: number
  /** What the last session ended with; null: it went well, or there was none. */
  readonly error: string | null
}

export interface UnfinishedList {
  readonly unfinished: readonly Unfinished[]
  /** Ledgers that cannot be read, and why. */
  readonly problems: readonly string[]
}

/** `states`: ledgers of configurations. Those beside them that are a migration's own are looked through too. `open`: to be read. */
export async function unfinishedMigrations(
  states: readonly StatePlace[],
  open: (ledger: StatePlace) => Promise<Ledger>,
): Promise<UnfinishedList> {
  const places = [
    ...states.map((ledger) => ({ ledger, own: false })),
    ...(await migrationLedgers(states.map(({ statePath }) => statePath))).map((file) => ({
      ledger: inFile(file),
      own: true,
    })),
  ]
  const unfinished: Unfinished[] = []
  const problems: string[] = []
  for (const { ledger: place, own } of places) {
    try {
      await using ledger = await open(place)
      for (const { name, facts, known, error } of await ledger.accounts()) {
        const memo = facts[MEMO]
        if (memo === undefined) continue
        const message = error?.message ?? null
        unfinished.push({ account: name, ledger: place, own, sinceMs: sinceOf(facts), memo, known, error: message })
      }
    } catch (error) {
      problems.push(asPopfetchError(error, 'process').message)
    }
  }
  return { unfinished: unfinished.toSorted((a, b) => a.sinceMs - b.sinceMs), problems }
}

// The migrations that were begun and are not finished: in ledgers of their own, and in that of the configuration. Only reads.
import type { openLedger } from '../ledger/sqlite/open.ts'
import { asPopfetchError } from '../errors.ts'
import { migrationLedgers } from '../poll/plan/migrated.ts'
import { MEMO, sinceOf } from './resumption.ts'

export interface Unfinished {
  readonly account: string
  /** The ledger that remembers it. */
  readonly ledger: string
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

/** `statePaths`: ledgers of configurations. Those beside them that are a migration's own are looked through too. */
export async function unfinishedMigrations(
  statePaths: readonly string[],
  open: typeof openLedger,
): Promise<UnfinishedList> {
  const places = [
    ...statePaths.map((ledger) => ({ ledger, own: false })),
    ...(await migrationLedgers(statePaths)).map((ledger) => ({ ledger, own: true })),
  ]
  const unfinished: Unfinished[] = []
  const problems: string[] = []
  for (const { ledger: path, own } of places) {
    try {
      await using ledger = await open(path, { readOnly: true })
      for (const { name, facts, known, error } of await ledger.accounts()) {
        const memo = facts[MEMO]
        if (memo === undefined) continue
        const message = error?.message ?? null
        unfinished.push({ account: name, ledger: path, own, sinceMs: sinceOf(facts), memo, known, error: message })
      }
    } catch (error) {
      problems.push(asPopfetchError(error, 'process').message)
    }
  }
  return { unfinished: unfinished.toSorted((a, b) => a.sinceMs - b.sinceMs), problems }
}

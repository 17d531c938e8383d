// For how many accounts was `delete` changed since their last poll, so that more is removed from servers (DESIGN 4.4)? A panel, or
// a line under `defaults`, changes many at once. A person who means it says so once: by a run with --yes, or `reload --yes`.
import type { Account, Configuration } from '../../config/schema.ts'
import type { AccountRecord, Ledger } from '../../ledger/ledger.ts'

/** In AccountRecord.facts: `delete` as the last poll that went well had it. */
export const DELETE = 'delete'
/** In AccountRecord.facts: a change to this `delete` is meant, until a poll went well. */
export const MEANT_DELETE = 'meantDelete'

/** Ten thousand accounts ask at once, and a daemon asks for months. */
const FRESH_MS = 10_000

export class ChangedDeletes {
  readonly #ledger: Pick<Ledger, 'accounts'>
  readonly #accounts: readonly Account[]
  readonly #nowMs: () => number
  #read: { readonly count: Promise<number>; readonly atMs: number } | null = null

  constructor(ledger: Pick<Ledger, 'accounts'>, { accounts }: Pick<Configuration, 'accounts'>, nowMs: () => number) {
    this.#ledger = ledger
    this.#accounts = accounts
    this.#nowMs = nowMs
  }

  /** How many they are, as the ledger had it some seconds ago at most. */
  count(): Promise<number> {
    const nowMs = this.#nowMs()
    const read = this.#read
    if (read !== null && Math.abs(nowMs - read.atMs) < FRESH_MS) return read.count
    const count = changedDeletes(this.#ledger, this.#accounts).then(({ length }) => length)
    const mine = { count, atMs: nowMs }
    this.#read = mine
    count.catch(() => {
      if (this.#read === mine) this.#read = null
    })
    return count
  }
}

/** The accounts whose `delete` has changed since their last poll and removes something. */
export async function changedDeletes(
  ledger: Pick<Ledger, 'accounts'>,
  accounts: readonly Account[],
): Promise<readonly Account[]> {
  // Mostly none does: then the records of ten thousand accounts need not be read.
  const removing = accounts.filter((account) => account.delete.kind !== 'never')
  if (removing.length === 0) return []
  const records = new Map((await ledger.accounts()).map((record) => [record.name, record]))
  return removing.filter((account) => isChanged(account, records.get(account.name)))
}

/** A person says that these changes are meant: also for an account that cannot be polled now. */
export async function confirmDeletes(
  ledger: Pick<Ledger, 'accounts'> & { readonly records: Pick<Ledger['records'], 'note'> },
  accounts: readonly Account[],
): Promise<void> {
  for (const account of await changedDeletes(ledger, accounts))
    await ledger.records.note(account.name, { [MEANT_DELETE]: deleteText(account) })
}

/** One that removes something. */
function isChanged(account: Account, record: AccountRecord | undefined): boolean {
  const { [DELETE]: before, [MEANT_DELETE]: meant } = record?.facts ?? {}
  const now = deleteText(account)
  return before !== undefined && before !== now && meant !== now
}

/** `delete` as it is remembered, and told. */
export function deleteText({ delete: policy }: Pick<Account, 'delete'>): string {
  return policy.kind === 'age' ? `${policy.ageMs / 86_400_000}d` : policy.kind
}

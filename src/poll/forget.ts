// Taking messages for new again, as a person asked for. The ledger removes them; what a poll recorded beside them must go with
// them, or the guards and the search in Maildirs would undo it.
import type { EntryKey, Ledger } from '../ledger/ledger.ts'

/** `alive`: the guard against changed UIDs would miss them (S020). `forgotten`: an account without messages is not a lost ledger
 *  that is rebuilt from a Maildir (DESIGN 4.3): they are wanted once more. */
const FACTS = { alive: null, forgotten: 'yes' }

/** Gives how many were forgotten. The caller holds the account's lease. */
export function forgetMessages(ledger: Ledger, account: string, keys: readonly EntryKey[] | 'all'): Promise<number> {
  return keys === 'all' ? ledger.records.forgetAll(account, FACTS) : ledger.records.forget(account, keys, FACTS)
}

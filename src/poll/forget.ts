// Taking messages for new again, as a person asked for. The ledger removes them; what a poll recorded beside them must go
// with them, or the guards and the search in Maildirs would undo it.
import type { EntryKey, Ledger, Lease } from '../ledger/ledger.ts'

/** `alive`: the guard against changed UIDs would miss them (S020). `forgotten`: an account without messages is not a lost
 *  ledger that is rebuilt from a Maildir (DESIGN 4.3): they are wanted once more. */
const FACTS = { alive: null, forgotten: 'yes' }

/** Gives how many were forgotten. */
export function forgetMessages(ledger: Ledger, lease: Lease, keys: readonly EntryKey[] | 'all'): Promise<number> {
  return keys === 'all' ? ledger.records.forgetAll(lease, FACTS) : ledger.records.forget(lease, keys, FACTS)
}

// Reads from the ledger what a status is made of. Changes nothing, and works while polls run.
import type { Ledger } from '../ledger/ledger.ts'
import type { Records } from '../ledger/records.ts'
import type { Facts } from './status.ts'

/** So many messages of an account are shown in each state; `state list` has all. */
const SHOWN_OF_ACCOUNT = 5
/** And so many over all accounts. */
const SHOWN = 500

export interface ReadLedger {
  readonly accounts: Ledger['accounts']
  readonly destinations: Ledger['destinations']
  readonly records: Pick<Records, 'unsettled' | 'outstanding'>
}

/** Rejects with ERR_LEDGER. */
export async function readFacts(
  ledger: ReadLedger,
  known: Pick<Facts, 'nowMs' | 'configured' | 'signIns' | 'daemon'>,
): Promise<Facts> {
  return {
    ...known,
    records: await ledger.accounts(),
    unsettled: await ledger.records.unsettled(),
    messages: await ledger.records.outstanding({ ofAccount: SHOWN_OF_ACCOUNT, inAll: SHOWN }),
    destinations: await ledger.destinations(),
  }
}

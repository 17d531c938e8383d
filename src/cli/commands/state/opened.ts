// The ledger, opened by an operation that changes it.
import type { Ledger } from '../../../ledger/ledger.ts'
import type { LedgerContext } from '../../open/read-ledger.ts'

export async function openToChange({ outline, surroundings }: LedgerContext): Promise<Ledger> {
  return (await surroundings.rooms.ledger()).openLedger(outline.statePath)
}

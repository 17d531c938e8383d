// The ledger, opened by an operation that changes it.
import type { Ledger } from '../../../ledger/ledger.ts'
import type { LedgerContext } from '../../open/read-ledger.ts'

export async function openToChange({
  outline,
  surroundings,
}: Pick<LedgerContext, 'outline' | 'surroundings'>): Promise<Ledger> {
  const { rooms, env } = surroundings
  return await (await rooms.ledger()).openLedger(outline, { env })
}

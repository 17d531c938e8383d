// The ledger, opened by an operation that changes it.
import type { Ledger } from '../../../ledger/ledger.ts'
import { machineOf } from '../../open/configured.ts'
import type { LedgerContext } from '../../open/read-ledger.ts'

export async function openToChange({
  outline,
  surroundings,
}: Pick<LedgerContext, 'outline' | 'surroundings'>): Promise<Ledger> {
  const { rooms, env } = surroundings
  const { configuration } = outline
  const { openLedger } = await rooms.ledger()
  return await openLedger(outline, { env, ...(configuration === null ? {} : machineOf(configuration)) })
}

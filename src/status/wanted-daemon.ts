// Whether a daemon should run on a ledger: one was started and nobody stopped it. So `status --check` knows a daemon
// that died from one that was never wanted. Remembered in the ledger, for a crash leaves it there.
import type { Ledger } from '../ledger/ledger.ts'

const MEMO = 'daemon'

export async function isDaemonWanted(ledger: Pick<Ledger, 'memo'>): Promise<boolean> {
  return (await ledger.memo(MEMO)) !== null
}

/** From now on, or not any more. Rejects with ERR_LEDGER. */
export async function wantDaemon(ledger: Pick<Ledger, 'changeMemo'>, wanted: boolean): Promise<void> {
  await ledger.changeMemo(MEMO, () => (wanted ? 'started' : null))
}

// Whether a daemon should run on a ledger: one was started and nobody stopped it. So `status --check` knows a daemon
// that died from one that was never wanted. Remembered in the ledger, for a crash leaves it there.
import type { Ledger } from '../../ledger/ledger.ts'

type Where = Pick<Ledger, 'spans'>

/** On this machine. */
export async function isDaemonWanted(ledger: Pick<Ledger, 'memo'> & Where, machine: string): Promise<boolean> {
  return (await ledger.memo(memoOf(ledger, machine))) !== null
}

/** From now on, or not any more. Rejects with ERR_LEDGER. */
export async function wantDaemon(
  ledger: Pick<Ledger, 'changeMemo'> & Where,
  machine: string,
  wanted: boolean,
): Promise<void> {
  await ledger.changeMemo(memoOf(ledger, machine), () => (wanted ? 'started' : null))
}

function memoOf({ spans }: Where, machine: string): string {
  return spans === 'machine' ? 'daemon' : `daemon ${machine}`
}

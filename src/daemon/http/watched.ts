// What the daemon lets its web server see and do, and the statuses that are made of it.
import type { Ledger } from '../../ledger/ledger.ts'
import { type ReadLedger, readBriefly, readFacts } from '../../status/facts.ts'
import type { Listed } from '../../status/sign-in-lines.ts'
import type { Lateness } from '../schedule/lateness.ts'
import { type Planned, type Status, statusInTurns } from '../../status/status.ts'

/** Looked at whenever somebody asks. */
export interface Watched {
  readonly plan: readonly Planned[]
  readonly ledger: ReadLedger & Pick<Ledger, 'memo'> & { readonly records: Pick<Ledger['records'], 'lacking' | 'days'> }
  /** Names of the accounts of the configuration in effect. */
  readonly configured: readonly string[]
  /** Those of them that are not polled. */
  readonly disabled?: readonly string[]
  /** Names of the destinations of the configuration. */
  readonly destinations: readonly string[]
  readonly process: {
    readonly pid: number
    readonly sinceMs: number
    readonly version: string
    readonly machine: string
  }
  /** How late polls begin; absent: nobody measures it. */
  readonly lateness?: Pick<Lateness, 'late' | 'all'>
  /** For tests: how old an answer may be that others have had, instead of a second. */
  readonly freshMs?: number
  nowMs(): number
  /** How the sign-ins stand. Makes no request. */
  signIns(): Promise<readonly Listed[]>
  /** Polls this account now, or all (null), as if a person asked. */
  wake(account: string | null): void
  /** Makes what waits, is refused or held due, and polls. */
  retry(account: string | null): void
}

/** Rejects with ERR_LEDGER. */
export async function wholeStatus(watched: Watched): Promise<Status> {
  const signIns = await watched.signIns().catch(() => [])
  return await statusInTurns(await readFacts(watched.ledger, { ...surroundings(watched), signIns }))
}

/** Enough to say whether all is well. */
export async function briefStatus(watched: Watched, signIns: readonly Listed[] = []): Promise<Status> {
  return await statusInTurns(await readBriefly(watched.ledger, { ...surroundings(watched), signIns }))
}

function surroundings({ plan, configured, disabled = [], destinations, process, lateness, ...watched }: Watched) {
  const { pid, sinceMs, version, machine } = process
  return {
    nowMs: watched.nowMs(),
    configured,
    disabled,
    destinationNames: destinations,
    daemon: { wanted: true, pid, sinceMs, version, accounts: plan, late: lateness?.late ?? [], machine },
  }
}

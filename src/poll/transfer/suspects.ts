// Messages that may harm others: by bringing us down (P122), by an end that came too early and may be forged (P113), by
// ending their session (P110, P124). The ledger remembers them by the reason that was recorded.
// The one rule: nothing is asked for behind a suspect, and one that ended a session gets the next one to itself.
import type { PopfetchError } from '../../errors.ts'
import type { Session } from '../../pop3/session.ts'
import { isFresh, type Plan, type PlannedFetch } from '../plan/plan.ts'

const ENDED = 'ended the session: '
const SHORT = 'short: '

type Suspect = Pick<PlannedFetch, 'known' | 'sizeBytes'>

/** Is it to be fetched with nothing else under way? */
export function isSuspect(job: Suspect | undefined): boolean {
  return job !== undefined && ((job.known?.attempts ?? 0) >= 2 || wasShort(job) || endedSession(job))
}

/** Does QUIT drop what was retrieved, delivered or not (EXPIRE 0, P129)? */
export function quitDrops({ capabilities }: Session): boolean {
  return capabilities.expireDays === 0
}

/** The messages of one poll that wait for a session of their own. */
export class Suspects {
  #areWaiting = false

  /** Were some left for the next session of this poll? */
  get areWaiting(): boolean {
    return this.#areWaiting
  }

  /** What of `fetches` this session takes. A message that ended a session before waits for one of its own; where QUIT drops
   *  what was retrieved, so does every message that failed: one that fails again must not cost the others their QUIT. */
  admit(
    fetches: readonly PlannedFetch[],
    { deletions }: Plan,
    { session, history }: { readonly session: Session; readonly history: { readonly hasLongLoginDelay: boolean } },
  ): readonly PlannedFetch[] {
    const drops = quitDrops(session)
    const harmless = fetches.filter((fetch) => (drops ? isFresh(fetch) : !endedSession(fetch)))
    const mayHarm = harmless.length > 0 || (deletions.length > 0 && !history.hasLongLoginDelay && !drops)
    if (harmless.length === fetches.length || !mayHarm || this.#areWaiting) {
      this.#areWaiting = false
      return fetches
    }
    if (!drops) this.#areWaiting = true
    return harmless
  }
}

/** Is it better fetched when the others are safe, their deletions committed? */
function endedSession({ known }: Suspect): boolean {
  return known?.reason?.startsWith(ENDED) === true
}

export function wasShort({ known }: Suspect): boolean {
  return known?.reason?.startsWith(SHORT) === true
}

export function endReason(error: PopfetchError): string {
  return `${ENDED}${error.message}`
}

export function shortReason({ sizeBytes }: Suspect, receivedBytes: number): string {
  return `${SHORT}${receivedBytes} of ${sizeBytes} announced bytes came`
}

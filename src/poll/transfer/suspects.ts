// Messages that may harm others: by bringing us down (P122), by an end that came too early and may be forged (P113), by
// ending their session (P110, P124). What the ledger remembers of them is the reason they were left with. Pure.
// The one rule: nothing is asked for behind a suspect, and one that ended a session gets the next one to itself.
import type { PopfetchError } from '../../errors.ts'
import type { PlannedFetch } from '../plan/plan.ts'

const ENDED = 'ended the session: '
const SHORT = 'short: '

type Suspect = Pick<PlannedFetch, 'known' | 'sizeBytes'>

/** Is it to be fetched with nothing else under way? */
export function isSuspect(job: Suspect | undefined): boolean {
  return job !== undefined && ((job.known?.attempts ?? 0) >= 2 || wasShort(job) || endedSession(job))
}

/** Is it better fetched when the others are safe, their deletions committed? */
export function endedSession({ known }: Suspect): boolean {
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

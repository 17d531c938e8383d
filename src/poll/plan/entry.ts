// What is planned for an entry of a listing, and what is asked of it in many places. Apart from the planner, which a poll without new
// mail does not load.
import type { Delivery, KnownMessage } from '../../ledger/ledger.ts'
import type { ListingEntry } from '../../pop3/listing/listing.ts'
import { hasCome } from './moments.ts'

export interface PlannedFetch extends ListingEntry {
  readonly known: KnownMessage | null
}

/** Delivered in an earlier session and due to be deleted, after a look at its header (P098). */
export interface PlannedDeletion extends ListingEntry {
  readonly known: KnownMessage
}

export interface PlannedHold extends ListingEntry {
  /** Null or absent: the ledger does not know it yet. */
  readonly known?: KnownMessage | null
  readonly reason: string
}

/** A message that was begun so often without being finished is kept back: it may be what brings us down (P122). */
export const MOST_ATTEMPTS = 5

/** Is this delivery to be tried now? `eager`: what was only deferred is due at once. */
export function isDue({ state, dueAfterMs }: Delivery, nowMs: number, eager: boolean): boolean {
  return state !== 'done' && (hasCome(dueAfterMs, nowMs) || (eager && state !== 'refused'))
}

/** Does its destination lack the message for the time being only? */
export function isDeferred({ state }: Delivery): boolean {
  return state !== 'done' && state !== 'refused'
}

/** Nothing of it was refused before: it counts in the outcome of the poll. */
export function isDueMessage({ known }: { readonly known: KnownMessage | null }): boolean {
  return known?.deliveries.some(({ state }) => state === 'refused') !== true
}

/** Did it never fail before? */
export function isFresh({ known }: { readonly known: KnownMessage | null }): boolean {
  return known === null || (known.attempts === 0 && known.reason === null)
}

// Compares what is to be fetched with the space at its destinations, before a migration or a first poll begins (DESIGN 2). A
// mailbox of 40 GB is not brought over a line for a disk or a quota of 15. Pure; route/require-space.ts asks the destinations.
import type { Space } from '../../deliver/destination.ts'
import { PopfetchError } from '../../errors.ts'

export interface Amount {
  readonly messages: number
  readonly bytes: number
}

/** What each place had when it was first asked, and what is to come there. Accounts that are moved together share one. */
export class SpaceBook {
  readonly #places = new Map<string, Amount & { readonly space: Space }>()

  /** Is there enough for this, too? If not, nothing is noted. */
  take(space: Space, { messages, bytes }: Amount): boolean {
    const before = this.#places.get(space.key) ?? { space, messages: 0, bytes: 0 }
    const after = { space: before.space, messages: before.messages + messages, bytes: before.bytes + bytes }
    const isEnough = after.bytes <= before.space.bytes && after.messages <= before.space.messages
    this.#places.set(space.key, isEnough ? after : before)
    return isEnough
  }
}

/** `left`: as many more, of which the sizes are not known. */
export function amountOf(fetches: readonly { readonly sizeBytes: number | null }[], left: number): Amount {
  const known = fetches.reduce((sum, { sizeBytes }) => sum + (sizeBytes ?? 0), 0)
  const average = fetches.length === 0 ? 0 : known / fetches.length
  return { messages: fetches.length + left, bytes: Math.round(known + average * left) }
}

/** What is to be compared. */
export interface SpaceCheck {
  readonly amount: Amount
  readonly book: SpaceBook
  /** The command for a person who wants to continue anyway. */
  readonly goesOn: string
}

/** `description`: the destination that has only `space`. */
export function noSpace(
  description: string,
  { bytes, messages }: Space,
  { amount, goesOn }: SpaceCheck,
): PopfetchError {
  const isBytes = bytes < amount.bytes
  const there = isBytes ? megabytes(bytes) : `${messages} more messages`
  const text = `${amount.messages} messages of ${megabytes(amount.bytes)} are to come, and ${description} has room for ${there}: make room there; to go on anyway: ${goesOn}`
  return new PopfetchError('ERR_NO_SPACE', text, { scope: 'account', retry: 'never' })
}

function megabytes(bytes: number): string {
  return bytes < 10e6 ? `${Math.round(bytes / 1000)} kB` : `${Math.round(bytes / 1e6)} MB`
}

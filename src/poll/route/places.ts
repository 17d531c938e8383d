// Where a destination's answers are remembered: under its key, and for some under one of its recipients.
import type { PopfetchError } from '../../errors.ts'
import type { Place } from '../rests/doors.ts'
import type { Target } from '../run/destinations.ts'

/** A message that a destination did not take, or a look at it that failed. */
export interface Offered {
  readonly error: PopfetchError
  /** By `nameOfMessage`; null: it was only asked. */
  readonly message: string | null
  readonly bytes: number
  readonly refusedBefore: boolean
  /** What `closings` gave when it was offered. */
  readonly since: number
}

/** Conclusions that speak of the recipient, or are counted in a row for it. */
export const OF_RECIPIENT: ReadonlySet<string> = new Set(['RCPT', 'ROOM', 'TEMP', 'BAD', 'LOST'])

/** Those that are remembered. Of several as one: the first one's, as its key is. */
export function recipientsOf({ destination, members: [first] }: Target): readonly string[] {
  return (first?.destination ?? destination).recipients
}

/** Of recipients that a message has for itself nothing is remembered: what is said of them counts for the destination. */
export function knownAt(target: Target, recipient: string): string {
  const asked = target.members[0]?.recipientsFor(null)[0] ?? recipient
  return recipientsOf(target).includes(asked) ? asked : ''
}

export function placesOf({ key }: Target, recipient: string): readonly Place[] {
  const whole = { key, recipient: '' }
  return recipient === '' ? [whole] : [whole, { key, recipient }]
}

export function foundAt({ key, recipient }: Place): string {
  return JSON.stringify([key, recipient])
}

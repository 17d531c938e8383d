// Where a destination's answers are remembered: under its key, and for some under one of its recipients.
import type { Place } from '../rests/doors.ts'
import type { Target } from '../run/destinations.ts'

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

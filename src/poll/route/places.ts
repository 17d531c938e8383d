// Where a destination's answers are remembered: under its key, and for some under one of its recipients, or its folder there.
import type { PopfetchError } from '../../errors.ts'
import type { Answer } from '../rests/answer.ts'
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
const OF_RECIPIENT: ReadonlySet<string> = new Set(['RCPT', 'ROOM', 'TEMP', 'BAD', 'LOST'])

/** Those that are remembered. Of several as one: the first one's, as its key is. */
export function recipientsOf({ destination, members: [first] }: Target): readonly string[] {
  return (first?.destination ?? destination).recipients
}

/** Of recipients that a message has for itself nothing is remembered: what is said of them counts for the destination. */
export function knownAt(target: Target, recipient: string): string {
  const asked = target.members[0]?.recipientsFor(null)[0] ?? recipient
  return recipientsOf(target).includes(asked) ? asked : ''
}

/** The destination as a whole, its folder there, and one of its recipients. */
export function placesOf(target: Pick<Target, 'key' | 'part'>, recipients: readonly string[]): readonly Place[] {
  const { key, part } = target
  const folder = part === key ? [] : [{ key: part, recipient: '' }]
  const named = recipients.filter((recipient) => recipient !== '').map((recipient) => ({ key, recipient }))
  return [{ key, recipient: '' }, ...folder, ...named]
}

/** What an answer speaks of. */
export function placeOf(target: Target, recipient: string, { conclusion, ofFolder }: Answer): Place {
  const { key, part } = target
  if (ofFolder && conclusion === 'ACT') return { key: part, recipient: '' }
  return { key, recipient: OF_RECIPIENT.has(conclusion) ? knownAt(target, recipient) : '' }
}

export function foundAt({ key, recipient }: Place): string {
  return JSON.stringify([key, recipient])
}

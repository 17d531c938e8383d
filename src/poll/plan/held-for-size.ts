// A message that is held because it is larger than `maxSize`: does it fit now (S051)? Pure.
import type { KnownMessage } from '../../ledger/ledger.ts'
import { isLostTooOften, type Shows } from './lost-answers.ts'

/** By the announced size, or by what came (MessageTooLarge). */
const HELD_FOR_SIZE = /^too large: \d+ bytes, maxSize is (\d+)$|^the message is larger than (\d+) bytes \(maxSize\)/

/** Is this why a message is held? */
export function isForSize(reason: string): boolean {
  return HELD_FOR_SIZE.test(reason)
}

interface Fitting {
  /** As it is configured now; null: there is no limit. */
  readonly maxSizeBytes: number | null
  readonly shows: Shows
  readonly sizeBytes: number | null
}

/** Was it held for its size, under a smaller `maxSize` than it is now (S051)? */
export function fitsNow(
  { maxSizeBytes, sizeBytes, shows }: Fitting,
  { reason, deliveries }: Pick<KnownMessage, 'reason' | 'deliveries'>,
): boolean {
  const mostBytes = maxSizeBytes ?? Infinity
  const [, announced, received] = HELD_FOR_SIZE.exec(reason ?? '') ?? []
  const beforeBytes = Number(announced ?? received ?? Infinity)
  return mostBytes > beforeBytes && (sizeBytes ?? 0) <= mostBytes && !isLostTooOften(deliveries, shows)
}

// How a destination of one's own says that it did not take a message. It speaks in verdict and scope; the house in conclusions.
import { DeliveryError, type Conclusion } from '../../errors.ts'
import { concluded } from '../answers/conclusions.ts'

/** Why a destination of your own did not take a message, and what is to become of it. */
export interface Undelivered {
  /** `temporary`: nothing of the message is visible there, and it is offered again. `refused`: nothing is visible there, and it
   *  is not taken as it is; it is offered again rarely, and held after 30 days. `unknown`: it may or may not have arrived.
   *  `held`: not to be offered again unless a person says so. */
  readonly verdict: 'temporary' | 'refused' | 'unknown' | 'held'
  /** What the answer speaks of. `message` (default): of this message alone. `recipient`: of every message for this recipient.
   *  `destination`: of every message; it is left alone for a while, and messages stay on the server. Where the verdict is
   *  not `temporary`, it is always about the message. */
  readonly scope?: 'message' | 'recipient' | 'destination'
  /** What was tried and what came back. At most 1,000 characters are told; secrets that popfetch knows are masked. */
  readonly text: string
  /** Not to be tried again within this many milliseconds, at most a day. Default: popfetch decides. */
  readonly pauseMs?: number
  /** What was caught. */
  readonly cause?: unknown
}

const CONCLUSIONS = {
  temporary: { message: 'TEMP', recipient: 'RCPT', destination: 'BUSY' },
  refused: { message: 'BAD', recipient: 'BAD', destination: 'BAD' },
  unknown: { message: 'LOST', recipient: 'LOST', destination: 'LOST' },
  held: { message: 'HELD', recipient: 'HELD', destination: 'HELD' },
} as const satisfies Readonly<Record<string, Readonly<Record<string, Conclusion>>>>

const LONGEST_PAUSE_MS = 86_400_000

/** The error to throw from `deliver` (and, with scope `destination`, from `ready` and `recall`). Words that it does not know, which
 *  a program without types may give, leave in doubt whether the message arrived. */
export function undelivered({ verdict, scope = 'message', text, pauseMs = 0, cause }: Undelivered): DeliveryError {
  const conclusion: Conclusion = CONCLUSIONS[verdict]?.[scope] ?? 'LOST'
  const pause = Number.isFinite(pauseMs) ? Math.min(Math.max(0, Math.round(pauseMs)), LONGEST_PAUSE_MS) : 0
  return new DeliveryError(text, { ...concluded(conclusion, 'own'), pauseMs: pause, cause })
}

// What a ledger records of a destination that did not take mail. Since when and until when it is left alone, and the answers that
// may lead there. Shared by all accounts and processes. Part of the contract of ledger.ts; plain data. What follows from it is
// decided in poll/route/; the words of `conclusion` are those of deliver/answers/conclusions.ts.
import { createHash } from 'node:crypto'
import type { Told } from './account.ts'
import type { EntryKey } from './entry.ts'

/** Meanwhile nothing is sent there, and no message is retrieved that only this destination would get. */
export interface Rest {
  readonly conclusion: string
  readonly sinceMs: number
  /** Not to be tried before then. */
  readonly untilMs: number
  /** The last try was with a message that had a part in opening it: until then mail of other accounts goes first. */
  readonly openersUntilMs?: number
  /** The sign-in at a provider has ended: no time ends that, but a new one does (`secretMark`). */
  readonly untilSignIn?: true
  /** How often the pause was doubled. */
  readonly step: number
  /** The pause that the destination named; 0: none. */
  readonly askedMs: number
  readonly error: { readonly code: string; readonly message: string }
  /** The exit code of a poll that this rest stops. */
  readonly exit: number
  /** The messages that had a part in opening it, by `nameOfMessage`. */
  readonly openers: readonly string[]
  /** Of the secret that was refused, as in AccountHealth; null: it was not about a secret. */
  readonly secretMark: number | null
  /** The mark of the secret that was read since, if each may be a new one; absent: none was read. */
  readonly secretSeen?: { readonly mark: number; readonly steady: boolean }
}

/** One answer about a message that was never refused before. No message was taken between this answer and the next one. */
export interface RowEntry {
  /** By `nameOfMessage`. */
  readonly message: string
  readonly conclusion: string
  /** Two answers with the same key are equal. */
  readonly same: string
  readonly aboutUs: boolean
}

/** This many messages that opened rests are remembered. */
export const MOST_OPENERS = 50

/** The longest row that is remembered: longer ones decide nothing. */
export const LONGEST_ROW = 10

/** The messages that were offered there of late, where only this many may be in a time (`rate`). */
export interface Sent {
  /** The oldest first. Neighbours are counted together, at the time of the last of them. */
  readonly counts: readonly (readonly [lastMs: number, messages: number])[]
  /** The clocks when it was last changed. */
  readonly clock: ClockReading
}

/** By two of them a clock that was set meanwhile is noticed. */
export interface ClockReading {
  /** The time of day. */
  readonly nowMs: number
  /** Since the machine was started, sleep included. */
  readonly upMs: number
  /** Tells one start of a machine from all others; '': the system does not. */
  readonly boot: string
}

/** What is remembered of a destination, or of one of its recipients, that was in trouble. */
export interface DestinationRecord {
  /** Made by its kind of server and user, or path: two names for the same place are one. */
  readonly key: string
  /** '': the destination as a whole. */
  readonly recipient: string
  /** What configurations call it. */
  readonly names: readonly string[]
  /** Null: it is tried as usual. */
  readonly rest: Rest | null
  /** The last answers in a row, the newest last. */
  readonly row: readonly RowEntry[]
  /** The messages that had a part in rests which are over, by `nameOfMessage`: they open none again. */
  readonly former: readonly string[]
  /** Refused sign-ins in a row with the same secret. */
  readonly refusals: number
  readonly lastSuccessMs: number | null
  /** What was last told of it without a terminal; null: told of nothing, or all is well again. */
  readonly told: Told | null
  /** Null: nothing is counted there. Of the destination as a whole alone. */
  readonly sent: Sent | null
}

export function blankDestination(key: string, recipient: string): DestinationRecord {
  return {
    key,
    recipient,
    names: [],
    rest: null,
    row: [],
    former: [],
    refusals: 0,
    lastSuccessMs: null,
    told: null,
    sent: null,
  }
}

/** Does it say nothing that decides anything? Such a record need not be kept: every destination that was ever in trouble would
 *  have one. */
export function isBlank({ rest, row, former, refusals, told, sent }: DestinationRecord): boolean {
  const isIdle = rest === null && row.length === 0 && former.length === 0 && refusals === 0
  return isIdle && told === null && sent === null
}

/** Longer UIDLs stand in a name as their SHA-256: what a server makes us remember is bounded. */
const UIDL_LIMIT = 70

/** Names a message in the records of destinations, over all accounts. */
export function nameOfMessage(account: string, { uidl, copy }: EntryKey): string {
  const short = uidl.length > UIDL_LIMIT ? createHash('sha256').update(uidl, 'latin1').digest('hex') : uidl
  return JSON.stringify([account, copy, short])
}

// What an imap destination is configured with, the surroundings it is given, and how long its server may take.
import type { Attempt } from '../destination.ts'
import type { Peer } from '../network/dial.ts'
import { raised } from '../network/limits.ts'
import type { Filling } from '../placeholders.ts'

export type ImapPeer = Omit<Peer, 'socketPath'>

export interface ImapConfig extends ImapPeer {
  readonly user: string
  /** The password or the token. Called just before each sign-in; with the token that the server has just refused, if it did. */
  readonly secret: ((refused?: string) => Promise<string>) | null
  /** The secret is a token. */
  readonly byToken: boolean
  /** Destinations that have this in common share their sessions, whatever their folders are. */
  readonly sharing: string
  readonly auth: 'auto' | 'plain' | 'login'
  /** A name as it was written, or a special use: `\Junk`. */
  readonly folder: string
  /** What stands for what is in braces in it. */
  readonly filling: Filling
  readonly create: boolean
  readonly flags: readonly string[]
  /** Gmail's labels; [] for none. */
  readonly labels: readonly string[]
  readonly date: 'received' | 'now'
  readonly concurrency: number
  /** Raises the limits, never lowers them. */
  readonly timeoutMs: number | null
  readonly maxSize: number
  /** Puts `X-Popfetch-Delivery` on top, by which an attempt is found again. */
  readonly trace: boolean
  /** For people: "imap mail.example:993 INBOX". */
  readonly description: string
}

export interface ImapContext {
  readonly nowMs: () => number
  /** The fields to put on top, with CRLF line ends; '' for none. */
  readonly prefix: (attempt: Attempt) => string
  readonly readOnly?: true
}

export interface ImapLimits {
  readonly connectMs: number
  readonly tlsMs: number
  readonly greetingMs: number
  /** One command and its answer. */
  readonly commandMs: number
  /** No progress while a message goes out. */
  readonly blockMs: number
  /** From a message's end to the answer. */
  readonly contentMs: number
  /** A look at a whole folder: servers open every message for it. */
  readonly lookMs: number
  readonly quitMs: number
  readonly idleMs: number
}

/** No working server needs as long. */
export const IMAP_LIMITS: ImapLimits = {
  connectMs: 60_000,
  tlsMs: 60_000,
  greetingMs: 60_000,
  commandMs: 120_000,
  blockMs: 120_000,
  contentMs: 300_000,
  lookMs: 900_000,
  quitMs: 5_000,
  idleMs: 60_000,
}

export function raisedImap(limits: ImapLimits, timeoutMs: number | null): ImapLimits {
  return raised(limits, timeoutMs, ['quitMs', 'idleMs'])
}

// What a gmail destination is configured with, and its time limits. Types and numbers only.
import type { Attempt } from '../destination.ts'

export interface GmailConfig {
  /** The address of the mailbox: mail goes to it and to no other, whoever signed in. */
  readonly user: string
  /** The access token. `refused`: the one that was just refused; of a sign-in another one is asked for then. */
  readonly secret: ((refused?: string) => Promise<string>) | null
  /** By name; those of Gmail itself in capitals. */
  readonly labels: readonly string[]
  /** Whether Gmail sorts it by the message's Date, or by now. */
  readonly date: 'header' | 'now'
  /** Whether Gmail may find that it is spam. */
  readonly spam: 'classify' | 'never'
  readonly wrap: 'never' | 'when-refused'
  readonly concurrency: number
  /** The origin of the API, without a slash at its end. */
  readonly endpoint: string
  /** For people: "gmail anna@gmail.com". */
  readonly description: string
}

export interface GmailContext {
  readonly hostName: string
  readonly nowMs: () => number
  readonly env: Readonly<Record<string, string | undefined>>
  /** The fields to put on top, with CRLF line ends; '' for none. */
  readonly prefix: (attempt: Attempt) => string
}

export interface GmailLimits {
  /** Name, TCP and TLS. */
  readonly connectMs: number
  /** Without a byte in either direction. */
  readonly silenceMs: number
  /** The whole of a request, but for the time that its size takes. */
  readonly requestMs: number
  /** The first pause after "not now"; each one after it is twice as long. */
  readonly pauseMs: number
  /** So often at most. */
  readonly pauses: number
  readonly tokenMs: number
}

export const GMAIL_LIMITS: GmailLimits = {
  connectMs: 30_000,
  silenceMs: 120_000,
  requestMs: 300_000,
  // 1, 2, 4, 8, 16, 32 s.
  pauseMs: 1_000,
  pauses: 6,
  tokenMs: 120_000,
}

/** A line slower than this ends a request. */
export const SLOWEST_BYTES_PER_S = 4_096

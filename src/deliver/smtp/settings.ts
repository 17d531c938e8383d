// What an smtp or lmtp destination is configured with, and the surroundings it is given. Types only.
import type { Sender } from '../envelope.ts'
import type { Auth } from './capabilities.ts'
import type { SmtpPeer } from './place.ts'

export interface SmtpConfig extends SmtpPeer {
  readonly user: string | null
  /** The password, or the token. Called just before each sign-in; null when there is no user. */
  readonly secret: ((refused?: string) => Promise<string>) | null
  readonly auth: Auth
  /** Also such as `{recipient}`, which stand for what each message has for itself. */
  readonly to: readonly string[]
  readonly from: Sender
  readonly concurrency: number
  /** Raises RFC 5321's limits, never lowers them. */
  readonly timeoutMs: number | null
  readonly trace: boolean
  readonly label: boolean
  /** A bare CR or LF becomes a line end, or the message is not sent (D038). */
  readonly bareNewlines: 'fix' | 'refuse'
  /** What becomes of a `Delivered-To` of the very recipient, which the next server may take for a loop (D115). */
  readonly deliveredTo: 'rename' | 'keep' | 'hold'
  /** Whether a message that the server refuses for its bytes is sent once more, as an attachment. */
  readonly wrap: 'never' | 'when-refused'
  /** For people: "smtp relay.example:587". */
  readonly description: string
}

export interface SmtpContext {
  readonly hostName: string
  readonly nowMs: () => number
}

// The contract of every destination. One file per kind implements it; `deliver/index.ts` lists the kinds.
import { display } from '../display.ts'
import type { Message, Origin, ReceivedFacts } from '../message.ts'

/** One try to hand one message to one destination for one recipient. Recorded in the ledger, durably, before it starts. */
export interface Attempt {
  /** Random, 16 hexadecimal digits, new for each attempt; a Maildir file carries it in its name (DESIGN 4.3). */
  readonly intent: string
  readonly origin: Origin
  /** The recipient's address; '' for a destination that has none (maildir, command, mbox). */
  readonly recipient: string
}

/** Where the message is now: a file's path, a server's answer. For people and the ledger: safe to print, at most
 *  RECEIPT_LENGTH characters. */
export interface Receipt {
  readonly text: string
}

export const RECEIPT_LENGTH = 500

/** A receipt of any text. */
export function receiptOf(text: string): Receipt {
  // Escapes make it longer, and an ellipsis says that it was cut.
  return { text: display(text, RECEIPT_LENGTH - 1).slice(0, RECEIPT_LENGTH) }
}

/** An earlier attempt that did arrive. */
export interface Recollection extends Receipt {
  /** Read back from what is there, the fields put on top taken off; null: it cannot be. */
  readonly received: ReceivedFacts | null
}

/** A message that was delivered there some time, as far as its name tells. */
export interface Standing extends Receipt {
  readonly intent: string
  /** With the fields on top; null: the name does not tell. */
  readonly fileBytes: number | null
}

/** How a large message may be written so that delivering it there is a rename: same file system, final form. */
export interface SpoolPlace {
  readonly directory: string
  readonly mode: number
  readonly lineEndings: 'crlf' | 'lf'
  /** A name nobody else uses there, by which the destination finds the file again after a crash. */
  fileName(attempt: Attempt): string
  /** The bytes that the destination wants on top, with its own line ends. */
  prefix(attempt: Attempt): Buffer
}

export interface Destination extends AsyncDisposable {
  /** For people: "maildir ~/Mail". */
  readonly description: string
  /** The recipients it hands a message to, one delivery each; [''] for a destination without recipients. */
  readonly recipients: readonly string[]
  /** Whoever has one reads a message's memory until deliver() has resolved, and no longer. */
  readonly spool: SpoolPlace | null
  /** True: when recall() knows nothing of an attempt, it did not arrive. False: then it may have (SMTP, a command). */
  readonly remembers: boolean

  /** Is it there at all? Runs beside sign-in when there is something to deliver; RETR waits for it.
   *  Rejects with DeliveryError of scope 'destination'. */
  ready(signal: AbortSignal): Promise<void>

  /** What became of an earlier attempt that was not settled; null: nothing known. Leaves nothing of a half-done one behind. */
  recall(attempt: Attempt, signal: AbortSignal): Promise<Recollection | null>

  /** Which of these messages stand there from whatever attempt, in their order, null for those that do not: for a ledger
   *  that was lost. Null instead of the list: it cannot tell. */
  census(origins: readonly Origin[], signal: AbortSignal): Promise<readonly (Standing | null)[] | null>

  /** One recipient. Resolves only when the message would survive a power cut, or the next hop has taken responsibility.
   *  Rejects with DeliveryError; after 'temporary' or 'refused' nothing of the message is visible there.
   *  Does not own the message: its spool file, if it has one, is removed by the caller (who tolerates that it is gone,
   *  since a Maildir renames a file that lies in its own `spool.directory`). */
  deliver(attempt: Attempt, message: Message, signal: AbortSignal): Promise<Receipt>
}

/** A destination that can show again what it took: a Maildir and an mbox can, a mail server cannot. */
export interface ReadableDestination extends Destination {
  /** What stands there of these settled attempts, read from where it lies, in their order; null: nothing does. Rejects with
   *  DeliveryError of scope 'destination'. */
  reread(attempts: readonly Attempt[], signal: AbortSignal): Promise<readonly (Recollection | null)[]>
}

export function isReadable(destination: Destination): destination is ReadableDestination {
  return 'reread' in destination && destination.remembers
}

// The contract of every destination.
//
// A delivery, in the order of time: `ready` says whether the destination is there at all, while the poll signs in. `recall`
// tells the outcome of an earlier attempt that was interrupted. The poll receives the message through spool.ts: a small one
// stays in memory (arena.ts), a large one goes to a file, if possible right where the destination wants it (`SpoolPlace`).
// Once the message is complete, `deliver` hands it to one recipient, and resolves only when the message is safe there. A
// failure says what it means for the mail: its verdict, its scope, and when to try again.
//
// index.ts is the table of kinds, and each kind has a folder: maildir/, mbox/, smtp/ (LMTP too), command/. first-of.ts makes
// one destination of several. The kinds share envelope.ts (the fields on top, the envelope sender, loops), address.ts, answers/
// (what an answer means) and slots.ts (how many at once). disk/ has every call to the disk, and says what is synced when.
import { escaped } from '../display.ts'
import type { DeliveryError, PopfetchError } from '../errors.ts'
import type { Message, Origin, ReceivedFacts } from '../message.ts'
import type { Right } from './right.ts'
import type { TlsFacts } from '../pop3/network/tls-facts.ts'

/** Messages as an array has them, made where they are asked for: there may be a million, and mostly nobody asks. */
export interface Origins {
  readonly length: number
  map<T>(of: (origin: Origin) => T): readonly T[]
}

/** One attempt to hand one message to one destination for one recipient. The ledger records it durably before it starts. */
export interface Attempt {
  /** 16 random hexadecimal digits, new for each attempt; a Maildir file has them in its name (DESIGN 4.3). */
  readonly intent: string
  readonly origin: Origin
  /** The recipient's address; '' for a destination without recipients (maildir, command, mbox). */
  readonly recipient: string
  /** Called, and waited for, before the other side can have the whole message. That is before the end of it goes to a server,
   *  before a program gets its input; perhaps already while a server is asked whether it takes the message. Until it resolves, the message was certainly not delivered (S042). It may be called again;
   *  when it rejects, nothing is handed over, and `deliver` rejects with the same error. Not called by a destination that
   *  remembers. */
  readonly handingOver?: () => Promise<void>
  /** What is delivered next, if this message is taken: its envelope, and no more of it, may go with the end of this one. Asked for just
   *  before that end goes; perhaps again, and then it gives the same. Whoever gave one calls `deliver` with just that, and waits for
   *  nothing before, as soon as this one is taken; and never where it is not. With a signal that is aborted it is given up. Null: that is
   *  not known. */
  readonly following?: () => Following | null
  /** Looked at just before the message becomes visible (right.ts), by destinations that show it at once for all to see: a file that
   *  appears. Absent: nobody else can have it. */
  readonly right?: Right
  /** For several destinations as one: which of them may be asked, and what they said. */
  readonly chain?: Chain
}

/** A message that is offered behind another one. */
export interface Following {
  readonly attempt: Attempt
  readonly message: Message
}

/** How whoever offers a message follows it from one destination to the next (first-of.ts). Members are called as in the
 *  configuration. */
export interface Chain {
  /** Why this one is left alone; null: it may be asked, and is asked next. */
  closed(member: string): Promise<PopfetchError | null>
  /** It did not take the message. Resolves when that is recorded. Not called for the error that `deliver` rejects with, if that
   *  is the first one's. */
  answered(member: string, error: PopfetchError): Promise<void>
  /** It is the first, and refused the message, which goes on to the next at once. */
  refused(member: string, error: PopfetchError): void
  /** It took the message. Resolves when that is recorded. */
  taken(member: string): Promise<void>
  /** The message has waited for long enough: what only waits goes on to the next as well. */
  readonly goesOn: boolean
}

/** Where the message is now: a file's path, a server's answer. For people and the ledger: safe to print, at most
 *  RECEIPT_LENGTH characters. */
export interface Receipt {
  readonly text: string
}

export const RECEIPT_LENGTH = 500

/** A receipt of our own text, or of what has been through display(). */
export function receiptOf(text: string): Receipt {
  // Escapes make it longer, and an ellipsis says that it was cut.
  return { text: escaped(text, RECEIPT_LENGTH - 1).slice(0, RECEIPT_LENGTH) }
}

/** An earlier attempt that arrived. */
export interface Recollection extends Receipt {
  /** What was received, read back without the fields on top; null: it cannot be read back. */
  readonly received: ReceivedFacts | null
}

/** A message that was delivered there at some time, as far as its name tells. */
export interface Standing extends Receipt {
  readonly intent: string
  /** The size with the fields on top; null: the name does not tell. */
  readonly fileBytes: number | null
  /** When it was put there, in whole seconds; null: nothing tells. */
  readonly atMs: number | null
}

/** Where and how a large message may be written so that its delivery is a rename: on the same file system, in its final
 *  form. */
export interface SpoolPlace {
  readonly directory: string
  readonly mode: number
  readonly lineEndings: 'crlf' | 'lf'
  /** A name that nobody else uses there; by it the destination finds the file again after a crash. */
  fileName(attempt: Attempt): string
  /** The fields on top, with the line ends of the destination. */
  prefix(attempt: Attempt): Buffer
}

/** What may still be put there; Infinity: as far as anybody tells, all. */
export interface Space {
  /** Destinations with the same key share it: a file system, a quota. */
  readonly key: string
  readonly bytes: number
  readonly messages: number
}

/** What a destination said of itself while it was tried without a message. Safe to print. */
export interface Probed {
  /** Null: it is not reached over TLS. */
  readonly tls: TlsFacts | null
  /** What the destination is and offers, in the order in which that was learnt. */
  readonly findings: readonly { readonly name: string; readonly value: string }[]
  /** Problems that some mail will have, though the destination takes mail: one sentence each. */
  readonly warnings: readonly string[]
}

/** How long a trial may take where the destination has no `timeout`. */
export const PROBE_MS = 60_000

/** A destination as it takes small messages by the dozen: all their bytes are in memory, and all of them are safe at the same time. */
export interface Volleys {
  /** Resolves when there is space for so many messages. Rejects with DeliveryError. */
  reserve(messages: number, bytes: number): Promise<void>
  /** Another thread does their work, or will soon: give memory that it can see as well (a SharedArrayBuffer's), and let the event loop
   *  go on. */
  readonly isApart: boolean
  /** `memory`: all bodies will lie in it. */
  volley(memory: Buffer): Volley
}

/** Small messages that are delivered together. */
export interface Volley {
  /** Takes one more, at once. `body` does not change before `deliver` ends. `receivedMs` is as in HeaderFacts. Never throws: `deliver` tells
   *  what became of it. Call `Volleys.reserve` before. */
  add(attempt: Attempt, body: Buffer, receivedMs: number | null): void
  /** What became of each, in the order in which they were added; a receipt says the same as that of Destination.deliver, and so does an
   *  error. `right` is looked at just before the first of them is visible (right.ts): when it is lost, none will be. Ends within the
   *  limits of the destination. Call once. */
  deliver(right: Right, signal: AbortSignal): Promise<readonly (Receipt | DeliveryError)[]>
}

export interface Destination extends AsyncDisposable {
  /** For people: "maildir ~/Mail". */
  readonly description: string
  /** One delivery for each of these; [''] for a destination without recipients. */
  readonly recipients: readonly string[]
  /** null: large messages are spooled elsewhere. A destination that has a place reads the memory of a message only until
   *  deliver() is settled. */
  readonly spool: SpoolPlace | null
  /** True: an attempt that recall() knows nothing of did not arrive. False: it may have arrived (SMTP, a command). */
  readonly remembers: boolean
  /** This many deliveries are of use to it at once, as it is now; more would only wait. Absent: as many as the configuration says. */
  readonly atOnce?: number
  /** True: it reads the memory of a message only until deliver() is settled, so that the memory can be used again at once. */
  readonly letsGo?: true

  /** True: it takes one message after another over connections of its own, and reads the memory of each only until deliver() is settled:
   *  small ones may be given to it straight from where they were received (poll/lane/relay.ts). */
  readonly relays?: true

  /** Is the destination there at all? Runs beside sign-in when there is something to deliver; RETR waits for it. Rejects
   *  with DeliveryError of scope 'destination'. `wasThere`: mail was delivered there before, so a place that is gone is not
   *  made again: its disk may not be mounted (S045). */
  ready(signal: AbortSignal, wasThere?: boolean): Promise<void>

  /** Would it take mail now? Tries, without a message, all that a delivery needs. The connection, TLS, the sign-in, our own
   *  sender and each recipient; the folders and the lock; the program. Nothing of the trial is left there. What `ready` makes
   *  (a Maildir, a folder, a label) is made here, too. Ends within the destination's `timeout`, or PROBE_MS. `wasThere` is as
   *  for `ready`. Rejects with the DeliveryError that a delivery would have; for one of several recipients, with that one's. */
  probe(signal: AbortSignal, wasThere?: boolean): Promise<Probed>

  /** How much may still be put there; null: it does not say. Asked after `ready`. Absent: this kind never says. */
  space?(signal: AbortSignal): Promise<Space | null>

  /** Many small messages at once, which is cheaper than `deliver` for each; null: not now, or not there. Asked after `ready`. Absent:
   *  this kind never takes them so. */
  volleys?(): Volleys | null

  /** What became of an earlier attempt that was not settled; null: nothing is recorded for it. On return nothing is left of an
   *  attempt that was done by half. */
  recall(attempt: Attempt, signal: AbortSignal): Promise<Recollection | null>

  /** Which of these messages are there, from whatever attempt, in their order; null for those that are not. For a ledger
   *  that was lost or is an older copy. Null instead of the list: the destination cannot tell. Others may move messages
   *  about meanwhile: it looks again until a look finds nothing more (S038). */
  census(origins: Origins, signal: AbortSignal): Promise<readonly (Standing | null)[] | null>

  /** Hands the message to one recipient. Resolves only when the message would survive a power cut, or the next hop has
   *  taken responsibility for it. Rejects with DeliveryError; after 'temporary' and 'refused' nothing of the message is
   *  visible there. The caller owns the message, and removes its spool file if it has one. That file may be gone by then: a
   *  Maildir renames a file that is in its own `spool.directory`. */
  deliver(attempt: Attempt, message: Message, signal: AbortSignal): Promise<Receipt>
}

/** An attempt by which a message was taken. */
export interface Settled extends Attempt {
  /** What the destination said when it took it; absent: not known. It may help to find the message. */
  readonly receipt?: string | null
  /** How long the message was; absent: not known. */
  readonly receivedBytes?: number | null
}

/** `same`: it is there, and as long as it was received. `other`: it is there, but its length differs or is unknown. `gone`: it
 *  is not there. */
export type Glance = 'same' | 'other' | 'gone'

/** A destination that can show the messages again: a Maildir, an mbox and an IMAP folder can, an SMTP server cannot. */
export interface ReadableDestination extends Destination {
  /** The messages of these settled attempts as they are there now, in their order; null: there is none. Rejects with
   *  DeliveryError of scope 'destination'. */
  reread(settled: readonly Settled[], signal: AbortSignal): Promise<readonly (Recollection | null)[]>

  /** A look at the same messages that does not bring them over the line. Absent: `reread` costs no more. */
  glance?(settled: readonly Settled[], signal: AbortSignal): Promise<readonly Glance[]>
}

export function isReadable(destination: Destination): destination is ReadableDestination {
  return 'reread' in destination && destination.remembers
}

/** One of our messages, where it stands. */
export interface Item {
  /** `messageKey` of the message; '': an older popfetch did not write it. */
  readonly key: string
  readonly intent: string
  /** Its file, or its folder and UID. Safe to print. */
  readonly text: string
}

/** A destination that shows all that it has of ours. */
export interface ShowingDestination extends ReadableDestination {
  /** All of our messages there, in slices. `elsewhere`: instead those in the folders beside it, into which a person or a mail program
   *  may have moved them. Makes, repairs and locks nothing. What is moved meanwhile is met twice, or not at all. Rejects with
   *  DeliveryError of scope 'destination'. */
  items(where: 'here' | 'elsewhere', signal: AbortSignal): AsyncIterable<readonly Item[]>
}

export function isShowing(destination: Destination): destination is ShowingDestination {
  return 'items' in destination && isReadable(destination)
}

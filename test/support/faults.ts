// How a fake POP3 server misbehaves: plain fields, changed at any time, obeyed from the next command on. A fresh Faults
// is a healthy server. The IDs are rows of the hazard list.
import type { StoredMessage } from './mailbox.ts'

/** A line or lines without the last CRLF, or exact bytes. */
export type Answer = string | Buffer

/** `serve`: as a healthy server. `drop`: FIN. `reset`: RST. `stall`: never say anything again. Any other Answer: say that
 *  instead. */
export type Action = Answer | { readonly answer: Answer; readonly next?: 'drop' | 'reset' | 'stall' | undefined }

/** The lines of CAPA's answer: in the clear or without TLS, under TLS, signed in (P035, P036). */
export interface Capabilities {
  before: string[]
  afterTls: string[]
  afterLogin: string[]
}

/** What a hook gets to see of a connection, and may do to it. */
export interface ServedSession {
  readonly id: number
  readonly user: string
  readonly secure: boolean
  /** Sends bytes now, unasked (P027, P046). */
  write(bytes: Answer): void
  drop(): void
  reset(): void
}

export class Faults {
  /** Instead of the usual greeting (P022–P028). */
  greeting: Answer | null = null
  /** By verb (`RETR`) or whole command (`RETR 2`, which goes first): said instead of doing what was asked. A multi-line
   *  answer brings its own terminator. `CAPA`, `+` (a SASL response), too. */
  readonly reply = new Map<string, Answer>()
  /** Asked before each command is obeyed; may take its time. The verb is upper case; `CONNECT` before the greeting, `+` for
   *  a SASL response. A string that is none of the four words is an answer. Goes before `reply`. */
  onCommand: ((verb: string, args: string, session: ServedSession) => Action | Promise<Action>) | null = null

  /** Ends what the server says at that byte of a connection, counted before encryption (P110, P111, P132, P135). What it
   *  had been asked to do before that byte, it has done. */
  cutAfterBytes: number | null = null
  cutMode: 'fin' | 'rst' | 'stall' = 'fin'
  /** How many more connections are cut; later ones are healthy. */
  cutTimes = Infinity

  /** QUIT is answered +OK and nothing is removed (P134). */
  ignoreDeletes = false
  /** These are not removed either. */
  readonly undeletable = new Set<string>()
  /** The answer to QUIT instead of removing anything (P133). */
  quitError: string | null = null
  /** QUIT removes, and the connection is closed instead of an answer (P135). */
  quitLost = false

  /** The size in LIST, STAT and the answer to RETR (P101, P108). */
  listSize: ((message: StoredMessage) => number) | null = null
  /** A line of LIST or UIDL, latin1; null leaves it out (P086–P095). */
  listLine: ((number: number, message: StoredMessage) => string | null) | null = null
  uidlLine: ((number: number, message: StoredMessage) => string | null) | null = null
  /** What follows RETR's +OK line, to the byte, terminator included if there is to be one (P108–P117); null: as usual. */
  rawBody: ((message: StoredMessage) => Buffer | null) | null = null
  /** The line end of all the server says; messages are turned to it as well (P115). */
  lineEnding: '\r\n' | '\n' = '\r\n'

  /** What becomes of a command that came in one packet with another before it (P143). */
  pipelining: 'ok' | 'drop-after-first' | 'close' = 'ok'
  /** Only this many messages are listed (P100), from that end of the mailbox. */
  window: number | null = null
  windowEnd: 'oldest' | 'newest' = 'oldest'
  /** A message retrieved in a session that ended with QUIT is not listed any more (Gmail, P129). */
  popped = false

  /** A second session of a mailbox is refused with [IN-USE] (P055, P152). */
  exclusive = false
  /** A sign-in sooner than that after a QUIT is refused with [LOGIN-DELAY] (P056, P155), by the server's `now`. */
  loginDelayMs: number | null = null
  /** This many unknown commands and the connection is closed (P150). */
  badCommandLimit: number | null = null
  /** The line that asks for a SASL response (P063, P064). */
  continuation = '+ '
  /** AUTH with an initial response is refused (P065). */
  refuseInitialResponse = false

  /** Sent right behind STLS's +OK, before TLS (P044, P045). */
  stlsInjection: Answer | null = null
  /** What the server does when TLS should begin (P047). */
  handshake: 'ok' | 'stall' | 'drop' = 'ok'

  /** Everything is sent in pieces of that size with a pause between them; 0: one turn of the event loop (P123, P125). */
  pace: { readonly chunkBytes: number; readonly pauseMs: number } | null = null

  canned(verb: string, args: string): Answer | undefined {
    return this.reply.get(`${verb} ${args}`) ?? this.reply.get(verb)
  }
}

// What a destination's answer means for the mail: the thirteen conclusions, as data. Each kind of destination has a table beside
// this file that leads from an answer to one of them; poll/route/ decides from the conclusion what is left alone, and how long.
// A kind's own code only says at which step it was, and what came back. Two rules: an answer that no row knows speaks of the
// message and passes by itself (TEMP), and only an acceptance may lead to a deletion.
import type { Verdict } from '../../errors.ts'

/** Whom an answer speaks of: this message, its sender, its recipient, or the destination for every message. */
export type About = 'message' | 'sender' | 'recipient' | 'destination'

export type Conclusion =
  /** It cannot be reached. */
  | 'DOWN'
  /** TLS, or the protocol, is not as it must be. */
  | 'TLS'
  /** It does not let us sign in. */
  | 'SIGN'
  /** It says "not now", for everybody. */
  | 'BUSY'
  /** This recipient gets nothing now. */
  | 'RCPT'
  /** No room, unless a smaller message is taken. */
  | 'ROOM'
  /** Somebody must do something about it: a file, a folder, a label, a program. */
  | 'ACT'
  /** Not from this sender: tried at once with our own. */
  | 'SENDER'
  /** This message not now. */
  | 'TEMP'
  /** This message not at all, for what it says or who wrote it. */
  | 'BAD'
  /** This message not at all, for its form or size: that never says anything of the destination. */
  | 'FORM'
  /** The connection ended before the message was complete there. */
  | 'CUT'
  /** The answer to a complete message was lost. */
  | 'LOST'

export interface Meaning {
  readonly about: About
  readonly verdict: Verdict
  /** The exit code of a poll that ends with it (DESIGN 2). */
  readonly exit: 73 | 75 | 76 | 77
}

export const MEANINGS: Readonly<Record<Conclusion, Meaning>> = {
  DOWN: { about: 'destination', verdict: 'temporary', exit: 75 },
  TLS: { about: 'destination', verdict: 'temporary', exit: 76 },
  SIGN: { about: 'destination', verdict: 'temporary', exit: 77 },
  BUSY: { about: 'destination', verdict: 'temporary', exit: 75 },
  RCPT: { about: 'recipient', verdict: 'temporary', exit: 75 },
  ROOM: { about: 'destination', verdict: 'temporary', exit: 75 },
  ACT: { about: 'destination', verdict: 'temporary', exit: 73 },
  SENDER: { about: 'sender', verdict: 'temporary', exit: 75 },
  TEMP: { about: 'message', verdict: 'temporary', exit: 75 },
  BAD: { about: 'message', verdict: 'refused', exit: 75 },
  FORM: { about: 'message', verdict: 'refused', exit: 75 },
  CUT: { about: 'message', verdict: 'temporary', exit: 75 },
  LOST: { about: 'message', verdict: 'unknown', exit: 75 },
}

/** What a row of a kind's table leads to. */
export interface Concluded {
  readonly conclusion: Conclusion
  /** The row that decided, for tests and the log: `MAIL sender`, `any greylist` … */
  readonly row: string
  /** Two answers with the same key are equal "in a row": code and enhanced code, else the words but for addresses and digits. */
  readonly same: string
  /** The pause that the answer names; 0: none. */
  readonly pauseMs: number
  /** Does it count in a row? Greylisting, an author's missing authentication and faults of form do not. */
  readonly counts: boolean
  /** It speaks of us, not of the message, although it refuses a message (X.7.60, 5.2.252, 5.7.7xx): three in a row are enough. */
  readonly aboutUs: boolean
  /** Refused as spam or for a virus: tried once more after a day, then held. */
  readonly spam: boolean
  /** What `wrap: when-refused` may help against: the form of the message, or its author; null: nothing. */
  readonly wrap: 'form' | 'author' | null
  /** What to do at once, instead of or before anything else. `own-sender`: offer it once more from our own sender. `probe`: ask
   *  with MAIL from our own sender and RCPT whether the recipient would be taken. `new-connection`: once more on a new one.
   *  `fewer-connections`: the message again, and no more connections than are open now. */
  readonly atOnce: 'own-sender' | 'probe' | 'new-connection' | 'fewer-connections' | null
  /** Instead of the conclusion's own exit code. */
  readonly exit: 73 | 75 | 76 | 77
}

/** A conclusion of which there is no more to say. */
export function concluded(
  conclusion: Conclusion,
  row: string,
  facts: Partial<Omit<Concluded, 'conclusion' | 'row'>> = {},
): Concluded {
  return {
    conclusion,
    row,
    same: row,
    pauseMs: 0,
    counts: conclusion === 'TEMP' || conclusion === 'BAD',
    aboutUs: false,
    spam: false,
    wrap: null,
    atOnce: conclusion === 'SENDER' ? 'own-sender' : null,
    exit: MEANINGS[conclusion].exit,
    ...facts,
  }
}

// What a destination's answer means for the mail: the conclusions, as data. Each kind of destination has a table beside this
// file that leads from an answer to one of them. poll/route/ decides from the conclusion what is left alone, and how long. A
// kind's own code only says at which step it was, and what came back. Two rules. An answer that no row knows concerns the
// message and passes by itself (TEMP). Only an acceptance may lead to a deletion.
import type { AnswerFacts, Conclusion, Verdict } from '../../errors.ts'

export interface Meaning {
  /** What it is about: this message, its sender, its recipient, or the destination for every message. */
  readonly about: AnswerFacts['scope']
  readonly verdict: Verdict
  /** The exit code of a poll that ends with it (DESIGN 2). */
  readonly exit: AnswerFacts['exit']
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
  HELD: { about: 'message', verdict: 'held', exit: 75 },
}

/** What a row of a kind's table leads to. */
export interface Concluded extends AnswerFacts {
  /** The row that decided, for tests and the log: `sender`, `greylist` … */
  readonly row: string
  /** What `wrap: when-refused` may help against: the form of the message, or its author; null: nothing. */
  readonly wrap: 'form' | 'author' | null
  /** What to do at once, instead of or before anything else. `own-sender`: offer it once more from our own sender. `probe`: ask
   *  with MAIL from our own sender and RCPT whether the recipient would be taken. `new-connection`: once more on a new one.
   *  `fewer-connections`: the message again, and no more connections than are open now. */
  readonly atOnce: 'own-sender' | 'probe' | 'new-connection' | 'fewer-connections' | null
}

/** A conclusion of which there is no more to say. */
export function concluded(
  conclusion: Conclusion,
  row: string,
  facts: Partial<Omit<Concluded, 'conclusion' | 'row'>> = {},
): Concluded {
  return {
    conclusion,
    verdict: MEANINGS[conclusion].verdict,
    scope: MEANINGS[conclusion].about,
    row,
    same: row,
    pauseMs: 0,
    counts: conclusion === 'TEMP' || conclusion === 'BAD',
    aboutUs: false,
    spam: false,
    ofFolder: false,
    wrap: null,
    atOnce: conclusion === 'SENDER' ? 'own-sender' : null,
    exit: MEANINGS[conclusion].exit,
    ...facts,
  }
}

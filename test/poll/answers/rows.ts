// What a next hop does at each step of the conversation, and what follows from it. The table of answers as people read it,
// by hand. Not taken from the program.
import type { Failure, Step } from './step-server.ts'

/** `place`: of the destination, or of a recipient that is fixed. The others are of the message: `own` is deferred, `uncounted`
 *  never counted in a row, `refused`, `form` refused and never counted, `cut` and `lost`. `well`: nothing happens. */
export type Meaning = 'place' | 'own' | 'uncounted' | 'refused' | 'form' | 'cut' | 'lost' | 'well'

export interface Row {
  readonly step: Step
  readonly what: Failure
  readonly means: Meaning
  /** The same where each message says its recipient itself. */
  readonly filled: Meaning
  readonly exit: number
  /** What cannot be reached is looked at in each poll by cron, and rests for a minute in the background. */
  readonly rests: 'long' | 'short' | 'sign-in'
  /** The next of several takes it at once. */
  readonly goesOn: boolean
  /** It speaks of us: three in a row are the destination's. */
  readonly aboutUs: boolean
  readonly only: 'smtp' | 'lmtp' | null
}

type Facts = Partial<Omit<Row, 'step' | 'what' | 'means'>>

function row(step: Step, what: Failure, means: Meaning, facts: Facts = {}): Row {
  const goesOn = means === 'refused' || means === 'form'
  return { step, what, means, filled: means, exit: 75, rests: 'long', goesOn, aboutUs: false, only: null, ...facts }
}

const DOWN: Facts = { rests: 'short' }
const TLS: Facts = { rests: 'short', exit: 76 }
const SIGN: Facts = { rests: 'sign-in', exit: 77 }
const UNKNOWN: Facts = { exit: 76 }

/** Of a recipient. One that only this message has is the message's: refused, or for now. */
const refusedThere = (what: Failure, facts: Facts = {}): Row =>
  row('RCPT', what, 'place', { filled: 'refused', goesOn: true, ...facts })
const notNowThere = (what: Failure): Row => row('RCPT', what, 'place', { filled: 'uncounted' })

export const ROWS: readonly Row[] = [
  row('connect', 'cut', 'place', DOWN),
  row('connect', 'silence', 'place', DOWN),

  row('greeting', '421 4.3.2 too busy', 'place'),
  row('greeting', '450 4.7.0 not now', 'place'),
  row('greeting', '554 5.7.1 not you', 'place'),
  row('greeting', 'cut', 'place', DOWN),
  row('greeting', 'silence', 'place', DOWN),
  row('greeting', 'garbage', 'place', TLS),

  row('EHLO', '421 4.3.2 too busy', 'place'),
  row('EHLO', '451 4.3.0 not now', 'place'),
  row('EHLO', '521 5.3.2 does not take mail', 'place'),
  row('EHLO', '554 5.7.1 not you', 'place'),
  row('EHLO', '502 5.5.1 unknown command', 'well', { only: 'smtp' }),
  row('EHLO', '502 5.5.1 unknown command', 'place', { ...TLS, only: 'lmtp' }),
  row('EHLO', 'cut', 'place', DOWN),
  row('EHLO', 'silence', 'place', DOWN),
  row('EHLO', 'garbage', 'place', TLS),

  row('STARTTLS', '454 4.7.0 no TLS now', 'place'),
  row('STARTTLS', '502 5.5.1 no TLS', 'place', TLS),
  row('STARTTLS', 'cut', 'place', TLS),
  row('STARTTLS', 'silence', 'place', TLS),
  row('STARTTLS', 'garbage', 'place', TLS),
  row('TLS', 'cut', 'place', TLS),
  row('TLS', 'silence', 'place', TLS),
  row('TLS', 'garbage', 'place', TLS),

  row('AUTH', '421 4.3.2 too busy', 'place'),
  row('AUTH', '432 4.7.12 later', 'place'),
  row('AUTH', '454 4.7.0 not now', 'place'),
  row('AUTH', '534 5.7.9 too weak', 'place', SIGN),
  row('AUTH', '535 5.7.8 wrong password', 'place', SIGN),
  row('AUTH', 'cut', 'place', { rests: 'sign-in' }),
  row('AUTH', 'silence', 'place', { rests: 'sign-in' }),
  row('AUTH', 'garbage', 'place', TLS),

  row('MAIL', '421 4.7.0 closing', 'place'),
  row('MAIL', '450 4.7.28 too much mail', 'place'),
  row('MAIL', '451 4.7.1 later', 'place'),
  row('MAIL', '452 4.3.1 disk full', 'place'),
  row('MAIL', '550 5.4.5 daily limit', 'place'),
  row('MAIL', '550 5.7.1 policy', 'place'),
  row('MAIL', '553 5.7.1 sender not owned by user', 'place'),
  row('MAIL', '503 5.5.1 bad sequence', 'place', TLS),
  row('MAIL', '530 5.7.0 authentication required', 'place', SIGN),
  row('MAIL', '552 5.3.4 too large', 'form'),
  row('MAIL', '554 5.4.6 too many hops', 'form'),
  row('MAIL', '450 4.2.0 greylisted', 'uncounted'),
  row('MAIL', '451 4.7.26 unauthenticated', 'uncounted'),
  row('MAIL', 'cut', 'cut', DOWN),
  row('MAIL', 'silence', 'cut', DOWN),
  row('MAIL', 'garbage', 'place', TLS),

  row('RCPT', '421 4.7.0 closing', 'place'),
  row('RCPT', '450 4.7.28 too much mail', 'place'),
  notNowThere('450 4.2.1 disabled'),
  notNowThere('451 4.7.1 later'),
  notNowThere('452 4.2.2 mailbox full'),
  row('RCPT', '552 5.2.2 mailbox full', 'place', { filled: 'uncounted' }),
  row('RCPT', '452 4.3.1 disk full', 'place'),
  refusedThere('550 5.1.1 no such user'),
  refusedThere('551 not local'),
  refusedThere('550 5.4.1 access denied'),
  refusedThere('550 5.2.1 disabled'),
  refusedThere('554 5.7.1 relay access denied'),
  row('RCPT', '450 4.2.0 greylisted', 'uncounted'),
  row('RCPT', '503 5.5.1 bad sequence', 'place', TLS),
  row('RCPT', '530 5.7.0 authentication required', 'place', SIGN),
  row('RCPT', 'cut', 'cut', DOWN),
  row('RCPT', 'silence', 'cut', DOWN),
  row('RCPT', 'garbage', 'place', TLS),

  row('DATA', '421 4.3.2 closing', 'place'),
  row('DATA', '451 4.7.1 later', 'own'),
  row('DATA', '452 4.3.1 disk full', 'place'),
  row('DATA', '554 5.7.1 policy', 'refused'),
  row('DATA', '554 5.6.0 malformed', 'form'),
  row('DATA', '503 5.5.1 bad sequence', 'place', TLS),
  row('DATA', '250 2.0.0 ok', 'lost', UNKNOWN),
  row('DATA', 'cut', 'cut', DOWN),
  row('DATA', 'silence', 'cut', DOWN),
  row('DATA', 'garbage', 'lost', UNKNOWN),

  row('dot', '421 4.3.2 closing', 'place'),
  row('dot', '451 4.7.1 later', 'own'),
  row('dot', '451 4.7.1 greylisted', 'uncounted'),
  row('dot', '452 4.3.1 disk full', 'place'),
  row('dot', '552 5.2.2 mailbox full', 'place', { filled: 'uncounted' }),
  row('dot', '550 5.4.5 daily limit', 'place'),
  row('dot', '550 5.7.28 too much mail', 'place'),
  row('dot', '550 5.1.1 no such user', 'place', { filled: 'refused', goesOn: true, only: 'lmtp' }),
  row('dot', '550 5.1.1 no such user', 'refused', { only: 'smtp' }),
  row('dot', '550 5.7.60 not allowed to send', 'refused', { aboutUs: true }),
  row('dot', '554 5.7.1 policy', 'refused'),
  row('dot', '550 5.7.26 unauthenticated', 'refused'),
  row('dot', '554 5.6.0 malformed', 'form'),
  row('dot', '554 5.4.6 too many hops', 'form'),
  row('dot', '503 5.5.1 bad sequence', 'place', TLS),
  row('dot', '354 go on', 'lost', UNKNOWN),
  row('dot', 'cut', 'lost'),
  row('dot', 'taken, cut', 'lost'),
  row('dot', 'silence', 'lost'),
  row('dot', 'garbage', 'lost', UNKNOWN),

  row('RSET', '500 5.5.1 unknown command', 'well'),
  row('RSET', 'cut', 'well'),
  row('RSET', 'garbage', 'well'),
  row('QUIT', '500 5.5.1 unknown command', 'well'),
  row('QUIT', 'cut', 'well'),
  row('QUIT', 'silence', 'well'),
  row('QUIT', 'garbage', 'well'),
]

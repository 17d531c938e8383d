// What an answer of an IMAP server means: the table, read from the top; the first row that fits decides. Data and predicates;
// knows nothing of connections. A row's name is told in the log and by the tests, which go through every row.
import type { Conclusion } from '../../errors.ts'
import { concluded, type Concluded } from './conclusions.ts'
import { pauseIn, plainWords } from './reply.ts'

/** Where the conversation was. `folder`: STATUS, LIST, SELECT. `create`: CREATE, SUBSCRIBE. `look`: SEARCH and FETCH for a message
 *  that may be there. `labels`: STORE. */
export type ImapStep =
  | 'connect'
  | 'TLS'
  | 'STARTTLS'
  | 'greeting'
  | 'sign-in'
  | 'folder'
  | 'create'
  | 'APPEND'
  | 'look'
  | 'labels'

export interface ImapAnswer {
  readonly step: ImapStep
  /** `reply`: NO, BAD or BYE. `nonsense`: bytes that are no IMAP. `unfit`: what is offered, or its certificate, is not what the
   *  configuration demands. `size`: larger than APPENDLIMIT or `maxSize`, never sent. */
  readonly kind: 'reply' | 'nonsense' | 'cut' | 'silence' | 'unfit' | 'size'
  /** NO, BAD, BYE; '' where there was no reply. */
  readonly status: string
  /** The response code in upper case, without its arguments: `OVERQUOTA`; '': none. */
  readonly code: string
  readonly text: string
}

export interface ImapCircumstances {
  /** The whole message was handed to the kernel: the server may have it. */
  readonly handed: boolean
  /** Other connections of ours to this server are open. */
  readonly othersOpen: boolean
  /** This message was refused twice before, and others were taken since. */
  readonly thirdTime: boolean
}

interface Row {
  readonly name: string
  readonly steps: readonly ImapStep[]
  readonly fits: (asked: Asked) => boolean
  readonly leads: Conclusion
  readonly more?: (asked: Asked) => Partial<Omit<Concluded, 'conclusion' | 'row'>>
}

interface Asked extends ImapCircumstances, ImapAnswer {
  readonly words: string
  readonly pauseMs: number
}

const OPENING: readonly ImapStep[] = ['connect', 'greeting']
const FOLDER: readonly ImapStep[] = ['folder', 'create', 'look', 'labels']
const ANY: readonly ImapStep[] = [...OPENING, 'TLS', 'STARTTLS', 'sign-in', ...FOLDER, 'APPEND']

const isReply = ({ kind }: Asked): boolean => kind === 'reply'
const isBye = ({ kind, status }: Asked): boolean => kind === 'reply' && status === 'BYE'
const isCode = ({ kind, code }: Asked, ...codes: readonly string[]): boolean => kind === 'reply' && codes.includes(code)
const says = ({ kind, words }: Asked, pattern: RegExp): boolean => kind === 'reply' && pattern.test(words)
const isGone = ({ kind }: Asked): boolean => kind === 'cut' || kind === 'silence'

const TOO_MANY =
  /too many (?:concurrent |simultaneous |open )?(?:imap )?(?:connections|sessions|logins)|maximum number of connections|connection limit/
const QUOTA_WORDS = /\bquota\b|mailbox (?:is )?full|not enough (?:disk )?space|no space left|over ?quota/
const FORM_WORDS =
  /\bheaders?\b|\bnuls?\b|null (?:byte|char|octet)|bare (?:cr|lf|carriage|line|newline)|\btoo (?:large|big|long)\b|\bmessage size\b|\bmaximum size\b|malformed|invalid message|(?:8|eight)[ -]?bit/
const NOT_NOW: readonly string[] = ['UNAVAILABLE', 'INUSE', 'SERVERBUG']
const FORBIDDEN: readonly string[] = ['NOPERM', 'READ-ONLY']

export const IMAP_TABLE: readonly Row[] = [
  // Servers count connections: while some of ours work, it is ours to wait.
  {
    name: 'too many connections',
    steps: ['greeting', 'sign-in'],
    fits: (asked) =>
      asked.othersOpen && (isBye(asked) || isCode(asked, 'LIMIT', 'UNAVAILABLE', 'INUSE') || says(asked, TOO_MANY)),
    leads: 'TEMP',
    more: () => ({ atOnce: 'fewer-connections', counts: false }),
  },
  { name: 'named pause', steps: ANY, fits: (asked) => isReply(asked) && asked.pauseMs > 0, leads: 'BUSY' },
  { name: 'open gone', steps: OPENING, fits: isGone, leads: 'DOWN' },
  { name: 'open not IMAP', steps: OPENING, fits: ({ kind }) => kind === 'nonsense' || kind === 'unfit', leads: 'TLS' },
  { name: 'open refused', steps: OPENING, fits: isReply, leads: 'BUSY' },
  {
    name: 'TLS not now',
    steps: ['STARTTLS'],
    fits: (asked) => isBye(asked) || isCode(asked, ...NOT_NOW),
    leads: 'BUSY',
  },
  { name: 'TLS', steps: ['STARTTLS', 'TLS'], fits: () => true, leads: 'TLS' },
  {
    name: 'sign-in unfit',
    steps: ['sign-in'],
    fits: ({ kind }) => kind === 'unfit' || kind === 'nonsense',
    leads: 'TLS',
  },
  {
    name: 'sign-in not now',
    steps: ['sign-in'],
    fits: (asked) => isBye(asked) || isCode(asked, 'LIMIT', ...NOT_NOW) || says(asked, TOO_MANY),
    leads: 'BUSY',
  },
  { name: 'sign-in refused', steps: ['sign-in'], fits: isReply, leads: 'SIGN' },
  { name: 'sign-in gone', steps: ['sign-in'], fits: () => true, leads: 'SIGN', more: () => ({ exit: 75 }) },
  // A later command that asks for what the sign-in should have given.
  {
    name: 'signed out',
    steps: [...FOLDER, 'APPEND'],
    fits: (asked) => isCode(asked, 'AUTHENTICATIONFAILED', 'AUTHORIZATIONFAILED', 'EXPIRED', 'PRIVACYREQUIRED'),
    leads: 'SIGN',
  },
  // The message is there. It is found again, and then labelled.
  {
    name: 'labels refused',
    steps: ['labels'],
    fits: (asked) => isReply(asked) && !isBye(asked) && !isCode(asked, ...NOT_NOW),
    leads: 'ACT',
  },
  { name: 'labels unanswered', steps: ['labels'], fits: () => true, leads: 'LOST' },
  { name: 'folder room', steps: FOLDER, fits: (asked) => isCode(asked, 'OVERQUOTA'), leads: 'ROOM' },
  {
    name: 'folder not now',
    steps: FOLDER,
    fits: (asked) => isBye(asked) || isCode(asked, 'LIMIT', ...NOT_NOW),
    leads: 'BUSY',
  },
  { name: 'folder unfit', steps: FOLDER, fits: ({ kind }) => kind === 'nonsense', leads: 'TLS' },
  { name: 'look refused', steps: ['look'], fits: isReply, leads: 'BUSY' },
  { name: 'folder', steps: FOLDER, fits: (asked) => isReply(asked) || asked.kind === 'unfit', leads: 'ACT' },
  { name: 'folder gone', steps: FOLDER, fits: isGone, leads: 'DOWN' },
  { name: 'size', steps: ['APPEND'], fits: ({ kind }) => kind === 'size', leads: 'FORM' },
  {
    name: 'room',
    steps: ['APPEND'],
    fits: (asked) =>
      !isBye(asked) && (isCode(asked, 'OVERQUOTA', 'LIMIT') || (asked.code !== 'TOOBIG' && says(asked, QUOTA_WORDS))),
    leads: 'ROOM',
  },
  {
    name: 'APPEND not now',
    steps: ['APPEND'],
    fits: (asked) => isCode(asked, ...NOT_NOW) || (isBye(asked) && !asked.handed),
    leads: 'BUSY',
  },
  {
    name: 'form',
    steps: ['APPEND'],
    fits: (asked) => !isBye(asked) && (isCode(asked, 'TOOBIG') || says(asked, FORM_WORDS)),
    leads: 'FORM',
  },
  {
    name: 'APPEND forbidden',
    steps: ['APPEND'],
    fits: (asked) => isCode(asked, 'TRYCREATE', 'NONEXISTENT', 'CANNOT', ...FORBIDDEN),
    leads: 'ACT',
  },
  {
    name: 'refused again',
    steps: ['APPEND'],
    fits: (asked) => isReply(asked) && !isBye(asked) && asked.thirdTime,
    leads: 'BAD',
  },
  { name: 'refused', steps: ['APPEND'], fits: (asked) => isReply(asked) && !isBye(asked), leads: 'TEMP' },
  // What the server did with it only the server knows.
  {
    name: 'APPEND nonsense',
    steps: ['APPEND'],
    fits: ({ kind, handed }) => kind === 'nonsense' && handed,
    leads: 'LOST',
    more: () => ({ scope: 'destination', exit: 76 }),
  },
  { name: 'APPEND unanswered', steps: ['APPEND'], fits: ({ handed }) => handed, leads: 'LOST' },
  { name: 'cut', steps: ['APPEND'], fits: () => true, leads: 'CUT' },
]

/** What `answer` means. Fits no row: TEMP, about this message. */
export function concludeImap(answer: ImapAnswer, circumstances: ImapCircumstances): Concluded {
  const words = answer.text.slice(0, 2_000).replace(/\s+/g, ' ').toLowerCase()
  const pauseMs = answer.kind === 'reply' ? pauseIn(words) : 0
  const asked: Asked = { ...circumstances, ...answer, words, pauseMs }
  const facts = { same: sameAnswer(answer, words), pauseMs }
  for (const row of IMAP_TABLE) {
    if (row.steps.includes(answer.step) && row.fits(asked)) {
      // Where somebody must act, it is about the folder, or its labels.
      const ofFolder = row.leads === 'ACT'
      const isThere = answer.step === 'labels' ? ({ verdict: 'unknown' } as const) : {}
      return concluded(row.leads, row.name, { ...facts, ofFolder, ...row.more?.(asked), ...isThere })
    }
  }
  return concluded('TEMP', 'unknown', facts)
}

/** The key by which two answers are equal: the code; without one the words, but for what has digits. */
function sameAnswer({ step, kind, status, code }: ImapAnswer, words: string): string {
  if (kind !== 'reply') return `${step} ${kind}`
  if (code !== '') return `${status} ${code}`
  return `${status} ${plainWords(words)}`
}

// What an answer of Gmail's API means: the table, read from the top; the first row that fits decides. Data and predicates; knows
// nothing of connections. Google says what is wrong in a reason inside JSON; a status alone says little. Its reference:
// https://developers.google.com/workspace/gmail/api/guides/handle-errors
import type { Conclusion } from '../../errors.ts'
import { concluded, type Concluded } from './conclusions.ts'

export interface GmailAnswer {
  /** `labels`: they are looked up or made. `message`: it is imported. */
  readonly step: 'labels' | 'message'
  /** `answer`: a status of HTTP, and what came with it. `nonsense`: what came is no answer of Gmail's. */
  readonly kind: 'answer' | 'connect' | 'tls' | 'cut' | 'silence' | 'nonsense'
  readonly status: number
  /** Google's words for it, such as `rateLimitExceeded` and `FAILED_PRECONDITION`. */
  readonly reasons: readonly string[]
  readonly words: string
  /** The pause that it asks for; 0: none. */
  readonly pauseMs: number
  /** The whole message went to the kernel: it may have been stored. */
  readonly handed: boolean
}

/** What to do at once: try again after a pause, or with the labels looked up again. */
export type GmailAgain = 'pause' | 'labels' | null

export interface GmailConcluded extends Concluded {
  readonly again: GmailAgain
}

interface Row {
  readonly name: string
  readonly fits: (answer: GmailAnswer) => boolean
  readonly leads: Conclusion
  readonly again?: 'pause' | 'labels'
  readonly more?: (answer: GmailAnswer) => Partial<Omit<Concluded, 'conclusion' | 'row'>>
}

const isStatus = ({ kind, status }: GmailAnswer, ...codes: readonly number[]): boolean =>
  kind === 'answer' && codes.includes(status)
const hasReason = ({ reasons }: GmailAnswer, pattern: RegExp): boolean => reasons.some((reason) => pattern.test(reason))

/** One reason is several words for several methods; 403 and 429 have the same ones. */
const LIMIT = /(?:rate|quota|dailyLimit|userRateLimit)\w*Exceeded|RATE_LIMIT_EXCEEDED|RESOURCE_EXHAUSTED|quotaExceeded/i
const LIMIT_WORDS = /too many concurrent|rate limit|quota exceeded|daily limit/i
const SCOPE = /insufficientPermissions|ACCESS_TOKEN_SCOPE_INSUFFICIENT|insufficientScopes|authError|UNAUTHENTICATED/i
const SCOPE_WORDS = /insufficient (?:authentication scopes|permission)/i
const LABEL_WORDS = /\blabel(?:s|id|ids)?\b/i
const NOT_NOW = /failedPrecondition|FAILED_PRECONDITION|accessNotConfigured|SERVICE_DISABLED|domainPolicy/i
/** What `wrap` may help against: the message has not one author, or an attachment that Gmail does not let in. */
const AUTHOR_WORDS =
  /\bfrom\b.{0,40}\b(?:header|field|address)|\b(?:header|field|address)\b.{0,40}\bfrom\b|multiple from/i
const ATTACHMENT_WORDS = /\battachment/i
const PARSE_WORDS = /\b(?:header|mime|rfc ?-?(?:5322|2822|822)|message-id|date|line)\b/i

const mayBeStored = ({ handed, step }: GmailAnswer): Partial<Concluded> =>
  handed && step === 'message' ? { verdict: 'unknown' } : {}

export const GMAIL_TABLE: readonly Row[] = [
  { name: 'unreachable', fits: ({ kind }) => kind === 'connect', leads: 'DOWN' },
  { name: 'tls', fits: ({ kind }) => kind === 'tls', leads: 'TLS' },
  {
    name: 'message nonsense',
    fits: ({ kind, step, handed }) => kind === 'nonsense' && step === 'message' && handed,
    leads: 'LOST',
    more: () => ({ scope: 'destination', exit: 76 }),
  },
  { name: 'nonsense', fits: ({ kind }) => kind === 'nonsense', leads: 'TLS' },
  {
    name: 'message unanswered',
    fits: ({ kind, step, handed }) => step === 'message' && handed && (kind === 'cut' || kind === 'silence'),
    leads: 'LOST',
  },
  { name: 'cut', fits: ({ kind, step }) => step === 'message' && kind !== 'answer', leads: 'CUT' },
  { name: 'labels unanswered', fits: ({ kind }) => kind !== 'answer', leads: 'DOWN' },
  { name: 'token', fits: (answer) => isStatus(answer, 401), leads: 'SIGN' },
  {
    name: 'limit',
    fits: (answer) =>
      isStatus(answer, 429) || (isStatus(answer, 403) && (hasReason(answer, LIMIT) || LIMIT_WORDS.test(answer.words))),
    leads: 'BUSY',
    again: 'pause',
  },
  {
    name: 'scope',
    fits: (answer) => isStatus(answer, 403) && (hasReason(answer, SCOPE) || SCOPE_WORDS.test(answer.words)),
    leads: 'SIGN',
  },
  {
    name: 'broken',
    fits: ({ kind, status }) => kind === 'answer' && (status >= 500 || status === 408),
    leads: 'BUSY',
    again: 'pause',
    more: mayBeStored,
  },
  { name: 'too large', fits: (answer) => isStatus(answer, 413), leads: 'FORM' },
  {
    name: 'not set up',
    fits: (answer) => isStatus(answer, 400, 403, 404) && hasReason(answer, NOT_NOW),
    leads: 'ACT',
  },
  {
    name: 'label',
    fits: (answer) => isStatus(answer, 400, 404, 409) && (answer.step === 'labels' || LABEL_WORDS.test(answer.words)),
    leads: 'ACT',
    again: 'labels',
    more: () => ({ ofFolder: true }),
  },
  { name: 'not allowed', fits: (answer) => isStatus(answer, 403, 404), leads: 'ACT' },
  {
    name: 'refused',
    fits: (answer) => isStatus(answer, 400) && answer.step === 'message',
    leads: 'BAD',
    more: ({ words }) => ({
      wrap:
        AUTHOR_WORDS.test(words) || ATTACHMENT_WORDS.test(words) ? 'author' : PARSE_WORDS.test(words) ? 'form' : null,
    }),
  },
]

/** What `answer` means. Fits no row: TEMP, about this message. A success never comes here. */
export function concludeGmail(answer: GmailAnswer): GmailConcluded {
  const { kind, status, reasons, pauseMs, step } = answer
  const same = kind === 'answer' ? `${status} ${reasons[0] ?? ''}` : `${step} ${kind}`
  const row = GMAIL_TABLE.find(({ fits }) => fits(answer))
  if (row === undefined) return { ...concluded('TEMP', 'unknown', { same, pauseMs }), again: null }
  const facts = { same, pauseMs, ...row.more?.(answer) }
  return { ...concluded(row.leads, row.name, facts), again: row.again ?? null }
}

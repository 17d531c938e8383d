// What an answer of an SMTP or LMTP server means: the table, read from the top; the first row that fits decides. Data and
// predicates; knows nothing of connections. A row's name is told in the log and by the tests, which go through every row.
// An answer here is the first refusal since MAIL: with PIPELINING, 503 to RCPT and 554 to DATA follow from it.
import type { Conclusion } from '../../errors.ts'
import { concluded, type Concluded } from './conclusions.ts'
import { readReply, type Reply, sameReply } from './reply.ts'

/** Where the conversation was: the reply it waited for. `dot` is the end of the message. */
export type SmtpStep =
  | 'connect'
  | 'greeting'
  | 'EHLO'
  | 'STARTTLS'
  | 'TLS'
  | 'AUTH'
  | 'MAIL'
  | 'RCPT'
  | 'DATA'
  | 'dot'
  | 'RSET'
  | 'QUIT'

export interface SmtpAnswer {
  readonly step: SmtpStep
  /** `reply`: a complete 4xx or 5xx. `nonsense`: a reply that cannot answer what was asked. `unfit`: what is offered, or its
   *  certificate, is not what the configuration demands. `size`: larger than EHLO's SIZE, never sent. `permission`: the socket
   *  may not be used. */
  readonly kind: 'reply' | 'nonsense' | 'cut' | 'silence' | 'unfit' | 'size' | 'permission'
  readonly code: number
  readonly text: string
}

export interface SmtpCircumstances {
  readonly protocol: 'smtp' | 'lmtp'
  /** The recipient is this message's, read from it: nothing is remembered of it. */
  readonly filled: boolean
  /** The whole message, its dot included, was handed to the kernel: the server may have it. */
  readonly handed: boolean
  /** The envelope sender was our own, not the message's. */
  readonly ownSender: boolean
  /** Other connections of ours to this server are open. */
  readonly othersOpen: boolean
  /** The connection served a message before. */
  readonly used: boolean
  /** What MAIL with our own sender, RCPT, RSET said after a refusal that may speak of the sender; null: not asked. */
  readonly probe: 'taken' | 'equal' | 'else' | null
}

interface Row {
  readonly name: string
  readonly steps: readonly SmtpStep[]
  readonly fits: (asked: Asked) => boolean
  readonly leads: Conclusion | ((asked: Asked) => Conclusion)
  readonly more?: (asked: Asked) => Partial<Omit<Concluded, 'conclusion' | 'row'>>
}

interface Asked extends SmtpCircumstances {
  readonly step: SmtpStep
  readonly kind: SmtpAnswer['kind']
  readonly reply: Reply
}

const OPENING: readonly SmtpStep[] = ['connect', 'greeting', 'EHLO']
const ENVELOPE: readonly SmtpStep[] = ['MAIL', 'RCPT']
const CONTENT: readonly SmtpStep[] = ['DATA', 'dot']
const TRANSACTION: readonly SmtpStep[] = [...ENVELOPE, ...CONTENT]
const ANY: readonly SmtpStep[] = [...OPENING, 'STARTTLS', 'AUTH', ...TRANSACTION, 'RSET']

const isReply = ({ kind }: Asked): boolean => kind === 'reply'
const is4xx = ({ kind, reply }: Asked): boolean => kind === 'reply' && reply.code < 500
const is5xx = ({ kind, reply }: Asked): boolean => kind === 'reply' && reply.code >= 500
const isCode = ({ kind, reply }: Asked, ...codes: readonly number[]): boolean =>
  kind === 'reply' && codes.includes(reply.code)
const says = ({ kind, reply }: Asked, words: RegExp): boolean => kind === 'reply' && words.test(reply.words)
const isEnhanced = ({ kind, reply }: Asked, pattern: RegExp): boolean =>
  kind === 'reply' && pattern.test(reply.enhanced)
const isGone = ({ kind }: Asked): boolean => kind === 'cut' || kind === 'silence'

const SIZE_WORDS = /\b(?:size|too (?:large|big|long)|exceeds?)\b/
/** A full mailbox or disk exceeds something as well. */
const ROOM_WORDS = /\b(?:quota|mailbox|storage|full|space)\b/
const LOOP_WORDS = /\b(?:too many hops|hop count|mail loop|loops? (?:back|detected)|looping|too many received)\b/
const AUTHOR_CODE = /^7\.(?:2[67]|3[02]|40)$/
const ROOM_CODE = /^(?:2\.2|3\.1)$/
const GREYLIST = /gr[ae]y[- ]?list/
const TOO_MANY =
  /too many (?:concurrent |simultaneous |open )?(?:smtp |lmtp )?(?:connections|sessions)|connection limit|concurrent connections/
const UNWANTED_SENDER = /\b(?:blocked|not welcome|blacklisted|denied|rejected)\b/
const SPEAKS_OF_SENDER = /\b(?:sender|from address|mail from|envelope[- ]from|domain)\b/
/** Not of the sender, but of us, of a recipient, or of whom we may send for. */
const SPEAKS_OF_OTHERS =
  /\brelay|\brecipient|\brcpt\b|\b(?:client|host|ips?|ip address|block ?list|blacklist|rbl|dnsbl|zen|spamhaus|helo|ehlo|network|reputation)\b/
const FORM_WORDS =
  /rfc ?-?(?:5322|2822|822|2045|2047)|\bheaders?\b|\blines?\b|\bnuls?\b|null (?:byte|char|octet)|bare (?:cr|lf|carriage|line)|(?:8|eight)[ -]?bit|8bitmime|non-?ascii|utf-?8|unicode|internationali[sz]ed|message-id|malformed|multiple (?:from|date)|missing (?:from|date)/
// The bare word "from" says nothing: "spam from 192.0.2.1".
const AUTHOR_WORDS =
  /\bfrom:|\bfrom (?:header|field|address|domain)|(?:5322|header)[ .-]from|\bsender\b|dmarc|\bspf\b|dkim|unauthenticated|not authenticated|alignment/
const SPAM_WORDS =
  /\bspam\b|\bvirus\b|\bmalware\b|\bjunk\b|\bphish|\binfected\b|\battachments?\b|\bforbidden file|\bblocked file/

/** Without a code of its own, a refusal of the envelope that asks for a sign-in. */
const SIGN_IN_WORDS = /authenticat|sign in|log ?in first|auth(?:orization)? required/

const isAboutUs = ({ reply }: Asked): boolean =>
  /^7\.(?:60|7\d\d)$/.test(reply.enhanced) || (reply.enhanced === '2.252' && reply.code >= 500)

/** RCPT speaks of a recipient; at MAIL none was named. */
const recipient = ({ step }: Asked): Conclusion => (step === 'MAIL' ? 'BUSY' : 'RCPT')
/** Where our own sender would be taken, a run of refused senders is no sign of the destination (D127). */
function afterProbe({ probe }: Asked): Partial<Omit<Concluded, 'conclusion' | 'row'>> {
  if (probe === null) return { atOnce: 'probe' }
  return probe === 'taken' ? { counts: false } : {}
}

const byCode = ({ reply }: Asked): Conclusion => (reply.code < 500 ? 'TEMP' : 'BAD')

export const SMTP_TABLE: readonly Row[] = [
  // Servers count connections: they say so in the greeting, at AUTH, or at MAIL. While some of ours work, it is ours to wait.
  {
    name: 'too many connections',
    steps: [...OPENING, 'AUTH', ...ENVELOPE, 'RSET'],
    fits: (asked) =>
      asked.othersOpen &&
      !asked.used &&
      (isCode(asked, 421) ||
        (isCode(asked, 432) && isEnhanced(asked, /^3\.2$/)) ||
        (is4xx(asked) && says(asked, TOO_MANY))),
    leads: 'TEMP',
    more: () => ({ atOnce: 'fewer-connections', counts: false }),
  },
  { name: 'open permission', steps: OPENING, fits: ({ kind }) => kind === 'permission', leads: 'ACT' },
  { name: 'open gone', steps: OPENING, fits: isGone, leads: 'DOWN' },
  { name: 'open not SMTP', steps: OPENING, fits: ({ kind }) => kind === 'nonsense' || kind === 'unfit', leads: 'TLS' },
  {
    name: 'open not LMTP',
    steps: ['EHLO'],
    fits: (asked) => asked.protocol === 'lmtp' && isCode(asked, 500, 502),
    leads: 'TLS',
  },
  { name: 'open refused', steps: OPENING, fits: isReply, leads: 'BUSY' },
  { name: 'TLS not now', steps: ['STARTTLS', 'TLS'], fits: is4xx, leads: 'BUSY' },
  { name: 'TLS', steps: ['STARTTLS', 'TLS'], fits: () => true, leads: 'TLS' },
  { name: 'AUTH unfit', steps: ['AUTH'], fits: ({ kind }) => kind === 'unfit' || kind === 'nonsense', leads: 'TLS' },
  { name: 'AUTH not now', steps: ['AUTH'], fits: is4xx, leads: 'BUSY' },
  { name: 'AUTH refused', steps: ['AUTH'], fits: is5xx, leads: 'SIGN' },
  { name: 'AUTH gone', steps: ['AUTH'], fits: () => true, leads: 'SIGN', more: () => ({ exit: 75 }) },
  // Ours: the address in `to` cannot be said to this server.
  {
    name: 'RCPT unfit',
    steps: ['RCPT'],
    fits: ({ kind }) => kind === 'unfit',
    leads: 'RCPT',
    more: () => ({ exit: 73 }),
  },
  {
    name: 'used connection',
    steps: ['RSET', ...ENVELOPE],
    fits: (asked) => asked.used && (isCode(asked, 421) || asked.kind === 'cut'),
    leads: (asked) => (isReply(asked) ? 'BUSY' : 'CUT'),
    more: () => ({ atOnce: 'new-connection' }),
  },
  {
    name: 'sign in first',
    steps: TRANSACTION,
    fits: (asked) =>
      isCode(asked, 530, 534, 535, 538) ||
      isEnhanced(asked, /^7\.(?:11|57)$/) ||
      (isCode(asked, 503) && says(asked, SIGN_IN_WORDS)),
    leads: 'SIGN',
  },
  {
    name: 'out of step',
    steps: [...ENVELOPE, 'RSET'],
    fits: (asked) => (isCode(asked, 503) && asked.step !== 'RSET') || asked.kind === 'nonsense',
    leads: 'TLS',
  },
  { name: 'out of step', steps: CONTENT, fits: (asked) => isCode(asked, 503), leads: 'TLS' },
  {
    name: 'size',
    steps: ['MAIL', ...CONTENT],
    fits: (asked) =>
      asked.kind === 'size' ||
      isEnhanced(asked, /^(?:2\.3|3\.4)$/) ||
      (isCode(asked, 552) && !isEnhanced(asked, ROOM_CODE) && says(asked, SIZE_WORDS) && !says(asked, ROOM_WORDS)),
    leads: 'FORM',
  },
  {
    name: 'loop',
    steps: ['MAIL', ...CONTENT],
    fits: (asked) => isEnhanced(asked, /^4\.(?:6|14)$/) || says(asked, LOOP_WORDS),
    leads: 'FORM',
  },
  {
    name: 'author not now',
    steps: ANY,
    fits: (asked) => is4xx(asked) && (isEnhanced(asked, AUTHOR_CODE) || says(asked, /authentication/)),
    leads: 'TEMP',
    more: () => ({ counts: false }),
  },
  {
    name: 'greylist',
    steps: ANY,
    fits: (asked) => is4xx(asked) && says(asked, GREYLIST),
    leads: 'TEMP',
    more: () => ({ counts: false }),
  },
  {
    name: 'sender',
    steps: ENVELOPE,
    fits: (asked) =>
      !asked.ownSender &&
      (isEnhanced(asked, /^(?:1\.7|1\.8|7\.23)$/) ||
        isCode(asked, 553) ||
        (isCode(asked, 501, 504) && isEnhanced(asked, /^5\.2$/)) ||
        (isEnhanced(asked, /^7\.1$/) && says(asked, /not owned|send ?as\b/))),
    leads: 'SENDER',
  },
  {
    name: 'envelope form',
    steps: ['MAIL'],
    // A code about content speaks of what MAIL says of the content: 8-bit.
    fits: (asked) => is5xx(asked) && isEnhanced(asked, /^6\.\d+$/),
    leads: 'FORM',
    more: () => ({ wrap: 'form' }),
  },
  {
    name: 'sender unwanted',
    steps: ENVELOPE,
    fits: (asked) =>
      is5xx(asked) &&
      !asked.ownSender &&
      asked.probe !== 'equal' &&
      says(asked, UNWANTED_SENDER) &&
      says(asked, SPEAKS_OF_SENDER) &&
      !says(asked, SPEAKS_OF_OTHERS),
    leads: 'BAD',
    more: afterProbe,
  },
  {
    name: 'room',
    steps: ANY,
    fits: (asked) => isEnhanced(asked, ROOM_CODE) || (isCode(asked, 452, 552) && asked.reply.enhanced === ''),
    leads: 'ROOM',
    // A full mailbox is its owner's, a full disk everybody's.
    more: (asked) => ({
      scope:
        asked.step !== 'MAIL' && (asked.step === 'RCPT' || isEnhanced(asked, /^2\.2$/)) ? 'recipient' : 'destination',
    }),
  },
  {
    name: 'mailbox off',
    steps: ANY,
    fits: (asked) =>
      isEnhanced(asked, /^2\.1$/) || (asked.step === 'RCPT' && is5xx(asked) && isEnhanced(asked, /^4\.1$/)),
    leads: recipient,
  },
  {
    name: 'not now',
    steps: ANY,
    fits: (asked) =>
      isCode(asked, 421) ||
      isEnhanced(asked, /^[34]\.\d+$/) ||
      isEnhanced(asked, /^7\.28$/) ||
      (isReply(asked) && asked.reply.pauseMs > 0) ||
      (is5xx(asked) && isEnhanced(asked, /^1\.90$/)) ||
      (is5xx(asked) && isEnhanced(asked, /^2\.0$/) && says(asked, /submissionquota/)),
    leads: 'BUSY',
  },
  {
    name: 'recipient',
    steps: ENVELOPE,
    fits: (asked) => isReply(asked) && (isEnhanced(asked, /^1\.\d+$/) || isCode(asked, 551)),
    leads: recipient,
  },
  { name: 'own sender refused', steps: ENVELOPE, fits: (asked) => isReply(asked) && asked.ownSender, leads: recipient },
  {
    name: 'refused, whoever sends',
    steps: ENVELOPE,
    fits: (asked) => isReply(asked) && asked.probe === 'equal',
    leads: recipient,
  },
  {
    name: 'refused, others taken',
    steps: ENVELOPE,
    fits: (asked) => isReply(asked) && asked.probe === 'taken',
    leads: byCode,
    more: afterProbe,
  },
  {
    name: 'envelope',
    steps: ENVELOPE,
    fits: isReply,
    leads: 'TEMP',
    more: afterProbe,
  },
  { name: 'content not now', steps: CONTENT, fits: is4xx, leads: 'TEMP' },
  {
    name: 'form',
    steps: CONTENT,
    fits: (asked) =>
      is5xx(asked) &&
      (isEnhanced(asked, /^6\.\d+$/) || (isCode(asked, 521) && isEnhanced(asked, /^5\.2$/)) || says(asked, FORM_WORDS)),
    leads: 'FORM',
    more: () => ({ wrap: 'form' }),
  },
  {
    name: 'LMTP recipient',
    steps: CONTENT,
    fits: (asked) => asked.protocol === 'lmtp' && is5xx(asked) && isEnhanced(asked, /^1\.\d+$/),
    leads: 'RCPT',
  },
  {
    name: 'content',
    steps: CONTENT,
    fits: is5xx,
    leads: 'BAD',
    more: (asked) => {
      const author = isEnhanced(asked, /^7\.(?:2[67]|3[02]|40)$/) || says(asked, AUTHOR_WORDS)
      const spam = !author && says(asked, SPAM_WORDS)
      return { spam, wrap: !spam && (author || isEnhanced(asked, /^7\.1$/)) ? 'author' : null }
    },
  },
  // An acceptance of something that was not asked, or of half a message: what the server did with it only the server knows.
  {
    name: 'dot nonsense',
    steps: CONTENT,
    fits: ({ kind }) => kind === 'nonsense',
    leads: 'LOST',
    more: () => ({ scope: 'destination', exit: 76 }),
  },
  { name: 'dot unanswered', steps: ['dot'], fits: (asked) => asked.handed && isGone(asked), leads: 'LOST' },
  { name: 'cut', steps: [...TRANSACTION, 'RSET'], fits: isGone, leads: 'CUT' },
]

/** What is said of a recipient that only this message has is said of the message; null: it is said of something else. */
function ofItsRecipient(conclusion: Conclusion, asked: Asked): Conclusion | null {
  if (asked.step === 'MAIL') return null
  // A full mailbox empties.
  if (conclusion === 'ROOM' && isEnhanced(asked, /^2\.2$/)) return 'TEMP'
  return conclusion === 'RCPT' ? byCode(asked) : null
}

/** What `answer` means. Fits no row: TEMP, about this message. */
export function concludeSmtp(answer: SmtpAnswer, circumstances: SmtpCircumstances): Concluded {
  const { step, kind } = answer
  const asked: Asked = { ...circumstances, step, kind, reply: readReply(answer.code, answer.text) }
  const facts = {
    same: kind === 'reply' ? sameReply(asked.reply) : `${step} ${kind}`,
    pauseMs: asked.reply.pauseMs,
    aboutUs: kind === 'reply' && isAboutUs(asked),
  }
  for (const row of SMTP_TABLE) {
    if (!row.steps.includes(step) || !row.fits(asked)) continue
    const conclusion = typeof row.leads === 'string' ? row.leads : row.leads(asked)
    const own = asked.filled ? ofItsRecipient(conclusion, asked) : null
    if (own !== null) return concluded(own, `${row.name}, of this message`, { ...facts, counts: false })
    return concluded(conclusion, row.name, { ...facts, ...row.more?.(asked) })
  }
  return concluded('TEMP', 'unknown', facts)
}

// The words for an SMTP delivery that failed. What was tried, what came back, what to do. display() sees to it that a
// server that repeats a password does not get it printed (P6). The rule: a refusal names the recipient, and the key that
// would mend it (D132).
import { display } from '../../display.ts'
import type { Concluded } from '../answers/conclusions.ts'
import type { SmtpStep } from '../answers/smtp.ts'
import { misfit, type Oddity, type Place, portQuestion, strangerAt } from '../network/place-words.ts'
import type { Fault } from './fault.ts'

const DOING: Readonly<Record<SmtpStep, string>> = {
  connect: 'connecting',
  TLS: 'the TLS handshake',
  greeting: 'the greeting',
  EHLO: 'EHLO',
  STARTTLS: 'STARTTLS',
  AUTH: 'signing in',
  MAIL: 'MAIL FROM',
  RCPT: 'RCPT TO',
  DATA: 'DATA',
  dot: 'the message',
  RSET: 'RSET',
  QUIT: 'QUIT',
}

const CHECK: Readonly<Record<SmtpStep, string>> = {
  connect: 'check host and port',
  TLS: 'check tls, ca and pin',
  greeting: 'check that the server accepts mail from this machine',
  EHLO: 'check that the server accepts mail from this machine',
  STARTTLS: 'check tls, ca and pin',
  AUTH: 'check user, password or token, and auth',
  MAIL: 'check from, user and what the server allows',
  RCPT: 'check to, user and what the server allows',
  DATA: 'check to, user and what the server allows',
  dot: 'check to, user and what the server allows',
  RSET: 'check that the server accepts mail from this machine',
  QUIT: 'check that the server accepts mail from this machine',
}

export interface Tried {
  readonly description: string
  readonly place: Place
  /** It signs in. */
  readonly signsIn: boolean
  readonly step: SmtpStep
  readonly fault: Fault
  readonly answer: Concluded
  /** Null: not to be named, since the answer speaks of others as well. */
  readonly sender: string | null
  /** Null: likewise. */
  readonly recipient: string | null
}

export function failureText(tried: Tried): string {
  return `${tried.description}: ${whatCame(tried)}: ${known(tried.fault) ?? elsewhere(tried) ?? refusalAtRcpt(tried) ?? whatToDo(tried)}`
}

/** Text of ours, with digests of certificates in it. */
const LONGEST_OURS = 1000

function known(fault: Fault): string | null {
  return fault.kind === 'unfit' ? (fault.next ?? null) : null
}

/** The steps at which a wrong host or port shows. */
const BEGINNING: ReadonlySet<SmtpStep> = new Set(['connect', 'TLS', 'greeting', 'EHLO', 'STARTTLS'])

/** The port or the server that was probably meant; null: nothing points to another one. */
function elsewhere(tried: Tried): string | null {
  const { step, fault, place } = tried
  if (step === 'AUTH' && fault.kind === 'unfit' && fault.text.includes('does not offer to sign in'))
    return place.port === 587 || place.port === 465 || place.protocol === 'lmtp' ? null : portQuestion(place)
  if (step === 'EHLO' && fault.kind === 'reply' && UNKNOWN_COMMAND.test(fault.text))
    return `this looks like an ${place.protocol === 'lmtp' ? 'SMTP' : 'LMTP'} server: ${portQuestion(place)}`
  if (step === 'STARTTLS' && fault.kind === 'reply')
    return `the server has no TLS on this port: ${misfit(place, 'no STARTTLS') ?? CHECK.TLS}`
  if (!BEGINNING.has(step) || fault.kind === 'stopped' || fault.kind === 'reply') return null
  const stranger = fault.kind === 'nonsense' && step === 'greeting' ? strangerAt(fault.text, place.protocol) : null
  if (stranger !== null) return `${stranger}: ${portQuestion(place)}`
  // Nobody answers at all: that is no sign of another mode.
  if (step === 'connect') return null
  return fault.kind === 'unfit' && !fault.text.includes('does not speak TLS') ? null : misfit(place, oddityOf(tried))
}

/** Of a command: LHLO at a server that knows EHLO alone, or the other way round. */
const UNKNOWN_COMMAND = /^50[0-2][ -]/

function oddityOf({ step, fault }: Tried): Oddity {
  if (fault.kind !== 'timeout') return 'other'
  return step === 'greeting' ? 'silent greeting' : step === 'TLS' ? 'silent handshake' : 'other'
}

const RELAY = /\brelay(?:ing)?\b/i
const UNKNOWN =
  /\b5\.1\.[12]\b|user unknown|unknown user|no such (?:user|recipient|mailbox|person|address)|(?:recipient|mailbox|address).{0,30}(?:unknown|not found|does not exist|rejected: user)|unknown in (?:virtual|local|relay)/i

/** Null: not at RCPT, or the words are no known ones. */
function refusalAtRcpt({ step, fault, answer, signsIn }: Tried): string | null {
  if (step !== 'RCPT' || fault.kind !== 'reply' || fault.code < 500 || answer.scope === 'message') return null
  if (UNKNOWN.test(fault.text)) return 'the recipient is unknown there: check to'
  if (!RELAY.test(fault.text)) return null
  return signsIn
    ? 'relaying is denied: the server does not accept mail for this address from this user'
    : 'relaying is denied: set user and password, and use the submission port (587 or 465)'
}

/** A server's words, safe to print and to keep. */
export function said(text: string): string {
  return display(text.replaceAll('\n', ' '), 400)
}

/** What EHLO was answered, for people: the mechanisms, the largest message, the rest. */
export function offersOf(offers: string): { readonly name: string; readonly value: string }[] {
  const lines = offers
    .split('\n')
    .slice(1)
    .map((line) => line.slice(4).trim())
  const mechanisms = lines.find((line) => /^auth[ =]/i.test(line))?.slice(5) ?? 'none'
  const size = Number(lines.find((line) => /^size /i.test(line))?.slice(5) ?? 0)
  const others = lines.filter((line) => !/^(?:auth[ =]|size\b)/i.test(line))
  return [
    { name: 'sign-in offered', value: said(mechanisms) },
    { name: 'largest message', value: size > 0 ? `${size} bytes` : 'not announced' },
    { name: 'offers', value: others.length === 0 ? 'nothing else' : said(others.join(', ')) },
  ]
}

function doing({ step, sender, recipient, place }: Tried): string {
  if (step === 'EHLO' && place.protocol === 'lmtp') return 'LHLO'
  if (step === 'MAIL' && sender !== null) return `${DOING.MAIL} <${display(sender)}>`
  if (recipient === null || recipient === '') return DOING[step]
  if (step === 'RCPT') return `${DOING.RCPT} <${display(recipient)}>`
  return step === 'DATA' || step === 'dot' ? `${DOING[step]} for <${display(recipient)}>` : DOING[step]
}

function whatCame(tried: Tried): string {
  const { step, fault } = tried
  switch (fault.kind) {
    case 'reply':
      return `${doing(tried)} was rejected: "${said(fault.text)}"`
    case 'nonsense':
      return `${doing(tried)} was answered "${said(fault.text)}", which is not an answer to it`
    case 'cut':
      return `${step === 'connect' ? doing(tried) : `the connection at ${doing(tried)}`} failed: ${said(fault.text)}`
    case 'timeout':
      return `${doing(tried)} was not answered in time`
    case 'unfit':
      return `${doing(tried)}: ${display(fault.text, LONGEST_OURS)}`
    case 'stopped':
    case 'permission':
      return `${doing(tried)}: ${said(fault.text)}`
    case 'size':
    case 'public':
    case 'content':
    case 'spool':
      return said(fault.text)
  }
}

function whatToDo({ step, fault, answer }: Tried): string {
  const { conclusion, verdict, scope } = answer
  if (verdict === 'unknown') return 'it may have been delivered, and may come twice when it is sent again'
  if (verdict === 'refused') return 'it stays on the server'
  if (fault.kind === 'nonsense') return 'the connection was closed, nothing was delivered'
  if (fault.kind === 'permission') return 'check who may use the socket'
  if (conclusion === 'DOWN')
    return fault.text.includes('?') ? 'it will be tried again' : `${CHECK[step]}, it will be tried again`
  if (conclusion === 'ROOM') return 'make room there, it will be tried again'
  if (conclusion === 'SIGN' && step !== 'AUTH') return 'set user, or tls if the server requires it before sign-in'
  if (conclusion === 'TLS' || conclusion === 'SIGN') return CHECK[step]
  // What is refused from our own sender, too, speaks of that sender, or of a recipient.
  if (scope === 'recipient') return fault.kind === 'reply' && SENDER_WORDS.test(fault.text) ? CHECK.MAIL : CHECK[step]
  if (conclusion === 'BUSY' && fault.kind === 'reply' && fault.code >= 500)
    return `${CHECK[step]}, it will be tried again`
  return 'it will be tried again'
}

const SENDER_WORDS = /sender|not owned|\b5\.1\.[78]\b/i

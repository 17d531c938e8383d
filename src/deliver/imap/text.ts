// The words for an IMAP delivery that failed. What was tried, what came back, what to do. display() sees to it that a server that
// repeats a password does not get it printed (P6).
import { display } from '../../display.ts'
import type { Concluded } from '../answers/conclusions.ts'
import type { ImapStep } from '../answers/imap.ts'
import { misfit, portQuestion, strangerAt } from '../network/place-words.ts'
import { type Fault, NO_STARTTLS } from './fault.ts'
import type { ImapPeer } from './settings.ts'

const DOING: Readonly<Record<ImapStep, string>> = {
  connect: 'connecting',
  TLS: 'the TLS handshake',
  STARTTLS: 'STARTTLS',
  greeting: 'the greeting',
  'sign-in': 'signing in',
  folder: 'opening the folder',
  create: 'making the folder',
  APPEND: 'the message',
  look: 'looking for an earlier delivery',
  labels: 'setting the labels',
}

const CHECK: Readonly<Record<ImapStep, string>> = {
  connect: 'check host and port',
  TLS: 'check tls, ca and pin',
  STARTTLS: 'check tls, ca and pin',
  greeting: 'check that the server accepts connections from this machine',
  'sign-in': 'check user, password or token, and auth',
  folder: 'check folder and create',
  create: 'check folder and what the server allows',
  APPEND: 'check folder and what the server allows',
  look: 'check that the server answers SEARCH',
  labels: 'check labels',
}

export interface Tried {
  readonly description: string
  readonly peer: Pick<ImapPeer, 'port' | 'tls'>
  readonly step: ImapStep
  readonly fault: Fault
  readonly answer: Concluded
}

export function failureText(tried: Tried): string {
  return `${tried.description}: ${whatCame(tried)}: ${known(tried.fault) ?? elsewhere(tried) ?? whatToDo(tried)}`
}

/** Text of ours, with digests of certificates in it. */
const LONGEST_OURS = 1000

function known(fault: Fault): string | null {
  return fault.kind === 'unfit' ? (fault.next ?? null) : null
}

/** The steps at which a wrong host or port shows. */
const BEGINNING: ReadonlySet<ImapStep> = new Set(['TLS', 'greeting', 'STARTTLS'])

/** The port or the server that was probably meant; null: nothing points to another one. */
function elsewhere({ step, fault, peer }: Tried): string | null {
  if (!BEGINNING.has(step) || fault.kind === 'stopped' || fault.kind === 'reply') return null
  const place = { ...peer, protocol: 'imap', socketPath: null } as const
  const stranger = fault.kind === 'nonsense' ? strangerAt(fault.text, 'imap') : null
  if (stranger !== null) return `${stranger}: ${portQuestion(place)}`
  if (step === 'STARTTLS' && fault.text === NO_STARTTLS) return misfit(place, 'no STARTTLS') ?? CHECK.TLS
  if (fault.kind === 'unfit' && !fault.text.includes('does not speak TLS')) return null
  const isSilent = fault.kind === 'silence'
  const oddity = !isSilent ? 'other' : step === 'greeting' ? 'silent greeting' : 'silent handshake'
  return misfit(place, oddity)
}

/** A server's words, safe to print and to keep. */
export function said(text: string): string {
  return display(text.replaceAll(/[\r\n]+/g, ' '), 400)
}

function whatCame({ step, fault }: Tried): string {
  const doing = DOING[step]
  switch (fault.kind) {
    case 'reply': {
      const code = fault.code === '' ? '' : `[${fault.code}] `
      return `${doing} was rejected: "${said(`${fault.status} ${code}${fault.text}`)}"`
    }
    case 'nonsense':
      return `${doing} was answered "${said(fault.text).trim()}", which is not IMAP`
    case 'cut':
      return `${step === 'connect' ? doing : `the connection at ${doing}`} failed: ${said(fault.text)}`
    case 'silence':
      return `${doing} was not answered in time`
    case 'unfit':
      return `${doing}: ${display(fault.text, LONGEST_OURS)}`
    case 'stopped':
      return `${doing}: ${said(fault.text)}`
    case 'size':
    case 'spool':
      return said(fault.text)
  }
}

function whatToDo({ step, answer, fault }: Tried): string {
  const { conclusion, verdict } = answer
  if (conclusion === 'ACT') return CHECK[step]
  if (verdict === 'unknown') return 'it may have been delivered, and is looked for before it is sent again'
  if (verdict === 'refused') return 'it stays on the server'
  if (conclusion === 'DOWN')
    return fault.text.includes('?') ? 'it will be tried again' : `${CHECK[step]}, it will be tried again`
  if (conclusion === 'ROOM') return 'make room there, it will be tried again'
  if (conclusion === 'TLS' || conclusion === 'SIGN') return CHECK[step]
  return 'it will be tried again'
}

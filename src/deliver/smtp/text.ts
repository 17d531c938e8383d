// The words for an SMTP delivery that failed: what was tried, what came back, what to do. Pure but for redact(), which
// sees to it that a server that repeats a password does not get it printed (P6).
import { display } from '../../display.ts'
import { redact } from '../../redact.ts'
import type { Fault, Judgement, Stage } from './verdict.ts'

const DOING: Readonly<Record<Stage, string>> = {
  connect: 'connecting',
  TLS: 'the TLS handshake',
  greeting: 'the greeting',
  EHLO: 'EHLO',
  STARTTLS: 'STARTTLS',
  AUTH: 'signing in',
  MAIL: 'MAIL FROM',
  RCPT: 'RCPT TO',
  DATA: 'DATA',
  content: 'the message',
  RSET: 'RSET',
  QUIT: 'QUIT',
}

const CHECK: Readonly<Record<Stage, string>> = {
  connect: 'check host and port',
  TLS: 'check tls, ca and pin',
  greeting: 'check that the server takes mail from this machine',
  EHLO: 'check that the server takes mail from this machine',
  STARTTLS: 'check tls, ca and pin',
  AUTH: 'check user, password or token, and auth',
  MAIL: 'check from, user and what the server allows',
  RCPT: 'check to, user and what the server allows',
  DATA: 'check to, user and what the server allows',
  content: 'check to, user and what the server allows',
  RSET: 'check that the server takes mail from this machine',
  QUIT: 'check that the server takes mail from this machine',
}

export interface Tried {
  readonly description: string
  readonly stage: Stage
  readonly fault: Fault
  readonly judgement: Judgement
  readonly sender: string
  readonly recipient: string
}

export function failureText(tried: Tried): string {
  return `${tried.description}: ${whatCame(tried)}: ${whatToDo(tried)}`
}

/** A server's words, safe to print and to keep. */
export function said(text: string): string {
  return display(redact(text.replaceAll('\n', ' ')), 400)
}

function whatCame({ stage, fault, sender, recipient }: Tried): string {
  const named = { MAIL: ` <${display(sender)}>`, RCPT: ` <${display(recipient)}>` }
  const doing = `${DOING[stage]}${stage === 'MAIL' || stage === 'RCPT' ? named[stage] : ''}`
  switch (fault.kind) {
    case 'reply':
      return `${doing} was answered "${said(fault.text)}"`
    case 'nonsense':
      return `${doing} was answered "${said(fault.text)}", which is no answer to it`
    case 'cut':
      return `${stage === 'connect' ? doing : `the connection at ${doing}`} failed: ${said(fault.text)}`
    case 'timeout':
      return `${doing} was not answered in time`
    case 'unfit':
    case 'stopped':
      return `${doing}: ${said(fault.text)}`
    case 'size':
    case 'content':
    case 'spool':
      return said(fault.text)
  }
}

function whatToDo({ stage, fault, judgement }: Tried): string {
  if (judgement.verdict === 'unknown') return 'it may have been delivered, and may come twice when it is sent again'
  if (judgement.verdict === 'refused') return 'the message stays on the server and is tried again now and then'
  if (fault.kind === 'nonsense') return 'the connection was closed, nothing was delivered'
  if (stage === 'connect' && fault.kind === 'cut') return `${CHECK.connect}, it will be tried again`
  if (judgement.scope === 'message' || judgement.retry === 'soon') return 'it will be tried again'
  return CHECK[stage]
}

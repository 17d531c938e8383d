// What can go wrong in an SMTP session, and the conclusion from it by the table answers/smtp.ts. Pure; knows nothing of
// nodemailer, sockets or texts. The rule for what is no answer of the server. It never counts against the destination, and once
// the whole message was handed over nobody knows (D035, D036).
import { PopfetchError } from '../../errors.ts'
import { concluded, type Concluded } from '../answers/conclusions.ts'
import { concludeSecret } from '../answers/secret.ts'
import { concludeSmtp, type SmtpAnswer, type SmtpCircumstances, type SmtpStep } from '../answers/smtp.ts'

export type Fault =
  /** A complete 4xx or 5xx reply. */
  | { readonly kind: 'reply'; readonly code: number; readonly text: string }
  /** A reply that nobody asked for or that cannot answer what was asked: from here on answers may belong to anything. */
  | { readonly kind: 'nonsense'; readonly text: string }
  | { readonly kind: 'cut'; readonly text: string }
  | { readonly kind: 'timeout'; readonly text: string }
  /** We will not go on: what the server offers, or its certificate, is not what the configuration demands. */
  | { readonly kind: 'unfit'; readonly text: string; readonly next?: string }
  /** Without TLS nothing may go there: it is on a public network (D123). */
  | { readonly kind: 'public'; readonly text: string }
  /** Larger than the server says it takes. */
  | { readonly kind: 'size'; readonly text: string }
  /** Its bytes are such as the configuration does not send. */
  | { readonly kind: 'content'; readonly text: string }
  /** The spool file is not what was received. */
  | { readonly kind: 'spool'; readonly text: string }
  | { readonly kind: 'stopped'; readonly text: string }
  /** The system does not let us open the socket. */
  | { readonly kind: 'permission'; readonly text: string }

/** An SMTP session that cannot go on; `step` and `fault` say what it means for the mail. */
export class SmtpFailure extends Error {
  readonly step: SmtpStep
  readonly fault: Fault
  /** The whole message, its dot included, was handed to the kernel. */
  readonly handed: boolean
  /** The server was ready for the content: part of it may have been sent. */
  readonly begun: boolean

  constructor(step: SmtpStep, fault: Fault, facts: { handed: boolean; begun: boolean; cause?: unknown }) {
    super(`${step}: ${fault.text}`, { cause: facts.cause })
    this.step = step
    this.fault = fault
    this.handed = facts.handed
    this.begun = facts.begun
  }
}

export function notBegun(step: SmtpStep, fault: Fault, cause?: unknown): SmtpFailure {
  return new SmtpFailure(step, fault, { handed: false, begun: false, cause })
}

const KINDS: Readonly<Record<Exclude<Fault['kind'], 'content' | 'spool' | 'stopped' | 'public'>, SmtpAnswer['kind']>> =
  {
    reply: 'reply',
    nonsense: 'nonsense',
    cut: 'cut',
    timeout: 'silence',
    unfit: 'unfit',
    size: 'size',
    permission: 'permission',
  }

/** What `failure` means for the mail. */
export function conclude(
  { step, fault, handed, cause }: SmtpFailure,
  circumstances: Omit<SmtpCircumstances, 'handed'>,
): Concluded {
  if (step === 'AUTH' && fault.kind === 'unfit' && cause instanceof PopfetchError) {
    return concludeSecret(cause, 'AUTH secret')
  }
  switch (fault.kind) {
    case 'stopped':
    case 'spool':
      // Our own end: no sign of the destination.
      return concluded(handed ? 'LOST' : 'TEMP', 'ours', { counts: false })
    case 'public':
      // The configuration, or what a name means, must change.
      return concluded('TLS', 'public network', { exit: 78 })
    case 'content':
      return concluded('FORM', 'ours', { wrap: 'form' })
    case 'reply':
    case 'nonsense':
    case 'cut':
    case 'timeout':
    case 'unfit':
    case 'size':
    case 'permission': {
      const code = fault.kind === 'reply' ? fault.code : 0
      return concludeSmtp({ step, kind: KINDS[fault.kind], code, text: fault.text }, { ...circumstances, handed })
    }
  }
}

// What can go wrong in an IMAP session, and the conclusion from it by the table answers/imap.ts. Pure; knows nothing of imapflow.
// The rule for what is no answer of the server. It never counts against the destination, and once the whole message was handed
// over nobody knows (D110, a lost answer).
import { PopfetchError } from '../../errors.ts'
import { concludeSecret } from '../answers/secret.ts'
import { concluded, type Concluded } from '../answers/conclusions.ts'
import { concludeImap, type ImapAnswer, type ImapCircumstances, type ImapStep } from '../answers/imap.ts'

export type Fault =
  /** NO, BAD or BYE. */
  | { readonly kind: 'reply'; readonly status: string; readonly code: string; readonly text: string }
  | { readonly kind: 'nonsense' | 'cut' | 'silence' | 'size'; readonly text: string }
  /** `next`: what to do, where that is known. */
  | { readonly kind: 'unfit'; readonly text: string; readonly next?: string }
  /** The spool file is not what was received. */
  | { readonly kind: 'spool'; readonly text: string }
  | { readonly kind: 'stopped'; readonly text: string }

export const NO_STARTTLS = 'the server has no TLS on this port'

/** An IMAP session that cannot go on, or a command that was refused. */
export class ImapFailure extends Error {
  readonly step: ImapStep
  readonly fault: Fault
  /** The whole message was handed to the kernel. */
  readonly handed: boolean

  constructor(step: ImapStep, fault: Fault, facts: { handed?: boolean; cause?: unknown } = {}) {
    super(`${step}: ${fault.text}`, { cause: facts.cause })
    this.step = step
    this.fault = fault
    this.handed = facts.handed ?? false
  }
}

export function tooLarge(bytes: number, most: number, whose: string): ImapFailure {
  return new ImapFailure('APPEND', { kind: 'size', text: `the message has ${bytes} bytes, and ${whose} ${most}` })
}

/** What `failure` means for the mail. */
export function conclude(
  { step, fault, handed, cause }: ImapFailure,
  circumstances: Omit<ImapCircumstances, 'handed'>,
): Concluded {
  // A secret that is not available: its own error says whether it may be there the next time.
  if (step === 'sign-in' && fault.kind === 'unfit' && cause instanceof PopfetchError) {
    return concludeSecret(cause, 'sign-in secret')
  }
  if (fault.kind === 'stopped' || fault.kind === 'spool') {
    // Our own end: no sign of the destination.
    return concluded(handed ? 'LOST' : 'TEMP', 'ours', { counts: false })
  }
  const reply = fault.kind === 'reply' ? fault : { status: '', code: '' }
  const answer: ImapAnswer = { step, kind: fault.kind, status: reply.status, code: reply.code, text: fault.text }
  return concludeImap(answer, { ...circumstances, handed })
}

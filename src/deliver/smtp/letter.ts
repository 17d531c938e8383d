// One message for one recipient: its envelope, the fields on top and the bytes, before any server hears of it. Pure but for
// reading the spool. The one rule: the recipient comes from the configuration alone (D043).
import { display } from '../../display.ts'
import { DeliveryError } from '../../errors.ts'
import type { Message } from '../../message.ts'
import { isAscii, isLocalPart, isUtf8Address } from '../address.ts'
import { concluded } from '../answers/conclusions.ts'
import type { Attempt } from '../destination.ts'
import { type EnvelopeSender, envelopeSender, labelField, loopOf, loopToken, traceField } from '../envelope.ts'
import { namesMailbox } from '../placeholders.ts'
import { type Content, contentOf } from './content.ts'
import { notBegun } from './fault.ts'
import type { SmtpConfig, SmtpContext } from './settings.ts'
import { changeFor, mayNeedChange, wasDeliveredTo } from './wire-header.ts'

export interface Letter {
  readonly attempt: Attempt
  readonly message: Message
  readonly sender: EnvelopeSender
  /** `sender` is `ownSender`: nothing is left to try when it is refused. */
  readonly isOwnSender: boolean
  /** Who sends where the message names nobody, or nobody that the server takes; '' is the null sender. */
  readonly ownSender: string
  readonly recipient: string
  /** The fields on top, latin1. */
  readonly prefix: string
}

export function letterOf(attempt: Attempt, message: Message, config: SmtpConfig, context: SmtpContext): Letter {
  const { origin, recipient } = attempt
  const { trace, label } = config
  const from =
    config.from.kind === 'address' ? { ...config.from, address: filled(config.from.address, recipient) } : config.from
  const ownSender = ownSenderOf(config, recipient)
  const { hostName, nowMs } = context
  const traced = trace ? traceField(origin, { hostName, nowMs: nowMs(), id: loopToken(origin, recipient) }) : ''
  const sender = envelopeSender(from, message.header, ownSender)
  return {
    attempt,
    message,
    sender,
    isOwnSender: sender.address === ownSender,
    ownSender,
    recipient,
    prefix: traced + (label ? labelField(origin.account) : ''),
  }
}

/** Who sends where the message names nobody. */
export function ownSenderOf({ from, user, to, protocol }: SmtpConfig, recipient: string): string {
  if (from.kind === 'address') return filled(from.address, recipient)
  // What ends in a mailbox of this machine needs nobody to send notices to.
  if (protocol === 'lmtp') return ''
  return user !== null && isUtf8Address(user) ? user : filled(to[0] ?? '', recipient)
}

/** Where each message has a recipient of its own, the sender is that one. */
function filled(address: string, recipient: string): string {
  return namesMailbox(address) ? recipient : address
}

/** The same message from our own sender. */
export function fromOurselves(letter: Letter): Letter {
  return { ...letter, sender: { address: letter.ownSender, foreign: false }, isOwnSender: true }
}

/** What the envelope says to a server that takes addresses beyond ASCII, or does not. Throws when it cannot be said. */
export function envelopeFor({ sender, ownSender, recipient }: Letter, utf8: boolean): { from: string; to: string } {
  if (!utf8 && !isAscii(recipient)) {
    throw notBegun('RCPT', {
      kind: 'unfit',
      text: 'the server accepts only ASCII addresses (it does not offer SMTPUTF8)',
    })
  }
  const from = utf8 || isAscii(sender.address) ? sender.address : ownSender
  return { from: utf8 || isAscii(from) ? from : '', to: recipient }
}

/** The bytes as they are to be sent; null: they have a bare CR or LF, and are not to be sent. */
export function contentOfLetter(letter: Letter, config: SmtpConfig): Content | null | Promise<Content | null> {
  const { message, prefix, recipient } = letter
  const renamed = config.deliveredTo === 'rename' ? recipient : null
  const change = mayNeedChange(message.header) ? changeFor(renamed) : null
  const fit = (content: Content): Content | null =>
    content.repaired && config.bareNewlines === 'refuse' ? null : content
  const content = contentOf(message, prefix, change)
  return content instanceof Promise ? content.then(fit) : fit(content)
}

/** Throws for what must not be sent: to nobody, or round and round (D046, D115). */
export function checkLetter(letter: Letter, { description, protocol, deliveredTo }: SmtpConfig): void {
  const { message, attempt, recipient } = letter
  if (!isUtf8Address(recipient) && !(protocol === 'lmtp' && isLocalPart(recipient))) {
    throw notBegun('RCPT', { kind: 'unfit', text: 'this is not an address' })
  }
  const loop =
    deliveredTo === 'hold' && wasDeliveredTo(message.header, recipient)
      ? `it has a Delivered-To of ${display(recipient)}, and the next server would bounce it`
      : loopOf(message.header, loopToken(attempt.origin, recipient))
  if (loop === null) return
  const text = `${description}: a possible loop: ${loop}; it stays on the server and is not sent again`
  throw new DeliveryError(text, concluded('HELD', 'loop'))
}

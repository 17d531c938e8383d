// What a failed SMTP delivery means for the mail: from the stage it reached and what came back to verdict, scope, retry.
// Pure; knows nothing of nodemailer, sockets or texts. The rules: before the content nothing is visible there, after it
// without an answer nobody knows (D035, D036); what is not about this message never marks it (D030–D032).
import type { Retry, Verdict } from '../../errors.ts'

/** Where the session was: the reply it waited for. `content` is the end of the message, RFC 5321's final dot. */
export type Stage =
  | 'connect'
  | 'TLS'
  | 'greeting'
  | 'EHLO'
  | 'STARTTLS'
  | 'AUTH'
  | 'MAIL'
  | 'RCPT'
  | 'DATA'
  | 'content'
  | 'RSET'
  | 'QUIT'

export type Fault =
  /** A complete 4xx or 5xx reply. */
  | { readonly kind: 'reply'; readonly code: number; readonly text: string }
  /** A reply that nobody asked for or that cannot answer what was asked: from here on answers may belong to anything. */
  | { readonly kind: 'nonsense'; readonly text: string }
  | { readonly kind: 'cut'; readonly text: string }
  | { readonly kind: 'timeout'; readonly text: string }
  /** We will not go on: what the server offers, or its certificate, is not what the configuration demands. */
  | { readonly kind: 'unfit'; readonly text: string }
  /** Larger than the server says it takes. */
  | { readonly kind: 'size'; readonly text: string }
  /** Its bytes are such as the configuration does not send. */
  | { readonly kind: 'content'; readonly text: string }
  /** The spool file is not what was received. */
  | { readonly kind: 'spool'; readonly text: string }
  | { readonly kind: 'stopped'; readonly text: string }

export interface Circumstances {
  /** The whole content was handed to the socket: the server may have it. */
  readonly handed: boolean
  /** The envelope sender came from the message, so that a server may refuse it for this message alone. */
  readonly foreignSender: boolean
}

export interface Judgement {
  readonly verdict: Verdict
  readonly scope: 'message' | 'destination'
  readonly retry: Retry
}

const message = (verdict: Verdict, retry: Retry): Judgement => ({ verdict, scope: 'message', retry })
const destination = (verdict: Verdict, retry: Retry): Judgement => ({ verdict, scope: 'destination', retry })

/** Not about a message whatever it was the answer to: sign in first, encrypt first, wrong mechanism (D032). */
const ABOUT_SESSION: ReadonlySet<number> = new Set([503, 530, 534, 535, 538])

export function judge(stage: Stage, fault: Fault, { handed, foreignSender }: Circumstances): Judgement {
  switch (fault.kind) {
    case 'stopped':
    case 'spool':
      return message(handed ? 'unknown' : 'temporary', 'soon')
    case 'size':
    case 'content':
      return message('refused', 'later')
    case 'unfit':
      return destination('temporary', 'later')
    case 'nonsense':
      // Asked to take the message it answered something else: what it did with it, only the server knows (D049).
      return destination(stage === 'DATA' || stage === 'content' || handed ? 'unknown' : 'temporary', 'later')
    case 'timeout':
      // The next message would wait as long, and after the dot would become one more possible duplicate.
      return destination(handed ? 'unknown' : 'temporary', 'soon')
    case 'cut':
      if (handed) return message('unknown', 'soon')
      return inTransaction(stage) ? message('temporary', 'soon') : destination('temporary', 'soon')
    case 'reply':
      return judgeReply(stage, fault.code, foreignSender)
  }
}

function judgeReply(stage: Stage, code: number, foreignSender: boolean): Judgement {
  const retry = code < 500 ? 'soon' : 'later'
  if (ABOUT_SESSION.has(code)) return destination('temporary', retry)
  const aboutMessage =
    inTransaction(stage) ||
    // MAIL carries the message's size (RFC 1870) and perhaps its sender; all else there is about the server.
    (stage === 'MAIL' && (code === 552 || (foreignSender && code !== 421)))
  if (!aboutMessage) return destination('temporary', retry)
  return message(code < 500 ? 'temporary' : 'refused', retry)
}

function inTransaction(stage: Stage): boolean {
  return stage === 'RCPT' || stage === 'DATA' || stage === 'content'
}

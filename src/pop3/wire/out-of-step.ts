// What went wrong between commands and answers, in words: a line that answers nothing, a connection that is lost, an answer that does
// not come.
import { displayBytes } from '../../display.ts'
import { PopfetchError } from '../../errors.ts'
import type { UnaskedBytesError } from './decoder.ts'
import { farewell } from './reply-error.ts'
import { parseReply } from './reply.ts'

/** What is due when nothing was asked yet. */
export const GREETING = 'the greeting'

/** `+ …` is legal only during a SASL exchange. */
export function strayChallenge(line: Buffer, asked: string): PopfetchError {
  return new PopfetchError(
    'ERR_POP3_PROTOCOL',
    `"${displayBytes(line, 80)}" is not an answer to ${asked}: stopping here`,
    {
      scope: 'account',
      retry: 'later',
    },
  )
}

/** A farewell (P146); anything else is an attack or answers out of step (P027, P126). */
export function unaskedBytes({ bytes }: UnaskedBytesError): PopfetchError {
  if (/^-ERR(?:[ \t\r\n]|$)/i.test(bytes.toString('latin1'))) return farewell(parseReply(bytes))
  const text = `the server sent unsolicited data: "${displayBytes(bytes)}": stopping here`
  return new PopfetchError('ERR_POP3_PROTOCOL', text, { scope: 'account', retry: 'later' })
}

/** `asked` null: no answer was expected. */
export function closedByServer(asked: string | null): PopfetchError {
  const where = asked === null ? '' : ` in the middle of ${asked}`
  return new PopfetchError('ERR_CONNECT', `the server closed the connection${where}: it may be busy, try again later`, {
    scope: 'account',
    retry: 'soon',
  })
}

export function tooLate(asked: string, waitedMs: number, bodyBytes: number): PopfetchError {
  const waited = waitedMs < 1000 ? `${Math.round(waitedMs)} ms` : `${Math.round(waitedMs / 1000)} s`
  const came = bodyBytes > 0 ? `, ${bodyBytes} bytes came` : ''
  const text =
    asked === GREETING
      ? `the server sent no complete greeting within ${waited}`
      : `no complete answer to ${asked} in time (waited ${waited}${came})`
  return new PopfetchError('ERR_TIMEOUT', `${text}: the server is slow or hangs, try again later`, {
    scope: 'account',
    retry: 'soon',
  })
}

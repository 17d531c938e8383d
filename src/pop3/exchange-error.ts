// Where command and answer got out of step, in words: what was asked, what came or did not come.
import { displayBytes } from '../display.ts'
import { PopfetchError } from '../errors.ts'
import type { UnaskedBytesError } from './wire/decoder.ts'
import { farewell } from './wire/reply-error.ts'
import { parseReply } from './wire/reply.ts'

/** `+ …` where no SASL exchange is under way. */
export function strayChallenge(line: Buffer, asked: string): PopfetchError {
  return new PopfetchError('ERR_POP3_PROTOCOL', `"${displayBytes(line, 80)}" is no answer to ${asked}: not going on`, {
    scope: 'account',
    retry: 'later',
  })
}

/** A goodbye (P146), or a desync or an attack (P027, P126). */
export function unaskedBytes({ bytes }: UnaskedBytesError): PopfetchError {
  if (/^-ERR(?:[ \t\r\n]|$)/i.test(bytes.toString('latin1'))) return farewell(parseReply(bytes))
  const text = `the server sent bytes that nobody asked for: "${displayBytes(bytes)}": not going on`
  return new PopfetchError('ERR_POP3_PROTOCOL', text, { scope: 'account', retry: 'later' })
}

/** `asked` null: no answer was due. */
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
  return new PopfetchError(
    'ERR_TIMEOUT',
    `no complete answer to ${asked} in time (waited ${waited}${came}): the server is slow or hangs, try again later`,
    { scope: 'account', retry: 'soon' },
  )
}

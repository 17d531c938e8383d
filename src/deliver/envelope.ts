// The fields popfetch puts on top of a message. Pure; every value in them is ours or sanitised (D017, D048).
// One rule: nothing that a server, a sender or a configuration wrote can end a line or add a field here.
import { isIPv6 } from 'node:net'
import type { Origin } from '../message.ts'

/** RFC 5321 4.5.3.1.2 allows a domain of 255 octets; two of them and the rest stay far below a line of 998. */
const NAME_LIMIT = 255

export interface TracedBy {
  readonly hostName: string
  readonly nowMs: number
}

/** One `Received:` field (RFC 5321 4.4), folded, CRLF line ends, ASCII. Its date is UTC and knows no locale. */
export function traceField(origin: Origin, by: TracedBy): string {
  return (
    `Received: from ${hostToken(origin.host)} by ${hostToken(by.hostName)} with ${origin.protocol}\r\n` +
    `\t(popfetch; account ${token(origin.account)}); ${dateTime(by.nowMs)}\r\n`
  )
}

/** The field that `label: true` asks for. */
export function labelField(account: string): string {
  return `X-Popfetch-Account: ${token(account)}\r\n`
}

/** RFC 5322 3.3. ECMA-262 fixes the form of toUTCString, whatever the locale. */
function dateTime(atMs: number): string {
  return new Date(atMs).toUTCString().replace('GMT', '+0000')
}

/** A host's name, or its address: an IPv6 one as a literal (RFC 5321 4.1.3). */
function hostToken(host: string): string {
  const bare = host.replace(/^\[(?:IPv6:)?|\]$/g, '')
  if (isIPv6(bare) && !bare.includes('%')) return `[IPv6:${bare}]`
  return bare.slice(0, NAME_LIMIT).replace(/[^A-Za-z0-9._-]/g, '_') || 'unknown'
}

/** Text that stands in a comment or a value: parentheses, backslashes and semicolons would change what follows. */
function token(text: string): string {
  return text.slice(0, NAME_LIMIT).replace(/[^A-Za-z0-9@.+_-]/g, '_') || 'unknown'
}

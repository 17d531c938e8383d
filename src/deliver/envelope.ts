// The envelope sender, the fields that popfetch puts on top of a message, and the token by which it recognises a loop. Pure.
// One rule: no text from a server, a sender or a configuration can end a line, add a field or reach the envelope unless it is
// plainly an address (D017, D045, D048). address.ts says which text that is.
import { hash } from 'node:crypto'
import { isIPv6 } from 'node:net'
import { field, fields } from '../header.ts'
import type { Origin } from '../message.ts'
import { isAddress, isUtf8Address } from './address.ts'

/** RFC 5321 4.5.3.1.2 allows a domain of 255 octets. Two of them and the rest stay far below a line of 998. */
const NAME_LIMIT = 255

export interface TracedBy {
  readonly hostName: string
  readonly nowMs: number
  /** The field's `id`, by which a destination knows what it has already forwarded (see `loopOf`); absent: none. */
  readonly id?: string
}

/** One `Received:` field (RFC 5321 4.4), folded, with CRLF line ends, in ASCII. Its date is in UTC and depends on no
 *  locale. */
export function traceField(origin: Origin, by: TracedBy): string {
  const { host, protocol, account } = origin
  return `${traceOf(host, by.hostName, protocol, by.id ?? '', account)} ${dateTime(Math.floor(by.nowMs / 1000))}\r\n`
}

const traceOf = lastOf((host: string, hostName: string, protocol: string, id: string, account: string): string => {
  const named = id === '' ? '' : ` id ${id}`
  return (
    `Received: from ${hostToken(host)} by ${hostToken(hostName)} with ${protocol}${named}\r\n` +
    `\t(popfetch; account ${token(account)});`
  )
})

/** Remembers the last result: what is asked for one message after the other is nearly always the same. */
function lastOf<Given extends readonly (string | number)[]>(
  make: (...given: Given) => string,
): (...given: Given) => string {
  let last: Given | null = null
  let made = ''
  return (...given) => {
    const known = last
    if (known === null || given.some((each, at) => each !== known[at])) {
      made = make(...given)
      last = given
    }
    return made
  }
}

/** The field that `label: true` asks for. */
export function labelField(account: string): string {
  return `X-Popfetch-Account: ${token(account)}\r\n`
}

/** RFC 5322 3.3. ECMA-262 fixes the form of toUTCString for every locale. */
const dateTime = lastOf((seconds: number) => new Date(seconds * 1000).toUTCString().replace('GMT', '+0000'))

/** A host's name or address, an IPv6 address as a literal (RFC 5321 4.1.3). */
export function hostToken(host: string): string {
  const bare = host.replace(/^\[(?:IPv6:)?|\]$/g, '')
  if (isIPv6(bare) && !bare.includes('%')) return `[IPv6:${bare}]`
  return bare.slice(0, NAME_LIMIT).replace(/[^A-Za-z0-9._-]/g, '_') || 'unknown'
}

/** Text for a comment or a value, where parentheses, backslashes and semicolons would change the meaning of what
 *  follows. */
function token(text: string): string {
  return text.slice(0, NAME_LIMIT).replace(/[^A-Za-z0-9@.+_-]/g, '_') || 'unknown'
}

/** What the configuration says about the envelope sender (DESIGN 3, `from`). */
export type Sender =
  | { readonly kind: 'original' }
  | { readonly kind: 'null' }
  | { readonly kind: 'address'; readonly address: string }

export interface EnvelopeSender {
  /** '' is the null sender, `<>`. */
  readonly address: string
  /** It comes from the message, so a server may refuse it for this message alone. */
  readonly foreign: boolean
}

/** The sender of one message. `fallback` ('' for none) is used where `original` finds no address in `Return-Path`. Mail
 *  from the null sender keeps it, whatever is configured: a notice about a notice would go in circles (D044). */
export function envelopeSender(from: Sender, header: Buffer, fallback: string): EnvelopeSender {
  const returnPath = field(header, 'Return-Path')
  if (returnPath !== null && /^<\s*>\s*(?:\(|$)/.test(returnPath)) return { address: '', foreign: true }
  if (returnPath === null && isDeliveryReport(header)) return { address: '', foreign: true }
  switch (from.kind) {
    case 'null':
      return { address: '', foreign: false }
    case 'address':
      return { address: from.address, foreign: false }
    case 'original': {
      const address = returnPath?.replace(/^<(.*)>$/, '$1') ?? ''
      if (isAddress(address)) return { address, foreign: true }
      // A header is read as latin1; an address beyond ASCII is UTF-8 in it (RFC 6532).
      const utf8 = Buffer.from(address, 'latin1').toString()
      return isUtf8Address(utf8) ? { address: utf8, foreign: true } : { address: fallback, foreign: false }
    }
  }
}

/** Without `Return-Path`, this is how a bounce is known (RFC 6522, RFC 3464). */
function isDeliveryReport(header: Buffer): boolean {
  const type = field(header, 'Content-Type')
  return type !== null && /^multipart\/report\b/i.test(type) && /;\s*report-type="?delivery-status\b/i.test(type)
}

/** RFC 5321 6.3 allows a refusal from 100 on. Postfix gives up at 50; popfetch may too, since the message stays on the
 *  server. */
const MOST_RECEIVED = 50

/** The token in the `id` of our own Received field; the same for every message from this mailbox to this recipient. It
 *  leaves out the names in the configuration, which may change while a message is on its way. */
export function loopToken({ host, user }: Origin, recipient: string): string {
  return loopTokenOf(host, user, recipient)
}

const loopTokenOf = lastOf((host: string, user: string, recipient: string) =>
  hash('sha256', JSON.stringify(['popfetch', host, user, recipient]), 'hex').slice(0, 20),
)

/** Has popfetch had it before, from whatever mailbox and for whomever? */
export function carriesOurTrace(header: Buffer): boolean {
  return fields(header, 'Received').some((value) => value.includes('(popfetch; '))
}

/** Why the message may be going in a circle (D046). It has our own token, or more Received fields than an honest way
 *  leaves. null: it is not. */
export function loopOf(header: Buffer, token: string): string | null {
  const received = fields(header, 'Received')
  if (received.some((value) => value.includes(` id ${token}`) && value.includes('(popfetch; '))) {
    return 'popfetch has sent it from this mailbox to this recipient before, and it came back'
  }
  return received.length > MOST_RECEIVED ? `it has ${received.length} Received fields` : null
}

/** The length of the fields at the top of a message that are `prefix` but for their dates; null: they are not there. */
export function lengthOnTop(top: Buffer, prefix: Buffer): number | null {
  let at = 0
  for (const line of prefix.toString('latin1').split('\n').slice(0, -1)) {
    const end = top.indexOf('\n', at, 'latin1')
    if (end < 0 || dateless(top.toString('latin1', at, end)) !== dateless(line)) return null
    at = end + 1
  }
  return at
}

/** RFC 5321 section 4.4: the date of a trace field follows its last semicolon. */
function dateless(line: string): string {
  const semicolon = line.lastIndexOf(';')
  return semicolon < 0 ? line : line.slice(0, semicolon)
}

// Which text counts as a mail address. Pure. Stricter than RFC 5321 4.1.2 on purpose: no quoted strings, no source routes. So a
// doubtful address never reaches an envelope (D045, garbage in Return-Path). One rule: no text that passes can end a line or the
// argument of a command.
import { isIPv4, isIPv6 } from 'node:net'

const LOCAL_PART = /^[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*$/
/** RFC 6531 3.3: as above, and letters, marks, digits and symbols of all scripts. Made where it is needed, as in
 *  redact/readings.ts. */
const utf8LocalPart = (): RegExp =>
  /^(?:[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]|[^\p{ASCII}\p{C}\p{Z}])+(?:\.(?:[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]|[^\p{ASCII}\p{C}\p{Z}])+)*$/u
const DOMAIN = /^[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*$/

/** Is it plainly an ASCII address, no longer than RFC 5321 4.5.3.1 allows? */
export function isAddress(text: string): boolean {
  return isMailbox(text, LOCAL_PART)
}

/** Is it an address whose local part may be UTF-8 (RFC 6531)? Its domain is in A-labels. The server must offer SMTPUTF8. */
export function isUtf8Address(text: string): boolean {
  // Nearly all are ASCII, and cost less so.
  return isMailbox(text, LOCAL_PART) || isMailbox(text, utf8LocalPart())
}

/** Is it a local part alone, as LMTP servers name the users of their machine? */
export function isLocalPart(text: string): boolean {
  return text.length <= 64 && LOCAL_PART.test(text)
}

export function isAscii(address: string): boolean {
  return /^\p{ASCII}*$/u.test(address)
}

function isMailbox(text: string, localPart: RegExp): boolean {
  const at = text.lastIndexOf('@')
  const local = text.slice(0, Math.max(at, 0))
  if (local === '' || Buffer.byteLength(local) > 64 || Buffer.byteLength(text) > 254) return false
  if (!localPart.test(local)) return false
  const domain = text.slice(at + 1)
  const literal = /^\[(IPv6:)?([^\]]*)\]$/.exec(domain)
  if (literal === null) return DOMAIN.test(domain)
  const address = literal[2] ?? ''
  return literal[1] === undefined ? isIPv4(address) : isIPv6(address)
}

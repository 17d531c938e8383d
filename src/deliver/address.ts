// What is a mail address. Pure. Stricter than RFC 5321 4.1.2 on purpose: no quoted strings, no source routes, so that what
// is doubtful never reaches an envelope (D045). The one rule: nothing that passes can end a line or a command's argument.
import { isIPv4, isIPv6 } from 'node:net'

const LOCAL_PART = /^[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*$/
/** RFC 6531 3.3: ASCII as above, and letters, marks, digits and symbols of all scripts. */
const UTF8_LOCAL_PART =
  /^(?:[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]|[^\p{ASCII}\p{C}\p{Z}])+(?:\.(?:[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]|[^\p{ASCII}\p{C}\p{Z}])+)*$/u
const DOMAIN = /^[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*$/

/** Plainly an address of ASCII; its sizes from RFC 5321 4.5.3.1. */
export function isAddress(text: string): boolean {
  return isMailbox(text, LOCAL_PART)
}

/** An address whose local part may be UTF-8 (RFC 6531); its domain is in A-labels. The server must offer SMTPUTF8. */
export function isUtf8Address(text: string): boolean {
  return isMailbox(text, UTF8_LOCAL_PART)
}

/** A local part alone: a user of this machine, as LMTP servers know them. */
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

// Mail addresses as they may be written: beyond ASCII too, their domain in any script. Pure. What an address is in an envelope
// is in deliver/address.ts.
import { domainToASCII } from 'node:url'
import { isUtf8Address } from '../../deliver/address.ts'

/** The address with its domain in A-labels (RFC 5890), as servers know it; null: this is not one. */
export function parseAddress(text: string): string | null {
  const at = text.lastIndexOf('@')
  const domain = text.slice(at + 1)
  // In names of ASCII alone, IDNA would change the case and refuse harmless characters.
  const known = /^\p{ASCII}*$/u.test(domain) ? text : `${text.slice(0, at + 1)}${domainToASCII(domain)}`
  return isUtf8Address(known) ? known : null
}

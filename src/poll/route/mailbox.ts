// The recipient of a message in a mailbox that collects the mail of a whole domain. It is read from the field in which the provider
// writes it. Pure. One rule: nothing is guessed. A field that does not hold exactly one address in one of the domains is as good as
// none.
import { parseAddress } from '../../config/values/address.ts'
import type { Account } from '../../config/schema.ts'
import { field } from '../../header.ts'

/** Gives the address of a message by its header; null: it is the same for all messages, or nobody asks. */
export function mailboxReader({ recipient }: Account): ((header: Buffer) => string) | null {
  if (recipient === null || recipient.kind === 'address') return null
  const { header: name, domains, otherwise } = recipient
  const known = new Set(domains)
  return (header) => {
    const value = field(header, name)
    const address = value === null ? null : onlyAddress(value)
    const domain = address?.slice(address.lastIndexOf('@') + 1) ?? ''
    return address !== null && known.has(domain) ? address : otherwise
  }
}

/** RFC 5321 allows 254. Display name and comment come on top. */
const LONGEST_FIELD = 1000

/** The one address that a field holds, its domain in lower case; null: none, several, or something else. */
export function onlyAddress(value: string): string | null {
  if (value.length > LONGEST_FIELD) return null
  // A header is read as latin1; an address beyond ASCII is UTF-8 in it (RFC 6532).
  const text = Buffer.from(value, 'latin1').toString().trim()
  const bare = /^[^<>@,;"]*<([^<>]*)>$/.exec(text)?.[1] ?? /^"[^"\\]*"\s*<([^<>]*)>$/.exec(text)?.[1] ?? text
  const address = parseAddress(bare)
  if (address === null) return null
  const at = address.lastIndexOf('@')
  return address.slice(0, at) + address.slice(at).toLowerCase()
}

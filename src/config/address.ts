// Mail addresses as an envelope may hold them (RFC 5321 4.1.2), and the `{account}` that may stand in them. Pure.
// Strict on purpose: a dot-string, one `@`, a domain. No source routes, quoted strings, literals or comments.
import { isIP } from 'node:net'
import { parseHost } from './host.ts'

const DOT_STRING = /^[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*$/

const ACCOUNT = '{account}'

/** RFC 5321 4.5.3.1: 64 octets before the `@`, 254 in all (a path of 256 has angle brackets around it). */
export function isAddress(text: string): boolean {
  const at = text.lastIndexOf('@')
  const local = text.slice(0, at)
  const domain = text.slice(at + 1)
  return (
    at > 0 &&
    text.length <= 254 &&
    local.length <= 64 &&
    DOT_STRING.test(local) &&
    /^[A-Za-z0-9.-]+$/.test(domain) &&
    isIP(domain) === 0 &&
    parseHost(domain) !== null
  )
}

/** `{account}` replaced by the account's name, in a path, a recipient or a sender. */
export function expandAccount(text: string, account: string): string {
  return text.replaceAll(ACCOUNT, account)
}

/** Whether something in braces other than `{account}` stands in it: a slip of the pen, not a name. */
export function hasUnknownPlaceholder(text: string): boolean {
  return /\{[^{}]*\}/.test(text.replaceAll(ACCOUNT, ''))
}

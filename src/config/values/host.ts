// Host names and addresses: what may be connected to, and what counts as this machine itself. Pure.
import { isIP, isIPv4, isIPv6 } from 'node:net'
import { domainToASCII } from 'node:url'

const LABEL = /^(?!-)[a-z0-9_-]{1,63}(?<!-)$/

/** The host in its one form: lower case, A-labels, no brackets, and surely no CR, LF or NUL (P073, injected commands). Null:
 *  this is no host. */
export function parseHost(text: string): string | null {
  const bare = text.startsWith('[') && text.endsWith(']') && isIPv6(text.slice(1, -1)) ? text.slice(1, -1) : text
  if (isIP(bare) !== 0) return bare.toLowerCase()
  // domainToASCII reads "1.2.3" and "0x7f.1" as IPv4 addresses and decodes %41: it is given names only.
  if (!/^[\p{L}\p{M}\p{N}._-]+$/u.test(bare) || /(?:^|\.)(?:0x[0-9a-f]*|\d+)$/i.test(bare)) return null
  // A name of ASCII alone is not sent through IDNA, which refuses the underscores that container networks use.
  const ascii = /^[\w.-]+$/.test(bare) ? bare.toLowerCase() : domainToASCII(bare)
  if (ascii === '' || ascii.length > 253) return null
  return ascii.split('.').every((label) => LABEL.test(label)) ? ascii : null
}

/** Whether a parsed host is this machine: localhost, 127.0.0.0/8, ::1. Nothing is looked up. */
export function isLoopback(host: string): boolean {
  if (host === 'localhost') return true
  if (isIPv4(host)) return host.startsWith('127.')
  return isIPv6(host) && !host.includes('%') && new URL(`http://[${host}]`).hostname === '[::1]'
}

/** As it is in a URL: an IPv6 address in brackets. */
export function bracketed(host: string): string {
  return isIPv6(host) ? `[${host}]` : host
}

/** The TLS of a mail server for which none is written: this machine itself needs none. */
export function usualTls<Elsewhere extends string>(host: string, elsewhere: Elsewhere): 'none' | Elsewhere {
  return isLoopback(host) ? 'none' : elsewhere
}

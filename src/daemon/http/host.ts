// Whether a request is meant for us. A page that somebody made must not read what is served here by giving our address a name
// of its own (DNS rebinding). A browser tells the name in the Host field. Pure.
import { isIP } from 'node:net'
import { isLoopback, parseHost } from '../../config/values/host.ts'

export interface Served {
  /** The address that is listened on. */
  readonly host: string
  /** Names by which it is called besides, of `daemon.httpHosts`. */
  readonly hosts: readonly string[]
}

/** `field`: the Host field of a request. The port in it may be any: somebody may have forwarded another one. */
export function isMeant(field: string | undefined, { host, hosts }: Served): boolean {
  const [, six, name] = /^(?:\[([^\]]*)\]|([^:]*))(?::\d{1,5})?$/.exec(field ?? '') ?? []
  const asked = parseHost(six ?? name ?? '')
  if (asked === null || (six !== undefined && isIP(six) !== 6)) return false
  if (same(asked, host) || hosts.includes(asked)) return true
  if (asked === 'localhost') return isLoopback(host) || isAny(host)
  // A literal address leads to nobody else.
  return isAny(host) && isIP(asked) !== 0
}

function isAny(host: string): boolean {
  return same(host, '0.0.0.0') || same(host, '::')
}

function same(a: string, b: string): boolean {
  return a === b || (isIP(a) === 6 && isIP(b) === 6 && canonical(a) === canonical(b))
}

function canonical(address: string): string {
  return address.includes('%') ? address : new URL(`http://[${address}]`).hostname
}

// What is right and probably not meant: a sentence for `config check` and a person at a terminal.
import { display } from '../../display.ts'
import { mechanismNamed } from '../../pop3/sign-in/mechanisms.ts'
import { providerAt } from '../../providers.ts'
import { kindOf } from '../destinations/destinations.ts'
import { isLoopback } from '../values/host.ts'
import { FIRST_OF } from '../values/written.ts'
import type { Account, Configuration } from '../schema.ts'

/** About these accounts and destinations, with a pause after each. */
export function* warningsOf(
  accounts: readonly Account[],
  destinations: Configuration['destinations'],
): Generator<void, readonly string[]> {
  const open = (what: string, host: string): string =>
    `${what}: everything is sent to ${host} unencrypted (tls: none): use starttls or implicit if the server supports it`
  const warnings: string[] = []
  for (const { name, tls, host, port, auth, via } of accounts) {
    if (via === null) warnings.push(...portDoubts(`account ${name}`, 'pop3', port, tls))
    // What a program does on the way is its own affair.
    if (tls !== 'none' || isLoopback(host) || via !== null) continue
    const isBroken = mechanismNamed(auth)?.withoutTls === 'computes the secret'
    warnings.push(
      open(`account ${name}`, host) + (isBroken ? `; ${auth} does not hide the password from eavesdroppers` : ''),
    )
    yield
  }
  for (const config of destinations.values()) {
    const host = config.type === FIRST_OF ? null : kindOf(config).unencryptedTo(config)
    if (config.type === 'smtp' || config.type === 'imap')
      warnings.push(...portDoubts(`destination ${config.name}`, config.type, config.port, config.tls))
    if (host !== null) warnings.push(open(`destination ${config.name}`, host))
    yield
  }
  warnings.push(...(yield* sharedMailboxes(accounts)))
  return warnings
}

/** What usually listens on a port, and how TLS begins there. */
const USUAL: Readonly<Record<number, { readonly protocol: string; readonly tls: readonly string[] }>> = {
  110: { protocol: 'pop3', tls: ['starttls', 'none'] },
  995: { protocol: 'pop3', tls: ['implicit'] },
  143: { protocol: 'imap', tls: ['starttls', 'none'] },
  993: { protocol: 'imap', tls: ['implicit'] },
  25: { protocol: 'smtp', tls: ['starttls', 'none'] },
  465: { protocol: 'smtp', tls: ['implicit'] },
  587: { protocol: 'smtp', tls: ['starttls', 'none'] },
}

function portDoubts(what: string, protocol: string, port: number | null, tls: string): readonly string[] {
  const usual = port === null ? undefined : USUAL[port]
  if (usual === undefined) return []
  if (usual.protocol !== protocol)
    return [`${what}: port ${port} is usually for ${usual.protocol.toUpperCase()}, not for ${protocol.toUpperCase()}`]
  return usual.tls.includes(tls) ? [] : [`${what}: port ${port} usually goes with tls: ${usual.tls[0]}, not ${tls}`]
}

/** The ports of POP3: both lead to one mailbox. */
const USUAL_PORTS: ReadonlySet<number> = new Set([110, 995])

/** Where a mailbox is, as far as names tell. A provider's servers are one place, and so are those of one domain, whatever their
 *  host names (N047). */
function siteOf({ host, port, user }: Account): string {
  const where = USUAL_PORTS.has(port) ? '' : ` port ${port}`
  const provider = providerAt(host, '')
  if (provider !== null) return `${provider.name}${where}`
  if (isLoopback(host)) return `loopback port ${port}`
  // Without the domain in the user's name two hosts of one hoster may have an "alice" each.
  const isWhole = user.includes('@') && !/^[\d.]+$|:/.test(host)
  const labels = host.toLowerCase().split('.')
  const isShort = (labels.at(-2) ?? '').length <= 3 && labels.length > 2
  return `${isWhole ? labels.slice(isShort ? -3 : -2).join('.') : host}${where}`
}

function mailboxText(accounts: readonly Account[]): string {
  const [first] = accounts
  const hosts = [...new Set(accounts.map(({ host }) => host))].join(' and ')
  return `${first?.user} at ${hosts}, port ${[...new Set(accounts.map(({ port }) => port))].join(' and ')}`
}

/** "a", "a and b", "a, b and c". */
function enumerated(names: readonly string[]): string {
  return names.join(', ').replace(/, ([^,]*)$/, ' and $1')
}

/** Each of these accounts delivers new mail; when one of them deletes a message, the others may miss it (P152, two sessions on
 *  one mailbox). */
function* sharedMailboxes(accounts: readonly Account[]): Generator<void, readonly string[]> {
  const groups = new Map<string, Account[]>()
  for (const account of accounts) {
    const place = JSON.stringify([account.user.toLowerCase(), siteOf(account)])
    const there = groups.get(place)
    if (there === undefined) groups.set(place, [account])
    else there.push(account)
    yield
  }
  return [...groups.values()].flatMap(([first, ...others]) =>
    first === undefined || others.length === 0
      ? []
      : [
          `accounts ${enumerated([first, ...others].map(({ name }) => name))} poll the same mailbox (${display(mailboxText([first, ...others]))}): each delivers its own copy, and mail deleted by one may be missed by another. Use one account with several destinations`,
        ],
  )
}

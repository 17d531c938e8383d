// From a mail address to its POP3 server. The sources, in this order: the table of providers, SRV records (RFC 6186), the
// autoconfig page of the domain, the provider of its MX records. Last, the usual names are tried. What asks the network is passed
// in (lookups.ts). Two rules: a server without TLS is never found, and no record of the DNS leads a known provider's password
// elsewhere.
import { parseHost } from '../config/values/host.ts'
import { providerByMx, providerOf, type Provider } from '../providers.ts'

export interface FoundServer {
  readonly host: string
  readonly port: number
  readonly tls: 'implicit' | 'starttls'
  readonly user: string
  readonly from: 'DNS' | 'autoconfig' | 'table' | 'MX' | 'trying'
}

export interface Discovery {
  readonly server: FoundServer | null
  /** The provider of the address's domain; null: it is not in the table. */
  readonly provider: Provider | null
  /** False: only DNS says so, and anybody on the way may have written that, for the server is outside the address's own domain.
   *  A person has to agree before a password goes there (RFC 6186 section 6). */
  readonly trusted: boolean
  /** Why there is no server. `offline`: the DNS does not answer. A place: one greets there, but without TLS. */
  readonly missing?: 'offline' | Place
}

export interface SrvRecord {
  readonly name: string
  readonly port: number
  readonly priority: number
}

export type Place = Pick<FoundServer, 'host' | 'port' | 'tls'>

export interface Lookups {
  /** Null: nobody answers, as on a machine that is offline; [] when there is no such record. */
  srv(name: string): Promise<readonly SrvRecord[] | null>
  /** The hosts of its MX records; null: nobody answers. Absent: it is not asked. */
  mx?(domain: string): Promise<readonly string[] | null>
  /** Does a POP3 server greet there under TLS? `untrusted`: with a certificate that is not trusted; `plain`: it has no TLS. Absent:
   *  nothing is tried. `enough`: nobody waits for the answer any more. */
  greets?(place: Place, enough: AbortSignal): Promise<Greets>
  /** The text of an HTTPS page; null: there is none. */
  page(url: string): Promise<string | null>
}

export type Greets = 'yes' | 'untrusted' | 'plain' | 'no'

/** `address` is one that parseAddress takes. Rejects only with the reason of the signal of `lookups`. */
export async function discover(address: string, lookups: Lookups): Promise<Discovery> {
  const at = address.lastIndexOf('@')
  const local = address.slice(0, at)
  const domain = address.slice(at + 1).toLowerCase()
  const provider = providerOf(domain)
  const user = provider?.user === 'local' ? local : address
  // A provider without POP3 has none, whatever an old record says.
  if (provider?.pop === null) return { server: null, provider, trusted: true }
  if (provider !== null) return { server: { ...provider.pop, user, from: 'table' }, provider, trusted: true }
  const exchangers = lookups.mx?.(domain) ?? Promise.resolve(null)
  const records = await Promise.all([lookups.srv(`_pop3s._tcp.${domain}`), lookups.srv(`_pop3._tcp.${domain}`)])
  const mx = await exchangers
  const announced = best(records[0] ?? [], 'implicit') ?? best(records[1] ?? [], 'starttls')
  if (announced !== null) {
    const { host } = announced
    const trusted = host === domain || host.endsWith(`.${domain}`)
    return { server: { ...announced, user, from: 'DNS' }, provider, trusted }
  }
  // Some routers answer no question for SRV records: one for MX records is answered by all.
  const isOffline = mx === null && records.every((found) => found === null)
  if (isOffline) return { server: null, provider, trusted: true, missing: 'offline' }
  const described = await autoconfig({ address, local, domain }, lookups)
  if (described !== null) return { server: described, provider, trusted: true }
  const hosting = providerByMx(mx ?? [])
  // Its servers are those of the table, whoever wrote the MX records.
  if (hosting !== null && hosting.pop !== null) {
    const name = hosting.user === 'local' ? local : address
    return { server: { ...hosting.pop, user: name, from: 'MX' }, provider: hosting, trusted: true }
  }
  if (hosting !== null) return { server: null, provider: hosting, trusted: true }
  const { place, plain } = await firstGreeting(usualPlaces(usualNames(domain)), lookups)
  if (place !== null) return { server: { ...place, user, from: 'trying' }, provider, trusted: true }
  return { server: null, provider, trusted: true, ...(plain === null ? {} : { missing: plain }) }
}

/** What the server of a domain is often called. */
export function usualNames(domain: string): readonly string[] {
  return [`pop.${domain}`, `mail.${domain}`, domain]
}

/** The places of POP3 at a host, the better first. */
export function usualPlaces(hosts: readonly string[]): readonly Place[] {
  return hosts.flatMap((host) => [
    { host, port: 995, tls: 'implicit' as const },
    { host, port: 110, tls: 'starttls' as const },
  ])
}

/** The first at which a server greets, one with a trusted certificate before all others. `plain`: one greets there without TLS.
 *  They are asked side by side, and nobody waits for those behind the first that is trusted. */
export async function firstGreeting(
  places: readonly Place[],
  lookups: Lookups,
): Promise<{ readonly place: Place | null; readonly plain: Place | null }> {
  const enough = new AbortController()
  const asked = places.map((place) => lookups.greets?.(place, enough.signal) ?? Promise.resolve<Greets>('no'))
  // Those that nobody waits for may fail.
  for (const each of asked) each.catch(() => {})
  const found = new Map<Greets, Place>()
  try {
    for (const [at, place] of places.entries()) {
      const greeting = (await asked[at]) ?? 'no'
      if (greeting === 'yes') return { place, plain: null }
      if (!found.has(greeting)) found.set(greeting, place)
    }
  } finally {
    enough.abort()
  }
  return { place: found.get('untrusted') ?? null, plain: found.get('plain') ?? null }
}

function best(
  records: readonly SrvRecord[],
  tls: FoundServer['tls'],
): Pick<FoundServer, 'host' | 'port' | 'tls'> | null {
  const [record] = records.toSorted((a, b) => a.priority - b.priority)
  // A dot alone says that the domain has no such service.
  const host = parseHost((record?.name ?? '').replace(/\.$/, ''))
  return record === undefined || host === null ? null : { host, port: record.port, tls }
}

interface AddressParts {
  readonly address: string
  readonly local: string
  readonly domain: string
}

async function autoconfig(parts: AddressParts, lookups: Lookups): Promise<FoundServer | null> {
  const urls = [
    `https://autoconfig.${parts.domain}/mail/config-v1.1.xml`,
    `https://${parts.domain}/.well-known/autoconfig/mail/config-v1.1.xml`,
  ]
  const pages = await Promise.all(urls.map((url) => lookups.page(url)))
  for (const page of pages) {
    const found = page === null ? null : described(page, parts)
    if (found !== null) return found
  }
  return null
}

/** A page has one or two servers, and each tag in it is short. */
const MOST_SERVERS = 20
const LONGEST_TAG = 500
const LONGEST_VALUE = 320

/** The first `incomingServer` that speaks POP3 with TLS. */
function described(page: string, { address, local, domain }: AddressParts): FoundServer | null {
  const filled = (text: string): string =>
    text
      .replaceAll('%EMAILADDRESS%', address)
      .replaceAll('%EMAILLOCALPART%', local)
      .replaceAll('%EMAILDOMAIN%', domain)
      .replace(/&(amp|lt|gt|quot|apos);/g, (_, name: string) => ENTITIES[name] ?? '')
  for (const block of serversOf(page)) {
    const value = (name: string): string => {
      const text = between(block, `<${name}>`, `</${name}>`, 0)?.text.trim() ?? ''
      return text.length > LONGEST_VALUE || text.includes('<') ? '' : filled(text)
    }
    const host = parseHost(value('hostname'))
    const port = /^\d{1,5}$/.test(value('port')) ? Number(value('port')) : 0
    const socket = value('socketType')
    const tls = socket === 'SSL' ? 'implicit' : socket === 'STARTTLS' ? 'starttls' : null
    if (host === null || tls === null || port < 1 || port > 65_535) continue
    return { host, port, tls, user: value('username') || address, from: 'autoconfig' }
  }
  return null
}

/** What is in each `<incomingServer type="pop3">`. The search goes on where it stopped, so each byte is looked at once. */
function* serversOf(page: string): Generator<string> {
  for (let count = 0, at = 0; count < MOST_SERVERS; count += 1) {
    const server = between(page, '<incomingServer', '</incomingServer>', at)
    if (server === null) return
    at = server.end
    const tagEnd = server.text.indexOf('>')
    const isPop3 =
      /^\s/.test(server.text) && server.text.slice(0, Math.min(tagEnd, LONGEST_TAG)).includes('type="pop3"')
    if (tagEnd > 0 && isPop3) yield server.text.slice(tagEnd + 1)
  }
}

function between(
  text: string,
  first: string,
  last: string,
  from: number,
): { readonly text: string; readonly end: number } | null {
  const start = text.indexOf(first, from)
  const end = start < 0 ? -1 : text.indexOf(last, start + first.length)
  return end < 0 ? null : { text: text.slice(start + first.length, end), end: end + last.length }
}

const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }

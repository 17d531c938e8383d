// What a session shows of its server, in words, for `popfetch check --verbose`, and what may become trouble later. Pure.
import type { Account } from '../../config/schema.ts'
import { commandName } from '../../config/values/secret.ts'
import { isLoopback } from '../../config/values/host.ts'
import { localStamp } from '../../display.ts'
import type { AccountRecord } from '../../ledger/ledger.ts'
import { apopTimestamp } from '../../pop3/sign-in/md5.ts'
import type { Capabilities } from '../../pop3/wire/capabilities.ts'
import type { TlsFacts } from '../../pop3/network/tls-facts.ts'
import type { Advice, Finding } from '../report.ts'

const DAY_MS = 86_400_000
/** A certificate that is renewed by itself is renewed a month ahead. */
const SOON_DAYS = 14

/** How the server is reached; known before it has said anything. */
export function serverFindings({ host, port, tls, proxy, via }: Account): readonly Finding[] {
  const through = proxy === null ? '' : `, through the proxy ${proxy.kind}://${proxy.host}:${proxy.port}`
  const by = via === null ? '' : `, through the program ${commandName(via)}`
  return [{ name: 'server', value: `${host}:${port}, tls: ${tls}${through}${by}` }]
}

const daysText = (days: number): string => `${days} day${days === 1 ? '' : 's'}`

export function tlsFindings(facts: TlsFacts | null, nowMs: number): readonly Finding[] {
  if (facts === null) return [{ name: 'TLS', value: 'none' }]
  return [{ name: 'TLS', value: `${facts.protocol}, ${facts.cipher}` }, ...certificateFindings(facts, nowMs)]
}

export function certificateFindings(facts: TlsFacts, nowMs: number): readonly Finding[] {
  const { subject, names, issuer, validToMs, fingerprint } = facts
  const days = Math.floor((validToMs - nowMs) / DAY_MS)
  const left = days < 0 ? `${daysText(-days)} ago` : `in ${daysText(days)}`
  return [
    { name: 'certificate', value: [subject, names].filter((text) => text !== '').join('; ') },
    { name: 'issued by', value: issuer },
    { name: 'valid to', value: `${new Date(validToMs).toISOString().slice(0, 10)}, ${left}` },
    { name: 'SHA-256', value: fingerprint },
  ]
}

export interface Seen {
  readonly greeting: string
  readonly capabilities: Capabilities
  readonly signedInWith: string | null
}

export function signInFinding({ greeting, capabilities }: Seen): Finding {
  const { names, sasl } = capabilities
  const apop = apopTimestamp(Buffer.from(greeting, 'latin1')) === null ? [] : ['APOP']
  const ways = [...sasl, ...(names.has('USER') ? ['USER'] : []), ...apop]
  return { name: 'sign-in offered', value: ways.length === 0 ? 'nothing named' : ways.join(', ') }
}

/** `before`, `after`: sign-in. */
export function capabilityFindings(before: Capabilities, after: Capabilities, hasUidls: boolean): readonly Finding[] {
  const announced = (name: string): string => (after.names.has(name) ? 'yes' : 'not announced')
  const { loginDelaySeconds, expireDays } = after
  return [
    { name: 'capabilities', value: listed(before) },
    { name: 'after sign-in', value: listed(after) === listed(before) ? 'the same' : listed(after) },
    { name: 'PIPELINING', value: announced('PIPELINING') },
    { name: 'UIDL', value: hasUidls ? 'yes' : 'no' },
    { name: 'TOP', value: announced('TOP') },
    { name: 'LOGIN-DELAY', value: loginDelaySeconds === null ? 'none' : `${loginDelaySeconds} s between sign-ins` },
    { name: 'EXPIRE', value: expiry(after, expireDays) },
  ]
}

/** What is known without a sign-in. */
export function offeredFindings(capabilities: Capabilities): readonly Finding[] {
  const { loginDelaySeconds, expireDays, names } = capabilities
  return [
    { name: 'capabilities', value: listed(capabilities) },
    ...(names.has('LOGIN-DELAY')
      ? [{ name: 'LOGIN-DELAY', value: `${loginDelaySeconds ?? 0} s between sign-ins` }]
      : []),
    ...(names.has('EXPIRE') ? [{ name: 'EXPIRE', value: expiry(capabilities, expireDays) }] : []),
  ]
}

function listed({ lines }: Capabilities): string {
  return lines.length === 0 ? 'none: the server does not know CAPA' : lines.join(', ')
}

function expiry({ names }: Capabilities, days: number | null): string {
  if (!names.has('EXPIRE')) return 'not announced'
  if (days === null) return 'never'
  return days === 0 ? '0: what was retrieved may be deleted when the session ends' : `${daysText(days)} after retrieval`
}

/** What earlier polls left: a pause that this check did not wait for, and what they remember of the server. */
export function recordFindings(
  { pausedUntilMs, refusals, error, facts }: AccountRecord,
  nowMs: number,
): readonly Finding[] {
  const off = ['pipelining', 'capa'].filter((name) => facts[name] === 'off')
  const why = refusals > 1 ? `${refusals} refused sign-ins` : (error?.message ?? 'the server asked for it')
  return [
    ...(pausedUntilMs > nowMs ? [{ name: 'paused', value: `until ${localStamp(pausedUntilMs)}: ${why}` }] : []),
    ...(off.length > 0 ? [{ name: 'remembered', value: `this server is not asked for ${off.join(' and ')}` }] : []),
  ]
}

/** Nothing is wrong yet; what may go wrong later. */
export function earlyWarnings(account: Account, seen: Seen, facts: TlsFacts | null, nowMs: number): readonly Advice[] {
  const { tls, host, poll, pin } = account
  const { names, loginDelaySeconds } = seen.capabilities
  const advice: Advice[] = []
  const days = facts === null ? Infinity : Math.floor((facts.validToMs - nowMs) / DAY_MS)
  if (days < SOON_DAYS) {
    const cause =
      days < 0 ? `the certificate expired ${daysText(-days)} ago` : `the certificate expires in ${daysText(days)}`
    const next = 'its owner must renew it'
    advice.push({ cause, next: pin === null ? next : `${next}; then add the new SHA-256 to pin, beside the old one` })
  }
  if (tls === 'none' && !isLoopback(host)) {
    const next = names.has('STLS') ? 'set tls: starttls, which the server offers' : 'try tls: implicit (port 995)'
    advice.push({ cause: 'everything is sent unencrypted, including the password', next })
  }
  if (loginDelaySeconds !== null && loginDelaySeconds * 1000 > poll.minMs) {
    advice.push({
      cause: `the server requires ${loginDelaySeconds} s between sign-ins, but poll is shorter`,
      next: `set poll: ${Math.ceil(loginDelaySeconds / 60)}m`,
    })
  }
  return advice
}

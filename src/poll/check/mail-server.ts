// What a server is that speaks SMTP, LMTP or IMAP, or nothing that popfetch knows (`popfetch check SERVER:PORT`). Sends no user,
// password, token or message.
import { hostname } from 'node:os'
import { bracketed } from '../../config/values/host.ts'
import { NetworkFailure } from '../../deliver/network/dial.ts'
import { meet, type Met } from '../../deliver/network/meeting.ts'
import { type Greeter, WITH_ARTICLE } from '../../deliver/network/place-words.ts'
import { greetingName } from '../../deliver/smtp/capabilities.ts'
import { offersOf } from '../../deliver/smtp/text.ts'
import { display } from '../../display.ts'
import { PopfetchError } from '../../errors.ts'
import type { Advice, Finding } from '../report.ts'
import { tlsFindings } from './findings.ts'
import { isAboutCertificate } from './probe.ts'

/** What a destination of each kind is called in the configuration. */
const TYPES: Readonly<Partial<Record<Greeter, string>>> = { SMTP: 'smtp', LMTP: 'lmtp', IMAP: 'imap' }

export interface MailServer {
  readonly who: Greeter | null
  /** Why mail cannot go there; null: it can, as far as it shows. */
  readonly error: PopfetchError | null
  readonly findings: readonly Finding[]
  readonly advice: readonly Advice[]
}

interface Limits {
  readonly mostMs: number
  readonly signal: AbortSignal
  readonly nowMs: number
}

/** Null: nothing answers there at all, or only POP3: who asks for that, says more. Never rejects. */
export async function mailServerAt(
  place: { readonly host: string; readonly port: number },
  limits: Limits,
): Promise<MailServer | null> {
  const answers = await Promise.all((['none', 'implicit'] as const).map((tls) => answered(tls, place, limits)))
  const [plain, secured] = answers
  for (const { met, distrust } of [secured, plain].filter((one) => one !== undefined)) {
    if (met === null || met.who === null) continue
    return met.who === 'POP3' ? null : described(met, met.who, distrust, place, limits.nowMs)
  }
  const silent = answers.find(({ met }) => met !== null)?.met ?? null
  if (silent === null) return null
  return { who: null, error: stranger(silent, place), findings: [], advice: [] }
}

interface Answered {
  readonly met: Met | null
  /** Why its certificate is not trusted; null: it is, or there is none. */
  readonly distrust: PopfetchError | null
}

async function answered(
  tls: 'implicit' | 'none',
  { host, port }: { readonly host: string; readonly port: number },
  { mostMs, signal }: Limits,
): Promise<Answered> {
  const look = { host, port, mostMs, signal, helo: greetingName(hostname(), undefined) }
  const at = (trusting: boolean): Promise<Met | PopfetchError> =>
    meet(tls, { ...look, trusting }).catch((error: unknown) => untrusted(error, host, port))
  const met = await at(true)
  if (!(met instanceof PopfetchError)) return { met, distrust: null }
  if (!isAboutCertificate(met)) return { met: null, distrust: null }
  const behind = await at(false)
  return { met: behind instanceof PopfetchError ? null : behind, distrust: met }
}

function untrusted(error: unknown, host: string, port: number): PopfetchError {
  const text = error instanceof NetworkFailure ? error.fault.text : 'no connection'
  return new PopfetchError('ERR_TLS', `TLS with ${bracketed(host)}:${port} failed: ${text}`, {
    scope: 'account',
    retry: 'later',
    cause: error instanceof NetworkFailure ? error.cause : error,
  })
}

function described(
  met: Met,
  who: Greeter,
  distrust: PopfetchError | null,
  { host, port }: { readonly host: string; readonly port: number },
  nowMs: number,
): MailServer {
  const type = TYPES[who]
  if (type === undefined) return { who, error: stranger(met, { host, port }), findings: [], advice: [] }
  const place = `${bracketed(host)}:${port}, tls: ${met.tls}`
  const findings = [
    { name: 'answers', value: place },
    ...(distrust === null ? [] : [{ name: 'trusted', value: `no: ${distrust.message}` }]),
    { name: 'connected', value: `in ${met.tookMs} ms` },
    { name: 'greeting', value: display(met.greeting) },
    ...tlsFindings(met.facts, nowMs),
    ...(who === 'IMAP'
      ? imapFindings(met)
      : met.offers === ''
        ? []
        : offersOf(met.offers.replaceAll('\r', '').trimEnd())),
  ]
  const error = distrust ?? (met.offers === '' ? unready(met) : null)
  return { who, error, findings, advice: [adviceFor(met, type, error, { host, port })] }
}

/** The server greets, but does not say what it offers. */
function unready({ greeting }: Met): PopfetchError {
  const text = `it says "${display(greeting)}", and not what it offers: try again later`
  return new PopfetchError('ERR_TIMEOUT', text, { scope: 'account', retry: 'soon' })
}

function imapFindings({ offers }: Met): readonly Finding[] {
  const [, words = ''] = /^\* CAPABILITY ([^\r\n]*)/im.exec(offers) ?? []
  const all = words.split(' ').filter((word) => word !== '')
  const ways = all.filter((word) => /^AUTH=/i.test(word)).map((word) => word.slice('AUTH='.length))
  const login = all.some((word) => /^LOGINDISABLED$/i.test(word)) || all.length === 0 ? [] : ['LOGIN']
  const [limit] = all.filter((word) => /^APPENDLIMIT=\d+$/i.test(word)).map((word) => word.slice('APPENDLIMIT='.length))
  return [
    { name: 'sign-in offered', value: display([...ways, ...login].join(', ')) || 'nothing named' },
    { name: 'largest message', value: limit === undefined ? 'not announced' : `${display(limit)} bytes` },
    { name: 'capabilities', value: display(all.join(', '), 400) || 'none' },
  ]
}

function adviceFor(
  { tls }: Met,
  type: string,
  error: PopfetchError | null,
  { host, port }: { readonly host: string; readonly port: number },
): Advice {
  if (error === null && tls === 'none' && type !== 'lmtp')
    return {
      cause: 'it offers no TLS: a password would be sent unencrypted',
      next: 'ask its owner for a port with TLS',
    }
  if (error === null)
    return { cause: 'for a destination', next: `type: ${type}, host: ${host}, port: ${port}, tls: ${tls}` }
  return error.code === 'ERR_TLS'
    ? { cause: 'the certificate is not trusted here', next: 'compare the SHA-256 with its owner, then set pin, or ca' }
    : { cause: 'it is busy, or takes nothing from this machine', next: 'try again later, or ask its owner' }
}

/** Somebody is there, and it is no mail server that popfetch knows. */
function stranger(
  { who, greeting }: Met,
  { host, port }: { readonly host: string; readonly port: number },
): PopfetchError {
  const place = `${bracketed(host)}:${port}`
  if (greeting === '') {
    const text = `${place} takes the connection and says nothing, with TLS and without: is the port right?`
    return new PopfetchError('ERR_TIMEOUT', text, { scope: 'account', retry: 'soon' })
  }
  const looks = who === null ? '' : `: this looks like ${WITH_ARTICLE[who]} server`
  return new PopfetchError('ERR_POP3_PROTOCOL', `${place} greets with "${display(greeting, 80)}"${looks}`, {
    scope: 'account',
    retry: 'later',
  })
}

// What a server is and offers, without an account (`popfetch check SERVER[:PORT]`): its greeting, TLS, certificate and ways to
// sign in. Sends no user, password or token. Here POP3; the others are in mail-server.ts.
import type { Account } from '../../config/schema.ts'
import { bracketed } from '../../config/values/host.ts'
import { type Greeter, WITH_ARTICLE } from '../../deliver/network/place-words.ts'
import { asPopfetchError, type PopfetchError } from '../../errors.ts'
import type { Session } from '../../pop3/session.ts'
import type { Advice, Finding, ReportedError } from '../report.ts'
import { reportOnce } from '../report.ts'
import { connect, type ConnectContext } from '../sign-in/connect.ts'
import { offeredFindings, signInFinding, tlsFindings } from './findings.ts'
import { type MailServer, mailServerAt } from './mail-server.ts'
import { isAboutCertificate, shownCertificate } from './probe.ts'

/** Each attempt; a person waits. */
const LONGEST_MS = 8000

export interface ServerReport {
  /** As it was asked for. */
  readonly server: string
  /** Null: it is not one that popfetch knows. */
  readonly protocol: 'POP3' | Greeter | null
  readonly outcome: 'ok' | 'failed'
  readonly error: ReportedError | null
  readonly findings: readonly Finding[]
  readonly advice: readonly Advice[]
}

type Place = Pick<Account, 'host' | 'port' | 'tls'>

/** Null: this is no server. An IPv6 address with a port is in brackets. */
export function parsePlace(text: string): { readonly host: string; readonly port: number | null } | null {
  const [, inBrackets, bare, digits] = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d{1,5}))?$/.exec(text) ?? []
  const host = inBrackets ?? bare ?? (text.split(':').length > 2 ? text : '')
  const port = digits === undefined ? null : Number(digits)
  return host === '' || (port !== null && (port < 1 || port > 65_535)) ? null : { host, port }
}

/** `usual`: an account with the defaults of all keys. Never rejects. */
export async function checkServer(
  server: string,
  place: { readonly host: string; readonly port: number | null },
  { usual, context, nowMs }: { usual: Account; context: ConnectContext; nowMs: number },
): Promise<ServerReport> {
  const { host, port } = place
  const limits = { mostMs: LONGEST_MS, signal: context.signal, nowMs }
  // On a port of POP3 that is asked for first: whoever else is there has said so by then.
  if (port !== null && !OF_POP3.includes(port)) {
    const other = await mailServerAt({ host, port }, limits)
    if (other !== null) return reported(server, other)
  }
  const report = await pop3At(server, place, { usual, context, nowMs })
  if (port !== null && report.protocol === null && report.error?.code === 'ERR_POP3_PROTOCOL') {
    const other = await mailServerAt({ host, port }, limits)
    if (other !== null) return reported(server, other)
  }
  return port === null && report.protocol === null ? await withOthers(report, host, limits) : report
}

const OF_POP3: readonly number[] = [110, 995]
/** Where a host without POP3 may be a mail server all the same. */
const OTHERS: readonly number[] = [993, 143, 465, 587, 25]

async function withOthers(
  report: ServerReport,
  host: string,
  limits: Parameters<typeof mailServerAt>[1],
): Promise<ServerReport> {
  const found = await Promise.all(
    OTHERS.map(async (port) => ({ port, other: await mailServerAt({ host, port }, limits) })),
  )
  const advice = found.flatMap(({ port, other }) =>
    other === null || other.who === null || other.findings.length === 0
      ? []
      : [{ cause: `there is ${WITH_ARTICLE[other.who]} server`, next: `popfetch check ${bracketed(host)}:${port}` }],
  )
  return { ...report, advice: [...report.advice, ...advice] }
}

function reported(server: string, { who, error, findings, advice }: MailServer): ServerReport {
  const outcome = error === null ? 'ok' : 'failed'
  return { server, protocol: who, outcome, error: error === null ? null : reportOnce(error), findings, advice }
}

async function pop3At(
  server: string,
  { host, port }: { readonly host: string; readonly port: number | null },
  { usual, context, nowMs }: { usual: Account; context: ConnectContext; nowMs: number },
): Promise<ServerReport> {
  const places: readonly Place[] = [
    { host, port: port ?? 995, tls: 'implicit' },
    { host, port: port ?? 110, tls: 'starttls' },
  ]
  const at = (one: Place): Promise<Answer> => asked({ ...usual, ...one, timeoutMs: LONGEST_MS }, context, nowMs)
  let answers = await Promise.all(places.map(at))
  if (!answers.some(({ greets }) => greets)) answers = [...answers, await at({ host, port: port ?? 110, tls: 'none' })]
  const greeting = answers.filter(({ greets }) => greets)
  const best = greeting.find(({ error }) => error === null) ?? greeting[0] ?? telling(answers)
  const error = best.error === null ? null : reportOnce(best.error)
  const findings = greeting.flatMap((answer) => answer.findings)
  const advice = greeting.length === 0 ? [] : [adviceFor(greeting)]
  const protocol = greeting.length === 0 ? null : 'POP3'
  return { server, protocol, outcome: error === null ? 'ok' : 'failed', error, findings, advice }
}

interface Answer {
  readonly place: Place
  /** A POP3 server, perhaps with a certificate that is not trusted. */
  readonly greets: boolean
  readonly error: PopfetchError | null
  readonly findings: readonly Finding[]
}

async function asked(account: Account, context: ConnectContext, nowMs: number): Promise<Answer> {
  const { host, port, tls } = account
  const place = { host, port, tls }
  const head = { name: 'answers', value: `${bracketed(host)}:${port}, tls: ${tls}` }
  try {
    return { place, greets: true, error: null, findings: [head, ...(await seen(account, context, nowMs))] }
  } catch (thrown) {
    const error = asPopfetchError(thrown)
    if (!isAboutCertificate(error)) return { place, greets: false, error, findings: [] }
    const shown = await shownCertificate(account, context)
    // Nothing secret is sent, so it is safe to continue.
    const pinned = shown === null ? null : { ...account, ca: null, pin: [shown.fingerprint] }
    const behind = pinned === null ? [] : await seen(pinned, context, nowMs).catch(() => tlsFindings(shown, nowMs))
    return {
      place,
      greets: true,
      error,
      findings: [head, { name: 'trusted', value: `no: ${error.message}` }, ...behind],
    }
  }
}

async function seen(account: Account, context: ConnectContext, nowMs: number): Promise<readonly Finding[]> {
  const signal = AbortSignal.any([context.signal, AbortSignal.timeout(2 * LONGEST_MS)])
  const startMs = performance.now()
  await using session: Session = await connect(account, { ...context, signal })
  const tookMs = Math.round(performance.now() - startMs)
  await session.quit()
  return [
    { name: 'connected', value: `in ${tookMs} ms` },
    { name: 'greeting', value: session.greeting },
    ...tlsFindings(session.tlsFacts, nowMs),
    signInFinding(session),
    ...offeredFindings(session.capabilities),
  ]
}

/** The error that says most: of a server that answers, else the first. */
function telling(answers: readonly Answer[]): Answer {
  const [first] = answers
  const says = answers.find(({ error }) => error?.code === 'ERR_POP3_PROTOCOL') ?? first
  if (says === undefined) throw new TypeError('no place was asked')
  return says
}

function adviceFor(answers: readonly Answer[]): Advice {
  const good = answers.find(({ error, place }) => error === null && place.tls !== 'none')
  if (good !== undefined) {
    const { host, port, tls } = good.place
    return { cause: 'for an account', next: `host: ${host}, port: ${port}, tls: ${tls}` }
  }
  const untrusted = answers.some(({ error }) => error !== null)
  return untrusted
    ? { cause: 'the certificate is not trusted here', next: 'compare the SHA-256 with its owner, then set pin, or ca' }
    : { cause: 'it offers no TLS: a password would be sent unencrypted', next: 'ask its owner for a port with TLS' }
}

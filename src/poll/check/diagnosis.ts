// From a failure to its likely causes, and what to do next (`popfetch check --verbose`). Pure: probe.ts has gathered the
// evidence. The one rule: it names causes that fit the evidence, the likeliest first, and never advises to do without TLS.
import type { Account } from '../../config/schema.ts'
import { errnoOf, type ErrorCode, type PopfetchError } from '../../errors.ts'
import { AnotherCertificate, type TlsFacts } from '../../pop3/network/tls-facts.ts'
import { enablePopText, type Provider, providerAt, secretText } from '../../providers.ts'
import { applicationAdvice } from './application.ts'
import { type Endpoint, isAboutCertificate } from './probe.ts'
import type { Advice } from '../report.ts'

/** What was found out besides the error. */
export interface Evidence {
  /** Null: the error came before there was a session. */
  readonly session: { readonly greeting: string } | null
  readonly endpoints: readonly Endpoint[]
  readonly certificate: TlsFacts | null
  readonly nowMs: number
  /** The token is that of an application, which an administrator has allowed (client credentials). */
  readonly byApplication: boolean
}

type Diagnosis = (error: PopfetchError, account: Account, evidence: Evidence) => readonly Advice[]

const unreachable: Diagnosis = (error, account, evidence) =>
  evidence.session === null ? wrongEndpoint(error, account, evidence) : [lostSession(error)]

/** The text of any other error says everything. */
const diagnoses: Partial<Record<ErrorCode, Diagnosis>> = {
  ERR_SECRET: (_, account) => [secretMissing(account)],
  ERR_TLS: (error, account, evidence) =>
    isAboutCertificate(error) ? [untrusted(error, account, evidence)] : wrongEndpoint(error, account, evidence),
  ERR_CONNECT: unreachable,
  ERR_TIMEOUT: unreachable,
  ERR_POP3_PROTOCOL: unreachable,
  ERR_AUTH: (error, account, evidence) =>
    account.token?.kind === 'oauth' ? refusedSignIn(error, account, evidence) : refused(error, account),
  ERR_MECHANISM: (_, account) => [noMechanism(account)],
  ERR_POP3_REPLY: (error, account) => [busy(error, account)],
}

export function diagnose(error: PopfetchError, account: Account, evidence: Evidence): readonly Advice[] {
  return diagnoses[error.code]?.(error, account, evidence) ?? []
}

const providerFor = ({ host, user }: Account): Provider | null => providerAt(host, user)

function secretMissing({ password, token, name }: Account): Advice {
  const kind = token === null ? 'password' : 'token'
  const source = token ?? password
  const cause = `the ${kind} of ${name} is not available: the server was not asked`
  if (source?.kind === 'command') {
    return { cause, next: 'run the command by itself, as the user and in the environment that popfetch runs in' }
  }
  return { cause, next: `put the ${kind} where the configuration expects it, or correct the configuration` }
}

/** Host, port and TLS mode do not fit together, or no server is there. */
function wrongEndpoint(error: PopfetchError, account: Account, { endpoints }: Evidence): readonly Advice[] {
  const provider = providerFor(account)
  const { host, port, tls, proxy, via } = account
  if (proxy !== null && error.message.includes('the proxy ')) {
    return [
      {
        cause: 'the proxy is the obstacle, not the mailbox',
        next: 'check host, port and password of proxy, or try without it',
      },
    ]
  }
  if (via !== null && error.message.includes('through the program ')) {
    return [
      {
        cause: 'the program of via is the obstacle, not the mailbox',
        next: 'run it by itself, as the user and in the environment that popfetch runs in: a greeting (+OK) or TLS must come',
      },
    ]
  }
  if (provider?.pop === null && endpoints.length === 0) {
    return [{ cause: `${provider.name} is known to popfetch`, next: `it requires ${secretText(provider)}` }]
  }
  if (provider !== null && provider.pop !== null && provider.pop.host !== host && endpoints.length === 0) {
    const { pop } = provider
    return [
      {
        cause: `${provider.name} has a different POP3 server`,
        next: `set host: ${pop.host} (port ${pop.port}, tls: ${pop.tls})`,
      },
    ]
  }
  const [endpoint] = endpoints
  if (endpoint !== undefined) {
    const what =
      endpoint.port === port
        ? 'a POP3 server answers on this port with a different TLS mode'
        : 'a POP3 server answers on another port, or with a different TLS mode'
    return [{ cause: what, next: `set port: ${endpoint.port} and tls: ${endpoint.tls}` }]
  }
  const errno = errnoOf(error.cause)
  if (errno === 'EAI_AGAIN') {
    return [
      {
        cause: 'the name server does not answer: this machine may have no network',
        next: `check the network and the DNS of this machine: getent hosts ${host}`,
      },
    ]
  }
  if (errno !== null && UNREACHABLE.has(errno)) {
    return [
      {
        cause: 'there is no route from this machine to the server',
        next: 'check the network of this machine, then try again',
      },
    ]
  }
  if (errno === 'ENOTFOUND') {
    return [
      {
        cause: `no host has the name ${host}`,
        next: 'look up the provider’s POP3 server: often pop.DOMAIN or pop3.DOMAIN',
      },
    ]
  }
  if (port === 143 || port === 993 || /IMAP server/.test(error.message)) {
    return [
      {
        cause: 'this is the port of an IMAP server',
        next: 'set port: 995 and tls: implicit, if the provider has POP3',
      },
    ]
  }
  if (errno?.startsWith('ERR_SSL_') === true && tls === 'implicit') {
    return [
      {
        cause: 'the server does not start with TLS on this port: it expects starttls, or is not a POP3 server',
        next: 'try tls: starttls (usually port 110), or ask the provider for the POP3 port with TLS',
      },
    ]
  }
  if (error.code === 'ERR_TLS' && tls === 'starttls') {
    return [
      {
        cause: 'the server has no TLS on this port',
        next: 'ask the provider for a port with TLS: without it no password is sent',
      },
    ]
  }
  if (errno === 'ECONNREFUSED') {
    return [
      {
        cause: 'nothing listens on this port: POP3 is disabled there, or uses another port',
        next: 'ask the provider whether there is POP3, and where',
      },
    ]
  }
  if (error.code === 'ERR_TIMEOUT' && error.message.includes('greeting')) {
    const look = { implicit: 'openssl s_client -connect', starttls: 'telnet', none: 'telnet' }[tls]
    const place = tls === 'implicit' ? `${host}:${port}` : `${host} ${port}`
    return [
      {
        cause:
          'the server accepts the connection but says nothing: it is overloaded, or not a POP3 server on this port',
        next: `look for its greeting (+OK): ${look} ${place}`,
      },
    ]
  }
  if (error.code === 'ERR_TIMEOUT') {
    return [
      {
        cause: 'a firewall on the way drops the connection, or the server is down',
        next: `try from another network: ${tls === 'implicit' ? `openssl s_client -connect ${host}:${port}` : `telnet ${host} ${port}`}`,
      },
    ]
  }
  return [
    {
      cause: 'the server closes connections: too many at once, a blocked address, or another TLS mode',
      next: 'wait a few minutes, then check again; then ask the provider',
    },
  ]
}

/** The system's words for a network that is down, or does not lead there. */
const UNREACHABLE: ReadonlySet<string> = new Set([
  'ENETUNREACH',
  'EHOSTUNREACH',
  'ENETDOWN',
  'EHOSTDOWN',
  'EADDRNOTAVAIL',
])

const DAY_MS = 86_400_000

function untrusted(
  error: PopfetchError,
  { pin, host, tlsName, ca }: Account,
  { certificate, nowMs }: Evidence,
): Advice {
  if (pin !== null) {
    const next =
      error instanceof AnotherCertificate ? error.next : 'ask its owner whether it was renewed; only then change pin'
    return { cause: 'the certificate is not the pinned one', next }
  }
  if (certificate !== null && certificate.validToMs < nowMs) {
    const days = Math.ceil((nowMs - certificate.validToMs) / DAY_MS)
    return {
      cause: `the certificate expired ${days} days ago, if this machine’s clock is right`,
      next: 'its owner must renew it',
    }
  }
  if (certificate !== null && certificate.validFromMs > nowMs) {
    return { cause: 'the certificate is not valid yet: is the clock of this machine right?', next: 'set the clock' }
  }
  if (errnoOf(error.cause) === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    const names = certificate === null || certificate.names === '' ? '' : ` (${certificate.names})`
    return {
      cause: `the certificate is for a different name than ${tlsName ?? host}`,
      next: `set host, or tlsName, to a name that it is for${names}`,
    }
  }
  const cause =
    ca === null
      ? 'the certificate is not from an authority that this machine trusts, or someone is intercepting the connection'
      : 'the certificate is not from the authority in ca, or someone is intercepting the connection'
  return {
    cause,
    next: 'ask the owner of the server for its SHA-256 and compare it with the one above; then set pin, or ca',
  }
}

function lostSession(error: PopfetchError): Advice {
  if (error.code === 'ERR_POP3_PROTOCOL') {
    return {
      cause: 'what the server says is not POP3',
      next: 'popfetch --log-level trace shows the conversation, secrets masked: report it',
    }
  }
  return {
    cause: 'the server closed the connection in the middle of the session: it is busy, or limits sessions',
    next: 'wait a few minutes, then check again',
  }
}

function refused({ message }: PopfetchError, account: Account): readonly Advice[] {
  const provider = providerFor(account)
  const enablePop = provider === null ? null : enablePopText(provider)
  const user = otherUser(account, provider)
  return [
    ...(account.token === null ? refusedPassword(provider) : [refusedToken]),
    ...(provider === null || enablePop === null
      ? []
      : [{ cause: `POP may be disabled at ${provider.name}`, next: enablePop }]),
    ...(user === null ? [] : [user]),
    ...(account.auth === 'auto' && account.token === null && provider === null && !message.includes('(plain)')
      ? [refusedMechanism]
      : []),
  ]
}

/** With the token of a sign-in: was it the provider who refused, or the mail server, and what? */
function refusedSignIn({ message }: PopfetchError, account: Account, evidence: Evidence): readonly Advice[] {
  if (evidence.session === null && !message.startsWith('sign-in refused')) {
    return [
      {
        cause: 'the sign-in at the provider is missing, or has ended: the mail server was not asked',
        next: `popfetch auth ${account.name}`,
      },
    ]
  }
  const provider = providerFor(account)
  const enablePop = provider === null ? null : enablePopText(provider)
  const off = {
    cause: 'POP is off for this mailbox',
    next: enablePop ?? 'enable POP in the settings of the mailbox',
  }
  // Exchange takes the token, and then finds no way to the mailbox.
  if (/authenticated but not connected|protocol.{0,20}(?:disabled|not enabled)/i.test(message)) return [off]
  if (evidence.byApplication) return applicationAdvice('pop')
  const other = {
    cause:
      'the token is for another mailbox, or does not allow POP: user is not the person who signed in, or the scopes do not include it',
    next: `popfetch auth --list, then popfetch auth ${account.name}`,
  }
  // Exchange says the same of an unknown user, a mailbox that is not theirs, and POP that is off.
  return [other, off]
}

const refusedToken: Advice = {
  cause: 'the token has expired, is for another mailbox, or does not allow POP',
  next: 'make a new one, with the scope for POP',
}

const refusedMechanism: Advice = {
  cause: 'the server cannot check passwords by the mechanism it offers',
  next: 'try auth: plain',
}

function refusedPassword(provider: Provider | null): readonly Advice[] {
  const wrong = { cause: 'the password is wrong', next: 'sign in on the provider’s web page with the same password' }
  if (provider === null) {
    const next = 'look for POP and app passwords in the settings of the account'
    return [wrong, { cause: 'the provider requires an app password, or POP is disabled', next }]
  }
  const another = {
    cause: `${provider.name} requires ${secretText(provider)}`,
    next: 'give that as password, or as token',
  }
  return provider.secret === 'password' ? [wrong, another] : [another]
}

/** Advises the user's other form: the part before the `@` if the provider wants that, else the whole address if the host
 *  tells the domain. Null: the user has the right form. */
function otherUser({ user, host }: Account, provider: Provider | null): Advice | null {
  if (provider?.user === 'local') {
    const [local = ''] = user.split('@')
    const cause = `${provider.name} expects the part before the @ as user`
    return local === user ? null : { cause, next: `try user: ${local}` }
  }
  const domain = /(?:^|\.)([^.]+\.[a-z][^.]*)$/.exec(host)?.[1]
  if (user.includes('@') || domain === undefined) return null
  return { cause: 'many providers expect the whole address as user', next: `try user: ${user}@${domain}` }
}

function noMechanism({ auth, token }: Account): Advice {
  if (token !== null) {
    return { cause: 'this server does not accept tokens', next: 'give a password instead of token' }
  }
  return { cause: `the server has no ${auth}`, next: 'leave out auth: the best offered mechanism is then used' }
}

function busy(error: PopfetchError, account: Account): Advice {
  const provider = providerFor(account)
  const text = provider?.limits.text ?? null
  const limits = provider === null || text === null ? '' : ` (${provider.name}: ${text})`
  if (/too many|limit|exceed|concurrent/i.test(error.message)) {
    return {
      cause: `a limit on sessions or sign-ins${limits}`,
      next: 'wait a quarter of an hour; end other mail programs; raise poll, lower perHost',
    }
  }
  if (/in.use|lock/i.test(error.message)) {
    return {
      cause: 'another program has the mailbox open, or a session that was cut still holds it',
      next: 'end the other program, or wait a few minutes',
    }
  }
  return { cause: `the server is busy or under maintenance${limits}`, next: 'wait a few minutes, then check again' }
}

// The mailbox that `init` sets up: its server, found or named, and the user name and secret to sign in with.
import { display } from '../../../display.ts'
import { discover, type Lookups } from '../../../setup/discover.ts'
import { firstSteps, type Provider } from '../../../providers.ts'
import { SIGN_IN_PROVIDERS } from '../../../sign-in-providers.ts'
import { redactor } from '../../../redact.ts'
import type { Answers } from '../../terminal/answers.ts'
import type { Mailbox } from './new-account.ts'
import type { InitRequest } from './options.ts'
import * as question from './questions.ts'
import type { Surroundings } from '../../surroundings.ts'
import { usageError } from '../../command-errors.ts'

export interface Suggested {
  readonly host: string | null
  /** False: only the DNS names the host. It is not taken on Enter alone (RFC 6186 section 6). */
  readonly trusted: boolean
  readonly port: number | null
  readonly tls: 'implicit' | 'starttls' | 'none'
  readonly user: string
  readonly provider: Provider | null
}

interface Means {
  readonly answers: Answers
  readonly surroundings: Surroundings
  readonly lookups: Lookups | null
}

/** Looks for the server unless it was named. Rejects with ERR_USAGE when only DNS names one and nobody can be asked. */
export async function serverOf(
  address: string,
  { host, port, tls, quiet }: InitRequest & { readonly quiet: boolean },
  { answers, surroundings, lookups }: Means,
): Promise<Suggested> {
  const { output, signal } = surroundings
  if (host !== null) return { host, port, tls: tls ?? 'implicit', user: address, provider: null, trusted: true }
  const network = lookups ?? (await import('../../../setup/lookups.ts')).networkLookups(signal)
  const { server, provider, trusted } = await discover(address, network)
  const steps = provider === null ? null : firstSteps(provider)
  if (provider !== null && provider.pop === null) {
    output.say(`${provider.name} has no POP3: popfetch cannot fetch from it, unless a bridge of yours speaks it`)
  } else if (provider !== null && steps !== null && !quiet) output.say(`${provider.name}: ${steps}`)
  if (server === null && !quiet) output.say(`no POP3 server was found for ${display(address)}`)
  if (server !== null && !trusted && !answers.person) {
    const why = `only the DNS names it, and a password is not sent where anybody on the way may have pointed`
    throw usageError(`the server of ${display(address)} seems to be ${server.host}: ${why}: say it with --host`)
  }
  if (server === null) return { host: null, port, tls: tls ?? 'implicit', user: address, provider, trusted }
  if (!trusted) {
    output.say(
      `only the DNS names a server for ${display(address)}: ${server.host}, which is outside its domain, and the DNS can be forged: type that name only if you know it from elsewhere`,
    )
  }
  return { host: server.host, port: port ?? server.port, tls: tls ?? server.tls, user: server.user, provider, trusted }
}

export interface MailboxMeans {
  readonly given: InitRequest
  readonly answers: Answers
}

export async function mailboxOf(
  address: string,
  suggested: Suggested,
  { given, answers }: MailboxMeans,
): Promise<Mailbox> {
  const host = await answers.to(question.host(suggested.trusted ? suggested.host : null), given.host)
  // A port that was found belongs to the server that was found.
  const port = given.port ?? (host === suggested.host ? suggested.port : null)
  const user = await answers.to(question.user(suggested.user), given.user)
  return {
    name: given.name ?? address,
    host,
    port,
    tls: given.tls ?? suggested.tls,
    user,
    ...(await secretFor(user, suggested.provider, { given, answers })),
  }
}

/** Null: no client is named. Where the provider takes nothing but tokens, a person is told how to get one, and asked. */
async function clientFor(provider: Provider | null, { given, answers }: MailboxMeans): Promise<Mailbox['client']> {
  const { password, tokenCommand, clientId, clientSecretFile } = given
  const name = provider?.oauth ?? null
  const known = name === null ? undefined : SIGN_IN_PROVIDERS[name]
  if (clientId !== null && known === undefined) {
    throw usageError(
      '--client-id is for a provider that popfetch knows: write oauth: with an issuer, and popfetch auth',
    )
  }
  const isAsked = clientId === null && provider?.secret === 'token' && password === null && tokenCommand === null
  if (name === null || known === undefined || (!isAsked && clientId === null)) return null
  if (isAsked && !answers.person) return null
  if (isAsked) for (const line of known.client) answers.tell(line)
  const id = await answers.to(question.clientId, clientId)
  if (id === '') return null
  return await clientOf(name, id, { file: clientSecretFile, option: 'client-secret-file', answers })
}

/** A client of the provider with this name, and its secret. */
export async function clientOf(
  name: string,
  id: string,
  { file, option, answers }: { readonly file: string | null; readonly option: string; readonly answers: Answers },
): Promise<NonNullable<Mailbox['client']>> {
  const keys = { provider: name, clientId: id }
  if (file !== null) return { name, keys: { ...keys, clientSecret: { file } } }
  // A client of Google has a secret, which is none: it comes with every program. Others are public.
  if (name !== 'google' || !answers.person) return { name, keys }
  const secret = await answers.secret(option, question.clientSecret)
  redactor.add(secret)
  return { name, keys: { ...keys, clientSecret: secret } }
}

async function secretFor(
  user: string,
  provider: Provider | null,
  { given, answers }: MailboxMeans,
): Promise<Pick<Mailbox, 'secret' | 'secretKey' | 'client'>> {
  const { password, tokenCommand } = given
  const client = await clientFor(provider, { given, answers })
  if (client !== null) return { secretKey: 'token', secret: { kind: 'oauth', client: client.name }, client }
  if (tokenCommand !== null || (provider?.secret === 'token' && password === null)) {
    const run = await answers.to(question.tokenCommand, tokenCommand)
    return { secretKey: 'token', secret: { kind: 'command', run }, client: null }
  }
  const secretKey = 'password'
  if (password === null) {
    const kind = provider?.secret === 'app password' ? 'App password' : 'Password'
    const text = await answers.secret('password-env', `${kind} of ${user}`)
    redactor.add(text)
    return { secretKey, secret: { kind: 'text', text }, client: null }
  }
  if ('env' in password) return { secretKey, secret: { kind: 'env', name: password.env }, client: null }
  if ('file' in password) return { secretKey, secret: { kind: 'file', path: password.file }, client: null }
  return { secretKey, secret: { kind: 'command', run: password.command }, client: null }
}

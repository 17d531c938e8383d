// The user and the secret with which `init` signs in to the mailbox that it sets up; its server is in server.ts.
import type { Provider } from '../../../providers.ts'
import { SIGN_IN_PROVIDERS } from '../../../sign-in-providers.ts'
import { redactor } from '../../../redact.ts'
import type { Answers } from '../../terminal/answers.ts'
import type { Mailbox } from './new-account.ts'
import type { InitRequest } from './options.ts'
import * as question from './questions.ts'
import { usageError } from '../../command-errors.ts'
import { askedSecret, type Typed } from './secrets.ts'
import { providerFor, type Server, type Suggested } from './server.ts'

export interface MailboxMeans {
  readonly given: InitRequest
  readonly answers: Answers
  /** As it was answered before; null: it is the first time. */
  readonly before: Mailbox | null
}

/** The user and the secret at a server. */
export async function mailboxOf(
  address: string,
  server: Server,
  suggested: Suggested,
  means: MailboxMeans,
): Promise<Mailbox> {
  const { given, answers } = means
  const user = await answers.to(question.user(suggested.user), given.user)
  const secret = await secretFor(user, providerFor(server, suggested), means)
  return { name: given.name ?? address, ...server, user, ...secret }
}

/** Null: no client is named. Where the provider takes nothing but tokens, a person is told how to get one, and asked. */
async function clientFor(
  provider: Provider | null,
  { given, answers, before }: MailboxMeans,
): Promise<Mailbox['client']> {
  const { password, tokenCommand, clientId, clientSecretFile } = given
  const name = provider?.oauth ?? null
  const known = name === null ? undefined : SIGN_IN_PROVIDERS[name]
  if (clientId !== null && known?.scopes.pop.length === 0)
    throw usageError(
      `--client-id: ${known.name} gives no tokens for POP3: it requires ${provider?.wants ?? 'a password'}`,
    )
  if (clientId !== null && known === undefined) {
    throw usageError(
      '--client-id is for a provider that popfetch knows: write oauth: with an issuer, and popfetch auth',
    )
  }
  const isAsked = clientId === null && provider?.secret === 'token' && password === null && tokenCommand === null
  if (name === null || known === undefined || (!isAsked && clientId === null)) return null
  if (isAsked && !answers.person) return null
  if (isAsked) for (const line of known.client) answers.tell(line)
  const { clientId: usual, clientSecret: secret } = before?.client?.keys ?? {}
  const id = await answers.to(question.clientId(typeof usual === 'string' ? usual : null), clientId)
  if (id === '' || id === 'none') return null
  const typed = id === usual && typeof secret === 'string' ? secret : null
  return await clientOf(name, id, { file: clientSecretFile, option: 'client-secret-file', answers, before: typed })
}

interface ClientMeans {
  readonly file: string | null
  readonly option: string
  readonly answers: Answers
  /** Its secret as it was typed before; null: it is the first time. */
  readonly before: string | null
}

/** A client of the provider with this name, and its secret. */
export async function clientOf(
  name: string,
  id: string,
  { file, option, answers, before }: ClientMeans,
): Promise<NonNullable<Mailbox['client']>> {
  const keys = { provider: name, clientId: id }
  if (file !== null) return { name, keys: { ...keys, clientSecret: { file } } }
  // A client of Google has a secret that is not really secret, since it comes with every program. Others are public.
  if (name !== 'google' || !answers.person) return { name, keys }
  const secret = await answers.secret(option, question.clientSecret, before)
  redactor.add(secret)
  return { name, keys: { ...keys, clientSecret: secret } }
}

async function secretFor(
  user: string,
  provider: Provider | null,
  means: MailboxMeans,
): Promise<Pick<Mailbox, 'secret' | 'secretKey' | 'client'>> {
  const { given, answers, before } = means
  const { password, tokenCommand } = given
  const client = await clientFor(provider, means)
  if (client !== null) return { secretKey: 'token', secret: { kind: 'oauth', client: client.name }, client }
  if (tokenCommand !== null || (provider?.secret === 'token' && password === null)) {
    const known = before?.secretKey === 'token' && before.secret.kind === 'command' ? before.secret.run : null
    const run = await answers.to(question.tokenCommand(typeof known === 'string' ? known : null), tokenCommand)
    return { secretKey: 'token', secret: { kind: 'command', run }, client: null }
  }
  const secretKey = 'password'
  const kind = provider?.secret === 'app password' ? 'App password' : 'Password'
  const typed = before?.secretKey === secretKey ? typedSecret(before.secret) : null
  const asked = await askedSecret(`${kind} of ${user}`, {
    given: password,
    option: 'password-env',
    answers,
    before: typed,
  })
  const secret = asked.kind === 'text' ? asked : placeAsSecret(asked.place)
  return { secretKey, secret, client: null }
}

/** The other way round. */
function typedSecret(secret: Mailbox['secret']): Typed | null {
  switch (secret.kind) {
    case 'text':
      return secret
    case 'env':
      return { kind: 'place', place: { env: secret.name } }
    case 'file':
      return { kind: 'place', place: { file: secret.path } }
    case 'credential':
      return { kind: 'place', place: { credential: secret.name } }
    case 'keyring':
      return { kind: 'place', place: { keyring: secret.name } }
    case 'command':
      return typeof secret.run === 'string' ? { kind: 'place', place: { command: secret.run } } : null
    case 'oauth':
    case 'missing':
      return null
  }
}

function placeAsSecret(place: question.SecretPlace): Mailbox['secret'] {
  if ('env' in place) return { kind: 'env', name: place.env }
  if ('file' in place) return { kind: 'file', path: place.file }
  if ('credential' in place) return { kind: 'credential', name: place.credential }
  if ('keyring' in place) return { kind: 'keyring', name: place.keyring }
  return { kind: 'command', run: place.command }
}

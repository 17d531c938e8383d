// The user and the secret with which `init` signs in to the mailbox that it sets up; its server is in server.ts.
import type { Provider } from '../../../providers.ts'
import { SIGN_IN_PROVIDERS } from '../../../sign-in-providers.ts'
import { redactor } from '../../../redact.ts'
import type { Answers } from '../../terminal/answers.ts'
import type { Mailbox } from './new-account.ts'
import type { InitRequest } from './options.ts'
import * as question from './questions.ts'
import { usageError } from '../../command-errors.ts'
import { askedSecret } from './secrets.ts'
import { providerFor, type Server, type Suggested } from './server.ts'

export interface MailboxMeans {
  readonly given: InitRequest
  readonly answers: Answers
}

/** The user and the secret at a server. */
export async function mailboxOf(
  address: string,
  server: Server,
  suggested: Suggested,
  { given, answers }: MailboxMeans,
): Promise<Mailbox> {
  const user = await answers.to(question.user(suggested.user), given.user)
  const secret = await secretFor(user, providerFor(server, suggested), { given, answers })
  return { name: given.name ?? address, ...server, user, ...secret }
}

/** Null: no client is named. Where the provider takes nothing but tokens, a person is told how to get one, and asked. */
async function clientFor(provider: Provider | null, { given, answers }: MailboxMeans): Promise<Mailbox['client']> {
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
  // A client of Google has a secret that is not really secret, since it comes with every program. Others are public.
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
  const kind = provider?.secret === 'app password' ? 'App password' : 'Password'
  const asked = await askedSecret(`${kind} of ${user}`, { given: password, option: 'password-env', answers })
  const secret = asked.kind === 'text' ? asked : placeAsSecret(asked.place)
  return { secretKey, secret, client: null }
}

function placeAsSecret(place: question.SecretPlace): Mailbox['secret'] {
  if ('env' in place) return { kind: 'env', name: place.env }
  if ('file' in place) return { kind: 'file', path: place.file }
  if ('credential' in place) return { kind: 'credential', name: place.credential }
  if ('keyring' in place) return { kind: 'keyring', name: place.keyring }
  return { kind: 'command', run: place.command }
}

// Where mail goes, when that is a mailbox elsewhere: by which way, and with which secret. A URL has its way already, and may lack
// its password. What the ways cost is in setup/inbox-ways.ts.
import { isWritten, type Written } from '../../../config/values/written.ts'
import { display } from '../../../display.ts'
import { waysInto, type Way } from '../../../setup/inbox-ways.ts'
import { SIGN_IN_PROVIDERS } from '../../../sign-in-providers.ts'
import type { Answers } from '../../terminal/answers.ts'
import { clientOf } from './mailbox.ts'
import type { Mailbox } from './new-account.ts'
import type { InitRequest } from './options.ts'
import * as question from './questions.ts'
import { askedSecret, type Typed } from './secrets.ts'

export interface Inbox {
  /** As it is written. */
  readonly deliver: Written
  /** The client under which it signs in; null: none. */
  readonly client: Mailbox['client']
}

export interface InboxMeans {
  readonly given: InitRequest
  readonly answers: Answers
  /** The client under which the mailbox signs in that is fetched from; null: none. */
  readonly known: Mailbox['client']
  /** A destination as it was answered before; null: it is the first time. */
  readonly before: Written | null
  /** Into Gmail by its API. */
  readonly byApi: (address: string) => Promise<Inbox>
}

type Means = Omit<InboxMeans, 'byApi'>

/** A destination as it was written, with what it lacks. */
export async function placeOf(written: Written, means: Means): Promise<Inbox> {
  return { deliver: await withPassword(written, means), client: null }
}

/** Into Gmail by its API: under a client of one's own. */
export async function gmailOf(address: string, means: Means): Promise<Inbox> {
  const way = waysInto(address).find(({ kind }) => kind === 'api') ?? API
  const client = await clientFor(way, means)
  return { deliver: { type: 'gmail', user: address, token: { oauth: client.name } }, client }
}

/** A mailbox at a domain of one's own that Google hosts. */
const API: Way = { kind: 'api', server: null, wants: 'client', oauth: 'google', text: '' }

export async function inboxOf(address: string, means: Means): Promise<Inbox> {
  const ways = waysInto(address)
  const { answers, given } = means
  if (answers.person && given.way === null) {
    answers.tell(`Ways to deliver to ${display(address)}, simplest first:`)
    for (const [at, { kind, text }] of ways.entries()) answers.tell(`  ${at + 1}. ${kind}: ${text}`)
  }
  const way = await answers.to(question.way(ways), given.way)
  switch (way.kind) {
    case 'imap':
      return await byImap(address, way, means)
    case 'api':
      return await gmailOf(address, means)
    case 'smtp': {
      const host = await answers.to(question.relay('localhost'), given.toHost)
      return { deliver: { type: 'smtp', host, to: address }, client: null }
    }
  }
}

async function byImap(address: string, way: Way, means: Means): Promise<Inbox> {
  const { answers, given } = means
  const usual = way.server?.host ?? `imap.${address.slice(address.lastIndexOf('@') + 1)}`
  const isAsked = way.server === null || given.toHost !== null
  const host = isAsked ? await answers.to(question.imapHost(usual), given.toHost) : usual
  const deliver = { type: 'imap', host, user: address }
  if (way.wants === 'client') {
    const client = await clientFor(way, means)
    return { deliver: { ...deliver, token: { oauth: client.name } }, client }
  }
  const kind = way.wants === 'app password' ? 'App password' : 'Password'
  return { deliver: await withPassword(deliver, means, kind), client: null }
}

/** Adds what a server with a user lacks. */
async function withPassword(written: Written, means: Means, kind = 'Password'): Promise<Written> {
  const { user, host, password, token } = written
  if (typeof user !== 'string' || typeof host !== 'string' || password !== undefined || token !== undefined)
    return written
  return { ...written, password: await passwordAt(user, host, means, kind) }
}

/** The password of a user at the server of a destination, as it is written. */
export async function passwordAt(user: string, host: string, means: Means, kind = 'Password'): Promise<unknown> {
  const { answers, given, before } = means
  const asked = await askedSecret(`${kind} of ${user} at ${host}`, {
    given: given.toPassword,
    option: 'to-password-env',
    answers,
    before: before?.['user'] === user && before['host'] === host ? typedPassword(before['password']) : null,
  })
  return asked.kind === 'text' ? asked.text : asked.place
}

function typedPassword(written: unknown): Typed | null {
  if (typeof written === 'string') return { kind: 'text', text: written }
  if (!isWritten(written)) return null
  const { env, file, command, credential, keyring } = written
  if (typeof env === 'string') return { kind: 'place', place: { env } }
  if (typeof file === 'string') return { kind: 'place', place: { file } }
  if (typeof command === 'string') return { kind: 'place', place: { command } }
  if (typeof credential === 'string') return { kind: 'place', place: { credential } }
  return typeof keyring === 'string' ? { kind: 'place', place: { keyring } } : null
}

async function clientFor({ oauth }: Way, { given, answers, known }: Means): Promise<NonNullable<Mailbox['client']>> {
  const name = oauth ?? ''
  if (known?.name === name && given.toClientId === null) return known
  const steps = SIGN_IN_PROVIDERS[name]?.client ?? []
  if (answers.person && given.toClientId === null) for (const line of steps) answers.tell(line)
  const id = await answers.to(question.toClientId(null), given.toClientId)
  const file = given.toClientSecretFile
  return await clientOf(name, id, { file, option: 'to-client-secret-file', answers, before: null })
}

/** The same for the screen: a password is masked, the place of one is shown. */
export function shownInbox(deliver: Written): Written {
  return typeof deliver['password'] === 'string' ? { ...deliver, password: '********' } : deliver
}

// Where mail goes, when that is a mailbox elsewhere: by which way, and with which secret. A URL has its way already, and may lack
// its password. What the ways cost is in setup/inbox-ways.ts.
import { isLoopback } from '../../../config/values/host.ts'
import type { Written } from '../../../config/values/written.ts'
import { display } from '../../../display.ts'
import { redactor } from '../../../redact.ts'
import { waysInto, type Way } from '../../../setup/inbox-ways.ts'
import { SIGN_IN_PROVIDERS } from '../../../sign-in-providers.ts'
import type { PasswordPlace } from '../../common-options.ts'
import type { Answers } from '../../terminal/answers.ts'
import { clientOf } from './mailbox.ts'
import type { Mailbox } from './new-account.ts'
import type { InitRequest } from './options.ts'
import * as question from './questions.ts'

export interface Inbox {
  /** As it is written. */
  readonly deliver: Written
  /** The client under which it signs in; null: none. */
  readonly client: Mailbox['client']
}

interface Means {
  readonly given: InitRequest
  readonly answers: Answers
  /** The client under which the mailbox signs in that is fetched from; null: none. */
  readonly known: Mailbox['client']
}

export async function inboxOf(where: question.Where, means: Means): Promise<Inbox> {
  if (where.kind === 'place') return { deliver: await withPassword(where.written, means), client: null }
  const { address } = where
  const ways = waysInto(address)
  const { answers, given } = means
  if (answers.person && given.way === null) {
    answers.tell(`Ways into ${display(address)}, the simplest first:`)
    for (const [at, { kind, text }] of ways.entries()) answers.tell(`  ${at + 1}. ${kind}: ${text}`)
  }
  const way = await answers.to(question.way(ways), given.way)
  switch (way.kind) {
    case 'imap':
      return await byImap(address, way, means)
    case 'api': {
      const client = await clientFor(way, means)
      return { deliver: { type: 'gmail', user: address, token: { oauth: client.name } }, client }
    }
    case 'smtp': {
      const host = await answers.to(question.relay, given.toHost)
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
async function withPassword(written: Written, { answers, given }: Means, kind = 'Password'): Promise<Written> {
  const { user, host, password, token } = written
  if (typeof user !== 'string' || typeof host !== 'string' || password !== undefined || token !== undefined)
    return written
  return { ...written, password: await secretOf(`${kind} of ${user} at ${host}`, given.toPassword, answers) }
}

async function secretOf(what: string, place: PasswordPlace | null, answers: Answers): Promise<unknown> {
  if (place !== null) return place
  const text = await answers.secret('to-password-env', what)
  redactor.add(text)
  return text
}

async function clientFor({ oauth }: Way, { given, answers, known }: Means): Promise<NonNullable<Mailbox['client']>> {
  const name = oauth ?? ''
  if (known?.name === name && given.toClientId === null) return known
  const steps = SIGN_IN_PROVIDERS[name]?.client ?? []
  if (answers.person && given.toClientId === null) for (const line of steps) answers.tell(line)
  const id = await answers.to(question.toClientId, given.toClientId)
  return await clientOf(name, id, { file: given.toClientSecretFile, option: 'to-client-secret-file', answers })
}

/** The same for the screen: a password is masked, the place of one is shown. */
export function shownInbox(deliver: Written): Written {
  return typeof deliver['password'] === 'string' ? { ...deliver, password: '********' } : deliver
}

/** Is it a server that can be asked whether it takes the sign-in? */
export function signsIn({ type, user, host }: Written): boolean {
  return (
    type === 'gmail' || (type === 'imap' && typeof user === 'string') || (type === 'smtp' && !isLoopback(String(host)))
  )
}

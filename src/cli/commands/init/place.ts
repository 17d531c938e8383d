// Where mail goes, kind by kind: the questions of each, with what was answered before as the default. A URL or an address needs
// fewer. Whether it works, the trial says (try-sign-in.ts).
import { isLoopback } from '../../../config/values/host.ts'
import { isWritten, type Written } from '../../../config/values/written.ts'
import type { Answers } from '../../terminal/answers.ts'
import { type Inbox, type InboxMeans, passwordAt } from './inbox.ts'
import type { Question } from '../../terminal/answers.ts'
import * as question from './questions.ts'

type Ask = (means: InboxMeans) => Promise<Inbox>

const local = (deliver: Written): Inbox => ({ deliver, client: null })

export const askPlace: Readonly<Record<question.PlaceKind, Ask>> = {
  maildir: async (means) => local({ type: 'maildir', path: await pathOf(means, 'Folder', '~/Mail') }),
  mbox: async (means) => local({ type: 'mbox', path: await pathOf(means, 'File', '~/mbox') }),
  smtp: async (means) => {
    const { answers, before } = means
    const host = await answers.to(question.relay(textOf(before, 'host') ?? 'localhost'), means.given.toHost)
    const isHere = isLoopback(host)
    const endpoint = await endpointOf(answers, before, isHere ? '25 none' : '587 starttls')
    const user = await answers.to(question.userThere(textOf(before, 'user') ?? (isHere ? 'none' : null)), null)
    const secret = user === null ? {} : { user, password: await passwordAt(user, host, means) }
    const to = await answers.to(question.recipients(listOf(before, 'to'), false), null)
    return local({
      type: 'smtp',
      host,
      ...endpoint,
      ...secret,
      to: to.length === 1 ? to[0] : to,
      ...trustOf(before, host),
    })
  },
  lmtp: async (means) => {
    const { answers, before } = means
    const usual = textOf(before, 'socket') ?? textOf(before, 'host') ?? '/var/run/dovecot/lmtp'
    const where = await answers.to(question.line('deliver', 'Socket, or host and port', usual), null)
    const to = await answers.to(question.recipients(listOf(before, 'to'), true), null)
    const port = /[\s:](\d{1,5})$/.exec(where)
    const host = (port === null ? where : where.slice(0, port.index)).trim().replace(/:$/, '')
    const place = /^(?:~|\.{0,2})\//.test(where) ? { socket: where } : { host, port: Number(port?.[1] ?? 24) }
    return local({ type: 'lmtp', ...place, to: to.length === 1 ? to[0] : to })
  },
  imap: async (means) => {
    const { answers, before } = means
    const host = await answers.to(question.imapHost(textOf(before, 'host')), means.given.toHost)
    const endpoint = await endpointOf(answers, before, isLoopback(host) ? '143 none' : '993 implicit')
    const user = await answers.to(question.line('deliver', 'User name there', textOf(before, 'user')), null)
    const password = await passwordAt(user, host, means)
    const folder = await answers.to(question.line('deliver', 'Folder', textOf(before, 'folder') ?? 'INBOX'), null)
    return local({ type: 'imap', host, ...endpoint, user, password, folder, ...trustOf(before, host) })
  },
  gmail: async (means) => {
    const usual = textOf(means.before, 'user')
    const address = await means.answers.to(
      { ...question.address, option: 'deliver', text: 'Address at Gmail', usual },
      null,
    )
    return await means.byApi(address)
  },
  command: async ({ answers, before }) => {
    const words = before?.['run']
    const usual = Array.isArray(words) ? lineOf(words.map(String)) : null
    const run = await answers.to(programLine(usual), null)
    return local({ type: 'command', run })
  },
}

async function pathOf({ answers, before }: InboxMeans, what: string, usual: string): Promise<string> {
  return await answers.to(question.line('deliver', what, textOf(before, 'path') ?? usual, 'a path'), null)
}

async function endpointOf(answers: Answers, before: Written | null, usual: string): Promise<Written> {
  const port = before?.['port']
  const tls = textOf(before, 'tls')
  const known = typeof port === 'number' && tls !== null ? `${port} ${tls}` : usual
  const endpoint = await answers.to(question.endpoint(null, known), null)
  return { port: endpoint.port, tls: endpoint.tls ?? 'starttls' }
}

/** What was decided about the certificate of that server. */
function trustOf(before: Written | null, host: string): Written {
  if (before?.['host'] !== host) return {}
  const { ca, pin } = before
  return { ...(ca === undefined ? {} : { ca }), ...(pin === undefined ? {} : { pin }) }
}

function textOf(before: Written | null, key: string): string | null {
  const value = before?.[key]
  return typeof value === 'string' ? value : null
}

function listOf(before: Written | null, key: string): string | null {
  const value = before?.[key]
  if (typeof value === 'string') return value
  return Array.isArray(value) ? value.join(', ') : null
}

function programLine(usual: string | null): Question<readonly string[]> {
  return {
    option: 'deliver',
    text: 'Program and its arguments',
    usual,
    parse(text) {
      const value = wordsOf(text)
      if (value === null) return { expected: 'a second quote: one holds words together only with another' }
      return value.length === 0 ? { expected: 'a program' } : { value }
    },
  }
}

/** The words of a command line; quotes hold one together. No shell is meant. Null: a quote is left open. */
export function wordsOf(line: string): readonly string[] | null {
  const words = line.match(/(?:"[^"]*"|'[^']*'|[^\s"'])+|["']/g) ?? []
  if (words.some((word) => word === '"' || word === "'")) return null
  return words.map((word) => word.replaceAll(/"([^"]*)"|'([^']*)'/g, '$1$2'))
}

/** The other way round. */
export function lineOf(words: readonly string[]): string {
  return words
    .map((word) => {
      if (word !== '' && !/[\s"']/.test(word)) return word
      return word.includes('"') ? `'${word}'` : `"${word}"`
    })
    .join(' ')
}

/** Is a secret written out in it? */
export function hasTypedSecret(deliver: Written): boolean {
  const { password } = deliver
  return typeof password === 'string' && !isWritten(password)
}

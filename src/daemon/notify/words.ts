// A notice in words: a title, a short text, and the same as an object and as variables of an environment. Pure. What is in it
// is safe to print already (troubles.ts).
import type { NoticeEvent } from '../../config/daemon/notify.ts'
import { namesText } from '../../status/attention.ts'
import { counted } from '../../status/words/amounts.ts'
import type { Notice } from './outbox.ts'
import type { Item } from './troubles.ts'

export interface Words {
  /** Plain ASCII, for a header field. */
  readonly title: string
  readonly text: string
  readonly json: object
  readonly env: Readonly<Record<string, string>>
}

const TITLES: Readonly<Record<NoticeEvent, string>> = {
  problem: 'mail is not arriving',
  recovery: 'works again',
  refused: 'messages refused',
  held: 'messages held back',
  'sign-in': 'you need to sign in',
  process: 'cannot work',
  success: 'new mail',
}

export function wordsOf({ event, items, more }: Pick<Notice, 'event' | 'items' | 'more'>, machine: string): Words {
  const accounts = [...new Set(items.flatMap((item) => item.accounts))]
  const destinations = [...new Set(items.map((item) => item.destination).filter((name) => name !== ''))]
  const names = [...destinations, ...(destinations.length === 0 ? accounts : [])]
  const about = names.length === 0 ? '' : `: ${namesText(names)}`
  const title = ascii(`popfetch on ${machine}: ${TITLES[event]}${about}`)
  const lines = items.map((item) => lineOf(event, item))
  const rest = more === 0 ? [] : [`and ${counted(more, 'other')}`]
  const text = [...lines, ...rest, 'popfetch status shows all.'].join('\n')
  const [first] = items
  const code = event === 'recovery' ? '' : (first?.code ?? '')
  const since = isoOf(Math.min(...items.map(({ sinceMs }) => sinceMs ?? Infinity)))
  const account = accounts.join(', ')
  const destination = destinations.join(', ')
  const told = { event, account, destination, code, message: text, since: since === '' ? null : since }
  return {
    title,
    text,
    // `body` is what Apprise calls it.
    json: { ...told, title, body: text, items: items.map(itemJson) },
    env: {
      POPFETCH_EVENT: event,
      POPFETCH_ACCOUNT: account,
      POPFETCH_DESTINATION: destination,
      POPFETCH_CODE: code,
      POPFETCH_MESSAGE: text,
      POPFETCH_SINCE: since,
      POPFETCH_LAST_SUCCESS: accounts.length === 1 ? isoOf(first?.lastSuccessMs ?? Number.NaN) : '',
      POPFETCH_TITLE: title,
    },
  }
}

function lineOf(event: NoticeEvent, { accounts, destination, code, message, sinceMs }: Item): string {
  const whose = accounts.length === 0 ? '' : namesText(accounts)
  const name = destination === '' ? whose : whose === '' ? destination : `${destination} (${whose})`
  const head = name === '' ? '' : `${name}: `
  if (event === 'recovery') return `${head}${code === 'ERR_PAUSED' ? 'is no longer paused' : 'works again'}`
  const since = event === 'problem' && sinceMs !== null ? ` (since ${isoOf(sinceMs)})` : ''
  return `${head}${message}${since}`
}

function itemJson({ accounts, destination, code, message, sinceMs }: Item): object {
  return { accounts, destination, code, message, since: sinceMs === null ? null : isoOf(sinceMs) }
}

function isoOf(ms: number): string {
  return Number.isFinite(ms) ? new Date(ms).toISOString() : ''
}

function ascii(text: string): string {
  return text.replace(/[^ -~]/g, '?').slice(0, 200)
}

// The questions of `popfetch init`, and the answers that each takes. terminal/answers.ts asks them.
import { parseAddress } from '../../../config/values/address.ts'
import { parseHost } from '../../../config/values/host.ts'
import { parseDuration } from '../../../config/values/quantity.ts'
import { FIRST_WORDS, parseFirst } from '../../../config/schema.ts'
import { parseDestinationUrl } from '../../../config/destinations/destinations.ts'
import { isUrl } from '../../../config/destinations/url.ts'
import type { Written } from '../../../config/values/written.ts'
import type { Way } from '../../../setup/inbox-ways.ts'
import type { Question } from '../../terminal/answers.ts'

export const address: Question<string> = {
  option: 'address',
  text: 'Mail address',
  usual: null,
  parse(text) {
    const parsed = parseAddress(text)
    return parsed === null ? { expected: 'a mail address such as alice@example.net' } : { value: parsed }
  },
}

export function host(usual: string | null): Question<string> {
  return {
    option: 'host',
    text: 'POP3 server',
    usual,
    parse(text) {
      const parsed = parseHost(text)
      return parsed === null ? { expected: 'the name of a server such as pop.example.net' } : { value: parsed }
    },
  }
}

export function user(usual: string): Question<string> {
  return { option: 'user', text: 'User name there', usual, parse: (text) => ({ value: text }) }
}

export const tokenCommand: Question<string> = {
  option: 'token-command',
  text: 'Command that prints an access token',
  usual: null,
  parse: (text) => (text === '' ? { expected: 'a command' } : { value: text }),
}

/** An empty answer: no client, but a command. */
export const clientId: Question<string> = {
  option: 'client-id',
  text: 'Client id (Enter alone: a command prints tokens)',
  usual: null,
  parse: (text) => (/^[\x21-\x7e]{0,500}$/.test(text) ? { value: text } : { expected: 'a client id, without spaces' }),
}

export const clientSecret = 'Client secret'

/** A mailbox elsewhere, or a destination as it would be written. */
export type Where =
  | { readonly kind: 'inbox'; readonly address: string }
  | { readonly kind: 'place'; readonly written: Written }

/** A path without a kind is that of a Maildir. */
export const deliver: Question<Where> = {
  option: 'deliver',
  text: 'Where mail goes (the address of another mailbox, maildir:PATH, mbox:PATH, imaps://user@host, smtp://host?to=ADDRESS, lmtp:SOCKET?to=NAME)',
  usual: 'maildir:~/Mail',
  parse(text) {
    const inbox = /[/:~]/.test(text) ? null : parseAddress(text)
    if (inbox !== null) return { value: { kind: 'inbox', address: inbox } }
    const url = isUrl(text) ? text : `maildir:${text}`
    const parsed = text === '' ? { kind: 'wrong' as const, expected: 'a destination' } : parseDestinationUrl(url)
    return parsed.kind === 'wrong'
      ? { expected: `the address of another mailbox, ${parsed.expected}` }
      : { value: { kind: 'place', written: parsed.written } }
  },
}

/** A number of the list, or the word. */
export function way(ways: readonly Way[]): Question<Way> {
  const words = ways.map(({ kind }) => kind)
  return {
    option: 'way',
    text: `By which way (${words.map((word, at) => `${at + 1} ${word}`).join(', ')})`,
    usual: words[0] ?? null,
    parse(text) {
      const found = ways.find(({ kind }, at) => text.toLowerCase() === kind || text === String(at + 1))
      return found === undefined ? { expected: words.join(' or ') } : { value: found }
    },
  }
}

export function imapHost(usual: string): Question<string> {
  return { ...host(usual), option: 'to-host', text: 'IMAP server' }
}

export const relay: Question<string> = {
  ...host('localhost'),
  option: 'to-host',
  text: 'Mail server that sends for you',
}

export const toClientId: Question<string> = {
  option: 'to-client-id',
  text: 'Client id',
  usual: null,
  parse: (text) => (/^[\x21-\x7e]{1,500}$/.test(text) ? { value: text } : { expected: 'a client id, without spaces' }),
}

export const deletion: Question<string> = {
  option: 'delete-policy',
  text: 'Delete from the server (never, after-delivery, or an age such as 30d)',
  usual: 'never',
  parse: (text) =>
    text === 'never' || text === 'after-delivery' || parseDuration(text) !== null
      ? { value: text }
      : { expected: 'never, after-delivery or an age such as 30d' },
}

/** `waiting`: messages on the server; null: they were not counted. */
export function first(waiting: number | null): Question<string> {
  const what =
    waiting === null ? 'What is there already' : `The ${waiting} that ${waiting === 1 ? 'is' : 'are'} there already`
  return {
    option: 'first',
    text: `${what}: fetch all, none (new), the last N (last:N), or from a day on (since:2026-11-01)`,
    usual: 'all',
    parse: (text) => (parseFirst(text) !== null ? { value: text } : { expected: FIRST_WORDS }),
  }
}

export function write(file: string): Question<boolean> {
  return {
    option: 'yes',
    text: `Write it to ${file}?`,
    usual: 'yes',
    parse(text) {
      if (/^y(?:es)?$/i.test(text)) return { value: true }
      return /^no?$/i.test(text) ? { value: false } : { expected: 'yes or no' }
    },
  }
}

export const afterFailure: Question<'again' | 'write' | 'stop'> = {
  option: 'untested',
  text: 'Answer again, write it all the same, or stop',
  usual: 'again',
  parse(text) {
    const word = (['again', 'write', 'stop'] as const).find(
      (each) => text !== '' && each.startsWith(text.toLowerCase()),
    )
    return word === undefined ? { expected: 'again, write or stop' } : { value: word }
  },
}

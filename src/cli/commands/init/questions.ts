// The questions of `popfetch init`, and the answers that each takes. terminal/answers.ts asks them.
import { parseAddress } from '../../../config/values/address.ts'
import { parseHost } from '../../../config/values/host.ts'
import { parseDuration } from '../../../config/values/quantity.ts'
import { FIRST_WORDS, parseFirst } from '../../../config/schema.ts'
import { parseDestinationUrl } from '../../../config/destinations/destinations.ts'
import { isUrl } from '../../../config/destinations/url.ts'
import type { Written } from '../../../config/values/written.ts'
import type { PasswordPlace } from '../../common-options.ts'
import type { Way } from '../../../setup/inbox-ways.ts'
import { counted } from '../../../status/words/amounts.ts'
import type { Answers, Question } from '../../terminal/answers.ts'

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

/** Port and TLS mode. `tls` null: the port has no usual one, and none was typed. */
export interface Endpoint {
  readonly port: number
  readonly tls: 'implicit' | 'starttls' | 'none' | null
}

const MODES: Readonly<Record<number, 'implicit' | 'starttls'>> = {
  995: 'implicit',
  110: 'starttls',
  993: 'implicit',
  143: 'starttls',
  465: 'implicit',
  587: 'starttls',
  25: 'starttls',
}

function parseEndpoint(text: string): { readonly value: Endpoint } | { readonly expected: string } {
  const [, digits, word] = /^(\d{1,5})(?:[\s,]+(?:tls:\s*)?(implicit|starttls|none))?$/i.exec(text) ?? []
  const port = Number(digits)
  if (digits === undefined || port < 1 || port > 65_535) return { expected: ENDPOINT }
  const tls = (word?.toLowerCase() ?? MODES[port] ?? null) as Endpoint['tls']
  return { value: { port, tls } }
}

const ENDPOINT = 'a port, and implicit, starttls or none, such as "995 implicit"'

/** `found`: the server that answered there; null: none did. */
export function endpoint(found: Endpoint | null, usual = '995 implicit'): Question<Endpoint> {
  const offered = found === null ? usual : `${found.port} ${found.tls ?? 'implicit'}`
  return { option: 'port', text: 'Port and TLS (implicit, starttls or none)', usual: offered, parse: parseEndpoint }
}

/** What to do about a certificate that is not trusted. */
export const trust: Question<'pin' | 'another' | { readonly ca: string }> = {
  option: 'pin',
  hint: 'pin trusts this certificate alone, ca FILE its authority; another asks for a different server.',
  text: 'Trust it (pin, ca FILE or another)',
  usual: 'another',
  parse(text) {
    const [, file] = /^ca\s+(\S.*)$/i.exec(text) ?? []
    if (file !== undefined) return { value: { ca: file.trim() } }
    const word = (['pin', 'another'] as const).find((each) => text !== '' && each.startsWith(text.toLowerCase()))
    return word === undefined ? { expected: 'pin, ca FILE or another' } : { value: word }
  },
}

/** Where a secret is had from each time. */
export type SecretPlace = PasswordPlace | { readonly credential: string } | { readonly keyring: string }

/** As it is typed. */
export function placeText(place: SecretPlace): string {
  const [[word, name] = ['', '']] = Object.entries(place)
  return `${word} ${name}`
}

/** Null: it is typed now. */
export function secretSource(option: string, what: string, usual: string): Question<SecretPlace | null> {
  return {
    option,
    hint: `${what}: type it now (it is kept in its own file), or name where it is each time: command CMD, file PATH, env NAME, credential NAME or keyring NAME.`,
    text: 'Where popfetch gets it',
    usual,
    parse(text) {
      if (/^t(?:ype)?$/i.test(text)) return { value: null }
      const [, word = '', value = ''] = /^(command|file|env|credential|keyring)[\s:]+(\S.*)$/i.exec(text) ?? []
      const places: Readonly<Record<string, SecretPlace>> = {
        command: { command: value },
        file: { file: value },
        env: { env: value },
        credential: { credential: value },
        keyring: { keyring: value },
      }
      const place = places[word.toLowerCase()]
      return place === undefined
        ? { expected: 'type, or command, file, env, credential or keyring and its name' }
        : { value: place }
    },
  }
}

export function user(usual: string): Question<string> {
  return { option: 'user', text: 'User name there', usual, parse: (text) => ({ value: text }) }
}

export function tokenCommand(usual: string | null): Question<string> {
  return {
    option: 'token-command',
    text: 'Command that prints an access token',
    usual,
    parse: (text) => (text === '' ? { expected: 'a command' } : { value: text }),
  }
}

/** An empty answer, or `none`: no client, but a command. */
export function clientId(usual: string | null): Question<string> {
  return {
    option: 'client-id',
    text: `Client id (${usual === null ? 'Enter alone' : 'none'}: a command prints tokens)`,
    usual,
    parse: (text) =>
      /^[\x21-\x7e]{0,500}$/.test(text) ? { value: text } : { expected: 'a client id, without spaces' },
  }
}

export const clientSecret = 'Client secret'

/** A mailbox elsewhere, or a destination as it would be written. */
export type Where =
  | { readonly kind: 'inbox'; readonly address: string }
  /** A kind, whose questions follow. */
  | { readonly kind: 'kind'; readonly type: PlaceKind }
  /** A destination of the configuration that is there already. */
  | { readonly kind: 'known'; readonly name: string }
  | { readonly kind: 'place'; readonly written: Written }

/** In the order in which they are offered. */
export const PLACE_KINDS = ['maildir', 'mbox', 'smtp', 'lmtp', 'imap', 'gmail', 'command'] as const

export type PlaceKind = (typeof PLACE_KINDS)[number]

export const PLACES: Readonly<Record<PlaceKind, string>> = {
  maildir: 'a Maildir on this machine',
  mbox: 'an mbox file on this machine',
  smtp: 'forwarded by a mail server',
  lmtp: 'handed to the mail server of this machine',
  imap: 'into a folder of another mailbox',
  gmail: 'into a Gmail mailbox, through its API',
  command: 'given to a program',
}

/** The list above the question. */
export function tellPlaces(answers: Answers, more = 'a path, a URL, or the address of another mailbox'): void {
  answers.tell('Where mail can go (a number or a word):')
  for (const [at, kind] of PLACE_KINDS.entries()) answers.tell(`  ${at + 1}. ${kind.padEnd(8)} ${PLACES[kind]}`)
  answers.tell(`or ${more}`)
}

/** A path without a kind is that of a Maildir. `known`: the destinations that are there already. */
export function deliver(known: readonly string[], usual: string | null): Question<Where> {
  return {
    option: 'deliver',
    text: 'Where mail goes',
    usual: usual ?? 'maildir:~/Mail',
    parse: (text) => parseWhere(text, known),
  }
}

function parseWhere(text: string, known: readonly string[]): { readonly value: Where } | { readonly expected: string } {
  if (known.includes(text)) return { value: { kind: 'known', name: text } }
  const type = PLACE_KINDS.find((kind, at) => text.toLowerCase() === kind || text === String(at + 1))
  if (type !== undefined) return { value: { kind: 'kind', type } }
  const inbox = /[/:~]/.test(text) ? null : parseAddress(text)
  if (inbox !== null) return { value: { kind: 'inbox', address: inbox } }
  const url = isUrl(text) ? text : `maildir:${text}`
  const parsed = text === '' ? { kind: 'wrong' as const, expected: 'a destination' } : parseDestinationUrl(url)
  return parsed.kind === 'wrong'
    ? { expected: `the address of another mailbox, ${parsed.expected}` }
    : { value: { kind: 'place', written: parsed.written } }
}

/** A line of text for a key. */
export function line(option: string, text: string, usual: string | null, expected = 'some text'): Question<string> {
  return { option, text, usual, parse: (typed) => (typed === '' ? { expected } : { value: typed }) }
}

/** Addresses, separated by commas or spaces. */
export function recipients(usual: string | null, isLocal: boolean): Question<readonly string[]> {
  return {
    option: 'deliver',
    text: isLocal ? 'Mailbox there' : 'Forwarded to (address)',
    usual,
    parse(text) {
      const all = text.split(/[\s,]+/).filter((one) => one !== '')
      const parsed = all.map((one) => (isLocal && !one.includes('@') ? one : parseAddress(one)))
      const good = parsed.filter((one) => one !== null)
      return good.length === 0 || good.length < parsed.length
        ? { expected: isLocal ? 'a mailbox or an address' : 'a mail address such as alice@example.net' }
        : { value: good }
    },
  }
}

/** Null: nobody signs in there. */
export function userThere(usual: string | null): Question<string | null> {
  return {
    option: 'deliver',
    text: 'User name there, or none',
    usual,
    parse: (text) => (text === '' ? { expected: 'a user name, or none' } : { value: text === 'none' ? null : text }),
  }
}

/** What a second run adds. */
export const addition: Question<'account' | 'destination'> = {
  option: 'output',
  text: 'Add an account or a destination',
  usual: 'account',
  parse(text) {
    const word = (['account', 'destination'] as const).find(
      (each) => text !== '' && each.startsWith(text.toLowerCase()),
    )
    return word === undefined ? { expected: 'account or destination' } : { value: word }
  },
}

/** A number of the list, or the word. */
export function way(ways: readonly Way[]): Question<Way> {
  const words = ways.map(({ kind }) => kind)
  return {
    option: 'way',
    text: `Which way (${words.map((word, at) => `${at + 1} ${word}`).join(', ')})`,
    usual: words[0] ?? null,
    parse(text) {
      const found = ways.find(({ kind }, at) => text.toLowerCase() === kind || text === String(at + 1))
      return found === undefined ? { expected: words.join(' or ') } : { value: found }
    },
  }
}

export function imapHost(usual: string | null): Question<string> {
  return { ...host(usual), option: 'to-host', text: 'IMAP server' }
}

export function relay(usual: string): Question<string> {
  return { ...host(usual), option: 'to-host', text: 'Mail server that sends for you' }
}

export function toClientId(usual: string | null): Question<string> {
  return {
    option: 'to-client-id',
    text: 'Client id',
    usual,
    parse: (text) =>
      /^[\x21-\x7e]{1,500}$/.test(text) ? { value: text } : { expected: 'a client id, without spaces' },
  }
}

export const deletion: Question<string> = {
  option: 'delete-policy',
  hint: 'What was delivered may stay on the server (never), or be deleted after-delivery or at an age such as 30d.',
  text: 'Delete from the server',
  usual: 'never',
  parse: (text) =>
    text === 'never' || text === 'after-delivery' || parseDuration(text) !== null
      ? { value: text }
      : { expected: 'never, after-delivery or an age such as 30d' },
}

/** More than this many are not sent on at a first poll unless somebody says so. */
const FEW = 200

/** `shows`: the destination shows what it has. `waiting`: messages on the server; null: they were not counted. */
export function first(waiting: number | null, shows: boolean): Question<string> {
  const what = waiting === null ? 'Mail already on the server' : `${counted(waiting, 'message')} already on the server`
  return {
    option: 'first',
    hint: 'The first poll fetches all of it, none (new), the last N (last:N), or what came since a day (since:2026-11-01).',
    text: `${what}: fetch`,
    // What cannot show what it has would get all of it, perhaps once more (ERR_FIRST_POLL).
    usual: !shows && (waiting ?? 0) > FEW ? 'new' : 'all',
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

type Next = 'again' | 'write' | 'stop'

function nextOf<T extends Next>(words: readonly T[], text: string): T | null {
  const typed = text.toLowerCase()
  return words.find((each) => typed !== '' && (each.startsWith(typed) || typed === `try ${each}`)) ?? null
}

export const afterFailure: Question<Next> = {
  option: 'untested',
  text: 'Try again, write the file anyway, or stop',
  usual: 'again',
  parse(text) {
    const word = nextOf(['again', 'write', 'stop'], text)
    return word === null ? { expected: 'again, write or stop' } : { value: word }
  },
}

export const afterWrongAnswer: Question<Next> = {
  option: 'untested',
  text: 'Answer again, or stop',
  usual: 'again',
  parse(text) {
    const word = nextOf(['again', 'stop'], text.replace(/^answer /i, ''))
    return word === null ? { expected: 'again or stop' } : { value: word }
  },
}

/** After the file could not be written: once more, elsewhere, or not at all. */
export const afterFailedWrite: Question<'again' | 'stop' | { readonly file: string }> = {
  option: 'output',
  text: 'Try again, stop, or write another file (its path)',
  usual: 'again',
  parse(text) {
    const word = nextOf(['again', 'stop'], text)
    if (word !== null) return { value: word }
    return text.includes('/') || text.includes('.') ? { value: { file: text } } : { expected: 'again, stop or a path' }
  },
}

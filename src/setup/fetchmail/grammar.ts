// The grammar of a .fetchmailrc: its words, then its entries with their users and options, `defaults` merged in. Words and
// keywords are those of fetchmail's manual page ("Run Control Syntax", "Keyword/Option Summary"). What they mean to popfetch is
// fetchmail.ts. Pure.
import { named, quotationEnd } from '../text.ts'

/** A flag, a string, or a list of them. */
export type OptionValue = boolean | string | readonly string[]
export type Options = Readonly<Record<string, OptionValue>>

export interface FetchmailUser {
  /** Null: not named. */
  readonly remote: string | null
  /** Names on this side; a mapping is one name with a `=` in it. */
  readonly local: readonly string[]
  readonly options: Options
}

export interface FetchmailEntry {
  readonly name: string
  /** fetchmail polls it only when it is named. */
  readonly skip: boolean
  readonly options: Options
  readonly users: readonly FetchmailUser[]
}

export interface FetchmailFile {
  readonly settings: Options
  readonly entries: readonly FetchmailEntry[]
  /** Lines with a word that fetchmail does not know. The word itself is not told: it may be part of a password. */
  readonly strangeLines: readonly number[]
}

type Kind = 'flag' | 'text' | 'list'

const SERVER: Readonly<Record<string, Kind>> = kinds({
  flag: 'dns checkalias uidl tracepolls',
  text: 'via proto port service auth timeout interface monitor plugin plugout interval principal esmtpname esmtppassword qvirtual envelope bad-header',
  list: 'localdomains aka',
})

const USER: Readonly<Record<string, Kind>> = kinds({
  flag: 'ssl sslcertck keep flush limitflush fetchall rewrite stripcr forcecr pass8bits dropstatus dropdelivered mimedecode idle lmtp',
  text: 'password passwordfile passwordfd sslcert sslcertfile sslcertpath sslcommonname sslfingerprint sslkey sslproto smtpaddress smtpname mda bsmtp preconnect postconnect limit warnings batchlimit fetchlimit fetchsizelimit fastuidl expunge properties retrieve-error',
  list: 'is folder smtphost fetchdomains antispam',
})

const SET: Readonly<Record<string, Kind>> = kinds({
  flag: 'bouncemail spambounce softbounce syslog invisible showdots',
  text: 'daemon logfile idfile pidfile postmaster properties',
  list: '',
})

const SYNONYMS: Readonly<Record<string, string>> = {
  server: 'poll',
  protocol: 'proto',
  local: 'localdomains',
  authenticate: 'auth',
  preauth: 'auth',
  preauthenticate: 'auth',
  smtp: 'smtphost',
  pre: 'preconnect',
  post: 'postconnect',
  pass8: 'pass8bits',
  mimedec: 'mimedecode',
  username: 'user',
  pass: 'password',
  to: 'is',
  folders: 'folder',
}

const NOISE: ReadonlySet<string> = new Set(['and', 'with', 'has', 'wants', 'options'])
const STRUCTURE: ReadonlySet<string> = new Set(['set', 'defaults', 'poll', 'skip', 'user', 'here', 'there', 'no'])

function kinds(words: Readonly<Record<Kind, string>>): Readonly<Record<string, Kind>> {
  const of = (kind: Kind) => words[kind].split(' ').map((word) => [word, kind] as const)
  return Object.fromEntries([...of('flag'), ...of('text'), ...of('list')].filter(([word]) => word !== ''))
}

/** Each account looks through the names that it delivers to. */
const LONGEST_LIST = 1000
const LF = 10

interface Draft {
  readonly name: string
  readonly skip: boolean
  readonly options: Record<string, OptionValue>
  readonly users: { remote: string | null; local: string[]; options: Record<string, OptionValue> }[]
}

export function parseFetchmail(text: string): FetchmailFile {
  const { tokens, openLine } = fetchmailTokens(text)
  const reader = new Reader(tokens)
  const settings = named<OptionValue>()
  const entries: Draft[] = []
  const defaults: Draft = { name: '', skip: false, options: {}, users: [] }
  let entry: Draft | null = null
  for (;;) {
    const word = reader.word()
    if (word === null) break
    if (word === 'set') reader.option(SET, settings, reader.word() ?? '')
    else if (word === 'defaults') entry = defaults
    else if (word === 'poll' || word === 'skip') {
      entry = { name: reader.text(), skip: word === 'skip', options: {}, users: [] }
      entries.push(entry)
    } else if (entry === null) reader.strange()
    else if (word === 'user') startUser(entry, reader)
    else if (isOf(SERVER, reader.bare(word))) reader.option(SERVER, entry.options, word)
    else userOption(entry, reader, word)
  }
  return {
    settings,
    entries: entries.map((each) => merged(each, defaults)),
    strangeLines: [...new Set([...reader.strangeLines, ...(openLine === null ? [] : [openLine])])],
  }
}

/** `user NAME [there]`, or `user NAMES here`. */
function startUser(entry: Draft, reader: Reader): void {
  const user: Draft['users'][number] = { remote: null, local: [], options: {} }
  entry.users.push(user)
  const names = [reader.text(), ...reader.list()]
  if (reader.skip('here')) user.local = names
  else {
    reader.skip('there')
    user.remote = names[0] ?? null
  }
}

/** An option before any `user` belongs to a user without a name: fetchmail takes the name of the one who runs it. */
function userOption(entry: Draft, reader: Reader, word: string): void {
  if (!isOf(USER, reader.bare(word))) return reader.strange()
  const user = entry.users.at(-1) ?? { remote: null, local: [], options: {} }
  if (entry.users.length === 0) entry.users.push(user)
  if (word !== 'is') return reader.option(USER, user.options, word)
  const names = reader.list()
  if (reader.skip('there')) user.remote = names[0] ?? null
  else {
    reader.skip('here')
    user.local = [...user.local, ...names].slice(0, LONGEST_LIST)
  }
}

function merged(entry: Draft, defaults: Draft): FetchmailEntry {
  const [usual] = defaults.users
  const users =
    entry.users.length === 0 && usual !== undefined ? [{ remote: null, local: [], options: {} }] : entry.users
  return {
    name: entry.name,
    skip: entry.skip,
    options: { ...defaults.options, ...entry.options },
    users: users.map(({ remote, local, options }) => ({
      remote: remote ?? usual?.remote ?? null,
      local: local.length > 0 ? local : (usual?.local ?? []),
      options: { ...usual?.options, ...options },
    })),
  }
}

function synonymOf(word: string): string {
  return Object.hasOwn(SYNONYMS, word) ? (SYNONYMS[word] ?? word) : word
}

function isOf(table: Readonly<Record<string, Kind>>, word: string): boolean {
  return Object.hasOwn(table, word)
}

class Reader {
  readonly #tokens: readonly Token[]
  readonly strangeLines: number[] = []
  #at = 0

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens
  }

  /** The next keyword, synonyms replaced and noise left out; null: the end. A `no` before a flag is part of it: `no keep`. */
  word(): string | null {
    const word = this.#telling()
    return word === 'no' ? `no ${this.#telling() ?? ''}` : word
  }

  #telling(): string | null {
    for (let token = this.#tokens[this.#at++]; token !== undefined; token = this.#tokens[this.#at++]) {
      if (token.quoted) return '"'
      const word = synonymOf(token.text)
      if (!NOISE.has(word) && word !== '=') return word
    }
    return null
  }

  /** The keyword without its `no`, written as two words or as one. */
  bare(word: string): string {
    if (word.startsWith('no ')) return word.slice('no '.length)
    const rest = word.replace(/^no/, '')
    return rest !== word && [SERVER, USER, SET].some((table) => isOf(table, rest) && table[rest] === 'flag')
      ? rest
      : word
  }

  /** The next word, whatever it is. */
  text(): string {
    if (this.#tokens[this.#at]?.text === '=' && this.#tokens[this.#at]?.quoted === false) this.#at++
    return this.#tokens[this.#at++]?.text ?? ''
  }

  /** Words up to the next keyword; `a=b` is one. */
  list(): string[] {
    const list: string[] = []
    let joins = false
    for (let token = this.#tokens[this.#at]; token !== undefined; token = this.#tokens[++this.#at]) {
      if (!token.quoted && this.#isKeyword(token.text)) break
      const isSign = !token.quoted && token.text === '='
      if (isSign || joins) list.push(`${list.pop() ?? ''}${token.text}`)
      else if (list.length < LONGEST_LIST) list.push(token.text)
      else this.#strangeAt(token)
      joins = isSign
    }
    return list
  }

  skip(word: string): boolean {
    const token = this.#tokens[this.#at]
    if (token === undefined || token.quoted || token.text !== word) return false
    this.#at++
    return true
  }

  strange(): void {
    this.#strangeAt(this.#tokens[this.#at - 1])
  }

  #strangeAt(token: Token | undefined): void {
    if (token !== undefined && this.strangeLines.at(-1) !== token.line) this.strangeLines.push(token.line)
  }

  option(table: Readonly<Record<string, Kind>>, options: Record<string, OptionValue>, word: string): void {
    const name = this.bare(word)
    const kind = isOf(table, name) ? table[name] : undefined
    if (kind === undefined) this.strange()
    else if (name !== word) options[name] = false
    else if (kind === 'flag') options[name] = true
    else if (kind === 'list') options[name] = this.list()
    else options[name] = name === 'envelope' ? this.#envelope() : this.text()
  }

  /** A number before the name of the field says how many to skip. */
  #envelope(): string {
    const first = this.text()
    if (!/^\d+$/.test(first)) return first
    const name = this.text()
    return Number(first) === 0 ? name : `${first} ${name}`
  }

  #isKeyword(text: string): boolean {
    const word = synonymOf(text)
    const bare = this.bare(word)
    return STRUCTURE.has(word) || NOISE.has(word) || [SERVER, USER].some((table) => isOf(table, bare))
  }
}

interface Token {
  readonly text: string
  /** In quotes: never a keyword. */
  readonly quoted: boolean
  readonly line: number
}

interface Words {
  readonly tokens: readonly Token[]
  /** The line of a quotation without an end; null: there is none. All that follows is in it. */
  readonly openLine: number | null
}

/** Quoted strings may go on over several lines; `,` `;` and `:` are noise, `=` is a word of its own. */
function fetchmailTokens(text: string): Words {
  const tokens: Token[] = []
  const words = /[^\s,;:]/g
  let line = 1
  let counted = 0
  for (let found = words.exec(text); found !== null; found = words.exec(text)) {
    const start = found.index
    const [sign] = found
    for (; counted < start; counted += 1) if (text.charCodeAt(counted) === LF) line += 1
    const isQuoted = sign === '"' || sign === "'"
    const end = isQuoted ? quotationEnd(text, start) : sign === '=' ? start + 1 : wordEnd(text, start, sign === '#')
    if (isQuoted) tokens.push({ text: unescaped(text.slice(start + 1, end)), quoted: true, line })
    else if (sign !== '#') tokens.push({ text: unescaped(text.slice(start, end)), quoted: false, line })
    if (isQuoted && end === text.length) return { tokens, openLine: line }
    words.lastIndex = isQuoted ? end + 1 : end
  }
  return { tokens, openLine: null }
}

function wordEnd(text: string, start: number, isComment: boolean): number {
  const end = isComment ? /\n/g : /[\s,;:=]/g
  end.lastIndex = start
  return end.exec(text)?.index ?? text.length
}

const NAMED: Readonly<Record<string, string>> = { n: '\n', t: '\t', b: '\b', r: '\r' }

/** Decimal without a leading zero, octal with one, `\xhh`; a backslash at the end of a line joins it with the next. */
function unescaped(text: string): string {
  return text.replace(/\\(?:x([0-9A-Fa-f]{1,2})|0([0-7]{1,3})|([1-9]\d{0,2})|(\n)|([\s\S]))/g, (...match: string[]) => {
    const [, hex, octal, decimal, newline, character = ''] = match
    if (hex !== undefined) return String.fromCharCode(Number.parseInt(hex, 16))
    if (octal !== undefined) return String.fromCharCode(Number.parseInt(octal, 8) & 0xff)
    if (decimal !== undefined) return String.fromCharCode(Number(decimal) & 0xff)
    return newline === undefined ? (Object.hasOwn(NAMED, character) ? (NAMED[character] ?? '') : character) : ''
  })
}

// Passwords in a `.netrc`: fetchmail, getmail and mpop all look there. Pure.
import { quotationEnd } from './text.ts'

interface Entry {
  /** Null: any machine (`default`). */
  readonly machine: string | null
  login: string | null
  password: string | null
}

export interface Netrc {
  /** By host and login; the first entry that fits counts. */
  readonly password: (host: string, login: string) => string | null
  /** Of the first entry for the host, else of the default. */
  readonly login: (host: string) => string | null
}

export function parseNetrc(text: string): Netrc {
  const entries = entriesOf(text)
  // By what they are for: each of many accounts asks, and there may be as many entries.
  const first = new Map<string, { readonly place: number; readonly password: string }>()
  const logins = new Map<string | null, string | null>()
  for (const [place, { machine, login, password }] of entries.entries()) {
    const whose = machine?.toLowerCase() ?? null
    if (!logins.has(whose)) logins.set(whose, login)
    const key = keyOf(machine, login)
    if (password !== null && !first.has(key)) first.set(key, { place, password })
  }
  return {
    password: (host, login) => {
      const fitting = [host, null].flatMap((machine) =>
        [login, null].flatMap((name) => first.get(keyOf(machine, name)) ?? []),
      )
      return fitting.toSorted((a, b) => a.place - b.place)[0]?.password ?? null
    },
    login: (host) => logins.get(host.toLowerCase()) ?? logins.get(null) ?? null,
  }
}

function entriesOf(text: string): readonly Entry[] {
  const entries: Entry[] = []
  const list = wordsOf(text)
  for (let at = 0; at < list.length; at++) {
    const current = entries.at(-1)
    const word = list[at]
    if (word === 'default') entries.push({ machine: null, login: null, password: null })
    else if (word === 'machine') entries.push({ machine: list[++at] ?? '', login: null, password: null })
    else if (word === 'login' && current !== undefined) current.login = list[++at] ?? null
    else if (word === 'password' && current !== undefined) current.password = list[++at] ?? null
    else if (word === 'account') at++
  }
  return entries
}

function keyOf(machine: string | null, login: string | null): string {
  return JSON.stringify([machine?.toLowerCase() ?? null, login])
}

/** Words, and what is in double quotes; without comments and macros. A macro goes on to the next empty line. */
function wordsOf(text: string): readonly string[] {
  const words: string[] = []
  const token = /\S/g
  let before = 0
  for (let found = token.exec(text); found !== null; found = token.exec(text)) {
    const start = found.index
    const beginsLine = before === 0 || text.slice(before, start).includes('\n')
    if (text[start] === '"') {
      before = quotationEnd(text, start)
      words.push(text.slice(start + 1, before).replace(/\\(.)/g, '$1'))
    } else {
      before = endOf(text, beginsLine && text[start] === '#' ? /\n/g : /\s/g, start)
      const word = text.slice(start, before)
      if (word === 'macdef') before = endOf(text, /\n[ \t]*(?=\n)/g, before)
      else if (!beginsLine || !word.startsWith('#')) words.push(word)
    }
    token.lastIndex = text[before] === '"' ? before + 1 : before
  }
  return words
}

/** Where `what` is next, or the end of the text. */
function endOf(text: string, what: RegExp, from: number): number {
  what.lastIndex = from
  return what.exec(text)?.index ?? text.length
}

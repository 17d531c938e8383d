// Most configurations, and all long ones, are plain: a key and a value on each line, blanks in front. Reading such a text needs no tree
// of nodes: ten thousand accounts take a tenth of the time and of the memory.
// The one rule: what is not certainly plain is not read here. Whatever this reads means the same to yaml (document.ts), and yaml has
// nothing to say against it. Anchors, tags, texts of several lines, escapes, a key that stands twice are for yaml.
import type { Path } from './problem.ts'
import { atOnce } from './turns.ts'
import { SECRET_KEYS } from './values/values.ts'

/** Where the keys and items of each mapping and list stand: lines from 1. */
export type PlainLines = WeakMap<object, Map<string | number, number>>

export interface PlainText {
  readonly root: Readonly<Record<string, unknown>>
  readonly firstLine: number
}

interface Level {
  readonly indent: number
  readonly at: Record<string, unknown> | unknown[]
  /** The key whose value may begin on the next line; null: there is none. */
  open: string | null
}

/** Lines read between two pauses: a millisecond. */
const LINES = 1000
const DEEPEST = 20
/** A configuration with more than that is counted by whoever reads all of YAML. */
const MOST_LINES = 500_000

const KEY = /([A-Za-z][A-Za-z0-9._-]{0,199}):(?: +|$)/y
/** Neither is a line of text to YAML, or not to all of it. */
// oxlint-disable-next-line no-control-regex
const STRANGE = /[\0-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff\ud800-\udfff]/
const BEGINNING = /^[A-Za-z0-9_/.~$+-]/
const PLAIN_IN_FLOW = /[A-Za-z0-9_/.~$+-](?:[A-Za-z0-9_/.~$+@*=-]|:(?![ ,[\]{}]|$))*/y
const KEY_IN_FLOW = /([A-Za-z][A-Za-z0-9._-]{0,199}): +/y
const NUMBER =
  /^[-+]?(?:0o[0-7]+|0x[0-9a-fA-F]+|(?:\.\d+|\d+(?:\.\d*)?)(?:[eE][-+]?\d+)?|\.(?:inf|Inf|INF))$|^\.(?:nan|NaN|NAN)$/
const ORDINARY_NUMBER = /^(?:0|[1-9]\d{0,14})$/
/** To a person 0123 is text (document.ts). */
const LEADING_ZERO = /^0\d+$/
const WORDS = new Map<string, boolean | null>([
  ...['null', 'Null', 'NULL', '~'].map((word) => [word, null] as const),
  ...['true', 'True', 'TRUE'].map((word) => [word, true] as const),
  ...['false', 'False', 'FALSE'].map((word) => [word, false] as const),
])

class NotPlain extends Error {}

/** Null: this text is for yaml. `lines` is filled in. */
export function* readPlain(text: string, lines: PlainLines | null = null): Generator<void, PlainText | null> {
  if (STRANGE.test(text)) return null
  try {
    return yield* read(text, lines)
  } catch (error) {
    if (error instanceof NotPlain) return null
    throw error
  }
}

/** A document (document.ts) with which nothing is wrong. */
export interface PlainDocument {
  readonly root: unknown
  readonly readable: true
  readonly problems: readonly []
  readonly doubts: readonly []
  lineOf(path: Path): number
  textAt(path: Path): string | null
}

/** Where something stands is looked for once somebody asks: the text is read again. */
export function ofPlain({ root, firstLine }: PlainText, text: string): PlainDocument {
  let located: { readonly root: unknown; readonly lines: PlainLines } | null = null

  function lineOf(path: Path): number {
    const lines: PlainLines = located?.lines ?? new WeakMap()
    located ??= { root: atOnce(readPlain(text, lines))?.root, lines }
    let at: unknown = located.root
    let line = firstLine
    for (const name of path) {
      const next = typeof at === 'object' && at !== null ? lines.get(at)?.get(name) : undefined
      if (next === undefined) return line
      line = next
      at = Reflect.get(Object(at), name)
    }
    return line
  }

  function textAt(path: Path): string | null {
    let at: unknown = root
    for (const name of path)
      at = typeof at === 'object' && at !== null && Object.hasOwn(at, name) ? Reflect.get(at, name) : undefined
    return typeof at === 'string' ? at : null
  }

  return { root, readable: true, problems: [], doubts: [], lineOf, textAt }
}

function* read(text: string, lines: PlainLines | null): Generator<void, PlainText | null> {
  const root: Record<string, unknown> = {}
  const levels: Level[] = [{ indent: 0, at: root, open: null }]
  let firstLine = 0
  let lastIsSecret = false
  let line = 0
  for (let start = 0; start < text.length;) {
    const newline = text.indexOf('\n', start)
    const end = newline < 0 ? text.length : newline
    line++
    if (line > MOST_LINES) return null
    if (line % LINES === 0) yield
    let indent = 0
    while (start + indent < end && text.charCodeAt(start + indent) === 0x20) indent++
    const content = withoutBlanks(text.slice(start + indent, end))
    start = end + 1
    if (content === '') continue
    if (content.startsWith('#')) {
      // yaml may take it for the end of a secret, which is to be told.
      if (lastIsSecret && indent > (levels.at(-1)?.indent ?? 0)) return null
      continue
    }
    firstLine ||= line
    lastIsSecret = readLine(content, { indent, line, levels, lines })
  }
  return firstLine === 0 ? null : { root, firstLine }
}

/** Other signs that look like blanks are text. */
function withoutBlanks(text: string): string {
  let end = text.length
  while (text.charCodeAt(end - 1) === 0x20) end--
  return text.slice(0, end)
}

interface Place {
  readonly indent: number
  readonly line: number
  readonly levels: Level[]
  readonly lines: PlainLines | null
}

/** Gives whether it has a secret. */
function readLine(content: string, { indent, line, levels, lines }: Place): boolean {
  const isItem = content.startsWith('- ')
  let level = levelOf(levels, indent, isItem)
  let rest = content
  let column = indent
  if (isItem) {
    if (!Array.isArray(level.at)) throw new NotPlain()
    rest = content.slice(2).replace(/^ +/, '')
    column = indent + content.length - rest.length
    note(lines, level.at, level.at.length, line)
    KEY.lastIndex = 0
    if (!KEY.test(rest)) {
      level.at.push(valueOf(rest))
      return false
    }
    const inner: Level = { indent: column, at: {}, open: null }
    level.at.push(inner.at)
    levels.push(inner)
    level = inner
  }
  if (Array.isArray(level.at)) throw new NotPlain()
  KEY.lastIndex = 0
  const [whole = '', key = ''] = KEY.exec(rest) ?? []
  // What is a word of YAML is another key to yaml.
  if (key === '' || WORDS.has(key) || Object.hasOwn(level.at, key)) throw new NotPlain()
  note(lines, level.at, key, line)
  const written = rest.slice(whole.length)
  const isSecret = SECRET_KEYS.has(key)
  if (isSecret && /(?:^| )#/.test(written)) throw new NotPlain()
  const isEmpty = written === '' || written.startsWith('#')
  level.open = isEmpty ? key : null
  level.at[key] = isEmpty ? null : valueOf(written)
  return isSecret
}

function note(lines: PlainLines | null, at: object, name: string | number, line: number): void {
  if (lines === null) return
  const known = lines.get(at) ?? new Map<string | number, number>()
  known.set(name, line)
  lines.set(at, known)
}

/** Where a line of this indentation belongs. */
function levelOf(levels: Level[], indent: number, isItem: boolean): Level {
  const isBehind = ({ indent: own, at }: Level): boolean =>
    own > indent || (own === indent && Array.isArray(at) && !isItem)
  let level = levels.at(-1)
  while (level !== undefined && isBehind(level)) {
    levels.pop()
    level = levels.at(-1)
  }
  if (level === undefined) throw new NotPlain()
  // The items of a list may stand right below its key.
  const isBelow = level.indent < indent || (isItem && level.indent === indent && !Array.isArray(level.at))
  if (!isBelow) return level
  if (level.open === null || Array.isArray(level.at) || levels.length > DEEPEST) throw new NotPlain()
  const inner: Level = { indent, at: isItem ? [] : {}, open: null }
  level.at[level.open] = inner.at
  level.open = null
  levels.push(inner)
  return inner
}

/** What stands on one line behind a key or a dash. */
function valueOf(written: string): unknown {
  const first = written[0]
  if (first === '[' || first === '{') return new Flow(written).whole()
  if (first === '"' || first === "'") return quoted(written)
  const comment = written.indexOf(' #')
  const plain = comment < 0 ? written : withoutBlanks(written.slice(0, comment))
  if (!BEGINNING.test(plain) || plain.includes(': ') || plain.endsWith(':')) throw new NotPlain()
  if (plain === '-' || plain.startsWith('- ') || plain.startsWith('---') || plain.startsWith('...'))
    throw new NotPlain()
  return scalar(plain)
}

const DOUBLE = /^"([^"\\]*)"(?: +#.*)?$/
const SINGLE = /^'([^']*)'(?: +#.*)?$/

function quoted(written: string): string {
  const [, inner] = (written.startsWith('"') ? DOUBLE : SINGLE).exec(written) ?? []
  if (inner === undefined) throw new NotPlain()
  return inner
}

function scalar(plain: string): unknown {
  const word = WORDS.get(plain)
  if (word !== undefined) return word
  if (!NUMBER.test(plain) || LEADING_ZERO.test(plain)) return plain
  if (!ORDINARY_NUMBER.test(plain)) throw new NotPlain()
  return Number(plain)
}

/** A list or a mapping on one line: `[a, b]`, `{ type: maildir, path: inbox }`. */
class Flow {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  whole(): unknown {
    const value = this.#value(0)
    const rest = this.#text.slice(this.#at)
    if (rest !== '' && !/^ +#/.test(rest)) throw new NotPlain()
    return value
  }

  #value(depth: number): unknown {
    if (depth > DEEPEST) throw new NotPlain()
    const first = this.#text[this.#at]
    if (first === '[') return this.#list(depth)
    if (first === '{') return this.#mapping(depth)
    if (first === '"' || first === "'") return this.#quoted(first)
    PLAIN_IN_FLOW.lastIndex = this.#at
    const [plain = ''] = PLAIN_IN_FLOW.exec(this.#text) ?? []
    this.#at += plain.length
    // Words with blanks between them are one text to YAML.
    if (plain === '' || plain.startsWith('---') || plain.startsWith('...') || plain === '-') throw new NotPlain()
    return scalar(plain)
  }

  #quoted(mark: string): string {
    const end = this.#text.indexOf(mark, this.#at + 1)
    const inner = this.#text.slice(this.#at + 1, end)
    // Two of them are one that belongs to the text.
    if (end < 0 || inner.includes('\\') || this.#text[end + 1] === mark) throw new NotPlain()
    this.#at = end + 1
    return inner
  }

  #list(depth: number): unknown[] {
    const list: unknown[] = []
    this.#parts(']', () => {
      KEY_IN_FLOW.lastIndex = this.#at
      if (KEY_IN_FLOW.test(this.#text)) throw new NotPlain()
      list.push(this.#value(depth + 1))
    })
    return list
  }

  #mapping(depth: number): Record<string, unknown> {
    const mapping: Record<string, unknown> = {}
    this.#parts('}', () => {
      KEY_IN_FLOW.lastIndex = this.#at
      const [whole = '', key = ''] = KEY_IN_FLOW.exec(this.#text) ?? []
      if (key === '' || WORDS.has(key) || Object.hasOwn(mapping, key)) throw new NotPlain()
      this.#at += whole.length
      mapping[key] = this.#value(depth + 1)
    })
    return mapping
  }

  #parts(close: string, part: () => void): void {
    this.#at++
    this.#blanks()
    if (this.#text[this.#at] === close) {
      this.#at++
      return
    }
    for (;;) {
      part()
      this.#blanks()
      const next = this.#text[this.#at++]
      if (next === close) return
      if (next !== ',') throw new NotPlain()
      this.#blanks()
    }
  }

  #blanks(): void {
    while (this.#text[this.#at] === ' ') this.#at++
  }
}

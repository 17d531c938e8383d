// A YAML or JSON text as plain values, with the line of every path. The only door to yaml: cosmiconfig's own loaders run
// code for some files and know no lines.
// The one rule: the parser's own messages are never shown. They quote the text, and the text may hold a secret.
import * as yaml from 'yaml'
import { atOnce } from './turns.ts'
import { ofPlain, readPlain } from './plain-yaml.ts'
import { PROBLEMS_SHOWN, type Path, type Problem } from './problem.ts'
import { SECRET_KEYS } from './values/values.ts'

export interface TextDocument {
  /** Plain values; null for a text without contents. Means nothing when `readable` is false. */
  readonly root: unknown
  readonly readable: boolean
  readonly problems: readonly (Problem & { readonly line: number })[]
  /** Secrets of which a piece may have been taken for a comment: `password: secret #1`. */
  readonly doubts: readonly { readonly line: number; readonly path: Path }[]
  /** The line of `path`, from 1; of its nearest parent if it is not there. */
  lineOf(path: Path, at: 'key' | 'value'): number
  /** The text at `path`, also in a document that is not readable, where it is a guess. Null: there is none. */
  textAt(path: Path): string | null
}

interface Fault {
  readonly code: string
  readonly offset: number
}

type Step = { readonly key: yaml.Node; readonly value: unknown; readonly name: string | number }

/** What the parser's codes mean, as "found … expected …". */
const FAULTS: Readonly<Record<string, readonly [found: string, expected: string]>> = {
  DUPLICATE_KEY: ['the same key again', 'every key once'],
  TAB_AS_INDENT: ['a tab as indentation', 'spaces'],
  TAG_RESOLVE_FAILED: ['a word with "!" in front', 'quotes around it'],
  BAD_ALIAS: ['a word with "*" in front', 'the name of an anchor set before, or quotes around it'],
  BAD_SCALAR_START: ['text that starts with a YAML special character', 'quotes around it'],
  BAD_DQ_ESCAPE: ['an unknown \\ in double quotes', 'single quotes around it'],
  BLOCK_AS_IMPLICIT_KEY: ['a second colon in the line', 'quotes around the text, or a line of its own'],
  MULTIPLE_DOCS: ['a second document', 'one'],
  NON_STRING_KEY: ['a key that is not text', 'text'],
  TOO_DEEP: ['lists or mappings a hundred deep', 'a few'],
  TOO_MANY: ['aliases ("*") that expand to a million values', 'fewer'],
}

/** A configuration has six; each one more needs a place on the stack of whoever walks through it. */
const DEPTH_LIMIT = 100
/** yaml looks through all of these for each alias. Ten thousand accounts may name a shared anchor each. */
const MOST_ALIASES = 10_000
const MOST_ANCHORS = 1000
/** With all aliases in the place of what they stand for. */
const MOST_VALUES = 1_000_000
/** How many signs of the text are taken between two pauses. */
const PIECE = 200

/** Faults that leave no doubt about what is a key and what is a value. */
const UNDERSTOOD: ReadonlySet<string> = new Set([
  'DUPLICATE_KEY',
  'TAG_RESOLVE_FAILED',
  'BAD_ALIAS',
  'TOO_DEEP',
  'TOO_MANY',
])

export function parseText(text: string): TextDocument {
  return atOnce(parsing(text))
}

/** As parseText, with pauses. Only the plain values of a text with anchors are made without one. */
export function* parsing(text: string): Generator<void, TextDocument> {
  const read = yield* readPlain(text)
  return read === null ? yield* ofNodes(text) : ofPlain(read, text)
}

/** A text with all that YAML may have. */
export function* ofNodes(text: string): Generator<void, TextDocument> {
  const lines = new yaml.LineCounter()
  const { document, faults } = yield* composed(text, lines)
  yield
  const survey = new Survey()
  yield* survey.visitInPieces(document.contents, 2)
  yield
  const found: Fault[] = [
    ...faults,
    ...[...document.errors, ...document.warnings].map(({ code, pos }) => ({ code, offset: pos[0] })),
    ...survey.faults,
  ]
  let readable = found.every(({ code }) => code === 'DUPLICATE_KEY')
  let root: unknown = null
  try {
    // The survey has counted them; the default of 100 is for strangers' documents.
    if (readable) root = yield* plain(document, document.contents, survey.hasAnchors ? 0 : 2)
  } catch {
    found.push({ code: 'TOO_MANY', offset: 0 })
    readable = false
  }
  yield

  // Where the structure itself is in doubt, a piece of a secret may have become a key: no path then.
  const understood = found.every(({ code }) => UNDERSTOOD.has(code))
  const inOrder = found.toSorted((a, b) => a.offset - b.offset)
  const problems = inOrder.map(({ code, offset }, at) => {
    const [what, expected] = FAULTS[code] ?? ['text that is not valid YAML', 'key: value lines, indented with spaces']
    const path = understood && at < PROBLEMS_SHOWN ? pathAt(document.contents, offset) : []
    return { path, at: 'key' as const, found: what, expected, line: lines.linePos(offset).line }
  })

  // Built once for each mapping that is walked through: it may hold ten thousand accounts, each with a problem.
  const stepsOf = new Map<unknown, ReadonlyMap<string | number, Step>>()

  function lineOf(path: Path, at: 'key' | 'value'): number {
    let node: unknown = document.contents
    let offset = yaml.isNode(node) ? (node.range?.[0] ?? 0) : 0
    for (const name of path) {
      const steps =
        stepsOf.get(node) ??
        new Map(
          stepsFrom(node, survey)
            .toReversed()
            .map((one) => [one.name, one]),
        )
      stepsOf.set(node, steps)
      const step = steps.get(name)
      if (step === undefined) return lines.linePos(offset).line
      node = step.value
      // A mapping or a list begins below its key: the key is what a person looks for.
      const start = at === 'value' && yaml.isScalar(node) && node.range ? node.range : step.key.range
      offset = start?.[0] ?? offset
    }
    return lines.linePos(offset).line
  }

  function textAt(path: Path): string | null {
    let node: unknown = document.contents
    for (const name of path) node = stepsFrom(node, survey).find((step) => step.name === name)?.value
    return yaml.isScalar(node) && typeof node.value === 'string' ? node.value : null
  }

  const doubts = survey.cut.map((offset) => {
    return { line: lines.linePos(offset).line, path: pathAt(document.contents, offset) }
  })
  return { root, readable, problems, doubts, lineOf, textAt }
}

/** Plain values as YAML. */
export function formatText(value: unknown): string {
  return yaml.stringify(value, { aliasDuplicateObjects: false, lineWidth: 0 })
}

interface Composed {
  readonly document: yaml.Document
  readonly faults: readonly Fault[]
}

/** As yaml.parseDocument, but what is too deep is not even composed: yaml would need a stack for it. */
function* composed(text: string, lines: yaml.LineCounter): Generator<void, Composed> {
  const options = {
    version: '1.2',
    schema: 'core',
    merge: true,
    stringKeys: true,
    prettyErrors: false,
    // The survey looks for them: yaml compares each key with all before it, 10 s for ten thousand accounts.
    uniqueKeys: false,
  } as const
  const parser = new yaml.Parser(lines.addNewLine)
  const tokens: yaml.CST.Token[] = []
  lines.addNewLine(0)
  let count = 0
  for (const sign of new yaml.Lexer().lex(text)) {
    tokens.push(...parser.next(sign))
    if (parser.stack.length > DEPTH_LIMIT) {
      return { document: new yaml.Document(null, options), faults: [{ code: 'TOO_DEEP', offset: parser.offset }] }
    }
    count += 1
    if (count % PIECE === 0) yield
  }
  tokens.push(...parser.end())
  const rests = cutOff(tokens)
  const documents = new yaml.Composer(options).compose(tokens, true, text.length)
  const [document, second] = [documents.next().value, documents.next().value]
  const faults = second === undefined ? [] : [{ code: 'MULTIPLE_DOCS', offset: second.range[0] }]
  if (document === undefined) return { document: new yaml.Document(null, options), faults }
  for (const { at, map } of rests) {
    const whole = yaml.isMap(document.contents) ? document.contents.items[at]?.value : null
    for (let from = 0; from < map.items.length; from += PIECE) {
      yield
      const items = map.items.slice(from, from + PIECE)
      const value = { ...map, items, offset: items[0]?.start[0]?.offset ?? items[0]?.key?.offset ?? map.offset }
      const alone: yaml.CST.Document = { type: 'document', offset: value.offset, start: [], value }
      const [piece] = new yaml.Composer(options).compose([alone], true, text.length)
      if (!yaml.isMap(whole) || !yaml.isMap(piece?.contents)) continue
      for (const pair of piece.contents.items) whole.items.push(pair)
      document.errors.push(...piece.errors)
      document.warnings.push(...piece.warnings)
      if (whole.range && piece.contents.range) whole.range = [whole.range[0], ...ends(piece.contents.range)]
    }
  }
  return { document, faults }
}

function ends([, value, node]: yaml.Range): readonly [number, number] {
  return [value, node]
}

/** Leaves the first keys in each long mapping of the top (the accounts), and gives the others. yaml makes its nodes without a
 *  pause. A tenth of a second for ten thousand accounts. `at`: the place of the mapping in the top. */
function cutOff(
  tokens: readonly yaml.CST.Token[],
): readonly { readonly at: number; readonly map: yaml.CST.BlockMap }[] {
  const [document, second] = tokens.filter(({ type }) => type === 'document')
  if (document?.type !== 'document' || second !== undefined || document.value?.type !== 'block-map') return []
  const { items } = document.value
  return items.flatMap(({ value }, at) => {
    if (value?.type !== 'block-map' || value.items.length <= PIECE) return []
    // A key begins where yaml has just been, unless something says where: one that seems to be longer than 1024 is refused.
    const next = items[at + 1]
    if (next?.key && next.start.length === 0)
      next.start.push({ type: 'space', offset: next.key.offset, indent: 0, source: '' })
    return [{ at, map: { ...value, items: value.items.splice(PIECE) } }]
  })
}

/** Walks through a document once: which keys stand twice, what each alias stands for, how much it all is. */
class Survey {
  readonly faults: Fault[] = []
  /** Offsets of secrets behind which a comment begins without a blank. */
  readonly cut: number[] = []
  readonly #targets = new Map<yaml.Alias, yaml.Node>()
  /** By the name of the anchor; null: what has it is not at its end yet. */
  readonly #anchors = new Map<string, { readonly node: yaml.Node; count: number | null }>()
  #anchored = 0
  #values = 0

  /** An alias may stand for something elsewhere. */
  get hasAnchors(): boolean {
    return this.#anchored > 0
  }

  /** What an alias stands for; null: nothing. */
  target(alias: yaml.Alias): yaml.Node | null {
    return this.#targets.get(alias) ?? null
  }

  /** As `visit`, with a pause after each value in this many levels. */
  *visitInPieces(node: unknown, levels: number): Generator<void, void> {
    if (levels === 0 || !yaml.isMap(node) || node.anchor !== undefined) {
      this.visit(node)
      return
    }
    this.#own(1, node)
    this.faults.push(...repeatedKeys(node))
    for (const { key, value } of node.items) {
      this.visit(key)
      yield* this.visitInPieces(value, levels - 1)
      yield
    }
  }

  /** Counts the values in a node, aliases in the place of what they stand for. */
  visit(node: unknown): number {
    if (yaml.isAlias(node)) return this.#alias(node)
    if (!yaml.isScalar(node) && !yaml.isMap(node) && !yaml.isSeq(node)) return 0
    const anchor = node.anchor === undefined ? null : { node, count: null as number | null }
    if (anchor !== null && node.anchor !== undefined) {
      this.#anchored += 1
      if (this.#anchored === MOST_ANCHORS + 1) this.#fault('TOO_MANY', node)
      this.#anchors.set(node.anchor, anchor)
    }
    let count = this.#own(1, node)
    if (yaml.isMap(node)) {
      this.faults.push(...repeatedKeys(node))
      for (const { key, value } of node.items) {
        this.#doubt(key, value)
        count += this.visit(key) + this.visit(value)
      }
    } else if (yaml.isSeq(node)) {
      for (const item of node.items) count += this.visit(item)
    } else if (typeof node.value === 'number' && /^[-+]?0[\do]/.test(node.source ?? '')) {
      // 0123 is text to a person (a password, a mode), and one hundred and twenty-three to YAML 1.2 (N025, traps of YAML).
      node.value = node.source
    }
    if (anchor !== null) anchor.count = count
    return count
  }

  #alias(alias: yaml.Alias): number {
    const anchor = this.#anchors.get(alias.source)
    // An alias that stands for a value around it would never end.
    if (anchor === undefined || anchor.count === null) {
      this.#fault('BAD_ALIAS', alias)
      return 0
    }
    this.#targets.set(alias, anchor.node)
    if (this.#targets.size === MOST_ALIASES + 1) this.#fault('TOO_MANY', alias)
    return this.#own(anchor.count, alias)
  }

  #doubt(key: unknown, value: unknown): void {
    if (!yaml.isScalar(key) || !yaml.isScalar(value) || !SECRET_KEYS.has(keyName(key))) return
    if (value.type === 'PLAIN' && /^\S/.test(value.comment ?? '')) this.cut.push(key.range?.[0] ?? 0)
  }

  #own(count: number, node: yaml.Node): number {
    const isFirst = this.#values <= MOST_VALUES
    this.#values += count
    if (isFirst && this.#values > MOST_VALUES) this.#fault('TOO_MANY', node)
    return count
  }

  #fault(code: string, node: yaml.Node): void {
    this.faults.push({ code, offset: node.range?.[0] ?? 0 })
  }
}

/** As Document.toJS, with a pause after each value in this many levels. The survey has counted the aliases; the default of 100 is for
 *  strangers' documents. */
function* plain(document: yaml.Document, node: unknown, levels: number): Generator<void, unknown> {
  if (!yaml.isMap(node) || levels === 0 || !node.items.every(({ key }) => yaml.isScalar(key) && isOwnKey(key)))
    return yaml.isNode(node) ? node.toJS(document, { maxAliasCount: -1 }) : node
  const values: [string, unknown][] = []
  for (const { key, value } of node.items) {
    const name = yaml.isScalar(key) && key.value !== null ? keyName(key) : ''
    values.push([name, yield* plain(document, value, levels - 1)])
    yield
  }
  return Object.fromEntries(values)
}

function isOwnKey(key: yaml.Scalar): boolean {
  return keyName(key) !== '<<'
}

/** Each key of a mapping that an earlier one is equal to. */
function repeatedKeys(map: yaml.YAMLMap): readonly Fault[] {
  const known = new Set<unknown>()
  const faults: Fault[] = []
  for (const { key } of map.items) {
    if (!yaml.isScalar(key)) continue
    if (known.has(key.value)) faults.push({ code: 'DUPLICATE_KEY', offset: key.range?.[0] ?? 0 })
    known.add(key.value)
  }
  return faults
}

/** What is directly in a mapping or a list; keys merged with `<<` after the mapping's own. The first of a name counts. */
function stepsFrom(node: unknown, survey: Survey): readonly Step[] {
  if (yaml.isAlias(node)) return stepsFrom(survey.target(node), survey)
  if (yaml.isSeq(node)) {
    return node.items.flatMap((item, name) => (yaml.isNode(item) ? [{ key: item, value: item, name }] : []))
  }
  if (!yaml.isMap(node)) return []
  const own: Step[] = []
  const merged: Step[] = []
  for (const { key, value } of node.items) {
    if (!yaml.isScalar(key)) continue
    const name = keyName(key)
    if (name !== '<<') own.push({ key, value, name })
    else if (yaml.isSeq(value)) for (const item of value.items) merged.push(...stepsFrom(item, survey))
    else merged.push(...stepsFrom(value, survey))
  }
  return [...own, ...merged]
}

function keyName(key: yaml.Scalar): string {
  return typeof key.value === 'symbol' ? (key.value.description ?? '') : String(key.value)
}

/** The path of what is at an offset of the text; it ends at the key of a secret. */
function pathAt(node: unknown, offset: number): Path {
  if (yaml.isMap(node)) {
    for (const { key, value } of node.items) {
      if (!yaml.isScalar(key) || !key.range) continue
      const end = yaml.isNode(value) && value.range ? value.range[2] : key.range[2]
      if (offset < key.range[0] || offset >= end) continue
      const name = keyName(key)
      return SECRET_KEYS.has(name) ? [name] : [name, ...pathAt(value, offset)]
    }
  }
  if (yaml.isSeq(node)) {
    for (const [index, item] of node.items.entries()) {
      if (!yaml.isNode(item) || !item.range) continue
      if (item.range[0] <= offset && offset < item.range[2]) return [index, ...pathAt(item, offset)]
    }
  }
  return []
}

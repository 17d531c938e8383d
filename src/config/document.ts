// A YAML or JSON text as plain values, with the line of every path. The only door to yaml: cosmiconfig's own loaders run
// code for some files and know no lines.
// The one rule: the parser's own messages are never shown. They quote the text, and the text may hold a secret.
import * as yaml from 'yaml'
import { SECRET_KEYS } from './values/values.ts'
import type { Path, Problem } from './problem.ts'

export interface TextDocument {
  /** Plain values; null for a text without contents. Means nothing when `readable` is false. */
  readonly root: unknown
  readonly readable: boolean
  readonly problems: readonly (Problem & { readonly line: number })[]
  /** The line of `path`, from 1; of its nearest parent if it is not there. */
  lineOf(path: Path, at: 'key' | 'value'): number
}

interface Fault {
  readonly code: string
  readonly offset: number
}

type Step = { readonly key: yaml.Node; readonly value: unknown; readonly name: string | number }

/** What the parser's codes mean, as "found … expected …". */
const FAULTS: Readonly<Record<string, readonly [found: string, expected: string]>> = {
  DUPLICATE_KEY: ['the same key again', 'every key once'],
  TAB_AS_INDENT: ['a tab in front', 'spaces'],
  TAG_RESOLVE_FAILED: ['a word with "!" in front', 'quotes around it'],
  BAD_ALIAS: ['a word with "*" in front', 'the name of an anchor set before, or quotes around it'],
  BAD_SCALAR_START: ['text that begins with a sign of YAML', 'quotes around it'],
  BAD_DQ_ESCAPE: ['an unknown \\ in double quotes', 'single quotes around it'],
  BLOCK_AS_IMPLICIT_KEY: ['a second colon in the line', 'quotes around the text, or a line of its own'],
  MULTIPLE_DOCS: ['a second document', 'one'],
  NON_STRING_KEY: ['a key that is not text', 'text'],
}

/** Faults that leave no doubt about what is a key and what is a value. */
const UNDERSTOOD: ReadonlySet<string> = new Set([
  'DUPLICATE_KEY',
  'TAG_RESOLVE_FAILED',
  'BAD_ALIAS',
  'RESOURCE_EXHAUSTION',
])

export function parseText(text: string): TextDocument {
  const lines = new yaml.LineCounter()
  const document = yaml.parseDocument(text, {
    version: '1.2',
    schema: 'core',
    merge: true,
    stringKeys: true,
    prettyErrors: false,
    // Looked for below: yaml compares each key with all before it, 10 s for ten thousand accounts.
    uniqueKeys: false,
    lineCounter: lines,
  })
  const found: Fault[] = [...document.errors, ...document.warnings].map(({ code, pos }) => ({ code, offset: pos[0] }))
  const anchors = new Set<string>()
  yaml.visit(document, (_, node) => {
    if (yaml.isMap(node)) found.push(...repeatedKeys(node))
    // We keep a list of our own, because alias.resolve() walks through the whole document each time.
    if (yaml.isAlias(node) && !anchors.has(node.source)) found.push({ code: 'BAD_ALIAS', offset: node.range?.[0] ?? 0 })
    if ((yaml.isScalar(node) || yaml.isCollection(node)) && node.anchor !== undefined) anchors.add(node.anchor)
    // 0123 is text to a person (a password, a mode), and one hundred and twenty-three to YAML 1.2 (N025, traps of YAML).
    if (yaml.isScalar(node) && typeof node.value === 'number' && /^[-+]?0[\do]/.test(node.source ?? '')) {
      node.value = node.source
    }
  })
  let readable = found.every(({ code }) => code === 'DUPLICATE_KEY')
  let root: unknown = null
  try {
    // Each of ten thousand accounts may name a shared anchor; the default of 100 is for strangers' documents.
    if (readable) root = document.toJS({ maxAliasCount: 10_000 })
  } catch {
    found.push({ code: 'RESOURCE_EXHAUSTION', offset: 0 })
    readable = false
  }

  // Where the structure itself is in doubt, a piece of a secret may have become a key: no path then.
  const understood = found.every(({ code }) => UNDERSTOOD.has(code))
  const problems = found.map(({ code, offset }) => {
    const [what, expected] = FAULTS[code] ?? ['something that is no YAML', 'key: value lines, indented with spaces']
    const path = understood ? pathAt(document.contents, offset) : []
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
          stepsFrom(node, document)
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

  return { root, readable, problems, lineOf }
}

/** Plain values as YAML. */
export function formatText(value: unknown): string {
  return yaml.stringify(value, { aliasDuplicateObjects: false, lineWidth: 0 })
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
function stepsFrom(node: unknown, document: yaml.Document): readonly Step[] {
  if (yaml.isAlias(node)) return stepsFrom(node.resolve(document), document)
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
    else if (yaml.isSeq(value)) merged.push(...value.items.flatMap((item) => stepsFrom(item, document)))
    else merged.push(...stepsFrom(value, document))
  }
  return [...own, ...merged]
}

function keyName(key: yaml.Scalar): string {
  return typeof key.value === 'symbol' ? (key.value.description ?? '') : String(key.value)
}

/** The path of what stands at an offset of the text; it ends at the key of a secret. */
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

// A YAML or JSON text as plain values, with the line of every path. The only door to yaml: cosmiconfig's own loaders run
// code for some files and know no lines.
// The one rule: the parser's own messages are never shown. They quote the text, and the text may hold a secret.
import * as yaml from 'yaml'
import { display } from '../display.ts'
import type { Path, Problem } from './problem.ts'

export interface TextDocument {
  /** Plain values; null for a text without contents. Means nothing when `readable` is false. */
  readonly root: unknown
  readonly readable: boolean
  readonly problems: readonly (Problem & { readonly line: number })[]
  /** The line, from 1, of the nearest thing there is on the way to `path`. */
  lineOf(path: Path, at: 'key' | 'value'): number
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

export function parseText(text: string): TextDocument {
  const lines = new yaml.LineCounter()
  const document = yaml.parseDocument(text, {
    version: '1.2',
    schema: 'core',
    merge: true,
    stringKeys: true,
    prettyErrors: false,
    lineCounter: lines,
  })
  const faults = [...document.errors, ...document.warnings].map(({ code, pos }) => fault(code, pos[0]))
  yaml.visit(document, {
    Alias(_, alias) {
      if (alias.resolve(document) === undefined) faults.push(fault('BAD_ALIAS', alias.range?.[0] ?? 0))
    },
    Scalar(_, scalar) {
      // 0123 is text to whoever writes it (a password, a mode), and one hundred and twenty-three to YAML 1.2 (N025).
      if (typeof scalar.value === 'number' && /^[-+]?0[\do]/.test(scalar.source ?? '')) scalar.value = scalar.source
    },
  })
  let readable = faults.every(({ code }) => code === 'DUPLICATE_KEY')
  let root: unknown = null
  try {
    // Each of ten thousand accounts may name a shared anchor; the default of 100 is for strangers' documents.
    if (readable) root = document.toJS({ maxAliasCount: 10_000 })
  } catch {
    faults.push(fault('RESOURCE_EXHAUSTION', 0))
    readable = false
  }

  function fault(code: string, offset: number) {
    const [found, expected] = FAULTS[code] ?? ['something that is no YAML', 'key: value lines, indented with spaces']
    const path = pathAt(document.contents, offset)
    return { code, path, at: 'key' as const, found, expected, line: lines.linePos(offset).line }
  }

  function lineOf(path: Path, at: 'key' | 'value'): number {
    let node: unknown = document.contents
    let offset = yaml.isNode(node) ? (node.range?.[0] ?? 0) : 0
    for (const name of path) {
      const step = stepsFrom(node, document).find((candidate) => candidate.name === name)
      if (step === undefined) return lines.linePos(offset).line
      node = step.value
      // A mapping or a list begins below its key: the key is what a person looks for.
      const start = at === 'value' && yaml.isScalar(node) && node.range ? node.range : step.key.range
      offset = start?.[0] ?? offset
    }
    return lines.linePos(offset).line
  }

  return { root, readable, problems: faults, lineOf }
}

/** Plain values as YAML. */
export function formatText(value: unknown): string {
  return yaml.stringify(value, { aliasDuplicateObjects: false, lineWidth: 0 })
}

/** What is directly in a mapping or a list; keys merged with `<<` after the mapping's own. */
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

/** The path of what stands at an offset of the text, as far as the parser understood it. */
function pathAt(node: unknown, offset: number): Path {
  if (yaml.isMap(node)) {
    for (const { key, value } of node.items) {
      if (!yaml.isScalar(key) || !key.range) continue
      const end = yaml.isNode(value) && value.range ? value.range[2] : key.range[2]
      if (key.range[0] <= offset && offset < end) return [display(keyName(key), 60), ...pathAt(value, offset)]
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

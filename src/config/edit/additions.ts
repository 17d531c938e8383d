// More accounts, destinations and sign-in clients in the text of a configuration file. All that is there stays as it is, comments and
// order included: the new lines are put behind the last one of their mapping. A file of JSON is written anew, two spaces deep.
import * as yaml from 'yaml'
import { formatText } from '../document.ts'
import { isWritten, type Written } from '../values/written.ts'

/** What is added, under the keys of the file. */
export type Additions = Readonly<Record<'accounts' | 'destinations' | 'oauth', Written>>

const KEYS = ['accounts', 'destinations', 'oauth'] as const

/** Null: the text is written in a way that nothing can be added to, such as `accounts: { … }` on one line. */
export function withAdditions(text: string, additions: Additions): string | null {
  const wanted = KEYS.filter((key) => Object.keys(additions[key]).length > 0)
  if (text.trimStart().startsWith('{')) return inJson(text, additions, wanted)
  const lines = new yaml.LineCounter()
  const document = yaml.parseDocument(text, { lineCounter: lines, version: '1.2' })
  const { contents } = document
  if (!yaml.isMap(contents) || contents.flow === true || document.errors.length > 0) return null
  const insertions: { readonly at: number; readonly text: string }[] = []
  for (const key of wanted) {
    const pair = contents.items.find((one) => yaml.isScalar(one.key) && one.key.value === key)
    const value = pair?.value
    if (pair === undefined) {
      const gap = text.endsWith('\n') ? '\n' : '\n\n'
      insertions.push({ at: text.length, text: `${gap}${formatText({ [key]: additions[key] })}` })
      continue
    }
    if (!yaml.isMap(value) || value.flow === true || value.items.length === 0) return null
    const column = columnOf(value, lines)
    if (column === null) return null
    const at = behind(text, endOf(value), column)
    const block = formatText(additions[key]).replace(/^(?=.)/gm, ' '.repeat(column))
    // Accounts that stand apart get one more that stands apart.
    const isApart = key === 'accounts' && /\n[ \t]*\n/.test(text.slice(value.range?.[0] ?? 0, at))
    const before = text.slice(0, at).endsWith('\n') ? '' : '\n'
    insertions.push({ at, text: `${before}${isApart ? '\n' : ''}${block}` })
  }
  // From the end; of two at one place the later one first, so that it comes to stand behind.
  return insertions
    .toReversed()
    .toSorted((a, b) => b.at - a.at)
    .reduce((whole, { at, text: added }) => `${whole.slice(0, at)}${added}${whole.slice(at)}`, text)
}

function inJson(text: string, additions: Additions, wanted: readonly (keyof Additions)[]): string | null {
  let root: unknown
  try {
    root = JSON.parse(text)
  } catch {
    // YAML in braces.
    return null
  }
  if (!isWritten(root)) return null
  const merged: Record<string, unknown> = { ...root }
  for (const key of wanted) {
    const there = root[key]
    merged[key] = { ...(isWritten(there) ? there : {}), ...additions[key] }
  }
  return `${JSON.stringify(merged, null, 2)}\n`
}

/** How far the keys of a mapping are indented. */
function columnOf(map: yaml.YAMLMap, lines: yaml.LineCounter): number | null {
  const [first] = map.items
  const start = yaml.isNode(first?.key) ? first.key.range?.[0] : undefined
  return start === undefined ? null : lines.linePos(start).col - 1
}

/** Where the last value in it ends. */
function endOf(node: unknown): number {
  if (yaml.isMap(node) && node.flow !== true && node.items.length > 0) {
    const last = node.items.at(-1)
    return endOf(last?.value ?? last?.key)
  }
  if (yaml.isSeq(node) && node.flow !== true && node.items.length > 0) return endOf(node.items.at(-1))
  return yaml.isNode(node) ? (node.range?.[1] ?? 0) : 0
}

/** Behind the line in which `end` is, and behind the comments below it that are indented as its mapping is, or deeper. */
function behind(text: string, end: number, column: number): number {
  let at = text[end - 1] === '\n' ? end : lineEnd(text, end)
  for (;;) {
    const next = lineEnd(text, at)
    const line = text.slice(at, next)
    const depth = line.length - line.trimStart().length
    if (at >= text.length || !line.trimStart().startsWith('#') || depth < Math.max(1, column)) return at
    at = next
  }
}

function lineEnd(text: string, from: number): number {
  const at = text.indexOf('\n', from)
  return at < 0 ? text.length : at + 1
}

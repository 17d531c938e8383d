// More accounts, destinations and sign-in clients in the text of a configuration file. All that is there stays as it is, comments
// and order included. New lines are put behind the last one of their mapping; within braces, as in JSON, behind its last key.
import { isDeepStrictEqual } from 'node:util'
import * as yaml from 'yaml'
import { formatText, parseText } from '../document.ts'
import { isWritten, type Written } from '../values/written.ts'

/** What is added, under the keys of the file. */
export type Additions = Readonly<Record<'accounts' | 'destinations' | 'oauth', Written>>

const KEYS = ['accounts', 'destinations', 'oauth'] as const

interface Insertion {
  readonly at: number
  readonly text: string
}

/** Null: nothing can be added where it would have to stand, as with `accounts: *all`. */
export function withAdditions(text: string, additions: Additions): string | null {
  const wanted = KEYS.filter((key) => Object.keys(additions[key]).length > 0)
  const lines = new yaml.LineCounter()
  const document = yaml.parseDocument(text, { lineCounter: lines, version: '1.2' })
  const { contents } = document
  if (!yaml.isMap(contents) || document.errors.length > 0) return null
  const insertions: Insertion[] = []
  const missing: [string, Written][] = []
  for (const key of wanted) {
    const pair = contents.items.find((one) => yaml.isScalar(one.key) && one.key.value === key)
    const value = pair?.value
    if (pair === undefined) missing.push([key, additions[key]])
    else if (!yaml.isMap(value)) return null
    else if (value.flow === true) insertions.push(...inBraces(value, additions[key], text))
    else {
      const inserted = inLines(value, additions[key], { text, lines, isApart: key === 'accounts' })
      if (inserted === null) return null
      insertions.push(inserted)
    }
  }
  if (missing.length > 0) insertions.push(...atTheTop(contents, missing, text))
  const ends = text.includes('\r\n') ? '\r\n' : '\n'
  // From the end; of two at one place the later one first, so that it comes to be behind.
  const whole = insertions
    .toReversed()
    .toSorted((a, b) => b.at - a.at)
    .reduce((all, { at, text: added }) => `${all.slice(0, at)}${added.replaceAll('\n', ends)}${all.slice(at)}`, text)
  return isAdded(text, whole, additions) ? whole : null
}

/** Can an account and a destination be added? */
export function takesAdditions(text: string): boolean {
  const one = { 'popfetch-tries': { a: 'b' } }
  return withAdditions(text, { accounts: one, destinations: one, oauth: {} }) !== null
}

/** Does the new text mean what the old one did, and what was added? */
function isAdded(before: string, after: string, additions: Additions): boolean {
  const [old, fresh] = [parseText(before).root, parseText(after)]
  if (!isWritten(old) || !fresh.readable || fresh.problems.length > 0) return false
  const expected: Record<string, unknown> = { ...old }
  for (const key of KEYS) {
    if (Object.keys(additions[key]).length === 0) continue
    const there = old[key]
    expected[key] = { ...(isWritten(there) ? there : {}), ...additions[key] }
  }
  // A key without a value is not written.
  return isDeepStrictEqual(plain(fresh.root), plain(expected))
}

function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value))
}

function atTheTop(root: yaml.YAMLMap, missing: readonly [string, Written][], text: string): readonly Insertion[] {
  if (root.flow === true) return inBraces(root, Object.fromEntries(missing), text)
  return missing.map(([key, added], at) => {
    const gap = at > 0 || text.endsWith('\n') ? '\n' : '\n\n'
    return { at: text.length, text: `${gap}${formatText({ [key]: added })}` }
  })
}

/** Behind the last key of a mapping that has each of its keys on a line. */
function inLines(
  map: yaml.YAMLMap,
  added: Written,
  { text, lines, isApart }: { readonly text: string; readonly lines: yaml.LineCounter; readonly isApart: boolean },
): Insertion | null {
  const column = columnOf(map, lines)
  if (column === null) return null
  const at = behind(text, endOf(map), column)
  const block = formatText(added).replace(/^(?=.)/gm, ' '.repeat(column))
  // Accounts that stand apart get one more that stands apart.
  const gap = isApart && /\n[ \t\r]*\n/.test(text.slice(map.range?.[0] ?? 0, at)) ? '\n' : ''
  const before = text.slice(0, at).endsWith('\n') ? '' : '\n'
  return { at, text: `${before}${gap}${block}` }
}

/** Behind the last key of a mapping in braces: on lines of its own where the others have theirs. */
function inBraces(map: yaml.YAMLMap, added: Written, text: string): readonly Insertion[] {
  const close = (map.range?.[1] ?? 0) - 1
  const last = map.items.at(-1)
  const indent = /\n([ \t]*)$/.exec(text.slice(0, startOf(map.items[0]) ?? 0))?.[1] ?? null
  const isOfLines = indent !== null && /\n[ \t]*$/.test(text.slice(0, close))
  const outer = /(?:^|\n)([ \t]*)$/.exec(text.slice(0, close))?.[1] ?? ''
  const step = indent !== null && indent.startsWith(outer) ? indent.slice(outer.length) : '  '
  const written = Object.entries(added).map(([name, value]) => pairText(name, value, text, isOfLines ? step : ''))
  if (last === undefined) return [{ at: close, text: written.join(', ') }]
  const end = valueEnd(last)
  // A comma may be there already; a comment may follow it.
  const hasComma = hasCommaBehind(text.slice(end, close))
  const comma: readonly Insertion[] = hasComma ? [] : [{ at: end, text: ',' }]
  if (!isOfLines) {
    // A comment would swallow what is put behind it: the brace is on another line then.
    const at = hasComma || text.slice(end, close).includes('#') ? close : end
    const gap = /\s$/.test(text.slice(0, at)) ? '' : ' '
    return [...comma, { at, text: `${gap}${written.join(', ')}` }]
  }
  const at = text.lastIndexOf('\n', close - 1)
  const shifted = written.map((one) => `\n${indent}${one.replaceAll('\n', `\n${indent}`)}`)
  return [...comma, { at: text[at - 1] === '\r' ? at - 1 : at, text: shifted.join(',') }]
}

/** As JSON where the file is that, so that it stays JSON. */
function pairText(name: string, value: unknown, text: string, step: string): string {
  if (isJson(text)) return `${JSON.stringify(name)}: ${JSON.stringify(value, null, step)}`
  const inOne = yaml.stringify(
    { [name]: value },
    { collectionStyle: 'flow', lineWidth: 0, flowCollectionPadding: true },
  )
  // Without the braces around it.
  return inOne.trim().slice(1, -1).trim()
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

function hasCommaBehind(rest: string): boolean {
  return rest.replaceAll(/(?<=^|\s)#.*$/gm, '').includes(',')
}

function startOf(pair: yaml.Pair | undefined): number | null {
  return yaml.isNode(pair?.key) ? (pair.key.range?.[0] ?? null) : null
}

function valueEnd({ key, value }: yaml.Pair): number {
  const node = yaml.isNode(value) ? value : key
  return yaml.isNode(node) ? (node.range?.[1] ?? 0) : 0
}

/** How far the keys of a mapping are indented. */
function columnOf(map: yaml.YAMLMap, lines: yaml.LineCounter): number | null {
  const start = startOf(map.items[0])
  return start === null ? null : lines.linePos(start).col - 1
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

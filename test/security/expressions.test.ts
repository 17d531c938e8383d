// Every regular expression of the program, tried on hostile texts: long runs of each character that it knows, with an end that
// does not match. The expressions are read from the sources, so a new one is tried by being there. One that takes the square of
// the length has to be given short texts only: it stands below, with what keeps them short.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { growth, LINEAR } from './growth.ts'

const SRC = join(import.meta.dirname, '../../src')

/** `file expression`, and why no text is long enough. */
const SHORT: Readonly<Record<string, string>> = {
  'header/date.ts /^[ \\t]*(?:[a-z]{3}': 'a date has at most 100 characters',
  'deliver/answers/reply.ts /\\S*\\d\\S*/': 'of an answer the first 2,000 characters are looked at',
  'deliver/answers/reply.ts /<[^>]*>|': 'of an answer the first 2,000 characters are looked at',
}

interface Expression {
  readonly where: string
  readonly expression: RegExp
}

function expressions(): readonly Expression[] {
  const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'))
  return files.flatMap((name) => {
    const text = readFileSync(join(SRC, name), 'utf8').replace(/^\s*\/\/.*$|^\s*\/?\*.*$/gm, '')
    const found = text.matchAll(
      /(?<=[=>(,:?&|!{}[]\s*|return\s+)\/((?![*/])(?:\[(?:[^\]\\\n]|\\.)*\]|\\.|[^/\\\n[])+)\/([dgimsuvy]*)(?=[\s).,;:\]}]|$)/gm,
    )
    return [...found].flatMap(([, source = '', flags = '']) => {
      try {
        return [{ where: `${name} /${source}/`, expression: new RegExp(source, flags) }]
      } catch {
        return []
      }
    })
  })
}

/** Runs of what the expression itself speaks of, and of the signs that most classes hold. */
function attacks(source: string): readonly ((n: number) => string)[] {
  const literal = source.replaceAll(/\\[bBdDwWsSpPkux](?:\{[^}]*\})?|\\|[()[\]{}?*+|^$]/g, '')
  const signs = new Set([...literal, ' ', '\t', '\n', '\r', 'a', '0', '-', '.', ':', '<', '"'])
  const starts = new Set(['', literal.slice(0, 1), literal.slice(0, 3), 'a', 'a b', 'a:', '0 ', 'a://', '//', '[a'])
  const runs = [...signs].flatMap((sign) =>
    [...starts].map((start) => (n: number) => `${start}${sign.repeat(n)}\u0001`),
  )
  const pairs = [literal.slice(0, 2), literal.slice(-2), 'a ', '. ', '@[', ': '].filter((pair) => pair.length === 2)
  return [...runs, ...pairs.map((pair) => (n: number) => `${pair.repeat(n / 2)}\u0001`)]
}

const QUICK_MS = 2

function isQuick(use: (text: string) => unknown, text: string): boolean {
  const before = process.cpuUsage()
  use(text)
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1000 < QUICK_MS
}

// Tens of thousands of texts: seconds on a quiet machine, minutes on a busy one.
test(
  'every regular expression takes a time that grows with the text, or is given short texts only',
  { timeout: 1_800_000 },
  () => {
    const all = expressions()
    expect(all.length).toBeGreaterThan(150)
    const slow = all.flatMap(({ where, expression: { source, flags } }) => {
      const expression = new RegExp(source, flags.includes('g') ? flags : `${flags}g`)
      const use = (text: string): unknown => text.replace(expression, '')
      // The square of 4,000 takes ten milliseconds: what is quick there need not be measured.
      const bad = attacks(source).find(
        (attack) => !isQuick(use, attack(4000)) && growth((n) => use(attack(n)), 8000) > LINEAR,
      )
      return bad === undefined ? [] : [`${where} on ${JSON.stringify(bad(8))}`]
    })
    expect(slow.filter((each) => !Object.keys(SHORT).some((known) => each.startsWith(known)))).toEqual([])
  },
)

test('how expressions are compiled is not changed while the process runs: V8 then runs one in a form that it was not compiled to, and crashes', () => {
  const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'))
  expect(files.filter((name) => /['"`-]regexp-/.test(readFileSync(join(SRC, name), 'utf8')))).toEqual([])
})

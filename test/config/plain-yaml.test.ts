// Plain texts are read without yaml: what they mean, and where it stands, must be the same.
import fc from 'fast-check'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ofNodes, type TextDocument } from '../../src/config/document.ts'
import { ofPlain, readPlain } from '../../src/config/plain-yaml.ts'
import type { Path } from '../../src/config/problem.ts'
import { atOnce } from '../../src/config/turns.ts'

function* pathsOf(value: unknown, path: Path = []): Generator<Path> {
  yield path
  yield [...path, 'nothing']
  if (typeof value !== 'object' || value === null) return
  const names = Array.isArray(value) ? value.keys() : Object.keys(value)
  for (const name of names) yield* pathsOf(Reflect.get(value, name), [...path, name])
}

/** Is it plain? Then it must mean the same. */
function compared(text: string): boolean {
  const read = atOnce(readPlain(text))
  if (read === null) return false
  const plain: TextDocument = ofPlain(read, text)
  const nodes = atOnce(ofNodes(text))
  const { root, readable, problems, doubts } = nodes
  expect({ root: plain.root, readable: true, problems: [], doubts: [] }, text).toEqual({
    root,
    readable,
    problems,
    doubts,
  })
  for (const path of pathsOf(root)) {
    for (const at of ['key', 'value'] as const)
      expect([path, at, plain.lineOf(path, at)], text).toEqual([path, at, nodes.lineOf(path, at)])
    expect([path, plain.textAt(path)], text).toEqual([path, nodes.textAt(path)])
  }
  return true
}

const words = [
  'a',
  'b1',
  'password',
  'token',
  'host',
  'first-of',
  'null',
  'true',
  'True',
  '~',
  '~/Mail',
  'no',
  'yes',
  'on',
  '0',
  '-1',
  '+5',
  '0123',
  '00',
  '0x1f',
  '0o17',
  '1e3',
  '1.',
  '.5',
  '-.inf',
  '.nan',
  '12:30',
  '1_000',
  '9007199254740993',
  '123456789012345',
  '5m',
  '30d',
  '127.0.0.1',
  '-x',
  '--x',
  '---',
  '...',
  '- ',
  '-',
  '',
  ' ',
  '  ',
  '    ',
  ':',
  ': ',
  ' :',
  '#',
  ' #',
  '# c',
  ' # c',
  ' #c',
  '"',
  "'",
  '"q"',
  "'q'",
  '"q #"',
  "'it''s'",
  '"a\\n"',
  '[',
  ']',
  '{',
  '}',
  ', ',
  ',',
  '[a, b]',
  '{ a: 1, b: c }',
  '{ env: X }',
  '[]',
  '{}',
  '[ ]',
  '{a: b}',
  '{a}',
  '[a: b]',
  '*a',
  '&a ',
  '!t ',
  '|',
  '>',
  '|-',
  '? ',
  '@x',
  '`x',
  '%x',
  'a b',
  'a: b',
  'a:b',
  'http://x:25/',
  'x@y.z',
  '<<',
  'é',
  '\u00a0',
  '\u2028',
  '\t',
  '\r',
  '\n',
  '\n',
  '\n  ',
  '\n    ',
  '\n- ',
  '\n  - ',
  'a:',
  'b:',
  'c: d',
  'password: p',
  'password: p #q',
  '\n  # c',
  '\n#c',
  '\ufeff',
  '__proto__:',
] as const

test('any text: what is read as plain means the same to yaml', () => {
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom(...words), { maxLength: 14, size: 'max' }),
      (parts) => void compared(parts.join('')),
    ),
    { numRuns: 20_000 },
  )
})

const key = fc.constantFrom('a', 'b', 'c.d', 'host', 'password', 'token', 'deliver', 'x-mine', 'null', 'n0')
const scalar = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.constantFrom('a', 'b1', '5m', '7', '0123', '{ env: X }', '[a, b]', "'q'", '~/Mail', 'a b', ''),
  },
  { weight: 1, arbitrary: fc.constantFrom(...words.filter((word) => !/[\n\r\t]/.test(word))) },
)

interface Written {
  readonly lines: readonly string[]
}

/** Lines of a mapping or a list, indented as somebody may have done it. */
const { block } = fc.letrec<{ block: Written; value: Written }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    scalar.map((word) => ({ lines: [word] })),
    tie('block'),
  ),
  block: fc
    .tuple(
      fc.constantFrom('map', 'map', 'map', 'list'),
      fc.constantFrom(1, 2, 2, 4),
      fc.constantFrom('', '', '', ' # of it', '  '),
      fc.uniqueArray(fc.tuple(key, tie('value')), { minLength: 1, maxLength: 4, selector: ([name]) => name }),
    )
    .map(([kind, by, tail, parts]) => ({
      lines: parts.flatMap(([name, value]) => {
        const pad = (kind === 'list' ? 2 : by) as number
        const [first = '', ...rest] = value.lines
        const isBlock = rest.length > 0 || /^[\w.-]+:( |$)|^- /.test(first)
        if (kind === 'list') return [`- ${first}`, ...rest.map((line) => `${' '.repeat(pad)}${line}`)]
        return isBlock
          ? [`${name}:${tail}`, ...value.lines.map((line) => `${' '.repeat(pad)}${line}`)]
          : [`${name}: ${first}${tail}`]
      }),
    })),
}))

test('any indented text: what is read as plain means the same to yaml, and many are', () => {
  let plain = 0
  fc.assert(
    fc.property(block, fc.constantFrom('', '\n', '# first\n\n'), ({ lines }, head) => {
      if (compared(`${head}${lines.join('\n')}\n`)) plain++
    }),
    { numRuns: 3000 },
  )
  expect(plain).toBeGreaterThan(300)
})

test('the configurations of the examples, as far as they are plain', () => {
  const pages = join(import.meta.dirname, '../../examples')
  const blocks = readdirSync(pages)
    .filter((name) => name.endsWith('.md'))
    .flatMap((name) => [...readFileSync(join(pages, name), 'utf8').matchAll(/```yaml\n([\s\S]*?)```/g)])
    .map(([, text = '']) => text)
  const plain = blocks.filter(compared)
  expect(plain.length).toBeGreaterThan(blocks.length / 2)
})

test('ten thousand accounts as a program writes them are plain', () => {
  const account = (at: number): string[] => [
    `  "a${at}":`.replaceAll('"', ''),
    '    host: pop.example.net',
    `    user: user${at}@example.net # of the panel`,
    `    password: '#${at} "x"'`,
    '    deliver: [inbox, { first-of: [a, b] }]',
    '    route:',
    '      - match: { from: x@example.net }',
    '        deliver: other',
    `    limit: ${at}`,
    '',
  ]
  const text = ['# accounts', 'accounts:', ...Array.from({ length: 10_000 }, (_, at) => account(at)).flat()].join('\n')
  const read = atOnce(readPlain(text))
  expect(Object.keys(read?.root['accounts'] as object)).toHaveLength(10_000)
  if (read === null) throw new Error('it is plain')
  expect(ofPlain(read, text).lineOf(['accounts', 'a9999', 'route', 0, 'deliver'])).toBe(100_000)
})

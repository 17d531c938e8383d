import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { runInThisContext } from 'node:vm'
import { expect, test } from 'vitest'
import { parseAst } from 'rolldown/parseAst'
import { type Evaluate, type Exports, moduleOf, scriptOf } from '../../src/cli/script-form.ts'
import { CHUNKS } from './child.ts'

const EMPTY: Exports = {}

/** The line that .rolldown.config.js puts behind the imports. */
const GIVEN = 'const given$reach = (specifier) => import(specifier), given$url = import.meta.url;\n'

/** As it writes a chunk. */
function written(text: string): string {
  const [imports = ''] = /^(?:import .*\n)*/.exec(text) ?? []
  const rest = text.slice(imports.length)
  return imports + GIVEN + rest.replaceAll('import(', 'given$reach(').replaceAll('import.meta.url', 'given$url')
}

function evaluated(text: string, others: Readonly<Record<string, Exports>> = {}): Exports {
  const evaluate = runInThisContext(scriptOf(written(text)) ?? 'null') as Evaluate
  return evaluate(
    (name) => others[name] ?? EMPTY,
    (specifier) => Promise.resolve({ specifier }),
    'file:///x/chunks/me.js',
  )
}

test.each([
  ['nothing but exports', 'const a = 1;\nexport { a };', { a: 1 }],
  ['exports under other names', 'const a = 1, b = 2;\nexport { a as t, b as $ };\n', { t: 1, $: 2 }],
  ['an import', 'import { a as b, c } from "./x-1.js";\nconst d = b + c;\nexport { d };', { d: 3 }],
  ['an import for its effect', 'import "./x-1.js";\nconst d = 1;\nexport { d };', { d: 1 }],
  ['its own place', 'const u = import.meta.url;\nexport { u };', { u: 'file:///x/chunks/me.js' }],
  [
    'names like those of the loader',
    'const load = 1, reach = 2, url = 3;\nexport { load, reach, url };',
    { load: 1, reach: 2, url: 3 },
  ],
  ['strict code, as a module has', 'const t = (function () { return this; })();\nexport { t };', { t: undefined }],
])('a chunk with %s is a script with the same exports', (_, text, expected) => {
  expect(evaluated(text, { 'x-1.js': { a: 1, c: 2 } })).toEqual(expected)
})

test('what a chunk loads at first use, the loader gives', async () => {
  const { f } = evaluated('const f = () => import("./late-1.js");\nexport { f };') as { f: () => Promise<unknown> }
  expect(await f()).toEqual({ specifier: './late-1.js' })
})

test('an error tells the line of the chunk', () => {
  const { f } = evaluated(
    'import { a } from "./x-1.js";\n\nconst f = () => { throw new Error("here"); };\nexport { f };',
  ) as {
    f: () => void
  }
  let stack = ''
  try {
    f()
  } catch (error) {
    stack = (error as Error).stack ?? ''
  }
  // That of the line that is put in.
  expect(stack).toMatch(/evalmachine\.<anonymous>:4:/)
})

test.each([
  ['a default export', 'const a = 1;\nexport default a;\nexport {};'],
  ['no export', 'const a = 1;'],
  ['an import of a package', 'import { a } from "yaml";\nexport { a };'],
  ['an import of everything', 'import * as a from "./x-1.js";\nexport { a };'],
  ['an import from elsewhere', 'import { a } from "../x-1.js";\nexport { a };'],
])('a chunk with %s stays a module', (_, text) => {
  expect(scriptOf(written(text))).toBeNull()
})

test('so does one whose text may have words of a module in it', () => {
  expect(scriptOf('const f = () => import("./late-1.js");\nexport { f };')).toBeNull()
})

test('a module that stands for a script has its exports', () => {
  expect(moduleOf(['a', '$'], 'given()')).toBe(
    'const { "a": export0, "$": export1 } = given();\nexport { export0 as a, export1 as $ };',
  )
})

test.each(['rolldown-runtime', 'start', 'poll', 'full', 'config'])(
  'the chunk %s has the form, and no export that changes',
  (name) => {
    const file = readdirSync(CHUNKS).find((each) => each.startsWith(`${name}-`)) ?? ''
    const text = readFileSync(join(CHUNKS, file), 'utf8')
    const script = scriptOf(text)
    expect(script).not.toBeNull()
    // Neither can be had in a script.
    expect(script).not.toMatch(/\bimport\s*[(.]/)
    // Its text is kept at a byte a character.
    if (name !== 'rolldown-runtime') expect(text).not.toMatch(/[^\0-\x7f]/)
    const { exported, assigned } = bindingsOf(parseAst(text))
    expect(exported.length).toBeGreaterThan(0)
    expect(exported.filter((local) => assigned.has(local))).toEqual([])
  },
)

interface Node {
  readonly type: string
  readonly [key: string]: unknown
}

/** What is exported, and the variables of the top level that are assigned to after their declaration. */
function bindingsOf(program: unknown) {
  const changing = new Set<string>()
  const exported: string[] = []
  for (const statement of (program as { body: readonly Node[] }).body) {
    if (statement.type === 'ExportNamedDeclaration')
      for (const { local } of statement['specifiers'] as { local: { name: string } }[]) exported.push(local.name)
    if (statement.type !== 'VariableDeclaration' || statement['kind'] === 'const') continue
    for (const { id } of statement['declarations'] as { id: { name?: string } }[])
      if (id.name !== undefined) changing.add(id.name)
  }
  const assigned = new Set<string>()
  const visit = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return
    if (Array.isArray(value)) return value.forEach(visit)
    const { type, left, argument } = value as { type?: string; left?: Node; argument?: Node }
    const target = type === 'AssignmentExpression' ? left : type === 'UpdateExpression' ? argument : undefined
    if (target?.type === 'Identifier' && changing.has(String(target['name']))) assigned.add(String(target['name']))
    for (const inner of Object.values(value)) visit(inner)
  }
  visit(program)
  return { exported, assigned }
}

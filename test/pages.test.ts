// The pages that are made from the tables: the manual and the reference in examples/.
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { COMMAND_WORDS, COMMANDS } from '../src/cli/commands/commands.ts'
import { COMMON } from '../src/cli/common-options.ts'
import { loadVocabulary } from '../src/cli/vocabulary.ts'
import { jsonSchema } from '../src/config/reference/json-schema.ts'
import { reference } from '../src/config/reference/keys.ts'

const ROOT = join(import.meta.dirname, '..')
const folder = mkdtempSync(join(tmpdir(), 'popfetch-pages-'))
const pages = ['man/popfetch.1', 'man/popfetch.yaml.5']
const made = (name: string): string => readFileSync(join(folder, name), 'utf8')
/** As a reader sees it, without what roff needs. */
const plain = (name: string): string =>
  made(name).replaceAll('\\-', '-').replaceAll('\\(aq', "'").replaceAll('\\(dq', '"').replaceAll('\\e', '\\')

beforeAll(() => {
  execFileSync(process.execPath, ['.build/pages.js', folder, folder], { cwd: ROOT })
})
afterAll(() => rmSync(folder, { recursive: true }))

/** Whether this machine has the program; .ci/run installs it. */
function has(program: string): boolean {
  return spawnSync(program, ['--version']).error === undefined || spawnSync(program, ['-V']).error === undefined
}

test('examples/reference.md is what the schema says now', () => {
  // If this fails: npm run reference
  expect(readFileSync(join(ROOT, 'examples/reference.md'), 'utf8')).toBe(made('reference.md'))
})

test('the schema of the package is the one that the program prints', () => {
  expect(JSON.parse(made('config.schema.json'))).toEqual(JSON.parse(JSON.stringify(jsonSchema())))
})

test('popfetch(1) has every command and every option, popfetch.yaml(5) every key', async () => {
  const { commands, options } = await loadVocabulary(COMMANDS)
  const lines = plain('man/popfetch.1').split('\n')
  expect(COMMAND_WORDS.filter((word) => !lines.some((line) => line.startsWith(`.SS popfetch ${word}`)))).toEqual([])
  const terms = lines.filter((line) => line.startsWith('.B ')).join(' ')
  expect(Object.keys({ ...COMMON, ...options }).filter((name) => !terms.includes(`--${name}`))).toEqual([])
  for (const { examples } of commands.values()) {
    for (const [line] of examples) expect(terms).toContain(`.B ${line.replace('$0', 'popfetch')}`)
  }
  const keys = reference().flatMap((section) => section.keys.map(({ path }) => `.B ${path}`))
  expect(keys.filter((key) => !plain('man/popfetch.yaml.5').split('\n').includes(key))).toEqual([])
})

describe.skipIf(!has('mandoc'))('mandoc', () => {
  test.each(pages)('finds nothing wrong with %s', (page) => {
    const { status, stdout, stderr } = spawnSync('mandoc', ['-T', 'lint', '-W', 'all', join(folder, page)], {
      encoding: 'utf8',
    })
    expect([status, stdout, stderr]).toEqual([0, '', ''])
  })
})

describe.skipIf(!has('groff'))('groff', () => {
  test.each(pages)('shows %s without a warning', (page) => {
    const { status, stdout, stderr } = spawnSync('groff', ['-ww', '-man', '-T', 'ascii', join(folder, page)], {
      encoding: 'utf8',
    })
    expect([status, stderr]).toEqual([0, ''])
    expect(stdout).toContain('NAME')
  })
})

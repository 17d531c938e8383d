// The table of README.md: every attacker has every cell, and every test that a cell names exists.
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'

const ROOT = join(import.meta.dirname, '../..')
const ASSETS = ['secret', 'mail', 'file', 'time', 'memory', 'terminal']
const ATTACKERS = [
  'The server',
  'A man in the middle',
  'The sender of a mail',
  'The next hop',
  'Another user of this machine',
  'DNS and autoconfig',
  'Old files',
  'The configuration',
  'A client of the HTTP server',
  'The supply chain',
  'A provider of tokens',
]

interface Cell {
  readonly attacker: string
  readonly asset: string
  readonly text: string
  readonly tests: readonly { readonly file: string; readonly title: string }[]
}

const cells: readonly Cell[] = readFileSync(join(import.meta.dirname, 'README.md'), 'utf8')
  .split(/^## /m)
  .slice(1)
  .flatMap((section) => {
    const [attacker = ''] = section.split('\n', 1)
    return section
      .split(/^- \*\*(?=\w+\*\*$)/m)
      .slice(1)
      .map((cell) => {
        const [asset = ''] = cell.split('**', 1)
        const tests = [...cell.matchAll(/`(test\/[^`]+)` "([^"]+)"/g)]
        return {
          attacker,
          asset,
          text: cell.slice(asset.length + 2).trim(),
          tests: tests.map(([, file = '', title = '']) => ({ file, title })),
        }
      })
  })

test('every attacker has a cell for every thing worth protecting', () => {
  const wanted = ATTACKERS.flatMap((attacker) => ASSETS.map((asset) => `${attacker}: ${asset}`))
  expect(cells.map(({ attacker, asset }) => `${attacker}: ${asset}`)).toEqual(wanted)
})

test('every cell names a test, a reason, or what is still to be done', () => {
  const empty = cells.filter(({ text, tests }) => tests.length === 0 && !/^- (?:No|Open): .{15}/.test(text))
  expect(empty.map(({ attacker, asset }) => `${attacker}: ${asset}`)).toEqual([])
})

test('every test that is named exists', () => {
  const missing = cells.flatMap(({ attacker, asset, tests }) =>
    tests
      .filter(({ file, title }) => !existsSync(join(ROOT, file)) || !titlesOf(file).includes(title))
      .map(({ file, title }) => `${attacker}: ${asset}: ${file} "${title}"`),
  )
  expect(missing).toEqual([])
  expect(cells.flatMap(({ tests }) => tests).length).toBeGreaterThan(80)
})

/** The text of a file as its titles are read: a quote in single quotes may be escaped. */
function titlesOf(file: string): string {
  return readFileSync(join(ROOT, file), 'utf8').replaceAll("\\'", "'")
}

// The table of hazards in this folder's README is kept true: every row is there, and the tests that it names exist.
import { readdirSync, readFileSync } from 'node:fs'
import { basename, join, normalize } from 'node:path'
import { expect, test } from 'vitest'

const TESTS = join(import.meta.dirname, '..')

const rows = readFileSync(join(import.meta.dirname, 'README.md'), 'utf8')
  .split('\n')
  .filter((line) => /^\| N\d{3}/.test(line))
const files = readdirSync(TESTS, { recursive: true, encoding: 'utf8' })

/** A test may change its folder, but not its room. */
function isThere(named: string): boolean {
  const [room = ''] = normalize(join('daemon', named)).split('/')
  return files.some((file) => basename(file) === basename(named) && (file === room || file.startsWith(`${room}/`)))
}

test('every row from N001 to N040 is there', () => {
  const ids = rows.flatMap((row) => row.split('|')[1]?.match(/N\d{3}/g) ?? [])
  expect(ids).toEqual(Array.from({ length: 40 }, (_, at) => `N${String(at + 1).padStart(3, '0')}`))
})

test('every test that it names is there', () => {
  const named = rows.flatMap((row) => [...row.matchAll(/`([^`]+\.ts)`/g)].map(([, name = '']) => name))
  expect(named.length).toBeGreaterThan(40)
  expect(named.filter((name) => !isThere(name))).toEqual([])
})

// What is known to go wrong has IDs. Of these, each is in the title of a test that holds it: here the titles are looked
// through, so that none loses its test unseen.
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { titlesOf } from './support/titles.ts'

const numbered = (letter: string, from: number, to: number, width: number, but: readonly number[] = []) =>
  Array.from({ length: to - from + 1 }, (_, at) => from + at)
    .filter((number) => !but.includes(number))
    .map((number) => `${letter}${String(number).padStart(width, '0')}`)

/** Fetching; delivering; daemon, telling, state; recovery; what a person meets in the first minutes. */
const HAZARDS = [
  ...numbered('P', 158, 174, 3),
  ...numbered('D', 115, 134, 3, [123, 125]),
  ...numbered('N', 41, 48, 3, [44, 46]),
  ...numbered('S', 34, 51, 3),
  ...numbered('B', 1, 21, 1),
]

const titles = globSync('**/*.ts', { cwd: import.meta.dirname })
  .flatMap((file) => titlesOf(readFileSync(join(import.meta.dirname, file), 'utf8')))
  .join('\n')

test('titles are found however they are written', () => {
  expect(titlesOf("// test('no')\ntest('one (P001)', () => {})\n  it(\n    `two ${n}`,\n")).toEqual([
    'one (P001)',
    'two ${n}',
  ])
  expect(titlesOf("test.each([\n  ['x'],\n] as const)('three %s (it\\'s)', f)\ndescribe.each(all)('four', f)")).toEqual(
    ["three %s (it\\'s)", 'four'],
  )
})

test.each(HAZARDS)('%s is named by a test', (id) => {
  expect(titles).toMatch(new RegExp(String.raw`\b${id}\b`))
})

// The table of hazards in this folder's README is kept true: every row is there, and the tests that it names exist and name
// the row.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'

const TESTS = join(import.meta.dirname, '..')

const rows = readFileSync(join(import.meta.dirname, 'README.md'), 'utf8')
  .split('\n')
  .flatMap((line) => {
    const [, id, , tests, remarks] = line.split('|').map((cell) => cell.trim())
    return id !== undefined && /^P\d{3}$/.test(id) ? [{ id, tests: tests ?? '', remarks: remarks ?? '' }] : []
  })

const files = readdirSync(TESTS, { recursive: true, encoding: 'utf8' })

/** The files that a word of the table may mean: it is the end of their path, so that a test may change its folder. */
function filesOf(test: string): string[] {
  if (test.endsWith('.txt')) return [join('transcripts', test)]
  if (test === 'crash') return [join('crash', 'oracle.ts')]
  return files.filter((file) => `/${file}`.endsWith(`/${test}.test.ts`))
}

/** Does the text name the row, by itself or within a range such as P088–P092? */
function names(text: string, id: string): boolean {
  if (text.includes(id)) return true
  return [...text.matchAll(/P(\d{3})–P(\d{3})/g)].some(([, from, to]) => {
    const number = Number(id.slice(1))
    return Number(from) <= number && number <= Number(to)
  })
}

it('every row from P001 to P174 has a test that names it, or a reason', () => {
  expect(rows.map(({ id }) => id)).toEqual(
    Array.from({ length: 174 }, (_, at) => `P${String(at + 1).padStart(3, '0')}`),
  )
  expect(rows.filter(({ tests, remarks }) => tests === '—' && remarks === '').map(({ id }) => id)).toEqual([])
})

it.each(rows.filter(({ tests }) => tests !== '—'))('$id is named where the table says: $tests', ({ id, tests }) => {
  for (const test of tests.split(', ')) {
    const texts = filesOf(test).map((file) => readFileSync(join(TESTS, file), 'utf8'))
    expect(
      texts.some((text) => names(text, id)),
      `${test} does not name ${id}`,
    ).toBe(true)
  }
})

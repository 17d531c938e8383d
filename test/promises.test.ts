// What is promised to people, sentence by sentence, and for each the tests that hold it: the lists in promises/. Here it is
// checked that each sentence has a test, and that the tests are there, by title or by the name of a row of a table.
import { existsSync, globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { codeOf, titlesOf } from './support/titles.ts'

const LISTS = join(import.meta.dirname, 'promises')

interface Sentence {
  readonly says: string
  readonly tests: readonly { readonly file: string; readonly title: string }[]
}

/** `- a sentence`, and below it lines such as ``  - `file.test.ts` "title"``. */
function sentencesOf(list: string): readonly Sentence[] {
  return list
    .split(/^- /m)
    .slice(1)
    .map((part) => {
      const tests = [...part.matchAll(/^ {2}- `([^`]+)` "(.+)"$/gm)]
      const [says = ''] = part.split('\n', 1)
      return { says, tests: tests.map(([, file = '', title = '']) => ({ file, title })) }
    })
}

/** Every title of a file, and every text in it that may name a row. */
function namesIn(file: string): ReadonlySet<string> {
  const path = join(import.meta.dirname, file)
  if (!existsSync(path)) return new Set()
  const source = readFileSync(path, 'utf8')
  const texts = [...codeOf(source).matchAll(/(['"`])((?:\\.|(?!\1)[^\\\n])+)\1/g)].map(([, , text = '']) => text)
  return new Set([...titlesOf(source), ...texts].map((text) => text.replaceAll("\\'", "'")))
}

const lists = globSync('*.md', { cwd: LISTS }).toSorted()

test('there is a list for each part', () => {
  expect(lists).toEqual([
    '1-promises.md',
    '2-output.md',
    '3-configuration.md',
    '4-ledger.md',
    '5-back-off.md',
    'answers.md',
  ])
})

test.each(lists)('each sentence of %s has its tests', (list) => {
  const sentences = sentencesOf(readFileSync(join(LISTS, list), 'utf8'))
  expect(sentences.length).toBeGreaterThan(5)
  expect(sentences.filter(({ tests }) => tests.length === 0).map(({ says }) => says)).toEqual([])
  const names = new Map<string, ReadonlySet<string>>()
  const missing = sentences.flatMap(({ says, tests }) =>
    tests
      .filter(({ file, title }) => {
        const known = names.get(file) ?? namesIn(file)
        names.set(file, known)
        return !known.has(title)
      })
      .map(({ file, title }) => `${says}: ${file} "${title}"`),
  )
  expect(missing).toEqual([])
})

test('a name that is not there is noticed', () => {
  expect(sentencesOf('# A\n\n- says\n  - `a.test.ts` "title "x""\n- no test\n')).toEqual([
    { says: 'says', tests: [{ file: 'a.test.ts', title: 'title "x"' }] },
    { says: 'no test', tests: [] },
  ])
  const names = namesIn('promises.test.ts')
  expect([names.has('a name that is not there is noticed'), names.has(['a name', 'that is not'].join(' '))]).toEqual([
    true,
    false,
  ])
  expect(namesIn('none.test.ts').size).toBe(0)
})

// The table of promises.md: every sentence has a test, and every test that is named exists.
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { codeOf } from '../support/titles.ts'

const ROOT = join(import.meta.dirname, '../..')

const promises = readFileSync(join(import.meta.dirname, 'promises.md'), 'utf8')
  .split(/^- /m)
  .slice(1)
  .map((part) => {
    const [sentence = ''] = part.split('\n', 1)
    const tests = [...part.matchAll(/^ {2}- `(test\/[^`]+)` "(.+)"$/gm)]
    return { sentence, tests: tests.map(([, file = '', title = '']) => ({ file, title })) }
  })

test('every promise has a test', () => {
  expect(promises.length).toBeGreaterThan(100)
  expect(promises.filter(({ tests }) => tests.length === 0).map(({ sentence }) => sentence)).toEqual([])
})

test('every test that is named exists', () => {
  const missing = promises.flatMap(({ sentence, tests }) =>
    tests
      .filter(({ file, title }) => {
        const path = join(ROOT, file)
        return !existsSync(path) || !codeOf(readFileSync(path, 'utf8')).replaceAll("\\'", "'").includes(title)
      })
      .map(({ file, title }) => `${sentence}: ${file} "${title}"`),
  )
  expect(missing).toEqual([])
})

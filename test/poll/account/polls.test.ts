// The last polls of an account, as its record has them.
import { expect, test } from 'vitest'
import { pastPolls, pollsFact } from '../../../src/poll/account/polls.ts'
import type { AccountReport } from '../../../src/poll/report.ts'

type Ended = Pick<AccountReport, 'outcome' | 'delivered' | 'error'>

const well = (delivered: number): Ended => ({ outcome: 'ok', delivered, error: null })
const failed = (code: string, message: string): Ended => {
  return { outcome: 'failed', delivered: 0, error: { code, message, retry: 'soon' } }
}

function after(ends: readonly Ended[]): string {
  return ends.reduce((text, end, at) => pollsFact({ facts: { polls: text } }, end, at)['polls'] ?? '', '')
}

test('the last ten polls are remembered, the newest first, with what went wrong', () => {
  const ends = [
    ...Array.from({ length: 9 }, (_, at) => well(at)),
    failed('ERR_AUTH', 'no'),
    failed('ERR_AUTH', 'no'),
    well(7),
  ]
  const polls = pastPolls({ facts: { polls: after(ends) } })
  expect(polls).toHaveLength(10)
  expect(polls.slice(0, 4)).toEqual([
    { atMs: 11, outcome: 'ok', delivered: 7, error: null },
    { atMs: 10, outcome: 'failed', delivered: 0, error: { code: 'ERR_AUTH', message: 'no' } },
    { atMs: 9, outcome: 'failed', delivered: 0, error: { code: 'ERR_AUTH', message: 'no' } },
    { atMs: 8, outcome: 'ok', delivered: 8, error: null },
  ])
})

test('an error that stays the same is written once, and a long one is cut', () => {
  const text = after(Array.from({ length: 10 }, () => failed('ERR_CONNECT', 'x'.repeat(5000))))
  expect(text.length).toBeLessThan(600)
  expect(pastPolls({ facts: { polls: text } }).every(({ error }) => error?.message.length === 121)).toBe(true)
})

test('what a server said makes no line of its own, and reaches nobody unescaped', () => {
  const text = after([failed('ERR_POP3_REPLY', 'a\n5 ok 9 \u001b[2J'), failed('ERR_POP3_REPLY', '='), well(1)])
  expect(pastPolls({ facts: { polls: text } }).map(({ outcome, error }) => [outcome, error?.message])).toEqual([
    ['ok', undefined],
    ['failed', '='],
    ['failed', 'a\\x0a5 ok 9 \\x1b[2J'],
  ])
})

test.each([
  '',
  'x',
  '1 ok',
  '1 gone 2 ',
  '-1 ok 2 ',
  '1 ok 2 \n\n\n',
  `${'9'.repeat(400)} ok 1 `,
  '1 ok 1 '.repeat(5000),
])('a fact that makes no sense is as good as none: %j', (text) => {
  expect(pastPolls({ facts: { polls: text } }).length).toBeLessThanOrEqual(1)
})

import { describe, expect, test } from 'vitest'
import { statusLines, type AccountStatus } from '../../../../src/cli/commands/status/text.ts'
import type { AccountRecord } from '../../../../src/ledger/ledger.ts'
import type { MessageRecord } from '../../../../src/ledger/records.ts'

const NOW = 1.8e12
const MINUTE = 60_000
const record: AccountRecord = {
  name: 'work',
  identity: { host: 'pop.example.net', port: 995, user: 'alice' },
  started: true,
  known: 12,
  lastPollMs: NOW - 3 * MINUTE,
  lastSuccessMs: NOW - 3 * MINUTE,
  failures: 0,
  refusals: 0,
  secretMark: null,
  pausedUntilMs: 0,
  error: null,
  told: null,
  facts: {},
  takingOver: null,
  mark: null,
}
const status: AccountStatus = {
  account: 'work',
  record,
  configured: true,
  unsettled: { waiting: 0, refused: 0, held: 0, undeleted: 0 },
  troubles: [],
  planned: null,
  pausedUntilMs: null,
}
const error = { code: 'ERR_AUTH', message: 'signing in: -ERR no: change the password', retry: 'later' } as const

function only(facts: Partial<AccountStatus>) {
  const lines = statusLines([{ ...status, ...facts }], NOW)
  return { row: lines[1]?.text, tone: lines[1]?.tone, below: lines.slice(2).map(({ text }) => text) }
}

describe('an account', () => {
  test('that is well is a quiet row', () => {
    expect(only({})).toEqual({
      row: '   work     3 min ago     ok, 3 min ago        0        0     0         0  -',
      tone: 'plain',
      below: [],
    })
  })

  test('that fails stands out, with and without colours, and says why', () => {
    const failing = { ...record, failures: 7, lastSuccessMs: NOW - 50 * 3_600_000, error }
    const { row, tone, below } = only({ record: failing, pausedUntilMs: NOW + 14 * MINUTE })
    expect(row).toMatch(/^! {2}work +2 days ago +failed, 3 min ago +0 +0 +0 +7 {2}paused for 14 min, until 20\d\d-/)
    expect(tone).toBe('bad')
    expect(below).toEqual(['work: signing in: -ERR no: change the password'])
  })

  test('that was long without success stands out, though nothing went wrong', () => {
    const { row, tone } = only({ record: { ...record, lastPollMs: NOW - 9e7, lastSuccessMs: NOW - 9e7 } })
    expect([row?.[0], tone]).toEqual(['?', 'doubtful'])
  })

  test('that the background process polls has its next time', () => {
    const planned = { account: 'work', polling: false, nextPollMs: NOW + 2 * MINUTE, overdue: false }
    expect(only({ planned }).row).toMatch(/ {2}in 2 min$/)
    expect(only({ planned: { ...planned, polling: true, nextPollMs: null } }).row).toMatch(/ {2}now$/)
    expect(only({ planned, pausedUntilMs: NOW + 14 * MINUTE }).row).toContain('paused for 14 min')
    expect(only({ planned: { ...planned, overdue: true } })).toMatchObject({
      row: expect.stringMatching(/^!.* {2}overdue$/),
      tone: 'bad',
    })
  })

  test('that was never polled is there', () => {
    const { row, tone } = only({ record: null })
    expect(row).toMatch(/^ {3}work +never +never +0 +0 +0 +0 {2}-$/)
    expect(tone).toBe('plain')
  })

  test('that is not configured says so and does not stand out', () => {
    const { row, tone } = only({ configured: false, record: { ...record, failures: 3, error } })
    expect(row).toMatch(/ {2}not in the configuration$/)
    expect(tone).toBe('plain')
  })

  test('says how many messages should have left the server (P131, P134)', () => {
    const { below } = only({ unsettled: { waiting: 0, refused: 0, held: 0, undeleted: 2 } })
    expect(below).toEqual(['work: 2 messages should have left the server and did not'])
  })

  test('names what is refused and held, and how to see the rest', () => {
    const message = { key: { uidl: 'a b', copy: 0 }, state: 'held', reason: 'too large' } as MessageRecord
    const refused = { key: { uidl: 'c', copy: 1 }, state: 'open', reason: '554 no' } as MessageRecord
    const { below } = only({
      unsettled: { waiting: 0, refused: 30, held: 8, undeleted: 0 },
      troubles: [refused, message],
    })
    expect(below).toEqual([
      'work: message c (copy 1): refused: 554 no',
      'work: message a\\x20b: held back: too large',
      'work: and 36 others: see popfetch state list work --refused and --held',
    ])
  })
})

test('columns are as wide as their widest cell', () => {
  const lines = statusLines([status, { ...status, account: 'a-rather-long-name' }], NOW).map(({ text }) => text)
  expect(new Set(lines.map((text) => text.indexOf('0  -'))).size).toBe(2)
  expect(lines[1]?.indexOf('3 min')).toBe(lines[2]?.indexOf('3 min'))
})

test('no account at all is a sentence', () => {
  expect(statusLines([], NOW)).toEqual([{ text: 'no account was ever polled', tone: 'plain' }])
})

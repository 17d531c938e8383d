import { describe, expect, test } from 'vitest'
import { statusLines, whyLines } from '../../../../src/cli/commands/status/text.ts'
import type { AccountRecord } from '../../../../src/ledger/ledger.ts'
import type { Facts, Planned } from '../../../../src/status/status.ts'
import { failing, HOUR, MINUTE, NOW, record, REFUSED_SIGN_IN, resting, status } from '../../../status/scene.ts'

/** Without `columns`: nobody looks at a terminal. */
function lines(facts: Parameters<typeof status>[0], columns = Infinity) {
  return statusLines(status(facts), columns)
}

/** The row of the one account. */
function row(account: AccountRecord, facts: Partial<Facts> = {}) {
  const all = lines({ records: [account], ...facts })
  const heading = all.findIndex(({ text }) => text.includes('last success'))
  return all[heading + 1]
}

const running = (planned: Partial<Planned>): Facts['daemon'] => ({
  wanted: true,
  pid: 7,
  sinceMs: NOW - HOUR,
  accounts: [{ account: 'work', polling: false, nextPollMs: NOW + 2 * MINUTE, overdue: false, ...planned }],
})

describe('an account', () => {
  test('that is well is a quiet row, and there is nothing else', () => {
    expect(lines({ records: [record('work')] }).slice(1)).toEqual([
      { text: '   work     3 min ago     ok, 3 min ago        0        0     0         0  -', tone: 'plain' },
    ])
  })

  test('that fails is first with its reason and the command, and stands out, with and without colours', () => {
    const facts = { failures: 7, lastSuccessMs: NOW - 50 * HOUR, pausedUntilMs: NOW + 14 * MINUTE }
    const [first, next, second, , third] = lines({ records: [failing('work', REFUSED_SIGN_IN, facts)] })
    expect([first, next, second]).toEqual([
      { text: 'work: paused for 14 min: signing in: -ERR no: change the password', tone: 'bad' },
      { text: '  next: popfetch check work --verbose', tone: 'plain' },
      { text: '', tone: 'plain' },
    ])
    expect(third?.text).toMatch(/^! {2}work +2 days ago +failed, 3 min ago +0 +0 +0 +7 {2}paused for 14 min, until /)
    expect(third?.tone).toBe('bad')
  })

  test('that was long without success stands out, though nothing went wrong', () => {
    const old = record('work', { lastPollMs: NOW - 9e7, lastSuccessMs: NOW - 9e7 })
    expect(row(old)).toMatchObject({ text: expect.stringMatching(/^\?/), tone: 'doubtful' })
  })

  test('that the daemon polls has its next time', () => {
    const at = (planned: Partial<Planned>, facts: Partial<AccountRecord> = {}) =>
      row(record('work', facts), { daemon: running(planned) })
    expect(at({})?.text).toMatch(/ {2}in 2 min$/)
    expect(at({ polling: true, nextPollMs: null })?.text).toMatch(/ {2}now$/)
    expect(at({}, { pausedUntilMs: NOW + 14 * MINUTE })?.text).toContain('paused for 14 min')
    expect(at({ overdue: true })).toMatchObject({ text: expect.stringMatching(/^!.* {2}overdue$/), tone: 'bad' })
    expect(lines({ records: [record('work')], daemon: running({}) }).at(-1)?.text).toMatch(
      /^daemon running since 20.* \(pid 7\)$/,
    )
  })

  test('that was never polled is there', () => {
    expect(lines({ records: [], configured: ['work'] })[1]).toEqual({
      text: '   work     never         never            0        0     0         0  -',
      tone: 'plain',
    })
  })

  test('that is not configured says so and does not stand out', () => {
    const gone = row(failing('work', REFUSED_SIGN_IN), { configured: [] })
    expect(gone).toMatchObject({ text: expect.stringMatching(/ {2}not in the configuration$/), tone: 'plain' })
  })
})

test('a destination that is left alone is first, with the accounts behind it', () => {
  const { message } = resting('forward').rest?.error ?? { message: '' }
  const behind = failing('work', { code: 'ERR_DELIVERY', message: `forward: ${message}`, retry: 'soon' })
  expect(lines({ records: [behind], destinations: [resting('forward')] }).slice(0, 2)).toMatchObject([
    { text: `forward: paused for another 1 h (work): ${message}` },
    { text: '  next: popfetch work' },
  ])
})

test('mail that waits without a word above is told above the table, with the command that shows why', () => {
  const waits = { waiting: 2, refused: 0, held: 0, undeleted: 1 }
  const all = lines({ records: [record('work'), record('home')], unsettled: new Map([['work', waits]]) })
  expect(all.slice(-6, -4).map(({ text }) => text)).toEqual([
    'work: 2 messages waiting',
    '  next: popfetch state list work',
  ])
})

test('an account that is named says why it stands as it does, and what goes on if that was not said above', () => {
  const why = (facts: Parameters<typeof status>[0]) => whyLines(status(facts)).map(({ text }) => text)
  const paused = failing('work', REFUSED_SIGN_IN, { pausedUntilMs: NOW + 14 * MINUTE })
  expect(why({ records: [paused] })).toEqual([
    '',
    expect.stringMatching(/^work: paused, since \d{4}-.*, left alone until \d{4}-.*, because of its own settings$/),
  ])
  expect(why({ records: [record('work')] })).toEqual(['', 'work: ok'])
  expect(why({ records: [], configured: ['work'] })).toEqual(['', 'work: never polled'])
  const waits = { waiting: 2, refused: 0, held: 0, undeleted: 0 }
  expect(why({ records: [record('work')], unsettled: new Map([['work', waits]]) })).toEqual([
    '',
    'work: partial',
    '  next: popfetch state list work',
  ])
})

test('columns are as wide as their widest cell', () => {
  const [, first = '', second = ''] = lines({ records: [record('work'), record('a-rather-long-name')] }).map(
    ({ text }) => text,
  )
  expect(first.indexOf('0  -')).toBe(second.indexOf('0  -'))
  expect(first.indexOf('3 min')).toBe(second.indexOf('3 min'))
})

test('no account at all is a sentence', () => {
  expect(lines({ records: [] })).toEqual([{ text: 'no account was ever polled', tone: 'plain' }])
})

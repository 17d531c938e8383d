// One rule for `status --check` and `/healthz`: a table.
import { describe, expect, test } from 'vitest'
import { healthOf, healthText, selfOf } from '../../src/status/health.ts'
import { NONE_TOLERATED, parseShare } from '../../src/status/tolerance.ts'
import {
  failing,
  FORWARD_ERROR,
  HOUR,
  MINUTE,
  NOW,
  pauseOf,
  record,
  REFUSED_SIGN_IN,
  resting,
  status,
  UNREACHABLE,
} from './scene.ts'

const GONE = { wanted: true, pid: null, sinceMs: null, accounts: [] }
const overdue = (account: string) => ({ account, polling: true, nextPollMs: null, overdue: true })
const running = (...accounts: readonly ReturnType<typeof overdue>[]) => ({
  wanted: true,
  pid: 7,
  sinceMs: NOW - HOUR,
  accounts,
})
const guard = { code: 'ERR_UIDS_CHANGED', message: 'all UIDs are new', retry: 'never' } as const
const tls = { code: 'ERR_TLS', message: 'expired', retry: 'later' } as const

const FAILED = { sinceMs: NOW - MINUTE, message: 'accountsFrom: away', retry: 'soon' } as const
const NOT_TAKEN = 'what the program of accountsFrom printed was not taken'

type Row = readonly [what: string, facts: Parameters<typeof status>[0], code: number, text: string]

const ROWS: readonly Row[] = [
  ['no account at all', { records: [] }, 0, 'all is well'],
  ['accounts that are well', { records: [record('a'), record('b')] }, 0, 'all is well'],
  ['an account that was never polled', { records: [], configured: ['a'] }, 0, 'all is well'],
  [
    'a paused account that did not fail (P173)',
    { records: [record('a', { pausedUntilMs: NOW + HOUR })] },
    0,
    'all is well',
  ],
  ['an account that cannot be reached', { records: [failing('a', UNREACHABLE), record('b')] }, 75, 'failing: a'],
  ['a refused password', { records: [failing('a', REFUSED_SIGN_IN), failing('b', UNREACHABLE)] }, 77, 'failing: a, b'],
  ['a guard', { records: [failing('a', REFUSED_SIGN_IN), failing('b', guard)] }, 78, 'failing: a, b'],
  ['anything else is 75', { records: [failing('a', tls)] }, 75, 'failing: a'],
  ['a failure without an error', { records: [failing('a', null)] }, 75, 'failing: a'],
  ['one that is not configured', { records: [failing('a', guard)], configured: [] }, 0, 'all is well'],
  ['a program of accountsFrom that fails', { records: [record('a')], asked: FAILED }, 75, NOT_TAKEN],
  ['one that prints no YAML', { records: [record('a')], asked: { ...FAILED, retry: 'never' } }, 78, NOT_TAKEN],
  ['a destination left alone', { records: [record('a')], destinations: [resting('forward')] }, 75, 'paused: forward'],
  [
    'a destination that refuses the sign-in',
    { records: [record('a')], destinations: [resting('forward', { exit: 77 })] },
    77,
    'paused: forward',
  ],
  ...(
    [
      ['a folder that mail waited for two days ago', { conclusion: 'ACT', untilMs: NOW - 48 * HOUR }, 75],
      ['a folder that no mail has waited for since', { conclusion: 'ACT', untilMs: NOW - 73 * HOUR }, 0],
      ['a folder that refused a message', { conclusion: 'ACT', untilMs: NOW - 73 * HOUR, openers: ['x'] }, 75],
      ['a server that was busy', { conclusion: 'BUSY', untilMs: NOW - 73 * HOUR }, 75],
    ] as const
  ).map(([what, rest, code]): Row => [
    what,
    { records: [record('a')], destinations: [resting('inbox', { ...rest, sinceMs: NOW - 200 * HOUR })] },
    code,
    code === 0 ? 'all is well' : 'paused: inbox',
  ]),
  [
    'a destination that lacks a folder',
    { records: [record('a')], destinations: [resting('inbox', { exit: 73 })] },
    75,
    'paused: inbox',
  ],
  [
    'a failing account that a person paused',
    { records: [failing('a', guard)], pauses: [pauseOf('account', 'a')] },
    0,
    'all is well',
  ],
  [
    'a destination left alone that a person paused, and the account behind it',
    {
      records: [failing('a', { ...FORWARD_ERROR, retry: 'soon' })],
      destinations: [resting('forward')],
      pauses: [pauseOf('destination', 'forward')],
    },
    0,
    'all is well',
  ],
  ['a daemon that is gone', { records: [record('a')], daemon: GONE }, 69, 'the daemon was started and does not run'],
  [
    'a daemon that is gone, before all else',
    { records: [failing('a', guard)], daemon: GONE },
    69,
    'the daemon was started and does not run; failing: a',
  ],
  ['a poll that hangs', { records: [record('a')], daemon: running(overdue('a')) }, 75, 'overdue: a'],
  [
    'an account that the daemon was not started for',
    { records: [record('a'), failing('b', guard)], daemon: running({ ...overdue('a'), overdue: false }) },
    0,
    'all is well',
  ],
]

test.each(ROWS)('%s', (_, facts, code, text) => {
  const health = healthOf(status(facts))
  expect([health.code, healthText(health)]).toEqual([code, text])
})

describe('what is overlooked', () => {
  const many = [...Array.from({ length: 98 }, (_, at) => record(`a${at}`)), failing('b', guard), failing('c', guard)]
  const code = (facts: Parameters<typeof status>[0], tolerance: Partial<typeof NONE_TOLERATED>): number =>
    healthOf(status(facts), { ...NONE_TOLERATED, ...tolerance }).code

  test.each([
    [0, 78],
    [30, 78],
    [60, 78],
    [61, 0],
  ])('with a grace of %i minutes a failure of an hour ago is %i', (minutes, expected) => {
    expect(code({ records: [failing('a', guard)] }, { graceMs: minutes * MINUTE })).toBe(expected)
    expect(code({ records: [], destinations: [resting('x', { exit: 78 })] }, { graceMs: minutes * MINUTE })).toBe(
      expected,
    )
  })

  test.each([
    [0, 78],
    [0.01, 78],
    [0.02, 0],
    [1, 0],
  ])('where %d of the accounts may fail, two of a hundred are %i', (share, expected) => {
    expect(code({ records: many }, { share })).toBe(expected)
  })

  test('a share is of whole accounts: 29 % of a hundred are 29', () => {
    const records = Array.from({ length: 100 }, (_, at) => (at < 29 ? failing(`a${at}`, guard) : record(`a${at}`)))
    expect(code({ records }, { share: parseShare('29%') ?? 0 })).toBe(0)
    expect(code({ records }, { share: parseShare('28.999%') ?? 0 })).toBe(78)
  })

  test('a program of accountsFrom that fails is overlooked while that is younger, and never as a share of the accounts', () => {
    const facts = { records: [record('a')], asked: FAILED }
    expect(code(facts, { share: 1 })).toBe(75)
    expect(code(facts, { graceMs: 2 * MINUTE })).toBe(0)
    expect(code({ ...facts, asked: { ...FAILED, sinceMs: null } }, { graceMs: 100 * HOUR })).toBe(75)
  })

  test('nothing overlooks a daemon that is gone', () => {
    expect(code({ records: many, daemon: GONE }, { share: 1, graceMs: 100 * HOUR })).toBe(69)
  })
})

test('popfetch itself works whatever servers and destinations do', () => {
  const troubled = { records: [failing('a', guard)], destinations: [resting('forward')] }
  expect(selfOf(status(troubled))).toEqual({ code: 0, troubles: [] })
  expect(selfOf(status({ ...troubled, daemon: GONE })).code).toBe(69)
  expect(selfOf(status({ ...troubled, daemon: running(overdue('a')) }))).toEqual({ code: 75, troubles: ['overdue: a'] })
})

test.each([
  ['2%', 0.02],
  ['0%', 0],
  ['100%', 1],
  ['2.5%', 0.025],
  ['101%', null],
  ['2', null],
  ['-1%', null],
  ['', null],
  ['1e1%', null],
])('a share %j is %d', (text, share) => {
  expect(parseShare(text)).toBe(share)
})

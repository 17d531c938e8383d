import { describe, expect, test } from 'vitest'
import { exitCodeOfError, exitCodeOfReport, exitCodeOfReports } from '../../src/status/exit.ts'
import type { ErrorCode, Retry } from '../../src/errors.ts'

// Every code there is: a new one does not compile until it has a row here.
const TABLE: Record<ErrorCode, Record<Retry, number>> = {
  ERR_USAGE: all(64),
  ERR_CONFIG: all(78),
  ERR_SECRET: { never: 78, soon: 75, later: 75 },
  ERR_CONNECT: all(75),
  ERR_TLS: all(76),
  ERR_AUTH: all(77),
  ERR_MECHANISM: all(76),
  ERR_PROVIDER: all(76),
  ERR_POP3_REPLY: all(75),
  ERR_POP3_PROTOCOL: all(76),
  ERR_TIMEOUT: all(75),
  ERR_DELIVERY: { soon: 75, later: 73, never: 73 },
  ERR_LEDGER: all(74),
  ERR_NO_UIDL: all(78),
  ERR_ACCOUNT_RENAMED: all(78),
  ERR_UIDS_CHANGED: all(78),
  ERR_DELETE_GUARD: all(78),
  ERR_FIRST_POLL: all(78),
  ERR_NO_SPACE: all(78),
  ERR_ABORTED: all(75),
  ERR_BUSY: all(75),
  ERR_PAUSED: all(75),
  ERR_ACCOUNTS: { never: 78, soon: 75, later: 75 },
  ERR_LEASE_LOST: all(75),
  ERR_NO_DAEMON: all(69),
  ERR_BUG: all(70),
}

function all(code: number): Record<Retry, number> {
  return { soon: code, later: code, never: code }
}

describe('an error has its exit code', () => {
  const rows = Object.entries(TABLE).flatMap(([code, byRetry]) =>
    Object.entries(byRetry).map(([retry, exit]) => [code, retry as Retry, exit] as const),
  )
  test.each(rows)('%s, retry %s → %i', (code, retry, exit) => {
    expect(exitCodeOfError({ code, retry })).toBe(exit)
  })

  test('a code nobody knows is a bug', () => {
    expect(exitCodeOfError({ code: 'ERR_NEW', retry: 'soon' })).toBe(70)
  })
})

const failed = (code: ErrorCode, retry: Retry = 'soon') =>
  ({ outcome: 'failed', error: { code, message: '', retry } }) as const
const ok = { outcome: 'ok', error: null } as const
const busy = { outcome: 'busy', error: null } as const
const partial = { outcome: 'partial', error: null } as const

describe('an account', () => {
  test.each([
    ['that was polled is 0', ok, 0],
    ['that is busy is no failure', busy, 0],
    ['polled in part is temporary', partial, 75],
    [
      'polled in part because a destination is full is 73',
      { ...failed('ERR_DELIVERY', 'later'), outcome: 'partial' } as const,
      73,
    ],
    ['that is paused counts with its last failure', { ...failed('ERR_AUTH'), outcome: 'paused' } as const, 77],
    ['that is paused without a failure is 0 (P173)', { outcome: 'paused', error: null } as const, 0],
    ['that failed without a reason is temporary', { outcome: 'failed', error: null } as const, 75],
  ])('%s', (_title, report, code) => {
    expect(exitCodeOfReport(report)).toBe(code)
  })
})

test('of several accounts the most serious failure counts: 78, 77, 76, 74, 73, 70, 75', () => {
  const inOrder = [
    failed('ERR_CONFIG'),
    failed('ERR_AUTH'),
    failed('ERR_TLS'),
    failed('ERR_LEDGER'),
    failed('ERR_DELIVERY', 'never'),
    failed('ERR_BUG'),
    failed('ERR_CONNECT'),
    ok,
  ]
  const worst = inOrder.map((_report, i) => exitCodeOfReports(inOrder.slice(i).toReversed()))
  expect(worst).toEqual([78, 77, 76, 74, 73, 70, 75, 0])
  expect(exitCodeOfReports([])).toBe(0)
})

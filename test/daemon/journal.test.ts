// What is written into the log about polls: changes, not repetitions.
import { expect, test } from 'vitest'
import { Journal } from '../../src/daemon/journal.ts'
import type { Log, LogFacts } from '../../src/log.ts'
import { silentLog } from '../../src/log.ts'
import type { AccountReport } from '../../src/poll/report.ts'
import type { MissedPolls } from '../../src/status/remembered/missed.ts'
import { accountReport } from '../cli/reports.ts'
import { account, failing } from './fake-time.ts'

const DAY = 86_400_000

class Scene {
  readonly lines: string[] = []
  nowMs = 1.8e12
  readonly missed: MissedPolls[] = []
  readonly #journal: Journal

  constructor() {
    const line =
      (level: string) =>
      (text: string, facts: LogFacts = {}): void =>
        void this.lines.push(`${level}: ${text}${'failedPolls' in facts ? ` ${JSON.stringify(facts)}` : ''}`)
    const log: Log = { ...silentLog, info: line('info'), warn: line('warn'), error: line('error') }
    this.#journal = new Journal(
      log,
      () => this.nowMs,
      (missed) => void this.missed.push(missed),
    )
  }

  ended(facts: Partial<AccountReport>, thrown: unknown = null): void {
    const report = accountReport(facts)
    this.#journal.ended({ account: account('work'), report, health: failing(1), lateMs: 0, waitMs: 0, thrown })
  }

  failed(code: string, message = code): void {
    this.ended({ outcome: 'failed', error: { code, message, retry: 'soon' } })
  }

  take(): string[] {
    return this.lines.splice(0)
  }
}

test('a poll that did something has a line, one that did not has none', () => {
  const scene = new Scene()
  for (let polls = 0; polls < 100; polls++) scene.ended({})
  expect(scene.take()).toEqual([])
  scene.ended({ delivered: 2 })
  expect(scene.take()).toEqual(['info: polled'])
})

test('a ledger that cannot be used is one trouble, not one of each account, and counted when it is over', () => {
  const scene = new Scene()
  const error = { code: 'ERR_LEDGER', message: 'the database is away', retry: 'soon', ofLedger: true } as const
  for (let polls = 0; polls < 100; polls++)
    scene.ended({ account: `a${polls % 50}`, outcome: 'failed', error, troubles: [] })
  expect(scene.take()).toEqual(['error: the database is away'])
  scene.nowMs += DAY
  scene.ended({ account: 'a1', outcome: 'failed', error })
  scene.ended({ account: 'a2', outcome: 'failed', error })
  expect(scene.take()).toEqual(['error: the database is away'])
  expect(scene.missed).toEqual([])
  scene.nowMs += 1000
  scene.ended({ account: 'a3', outcome: 'paused' })
  scene.ended({ account: 'a1' })
  expect(scene.take()).toEqual(['info: the ledger can be used again {"failedPolls":102,"accounts":50}'])
  expect(scene.missed).toEqual([{ sinceMs: 1.8e12, untilMs: scene.nowMs, polls: 102, accounts: 50 }])
  scene.ended({ account: 'a4', outcome: 'failed', error })
  expect(scene.take()).toEqual(['error: the database is away'])
})

test('a hundred failing polls have one line, a day of them two, the recovery one (N034)', () => {
  const scene = new Scene()
  for (let polls = 0; polls < 100; polls++) scene.failed(polls % 2 === 0 ? 'ERR_CONNECT' : 'ERR_TIMEOUT')
  expect(scene.take()).toEqual(['error: ERR_CONNECT'])
  scene.nowMs += DAY
  scene.failed('ERR_TIMEOUT')
  scene.failed('ERR_TIMEOUT')
  expect(scene.take()).toEqual(['error: ERR_TIMEOUT'])
  scene.ended({})
  scene.ended({})
  expect(scene.take()).toEqual(['info: works again'])
})

test('another kind of failure is told at once, and so is one that comes back', () => {
  const scene = new Scene()
  scene.failed('ERR_CONNECT')
  scene.failed('ERR_AUTH')
  scene.ended({})
  scene.failed('ERR_AUTH')
  expect(scene.take()).toEqual(['error: ERR_CONNECT', 'error: ERR_AUTH', 'info: works again', 'error: ERR_AUTH'])
})

test('polls that were paused, cut short or done by another say nothing about how the account is', () => {
  const scene = new Scene()
  scene.failed('ERR_AUTH')
  scene.take()
  const error = { code: 'ERR_AUTH', message: 'refused', retry: 'later' } as const
  scene.ended({ outcome: 'paused', error })
  scene.ended({ outcome: 'paused' })
  scene.ended({ outcome: 'busy' })
  scene.ended({ outcome: 'failed', error: { ...error, code: 'ERR_ABORTED' } })
  expect(scene.take()).toEqual([])
})

test('what happened to a message is told when it happens; what is only deferred because all fails is not', () => {
  const scene = new Scene()
  const problems = [
    { uidl: 'a', kind: 'refused', reason: 'relaying denied' },
    { uidl: 'b', kind: 'deferred', reason: 'disk full' },
  ] as const
  const error = { code: 'ERR_DELIVERY', message: 'disk full', retry: 'soon' } as const
  scene.ended({ outcome: 'failed', error, problems })
  expect(scene.take()).toEqual(['warn: relaying denied', 'error: disk full'])
})

test('a bug has its stack in the log', () => {
  const scene = new Scene()
  const error = { code: 'ERR_BUG', message: 'unexpected error', retry: 'soon' } as const
  scene.ended({ outcome: 'failed', error }, new TypeError('x is not a function'))
  expect(scene.take()[0]).toMatch(/^error: TypeError: x is not a function\n {4}at /)
})

test('a message that is deferred again and again is told when that begins, and once a day (N043)', () => {
  const scene = new Scene()
  const problem = { uidl: 'a', kind: 'deferred', reason: 'greylisted' } as const
  scene.ended({ outcome: 'partial', deferred: 1, problems: [problem] })
  for (let polls = 0; polls < 50; polls++) {
    scene.nowMs += 60_000
    scene.ended({ outcome: 'partial', deferred: 1, problems: [{ ...problem, again: true }] })
  }
  expect(scene.take()).toEqual(['warn: greylisted'])
  scene.nowMs += DAY
  for (let polls = 0; polls < 5; polls++)
    scene.ended({ outcome: 'partial', deferred: 1, problems: [{ ...problem, again: true }] })
  expect(scene.take()).toEqual(['warn: greylisted'])
})

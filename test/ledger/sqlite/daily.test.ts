// Two copies from the last days, for accidents: once a day over all processes, whole, private, bounded, never of a damaged ledger and
// never where the disk is short.
import { existsSync, readdirSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { Ledger } from '../../../src/ledger/ledger.ts'
import { restoreLedger } from '../../../src/ledger/sqlite/restore.ts'
import { openLedger } from '../../../src/ledger/sqlite/open.ts'
import { beginning, key, leaseOf, temporaryDirectory } from '../scene.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
const plenty = (): number => 0

/** A ledger whose clock a test moves; copies get that clock's time. */
class Days implements AsyncDisposable {
  nowMs = Date.now()
  readonly path: string
  ledger: Ledger

  private constructor(path: string, ledger: Ledger) {
    this.path = path
    this.ledger = ledger
  }

  static async begin(): Promise<Days> {
    const path = join(await temporaryDirectory(), 'state.db')
    let days: Days | null = null
    const nowMs = (): number => days?.nowMs ?? Date.now()
    days = new Days(path, await openLedger(path, { nowMs }))
    return days
  }

  /** As each poll and each minute of the background process does. */
  async look(afterMs: number, keepFree: (bytes: number) => number = plenty): Promise<string> {
    this.nowMs += afterMs
    const outcome = await this.ledger.records.copyDaily(keepFree)
    if (outcome === 'taken') utimesSync(`${this.path}.daily.1`, this.nowMs / 1000, this.nowMs / 1000)
    return outcome
  }

  async add(...uidls: readonly string[]): Promise<void> {
    await using lease = await leaseOf(this.ledger, 'work')
    await this.ledger.begin(
      lease,
      uidls.map((uidl) => beginning(key(uidl))),
    )
  }

  /** How many messages a copy knows. */
  async known(at: number): Promise<number | null> {
    const file = `${this.path}.daily.${at}`
    if (!existsSync(file)) return null
    await using copy = await openLedger(file, { readOnly: true })
    return (await copy.account('work'))?.known ?? 0
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.ledger[Symbol.asyncDispose]()
  }
}

test('one is taken a day after the first poll, then each day; there are two, private, and the older one goes', async () => {
  await using days = await Days.begin()
  await days.add('a')
  const outcomes = [await days.look(0), await days.look(HOUR_MS), await days.look(20 * HOUR_MS)]
  expect([outcomes, await days.known(1), await days.known(2)]).toEqual([['not due', 'not due', 'taken'], 1, null])
  await days.add('b')
  expect([await days.look(HOUR_MS), await days.look(DAY_MS)]).toEqual(['not due', 'taken'])
  await days.add('c')
  expect(await days.look(DAY_MS)).toBe('taken')
  expect([await days.known(1), await days.known(2)]).toEqual([3, 2])
  expect([1, 2].map((at) => statSync(`${days.path}.daily.${at}`).mode & 0o777)).toEqual([0o600, 0o600])
  expect(readdirSync(join(days.path, '..')).filter((name) => name.includes('.new-'))).toEqual([])
})

test('two processes that look at once take one', async () => {
  await using days = await Days.begin()
  await days.add('a')
  await days.look(0)
  days.nowMs += DAY_MS
  await using other = await openLedger(days.path, { nowMs: () => days.nowMs })
  const outcomes = await Promise.all([days.ledger.records.copyDaily(plenty), other.records.copyDaily(plenty)])
  expect(outcomes.toSorted()).toEqual(['not due', 'taken'])
})

test('none is taken while the disk is short, and the next day it is tried again', async () => {
  await using days = await Days.begin()
  await days.add('a')
  await days.look(0)
  expect(await days.look(DAY_MS, () => Infinity)).toBe('short')
  expect(existsSync(`${days.path}.daily.1`)).toBe(false)
  expect([await days.look(HOUR_MS), await days.look(DAY_MS)]).toEqual(['not due', 'taken'])
})

test('a copy that knows far more than the ledger does now stays, though copies are taken: perhaps the ledger was lost', async () => {
  await using days = await Days.begin()
  await days.add(...Array.from({ length: 100 }, (_, at) => String(at)))
  await days.look(0)
  await days.look(DAY_MS)
  await using lease = await days.ledger.lease('work')
  if (lease !== null) await days.ledger.records.forgetAll(lease, {})
  for (let day = 0; day < 5; day++) await days.look(DAY_MS)
  expect([await days.known(1), await days.known(2)]).toEqual([0, 100])
  for (let day = 0; day < 31; day++) await days.look(DAY_MS)
  expect(await days.known(2)).toBe(0)
})

test('a damaged ledger takes the place of no copy, and says so', async () => {
  const days = await Days.begin()
  await days.add(...Array.from({ length: 300 }, (_, at) => `${at}-${'x'.repeat(60)}`))
  await days.look(0)
  await days.look(DAY_MS)
  await days[Symbol.asyncDispose]()
  const bytes = (await import('node:fs')).readFileSync(days.path)
  bytes.fill(0, 5 * 4096, 7 * 4096)
  writeFileSync(days.path, bytes)
  days.ledger = await openLedger(days.path, { nowMs: () => days.nowMs })
  await using _ = days
  await expect(days.look(DAY_MS)).rejects.toThrow()
  expect(await days.known(1)).toBe(300)
})

test('a copy is put back as any other, and a killed draft is swept away with the next one', async () => {
  const days = await Days.begin()
  await days.add('a')
  await days.look(0)
  const draft = `${days.path}.new-0123456789abcdef`
  writeFileSync(draft, 'half', { mode: 0o600 })
  utimesSync(draft, 1e9, 1e9)
  expect(await days.look(DAY_MS)).toBe('taken')
  expect(existsSync(draft)).toBe(false)
  await days.add('b')
  await days[Symbol.asyncDispose]()
  expect(await restoreLedger(days.path, `${days.path}.daily.1`)).toMatchObject({ messages: 1 })
})

// What a ledger need not keep, by the day: accounts that are no longer configured, and headers that nobody wants.
import { describe, expect, test } from 'vitest'
import type { Ledger } from '../../../src/ledger/ledger.ts'
import { silentLog } from '../../../src/log.ts'
import { departedNames, tidyLedger } from '../../../src/poll/account/tidy.ts'
import { beginning, DONE, freshLedger, IDENTITY, key, leaseOf, settlement } from '../../ledger/scene.ts'

const DAY = 86_400_000
const START = Date.UTC(2026, 0, 1)

async function ledgerOf(...accounts: string[]): Promise<Ledger> {
  const ledger = await freshLedger()
  for (const account of accounts) {
    await using lease = await leaseOf(ledger, account)
    await ledger.begin(lease, [beginning(key('x'))])
  }
  return ledger
}

/** A day on which the configuration has these accounts. */
async function look(
  ledger: Ledger,
  names: readonly string[],
  nowMs: number,
  keepDeparted: number | null = 90 * DAY,
): Promise<boolean> {
  const accounts = names.map((name) => ({ name, formerly: [] })) as unknown as Parameters<
    typeof tidyLedger
  >[0]['accounts']
  const signal = new AbortController().signal
  return await tidyLedger(
    { accounts, disabled: [], destinations: new Map(), headers: 'all', trouble: null, keepDeparted },
    { ledger, log: silentLog, nowMs, signal },
  )
}

const names = async (ledger: Ledger): Promise<readonly string[]> => (await ledger.accounts()).map(({ name }) => name)

test('an account is forgotten when it was not configured for so long, day by day or week by week', async () => {
  for (const step of [1, 7]) {
    const ledger = await ledgerOf('gone', 'here')
    for (let day = 0; day < 90; day += step) await look(ledger, ['here'], START + day * DAY)
    expect(await names(ledger)).toEqual(['gone', 'here'])
    await look(ledger, ['here'], START + 98 * DAY)
    expect(await names(ledger)).toEqual(['here'])
  }
})

test('one that comes back in time counts anew', async () => {
  const ledger = await ledgerOf('gone', 'here')
  for (let day = 0; day < 80; day += 8) await look(ledger, ['here'], START + day * DAY)
  await look(ledger, ['gone', 'here'], START + 80 * DAY)
  for (let day = 88; day < 160; day += 8) await look(ledger, ['here'], START + day * DAY)
  expect(await names(ledger)).toEqual(['gone', 'here'])
})

test('a clock that jumps ahead ages nothing, and one that jumps back does no harm (S040)', async () => {
  const ledger = await ledgerOf('gone', 'here')
  await look(ledger, ['here'], START)
  await look(ledger, ['here'], START + 4000 * DAY)
  await look(ledger, ['here'], START + DAY)
  await look(ledger, ['here'], START + 5000 * DAY)
  expect(await names(ledger)).toEqual(['gone', 'here'])
})

test('never means never, and it looks once a day', async () => {
  const ledger = await ledgerOf('gone')
  for (let day = 0; day < 400; day += 8) expect(await look(ledger, [], START + day * DAY, null)).toBe(true)
  expect(await names(ledger)).toEqual(['gone'])
  expect(await look(ledger, [], START + 392 * DAY + 1000, null)).toBe(false)
})

test('one whose mailbox a new name has, about which a person is asked, stays', async () => {
  const ledger = await ledgerOf('gone')
  const accounts = [{ name: 'new', formerly: [], ...IDENTITY }] as unknown as Parameters<
    typeof tidyLedger
  >[0]['accounts']
  const signal = new AbortController().signal
  const kept = {
    accounts,
    disabled: [],
    destinations: new Map(),
    headers: 'all',
    trouble: null,
    keepDeparted: 90 * DAY,
  } as const
  for (let day = 0; day < 200; day += 8)
    await tidyLedger(kept, { ledger, log: silentLog, nowMs: START + day * DAY, signal })
  expect(await names(ledger)).toEqual(['gone'])
})

test('one that is being polled stays until the next day', async () => {
  const ledger = await ledgerOf('gone')
  for (let day = 0; day < 90; day += 8) await look(ledger, [], START + day * DAY)
  {
    await using _ = await leaseOf(ledger, 'gone')
    await look(ledger, [], START + 96 * DAY)
  }
  expect(await names(ledger)).toEqual(['gone'])
  await look(ledger, [], START + 97 * DAY)
  expect(await names(ledger)).toEqual([])
})

test('of two configurations that are polled one after the other, neither departs, whichever looks for both', async () => {
  const ledger = await ledgerOf('a', 'b')
  for (let day = 0; day < 400; day++) {
    await look(ledger, ['a'], START + day * DAY)
    await look(ledger, ['b'], START + day * DAY + 1000)
  }
  expect(await names(ledger)).toEqual(['a', 'b'])
})

test('two configurations with one ledger do not make one another depart', async () => {
  const ledger = await ledgerOf('a', 'b')
  for (let day = 0; day < 400; day += 2) {
    await look(ledger, ['a'], START + day * DAY)
    await look(ledger, ['b'], START + (day + 1) * DAY)
  }
  expect(await names(ledger)).toEqual(['a', 'b'])
  const accounts = [{ name: 'a' }] as unknown as Parameters<typeof departedNames>[0]['accounts']
  const left = await departedNames(
    { accounts, disabled: [], destinations: new Map() },
    { ledger, nowMs: START + 401 * DAY },
  )
  expect(left).toMatchObject({ accounts: [{ name: 'b', agedMs: 0 }], destinations: [] })
})

describe('a destination', () => {
  const key = 'smtp mail.example.org:587 me'

  /** Left alone, paused, and called so. */
  async function resting(...names: string[]): Promise<Ledger> {
    const ledger = await freshLedger()
    for (const recipient of ['', 'bob@example.org'])
      await ledger.changeDestination(key, recipient, (record) => ({ ...record, names, refusals: 3 }))
    await ledger.pauses.begin(
      names.map((name) => ({ kind: 'destination', name })),
      'me',
      null,
    )
    return ledger
  }

  /** A day on which the configuration has these destinations. */
  async function lookAt(ledger: Ledger, names: readonly string[], day: number): Promise<void> {
    const destinations = new Map(names.map((name) => [name, {}])) as unknown as Parameters<
      typeof tidyLedger
    >[0]['destinations']
    const kept = {
      accounts: [],
      disabled: [],
      destinations,
      headers: 'all',
      trouble: null,
      keepDeparted: 90 * DAY,
    } as const
    const signal = new AbortController().signal
    await tidyLedger(kept, { ledger, log: silentLog, nowMs: START + day * DAY, signal })
  }

  const left = async (ledger: Ledger): Promise<readonly number[]> => [
    (await ledger.destinations()).length,
    (await ledger.pauses.all()).length,
  ]

  test('is forgotten, with its recipients and its pause, when it was not configured for so long', async () => {
    const ledger = await resting('out')
    for (let day = 0; day < 90; day += 8) await lookAt(ledger, ['inbox'], day)
    expect(await left(ledger)).toEqual([2, 1])
    await lookAt(ledger, ['inbox'], 98)
    expect(await left(ledger)).toEqual([0, 0])
    await lookAt(ledger, ['inbox'], 99)
    expect(JSON.parse((await ledger.memo('departed')) ?? '')).toMatchObject({ destinations: {} })
  })

  test('that is configured stays, and one that comes back counts anew', async () => {
    const ledger = await resting('out')
    for (let day = 0; day < 400; day += 8) await lookAt(ledger, ['out'], day)
    for (let day = 400; day < 480; day += 8) await lookAt(ledger, [], day)
    await lookAt(ledger, ['out'], 481)
    for (let day = 482; day < 560; day += 8) await lookAt(ledger, [], day)
    expect(await left(ledger)).toEqual([2, 1])
  })

  test('stays left alone as long as one of its names is configured', async () => {
    const ledger = await resting('old', 'new')
    for (let day = 0; day < 400; day += 8) await lookAt(ledger, ['new'], day)
    expect((await ledger.destinations()).length).toBe(2)
    expect((await ledger.pauses.all()).map(({ name }) => name)).toEqual(['new'])
  })

  test('that the version before did not note departs from today on', async () => {
    const ledger = await resting('out')
    await ledger.changeMemo('departed', () => JSON.stringify({ lookedMs: START - 9 * DAY, departed: {} }))
    await lookAt(ledger, [], 0)
    expect(JSON.parse((await ledger.memo('departed')) ?? '')).toMatchObject({
      destinations: { out: { sinceMs: START, agedMs: 0 } },
    })
  })
})

test('a pause and what was counted of an account go with it', async () => {
  const ledger = await ledgerOf('gone')
  await ledger.pauses.begin([{ kind: 'account', name: 'gone' }], 'me', null)
  for (let day = 0; day < 100; day += 8) await look(ledger, [], START + day * DAY)
  expect([await names(ledger), await ledger.pauses.all()]).toEqual([[], []])
})

const RECEIVED = {
  receivedBytes: 4,
  digest: Buffer.alloc(32, 1),
  fingerprint: Buffer.alloc(32, 2),
  messageId: '<1@b>',
  heading: { from: 'a@b', subject: 'hello', dateMs: 5 },
}

/** An open message and a delivered one, each with a heading, as the ledger has them then. */
async function headings(headers: 'all' | 'open' | 'none'): Promise<readonly unknown[]> {
  const ledger = await freshLedger({ headers })
  await using lease = await leaseOf(ledger, 'a')
  await ledger.begin(lease, [beginning(key('open')), beginning(key('done'))])
  await ledger.noteHeading(lease, key('open'), RECEIVED.heading)
  await ledger.settle(lease, { ...settlement(key('done'), DONE), received: RECEIVED })
  const records = (await Array.fromAsync(ledger.records.list('a', 'all'))).flat()
  return records.map(({ key: { uidl }, from, subject, dateMs, messageId }) => [uidl, from, subject, dateMs, messageId])
}

test('From, Subject and Date are kept of all messages, of what is not delivered, or of none (state.headers)', async () => {
  const open = ['open', 'a@b', 'hello', 5, null]
  expect(await headings('all')).toEqual([open, ['done', 'a@b', 'hello', 5, '<1@b>']])
  expect(await headings('open')).toEqual([open, ['done', null, null, null, '<1@b>']])
  expect(await headings('none')).toEqual([
    ['open', null, null, null, null],
    ['done', null, null, null, '<1@b>'],
  ])
})

test('those from before the key was set go with the next day', async () => {
  const ledger = await freshLedger()
  await using lease = await leaseOf(ledger, 'a')
  await ledger.begin(lease, [beginning(key('open')), beginning(key('done'))])
  await ledger.noteHeading(lease, key('open'), RECEIVED.heading)
  await ledger.settle(lease, { ...settlement(key('done'), DONE), received: RECEIVED })
  const subjects = async (): Promise<readonly (string | null)[]> =>
    (await Array.fromAsync(ledger.records.list('a', 'all'))).flat().map(({ subject }) => subject)
  await ledger.records.dropHeadings('open')
  expect(await subjects()).toEqual(['hello', null])
  await ledger.records.dropHeadings('none')
  expect(await subjects()).toEqual([null, null])
})

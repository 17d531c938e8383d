// What is looked up and mended by people: lists, stories of messages, forgetting, renaming, copies of the whole.
import { chmod, mkdir, readFile, readdir, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, describe, test } from 'vitest'
import { DatabaseSync } from 'node:sqlite'
import type { EntryKey, Ledger, Lease } from '../../src/ledger/ledger.ts'
import type { MessageRecord, Selection } from '../../src/ledger/records.ts'
import { openLedger } from '../../src/ledger/sqlite/open.ts'
import {
  beginning,
  child,
  DONE,
  freshLedger,
  IDENTITY,
  key,
  leaseOf,
  settlement,
  temporaryDirectory,
  pollEnd,
} from './scene.ts'

const refusal = { state: 'refused', error: '554 no', retryAfterMs: 9000 } as const
const received = {
  receivedBytes: 4100,
  digest: Buffer.alloc(32, 1),
  fingerprint: Buffer.alloc(16, 2),
  messageId: '<1@example.org>',
}

async function keysOf(ledger: Ledger, selection: Selection, account = 'a'): Promise<EntryKey[]> {
  return (await Array.fromAsync(ledger.records.list(account, selection))).flat().map((message) => message.key)
}

async function uidlsOf(ledger: Ledger, selection: Selection): Promise<string[]> {
  return (await keysOf(ledger, selection)).map(({ uidl }) => uidl)
}

/** One message of each state: `done`, `cut`, `no` (refused), `kept` (held), `old` (seen). */
async function oneOfEach(ledger: Ledger, account = 'a'): Promise<Lease> {
  const lease = await leaseOf(ledger, account)
  await ledger.begin(
    lease,
    ['done', 'cut', 'no'].map((uidl) => beginning(key(uidl))),
  )
  await ledger.settle(lease, { ...settlement(key('done'), DONE), received })
  await ledger.settle(lease, settlement(key('no'), refusal))
  await ledger.hold(lease, [{ key: key('kept'), listedBytes: 9e7, reason: 'too large' }])
  await ledger.start(lease, [{ key: key('old'), listedBytes: 100 }])
  return lease
}

/** A ledger with `count` delivered messages, made quickly. */
async function largeLedger(count: number): Promise<Ledger> {
  const path = join(await temporaryDirectory(), 'state.db')
  const first = await openLedger(path)
  const small = await leaseOf(first, 'small')
  await leaseOf(first, 'large')
  await first.start(small, [{ key: key('first'), listedBytes: null }])
  await first[Symbol.asyncDispose]()
  const database = new DatabaseSync(path)
  database.exec(`INSERT INTO message (account, uidl, copy, state, first_seen_ms)
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${count})
    SELECT 2, CAST('uid-' || i AS BLOB), 0, 1, i FROM n;
    UPDATE account SET known = ${count} WHERE name = 'large'`)
  database.close()
  return openLedger(path)
}

describe('a list', () => {
  test.each([
    ['all', ['done', 'cut', 'no', 'kept', 'old']],
    ['open', ['cut', 'no']],
    ['refused', ['no']],
    ['delivered', ['done']],
    ['seen', ['old']],
    ['held', ['kept']],
  ] as const)('of %s messages has those, in the order in which they were first seen', async (selection, expected) => {
    const ledger = await freshLedger()
    await oneOfEach(ledger)
    await oneOfEach(ledger, 'another')
    expect(await uidlsOf(ledger, selection)).toEqual(expected)
  })

  test('of an unknown account is empty', async () => {
    expect(await uidlsOf(await freshLedger(), 'all')).toEqual([])
  })

  test('has all that is known of a message, of a delivered one too', async () => {
    const ledger = await freshLedger({ nowMs: () => 5000 })
    const lease = await oneOfEach(ledger)
    await ledger.deleted(lease, [key('done')])
    const [first] = (await Array.fromAsync(ledger.records.list('a', 'delivered'))).flat()
    expect(first).toEqual({
      key: { uidl: 'done', copy: 0 },
      state: 'delivered',
      firstSeenMs: 5000,
      listedBytes: 4000,
      ...received,
      attempts: 0,
      retryAfterMs: 0,
      reason: null,
      deliveredMs: 5000,
      deletions: 1,
      deletedMs: 5000,
      goneSinceMs: null,
      deliveries: [
        {
          destination: 'inbox',
          recipient: '',
          state: 'done',
          intent: 'a'.repeat(16),
          attempts: 1,
          unknowns: 0,
          error: null,
          retryAfterMs: 0,
          settledMs: 5000,
          receipt: DONE.state === 'done' ? DONE.receipt : null,
        },
      ],
    } satisfies MessageRecord)
  })

  test('leaves the event loop its turns: 30,000 messages in slices, with a turn after each', async () => {
    await using ledger = await largeLedger(30_000)
    let turns = 0
    const count = (): void => void (turns++, running && setImmediate(count))
    let running = true
    setImmediate(count)
    const slices = await Array.fromAsync(ledger.records.list('large', 'all'))
    running = false
    expect(slices.flat()).toHaveLength(30_000)
    expect(Math.max(...slices.map((slice) => slice.length))).toBeLessThanOrEqual(1000)
    expect(turns).toBeGreaterThanOrEqual(slices.length - 1)
    expect(await keysOf(ledger, 'all', 'small')).toEqual([key('first')])
  })

  test('of many held messages goes on where it stopped', async () => {
    const ledger = await freshLedger()
    const lease = await leaseOf(ledger, 'a')
    const held = Array.from({ length: 2500 }, (_, at) => ({ key: key(`uid-${at}`), listedBytes: null, reason: 'no' }))
    await ledger.hold(lease, held)
    expect(await uidlsOf(ledger, 'held')).toEqual(held.map((message) => message.key.uidl))
  })

  test('ends with ERR_LEDGER when the file is damaged under it', async () => {
    const ledger = await freshLedger()
    await oneOfEach(ledger)
    const other = new DatabaseSync(ledger.place)
    other.exec('PRAGMA ignore_check_constraints = ON; UPDATE message SET state = 9')
    other.close()
    await expect(uidlsOf(ledger, 'all')).rejects.toMatchObject({ code: 'ERR_LEDGER' })
  })
})

describe('a look at one UIDL', () => {
  test('finds all copies, in order, and the bytes of UIDLs that are no text', async () => {
    const ledger = await freshLedger()
    const lease = await leaseOf(ledger, 'a')
    const odd = 'caf\u00e9\0\\x41'
    await ledger.hold(
      lease,
      [key(odd, 1), key(odd), key('other')].map((each) => ({ key: each, listedBytes: null, reason: 'no' })),
    )
    expect((await ledger.records.find('a', odd)).map((message) => message.key)).toEqual([key(odd), key(odd, 1)])
    expect(await ledger.records.find('a', 'unknown')).toEqual([])
    expect(await ledger.records.find('nobody', odd)).toEqual([])
  })

  test('finds a UIDL of more than 1,024 bytes by itself and by what the list shows of it', async () => {
    const ledger = await freshLedger()
    const lease = await leaseOf(ledger, 'a')
    const long = 'x'.repeat(2000)
    await ledger.hold(lease, [{ key: key(long), listedBytes: null, reason: 'no' }])
    const [shown = ''] = await uidlsOf(ledger, 'all')
    expect(shown).toHaveLength(32)
    expect(await ledger.records.find('a', long)).toHaveLength(1)
    expect(await ledger.records.find('a', shown)).toHaveLength(1)
  })
})

test('unsettled messages are counted for each account that has some', async () => {
  const ledger = await freshLedger()
  await oneOfEach(ledger)
  const second = await oneOfEach(ledger, 'b')
  await ledger.hold(second, [{ key: key('cut'), listedBytes: null, reason: 'loop' }])
  await leaseOf(ledger, 'c')
  expect(await ledger.records.unsettled()).toEqual(
    new Map([
      ['a', { waiting: 1, refused: 1, held: 1 }],
      ['b', { waiting: 0, refused: 1, held: 2 }],
    ]),
  )
})

test('the owners of UIDLs are the accounts asked about, each with how many it knows', async () => {
  const ledger = await freshLedger()
  await oneOfEach(ledger)
  await oneOfEach(ledger, 'b')
  await leaseOf(ledger, 'c')
  const owners = await ledger.records.owners(['a', 'c', 'unknown'], ['done', 'old', 'new', 'kept'])
  expect(owners).toEqual(new Map([['a', 3]]))
})

describe('forgetting', () => {
  test('makes messages new again, with all of their deliveries, and counts what is left', async () => {
    const ledger = await freshLedger()
    const lease = await oneOfEach(ledger)
    expect(await ledger.records.forget(lease, [key('done'), key('kept'), key('unknown')], {})).toBe(2)
    expect(await ledger.known('a', [key('done'), key('kept')])).toEqual([null, null])
    expect(await uidlsOf(ledger, 'all')).toEqual(['cut', 'no', 'old'])
    expect((await ledger.account('a'))?.known).toBe(3)
    expect((await ledger.account('a'))?.started).toBe(true)
    await ledger.begin(lease, [beginning(key('done'), ['other'])])
    expect((await ledger.records.find('a', 'done'))[0]?.deliveries.map((each) => each.destination)).toEqual(['other'])
  })

  test('spares the other copies', async () => {
    const ledger = await freshLedger()
    const lease = await leaseOf(ledger, 'a')
    await ledger.begin(lease, [beginning(key('same')), beginning(key('same', 1))])
    expect(await ledger.records.forget(lease, [key('same')], {})).toBe(1)
    expect(await keysOf(ledger, 'all')).toEqual([key('same', 1)])
  })

  test('changes the facts that go with it and no others', async () => {
    const ledger = await freshLedger()
    const lease = await oneOfEach(ledger)
    const { lastPollMs, ...rest } = { ...(await ledger.admit(lease, IDENTITY)), lastPollMs: 7 }
    await ledger.finish(
      lease,
      pollEnd({
        identity: IDENTITY,
        health: { ...rest, lastPollMs },
        facts: { alive: '5', salt: 's' },
      }),
    )
    await ledger.records.forget(lease, [key('done')], { alive: null })
    expect(await ledger.account('a'))?.toMatchObject({ facts: { salt: 's' }, lastPollMs: 7 })
  })

  test('everything leaves the account, which can then be removed, and the others', async () => {
    await using ledger = await largeLedger(2500)
    const lease = await leaseOf(ledger, 'large')
    await expect(ledger.records.remove(lease)).rejects.toMatchObject({ code: 'ERR_BUG' })
    expect(await ledger.records.forgetAll(lease, {})).toBe(2500)
    expect((await ledger.account('large'))?.known).toBe(0)
    await ledger.records.remove(lease)
    expect((await ledger.accounts()).map(({ name, known }) => [name, known])).toEqual([['small', 1]])
    expect(await keysOf(ledger, 'all', 'small')).toEqual([key('first')])
  })
})

describe('renaming', () => {
  test('gives everything to the new name, durably', async () => {
    const ledger = await freshLedger()
    const lease = await oneOfEach(ledger)
    const before = { ...(await ledger.admit(lease, IDENTITY)), name: 'b' }
    const second = await ledger.lease('b')
    expect(await ledger.records.rename(lease, second!)).toBe(true)
    await using again = await openLedger(ledger.place)
    expect(await again.accounts()).toEqual([before])
    expect(await keysOf(again, 'all', 'b')).toHaveLength(5)
    expect((await again.known('b', [key('done')]))[0]?.state).toBe('delivered')
  })

  test('takes the place of an account that has nothing but failed polls', async () => {
    const ledger = await freshLedger()
    const lease = await oneOfEach(ledger)
    const second = await leaseOf(ledger, 'b')
    expect(await ledger.records.rename(lease, second)).toBe(true)
    expect((await ledger.accounts()).map(({ name, known }) => [name, known])).toEqual([['b', 5]])
  })

  test('changes nothing when the new name has messages of its own', async () => {
    const ledger = await freshLedger()
    const lease = await oneOfEach(ledger)
    const second = await oneOfEach(ledger, 'b')
    expect(await ledger.records.rename(lease, second)).toBe(false)
    expect(await keysOf(ledger, 'all', 'a')).toHaveLength(5)
    expect(await keysOf(ledger, 'all', 'b')).toHaveLength(5)
  })

  test('leaves both leases to be released, and the new name to be leased again', async () => {
    const ledger = await freshLedger()
    {
      await using from = await oneOfEach(ledger)
      await using to = await ledger.lease('b')
      expect(await ledger.records.rename(from, to!)).toBe(true)
    }
    await using lease = await ledger.lease('b')
    expect(lease?.account).toBe('b')
  })
})

describe('a backup', () => {
  test('is a whole ledger that only its owner can read, taken while a poll holds its lease', async () => {
    const ledger = await freshLedger()
    await oneOfEach(ledger)
    const file = join(await temporaryDirectory(), 'copy.db')
    await ledger.records.backup(file)
    expect((await stat(file)).mode & 0o777).toBe(0o600)
    await using copy = await openLedger(file)
    expect(await keysOf(copy, 'all')).toEqual(await keysOf(ledger, 'all'))
    expect(await copy.accounts()).toEqual(await ledger.accounts())
  })

  test('goes through while another process keeps writing', async () => {
    const ledger = await freshLedger()
    const writer = child('writer.ts', ledger.place, 'a', 'uid-')
    await writer.line()
    const file = join(await temporaryDirectory(), 'copy.db')
    await ledger.records.backup(file)
    await using copy = await openLedger(file)
    expect((await keysOf(copy, 'all')).length).toBeGreaterThan(0)
  })

  test('overwrites nothing, and leaves nothing beside it', async () => {
    const ledger = await freshLedger()
    const directory = await temporaryDirectory()
    const file = join(directory, 'copy.db')
    await writeFile(file, 'mine')
    await expect(ledger.records.backup(file)).rejects.toMatchObject({
      code: 'ERR_LEDGER',
      message: `cannot write the backup ${file}: there is a file of this name already: name another`,
    })
    expect(await readFile(file, 'utf8')).toBe('mine')
    expect(await readdir(directory)).toEqual(['copy.db'])
  })

  test.each(['missing/copy.db', 'file/copy.db'])('that cannot be written says so: %s', async (name) => {
    const ledger = await freshLedger()
    const directory = await temporaryDirectory()
    await writeFile(join(directory, 'file'), '')
    await expect(ledger.records.backup(join(directory, name))).rejects.toMatchObject({ code: 'ERR_LEDGER' })
    expect(await readdir(directory)).toEqual(['file'])
  })

  test('of a ledger that is not there is refused', async () => {
    const directory = await temporaryDirectory()
    await mkdir(join(directory, 'sub'))
    await chmod(join(directory, 'sub'), 0o700)
    await using ledger = await openLedger(join(directory, 'state.db'), { readOnly: true })
    await expect(ledger.records.backup(join(directory, 'copy.db'))).rejects.toMatchObject({ code: 'ERR_LEDGER' })
    expect(await readdir(directory)).toEqual(['sub'])
  })

  test('of a damaged ledger fails and leaves no file', async () => {
    const ledger = await freshLedger()
    await oneOfEach(ledger)
    const path = ledger.place
    await ledger[Symbol.asyncDispose]()
    const reopened = await openLedger(path)
    const bytes = await readFile(path)
    bytes.fill(0xff, 4096, 4096 * 3)
    await writeFile(path, bytes)
    const directory = await temporaryDirectory()
    await expect(reopened.records.backup(join(directory, 'copy.db'))).rejects.toMatchObject({ code: 'ERR_LEDGER' })
    expect(await readdir(directory)).toEqual([])
    await reopened[Symbol.asyncDispose]()
  })
})

test('facts are noted beside those of polls, null removes one, and an account that is not known stays unknown', async () => {
  const ledger = await freshLedger()
  await leaseOf(ledger, 'old-isp')
  await ledger.records.note('old-isp', { troubleSince: '5', other: 'x' })
  await ledger.records.note('old-isp', { troubleSince: null })
  await ledger.records.note('nobody', { troubleSince: '5' })
  expect((await ledger.accounts()).map(({ name, facts }) => [name, facts])).toEqual([['old-isp', { other: 'x' }]])
})

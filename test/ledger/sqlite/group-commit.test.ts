import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect, onTestFinished, test, vi } from 'vitest'
import { GroupCommit } from '../../../src/ledger/sqlite/group-commit.ts'
import { bug } from '../../../src/ledger/sqlite/rows/fault.ts'
import { beginning, freshLedger, key, leaseOf, settlement, temporaryDirectory } from '../scene.ts'

interface Bench {
  readonly path: string
  readonly database: DatabaseSync
  readonly commit: GroupCommit
  readonly transactions: () => number
  readonly add: (value: string) => () => void
  readonly values: () => readonly unknown[]
}

async function bench(busyLimitMs = 30_000, requirePresent = (): void => {}): Promise<Bench> {
  const path = join(await temporaryDirectory(), 'some.db')
  const database = new DatabaseSync(path, { timeout: 0 })
  onTestFinished(() => database.close())
  database.exec('PRAGMA journal_mode = WAL; PRAGMA user_version = 1; CREATE TABLE line (text TEXT UNIQUE NOT NULL)')
  let transactions = 0
  const commit = new GroupCommit(database, {
    path,
    schemaVersion: 1,
    busyLimitMs,
    begun: () => transactions++,
    requirePresent,
  })
  const insert = database.prepare('INSERT INTO line VALUES (?)')
  return {
    path,
    database,
    commit,
    transactions: () => transactions,
    add: (value) => () => void insert.run(value),
    values: () =>
      database
        .prepare('SELECT text FROM line ORDER BY rowid')
        .all()
        .map((row) => row['text']),
  }
}

test('changes asked for in one turn of the event loop share a transaction, in their order', async () => {
  const { commit, add, transactions, values } = await bench()
  const first = Array.from({ length: 50 }, (_, n) => commit.submit(add(`${n}`)))
  await Promise.resolve()
  const more = commit.submit(add('more'))
  await Promise.all([...first, more])
  expect(transactions()).toBe(1)
  expect(values()).toEqual([...Array.from({ length: 50 }, (_, n) => `${n}`), 'more'])
  await commit.submit(add('later'))
  expect(transactions()).toBe(2)
})

test('what the next two turns of the event loop bring goes along, and what comes later does not', async () => {
  const { commit, add, transactions, values } = await bench()
  const asked: Promise<void>[] = []
  const ask = (left: number): void => {
    asked.push(commit.submit(add(`${left}`)))
    if (left > 1) setImmediate(() => ask(left - 1))
  }
  ask(4)
  await asked[0]
  expect(values()).toEqual(['4', '3', '2'])
  await new Promise(setImmediate)
  await Promise.all(asked)
  expect(transactions()).toBe(2)
  expect(values()).toEqual(['4', '3', '2', '1'])
})

test('where the file is gone, that is what is told, whatever SQLite says; nothing is committed', async () => {
  const { commit, add, values } = await bench(30_000, () => {
    throw bug('it is gone')
  })
  await expect(commit.submit(add('one'))).rejects.toThrow('it is gone')
  expect(values()).toEqual([])
})

test('a change resolves only when another connection can see it', async () => {
  const { path, commit, add } = await bench()
  const other = new DatabaseSync(path)
  onTestFinished(() => other.close())
  const pending = commit.submit(add('x'))
  expect(other.prepare('SELECT count(*) AS n FROM line').get()).toEqual({ n: 0 })
  await pending
  expect(other.prepare('SELECT count(*) AS n FROM line').get()).toEqual({ n: 1 })
})

test('a change that is a bug is undone whole and rejects alone', async () => {
  const { commit, add, values } = await bench()
  const outcomes = await Promise.allSettled([
    commit.submit(add('a')),
    commit.submit(() => {
      add('half')()
      throw bug('of one caller')
    }),
    commit.submit(add('a')),
    commit.submit(add('b')),
  ])
  expect(outcomes.map((outcome) => outcome.status)).toEqual(['fulfilled', 'rejected', 'rejected', 'fulfilled'])
  expect(outcomes[2]).toMatchObject({ reason: { code: 'ERR_BUG' } })
  expect(values()).toEqual(['a', 'b'])
})

test('while another process writes, changes wait and then go through', async () => {
  const { path, commit, add, values, transactions } = await bench()
  const other = new DatabaseSync(path)
  onTestFinished(() => other.close())
  other.exec("BEGIN IMMEDIATE; INSERT INTO line VALUES ('theirs')")
  const pending = [commit.submit(add('a')), commit.submit(add('b'))]
  let settled = false
  void Promise.all(pending).then(() => (settled = true))
  // Several turns of the event loop, with a try in the first.
  for (let turns = 0; turns < 5; turns++) await new Promise((resolve) => setImmediate(resolve))
  expect(settled).toBe(false)
  other.exec('COMMIT')
  await Promise.all(pending)
  expect(values()).toEqual(['theirs', 'a', 'b'])
  expect(transactions()).toBe(1)
})

test('a file that stays locked is given up with ERR_LEDGER, and works again when it is free', async () => {
  const { path, commit, add, values } = await bench(30)
  const other = new DatabaseSync(path)
  onTestFinished(() => other.close())
  other.exec('BEGIN IMMEDIATE')
  const outcomes = await Promise.allSettled([commit.submit(add('a')), commit.submit(add('b'))])
  for (const outcome of outcomes) {
    expect(outcome).toMatchObject({
      status: 'rejected',
      reason: { code: 'ERR_LEDGER', retry: 'soon', scope: 'process' },
    })
  }
  other.exec('COMMIT')
  await commit.submit(add('c'))
  expect(values()).toEqual(['c'])
})

test('a full disk is ERR_LEDGER to try later; nothing of that transaction stays, and there is no way past it but room', async () => {
  const { database, commit, add, values } = await bench()
  await commit.submit(add('before'))
  database.exec('PRAGMA max_page_count = 4')
  const large = 'x'.repeat(20_000)
  const outcomes = await Promise.allSettled([commit.submit(add('small')), commit.submit(add(large))])
  for (const outcome of outcomes) {
    expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'ERR_LEDGER', retry: 'later' } })
  }
  expect(values()).toEqual(['before'])
  database.exec('PRAGMA max_page_count = 1000')
  await commit.submit(add(large))
  expect(values()).toEqual(['before', large])
})

test('when the commit itself fails, nobody is told that it went well', async () => {
  const { database, commit, add, values } = await bench()
  database.exec('CREATE TABLE child (line TEXT REFERENCES line (text) DEFERRABLE INITIALLY DEFERRED)')
  const orphan = (): void => database.exec("INSERT INTO child VALUES ('nobody')")
  const outcomes = await Promise.allSettled([commit.submit(add('a')), commit.submit(orphan)])
  expect(outcomes.map((outcome) => outcome.status)).toEqual(['rejected', 'rejected'])
  await commit.submit(add('b'))
  expect(values()).toEqual(['b'])
})

test('a schema that a newer program brought while this one ran stops every change and read (N040)', async () => {
  const { database, commit, add, values } = await bench()
  database.exec('PRAGMA user_version = 2')
  await expect(commit.submit(add('a'))).rejects.toThrow('newer popfetch')
  expect(() => commit.requireUsable()).toThrow('newer popfetch')
  expect(values()).toEqual([])
})

test('draining waits for all that was asked for', async () => {
  const { commit, add, values } = await bench()
  await commit.drained()
  for (let n = 0; n < 10; n++) void commit.submit(add(`${n}`))
  await commit.drained()
  expect(values().length).toBe(10)
})

test('leases cost no fsync, and the next message is synced again', async () => {
  const { database, commit, add } = await bench()
  const levels: unknown[] = []
  const level = (): void => void levels.push(database.prepare('PRAGMA synchronous').get()?.['synchronous'])
  await commit.submit(level, 'process')
  await Promise.all([commit.submit(level, 'process'), commit.submit(add('a'))])
  await commit.submit(level)
  await commit.submit(level, 'process')
  // 1 is NORMAL, 2 is FULL.
  expect(levels).toEqual([1, 2, 2, 1])
})

test('what becomes of messages is on the disk before it is told', async () => {
  const ledger = await freshLedger()
  const lease = await leaseOf(ledger, 'old-isp')
  const [one, other] = [key('one'), key('other')]
  const outcome = { state: 'done', receipt: 'there' } as const
  using submitted = vi.spyOn(GroupCommit.prototype, 'submit')
  await ledger.begin(lease, [beginning(one)])
  await ledger.settleAndBegin(lease, [settlement(one, outcome)], [beginning(other)])
  await ledger.settle(lease, settlement(other, outcome))
  await ledger.noteHarm(lease, [one], 'RETR')
  expect(submitted.mock.calls.map(([, durability = 'disk']) => durability)).toEqual(['disk', 'disk', 'disk', 'disk'])
})

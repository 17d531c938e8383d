// A ledger is copied from a file into PostgreSQL and back (`popfetch state copy`): all of it, once, and never are both usable.
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { beforeEach, describe, expect, test } from 'vitest'
import { copyLedger, type CopySource, type CopyTarget } from '../../../src/ledger/copy/copy.ts'
import type { Ledger } from '../../../src/ledger/ledger.ts'
import { sourceDatabase, targetDatabase } from '../../../src/ledger/postgres/copy/ends.ts'
import { openPostgres } from '../../../src/ledger/postgres/open.ts'
import { sourceFile, targetFile } from '../../../src/ledger/sqlite/copy/ends.ts'
import { openLedger } from '../../../src/ledger/sqlite/open.ts'
import { makeSample } from '../../ledger/damage/sample.ts'
import { postgres } from '../../ledger/postgres/kind.ts'
import { beginning, DONE, key, leaseOf, pollEnd, settlement, temporaryDirectory } from '../../ledger/scene.ts'

const kind = postgres()
const { signal } = new AbortController()

/** A place for a ledger, of one of the kinds. */
interface Place {
  readonly name: string
  open(): Promise<Ledger>
  source(): Promise<CopySource>
  target(): Promise<CopyTarget>
}

function database(): Place {
  const server = kind.server().server(`s${randomBytes(8).toString('hex')}`)
  return {
    name: server.place,
    open: async () => await openPostgres(server, { readOnly: false }),
    source: async () => await sourceDatabase(server),
    target: async () => await targetDatabase(server),
  }
}

function fileAt(path: string): Place {
  return {
    name: path,
    open: async () => await openLedger(path),
    source: async () => await sourceFile(path),
    target: async () => await targetFile(path),
  }
}

let directory = ''
beforeEach(async () => {
  directory = await temporaryDirectory()
})

/** Another file of this test. */
const file = (name: string): Place => fileAt(join(directory, name))

/** Everything that is not in the sample of the damage tests, and can be recorded. */
async function addOthers(ledger: Ledger): Promise<void> {
  const odd = 'odd ü'
  await using lease = await leaseOf(ledger, odd, { host: 'pop.example.org', port: 110, user: 'ü\u{1f600}' })
  await ledger.begin(lease, [
    beginning(key('\u00ff\u0001', 0), ['out', 'inbox']),
    beginning(key('twice', 0)),
    beginning(key('twice', 1)),
    beginning(key('cut')),
    beginning(key('harm')),
  ])
  await ledger.settle(lease, settlement(key('twice', 1), DONE))
  await ledger.handOver(lease, [{ key: key('cut'), destination: 'inbox', recipient: '' }])
  await ledger.noteHarm(lease, [key('harm')], 'RETR')
  await ledger.noteHarm(lease, [key('harm')], 'RETR')
  await ledger.noteDeletions(lease, [{ key: key('twice', 1), pending: { reason: 'no DELE', tried: true } }])
  await ledger.takeOver(lease, { why: 'lost', sinceMs: 3, counts: { looked: 2 } })
  const error = { code: 'ERR_AUTH', message: 'no\u0007', retry: 'later' } as const
  const health = {
    lastPollMs: 5,
    lastSuccessMs: 4,
    failures: 3,
    refusals: 2,
    secretMark: 77,
    pausedUntilMs: 9e12,
    error,
  }
  const day = { delivered: 3, bytes: 5_000_000_000, failures: 1, longestWaitMs: 7 }
  const mark = { digest: Buffer.alloc(32, 9), dueMs: 12 }
  await ledger.finish(
    lease,
    pollEnd({ health, facts: { b: '2', a: '1\u0000', z: 'ü' }, wholeListing: true, mark, day }),
  )
  await ledger.told(odd, { state: 'failing', atMs: 88 })
  await ledger.changeDestination('smtp mail ü', 'bob@example.org', (record) => ({
    ...record,
    names: ['out'],
    refusals: 3,
  }))
  await ledger.changeMemo('departed', () => JSON.stringify({ lookedMs: 1, departed: {} }))
  await ledger.changeMemo('daemon', () => 'started')
  await ledger.pauses.begin([{ kind: 'destination', name: 'out' }], 'ada', 9_000_000)
}

/** All that can be asked of it. */
async function allOf(place: Place): Promise<unknown> {
  await using ledger = await place.open()
  const accounts = await ledger.accounts()
  const messages = accounts.map(async ({ name }) => [
    name,
    (await Array.fromAsync(ledger.records.list(name, 'all'))).flat(),
  ])
  return {
    accounts: accounts.map((account) => ({ ...account, mark: null })),
    messages: await Promise.all(messages),
    destinations: await ledger.destinations(),
    pauses: await ledger.pauses.all(),
    days: [...(await ledger.records.days(9999))].toSorted(([a], [b]) => (a < b ? -1 : 1)),
    memos: await Promise.all(['notices', 'departed', 'set aside'].map((name) => ledger.memo(name))),
  }
}

async function copy(from: Place, to: Place): Promise<unknown> {
  await using source = await from.source()
  await using target = await to.target()
  return await copyLedger(source, target, { signal })
}

async function sample(place: Place): Promise<unknown> {
  await makeSample(place.name, { work: 300, home: 40, empty: 0 })
  {
    await using ledger = await place.open()
    await addOthers(ledger)
  }
  return await allOf(place)
}

const moved = { code: 'ERR_CONFIG', message: expect.stringContaining('everything in it was copied to') as string }

describe('a ledger', () => {
  test('goes from a file into PostgreSQL and on into another file, whole, and each that it left refuses', async () => {
    const [from, over, to] = [file('from.db'), database(), file('to.db')]
    const all = await sample(from)
    const counts = { accounts: 4, messages: 379, deliveries: expect.any(Number) as number }
    expect(await copy(from, over)).toEqual(counts)
    expect(await allOf(over)).toEqual(all)
    await expect(from.open()).rejects.toMatchObject(moved)
    await expect(openLedger(from.name, { readOnly: true })).rejects.toThrow(over.name)
    expect(await copy(over, to)).toEqual(counts)
    expect(await allOf(to)).toEqual(all)
    await expect(over.open()).rejects.toMatchObject(moved)
    await expect(over.open()).rejects.toThrow(to.name)
  })

  test('is not filled where one is already, and nothing is changed', async () => {
    const [from, over, to] = [file('from.db'), database(), file('to.db')]
    const all = await sample(from)
    await makeSample(to.name, { other: 3 })
    {
      await using ledger = await over.open()
      await leaseOf(ledger, 'other')
    }
    for (const target of [over, to])
      await expect(copy(from, target)).rejects.toMatchObject({
        code: 'ERR_LEDGER',
        message: expect.stringContaining('it is not empty') as string,
      })
    expect(await allOf(from)).toEqual(all)
    for (const target of [over, to]) {
      await using ledger = await target.open()
      expect((await ledger.accounts()).map(({ name }) => name)).toEqual(['other'])
    }
  })

  test('is not copied while a popfetch is at work on it', async () => {
    const [from, over, to] = [file('from.db'), database(), file('to.db')]
    await sample(from)
    {
      await using ledger = await from.open()
      await using _ = await leaseOf(ledger, 'work')
      await expect(copy(from, over)).rejects.toMatchObject({ code: 'ERR_BUSY' })
    }
    await copy(from, over)
    {
      await using ledger = await over.open()
      await using _ = await leaseOf(ledger, 'work')
      await expect(copy(over, to)).rejects.toMatchObject({ code: 'ERR_BUSY' })
    }
    await copy(over, to)
  })

  test.each(['file', 'database'] as const)(
    'in a %s is filled by one who is at work there as well: no',
    async (where) => {
      const from = file('from.db')
      await sample(from)
      const target = where === 'file' ? file('to.db') : database()
      await using ledger = await target.open()
      await using _ = await ledger.lease('nobody')
      await expect(copy(from, target)).rejects.toMatchObject({ code: 'ERR_BUSY' })
    },
  )

  test('that is not there is none to copy, and one that another program made neither', async () => {
    const to = file('to.db')
    for (const from of [file('none.db'), database()])
      await expect(from.source()).rejects.toMatchObject({ code: 'ERR_LEDGER' })
    const other = new DatabaseSync(join(directory, 'other.db'))
    other.exec('CREATE TABLE t (x)')
    other.close()
    await expect(file('other.db').source()).rejects.toMatchObject({ code: 'ERR_LEDGER' })
    await expect(copy(to, to)).rejects.toMatchObject({ code: 'ERR_LEDGER' })
  })
})

/** Killed before or after one of these: a source or target that does no more from then on. */
const STEPS = ['fill', 'filled by half', 'filled', 'retired', 'released'] as const
const DIRECTIONS = ['a file to PostgreSQL', 'PostgreSQL to a file'] as const

class Killed extends Error {}

async function copyKilled(from: Place, to: Place, step: (typeof STEPS)[number]): Promise<void> {
  await using source = await from.source()
  await using target = await to.target()
  const killed = (): never => {
    throw new Killed()
  }
  await copyLedger(
    {
      place: source.place,
      movedTo: source.movedTo,
      async *rows() {
        let slices = 0
        for await (const slice of source.rows()) {
          yield slice
          if (step === 'filled by half' && ++slices === 3) killed()
        }
      },
      retire: async (place) => {
        if (step === 'filled') killed()
        await source.retire(place)
        if (step === 'retired') killed()
      },
      [Symbol.asyncDispose]: () => Promise.resolve(),
    },
    {
      place: target.place,
      filledFrom: target.filledFrom,
      fill: async (rows, place) => {
        if (step === 'fill') killed()
        await target.fill(rows, place)
      },
      rows: () => target.rows(),
      release: async () => {
        await target.release()
        if (step === 'released') killed()
      },
      [Symbol.asyncDispose]: () => Promise.resolve(),
    },
    { signal },
  )
}

const isUsable = async (place: Place): Promise<boolean> => {
  try {
    await using ledger = await place.open()
    return (await ledger.accounts()).length > 0
  } catch {
    return false
  }
}

describe.each(DIRECTIONS)('from %s, a copy that is killed', (direction) => {
  test.each(STEPS)('at "%s" leaves one that can be used at most, and is ended by the same command', async (step) => {
    const first = file('from.db')
    const all = await sample(first)
    let [from, to] = [first, database()]
    if (direction === 'PostgreSQL to a file') {
      await copy(from, to)
      ;[from, to] = [to, file('to.db')]
    }
    await expect(copyKilled(from, to, step)).rejects.toThrow()
    const usable = [await isUsable(from), await isUsable(to)]
    const expected = {
      fill: [true, false],
      'filled by half': [true, false],
      filled: [true, false],
      retired: [false, false],
      released: [false, true],
    }
    expect(usable).toEqual(expected[step])
    if (step === 'released') return
    await copy(from, to)
    expect([await isUsable(from), await isUsable(to)]).toEqual([false, true])
    expect(await allOf(to)).toEqual(all)
  })
})

test('one that a copy began to fill from elsewhere says from where, and is filled from there only', async () => {
  const [from, other, to] = [file('from.db'), file('other.db'), database()]
  await sample(from)
  await makeSample(other.name, { other: 3 })
  await expect(copyKilled(from, to, 'retired')).rejects.toThrow(Killed)
  await expect(to.open()).rejects.toThrow(`it is being filled from ${from.name}`)
  await expect(copy(from, file('third.db'))).rejects.toMatchObject({ code: 'ERR_CONFIG' })
  await copy(from, to)
  expect(await isUsable(to)).toBe(true)
})

test('what is not the same on both sides is never released', async () => {
  const [from, to] = [file('from.db'), database()]
  await sample(from)
  {
    await using source = await from.source()
    await using target = await to.target()
    const lossy: CopySource = {
      place: source.place,
      movedTo: null,
      rows: () => source.rows(),
      retire: (place) => source.retire(place),
      [Symbol.asyncDispose]: () => Promise.resolve(),
    }
    const changed: CopyTarget = {
      place: target.place,
      filledFrom: null,
      fill: async (rows, place) => await target.fill(rows, place),
      async *rows() {
        for await (const slice of target.rows()) yield slice.slice(1)
      },
      release: () => target.release(),
      [Symbol.asyncDispose]: () => Promise.resolve(),
    }
    await expect(copyLedger(lossy, changed, { signal })).rejects.toThrow('the copy differs')
  }
  expect([await isUsable(from), await isUsable(to)]).toEqual([true, false])
})

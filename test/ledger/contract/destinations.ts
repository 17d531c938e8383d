// What is recorded of destinations, over all accounts and processes.
import { expect, test } from 'vitest'
import { blankDestination, type DestinationRecord, nameOfMessage, type Rest } from '../../../src/ledger/destination.ts'
import { freshLedger, type Kind } from '../kind.ts'
import { beginning, DONE, key, leaseOf, settlement } from '../scene.ts'

const REST: Rest = {
  conclusion: 'BUSY',
  sinceMs: 1000,
  untilMs: 2000,
  step: 1,
  askedMs: 0,
  error: { code: 'ERR_DELIVERY', message: '421 not now' },
  exit: 75,
  openers: [nameOfMessage('a', key('uid-1'))],
  secretMark: null,
}
const resting = (record: DestinationRecord): DestinationRecord => ({ ...record, names: ['office'], rest: REST })

export function destinations(kind: Kind): void {
  test('nothing is known of a destination that was never recorded', async () => {
    const ledger = await freshLedger(kind)
    expect(await ledger.destination('smtp mail.example.org', '')).toEqual(blankDestination('smtp mail.example.org', ''))
    expect(await ledger.destinations()).toEqual([])
  })

  test('a record is as it was changed last, for each recipient by itself, after the ledger was closed as well', async () => {
    const place = await kind.place()
    const first = await place.open()
    const changed = await first.changeDestination('smtp b', '', resting)
    await first.changeDestination('smtp b', 'bob@example.org', (record) => ({ ...record, refusals: 7 }))
    await first.changeDestination('maildir a', '', (record) => ({ ...record, refusals: 2 }))
    expect(changed).toEqual({ ...blankDestination('smtp b', ''), names: ['office'], rest: REST })
    await first[Symbol.asyncDispose]()
    const second = await place.open()
    expect(await second.destinations()).toEqual([
      { ...blankDestination('maildir a', ''), refusals: 2 },
      changed,
      { ...blankDestination('smtp b', 'bob@example.org'), refusals: 7 },
    ])
    expect(await second.destination('smtp b', '')).toEqual(changed)
  })

  test('a change that gives back what it got writes nothing', async () => {
    const ledger = await freshLedger(kind)
    await ledger.changeDestination('smtp b', '', (record) => record)
    expect(await ledger.destinations()).toEqual([])
  })

  test('a record that says nothing more is not kept', async () => {
    const ledger = await freshLedger(kind)
    await ledger.changeDestination('smtp b', '', resting)
    await ledger.changeDestination('smtp b', '', (record) => ({ ...record, rest: null, lastSuccessMs: 7 }))
    expect(await ledger.destinations()).toEqual([])
  })

  test('what was sent to a place is kept for itself, too, after the ledger was closed as well', async () => {
    const place = await kind.place()
    const first = await place.open()
    const sent = { counts: [[1000, 3] as const, [2000, 1] as const], clock: { nowMs: 2000, upMs: 500, boot: 'b' } }
    const changed = await first.changeDestination('smtp b', '', (record) => ({ ...record, sent }))
    expect(changed).toEqual({ ...blankDestination('smtp b', ''), sent })
    await first[Symbol.asyncDispose]()
    const second = await place.open()
    expect(await second.destination('smtp b', '')).toEqual(changed)
    await second.changeDestination('smtp b', '', (record) => ({ ...record, sent: null }))
    expect(await second.destinations()).toEqual([])
  })

  test('changes by two processes at once are made one after the other: none is lost', async () => {
    const place = await kind.place()
    const both = [await place.open(), await place.open()]
    const more = (record: DestinationRecord): DestinationRecord => ({ ...record, refusals: record.refusals + 1 })
    await Promise.all([...both, ...both, ...both].map((ledger) => ledger.changeDestination('smtp b', '', more)))
    expect((await both[0]?.destination('smtp b', ''))?.refusals).toBe(6)
  })

  test('what strangers make it remember is bounded: ten answers of a row, a thousand characters of each text', async () => {
    const ledger = await freshLedger(kind)
    const row = Array.from({ length: 25 }, (_, at) => ({
      message: nameOfMessage('a', key(String(at).padStart(9000, 'x'))),
      conclusion: 'TEMP',
      same: 'w'.repeat(9000),
      aboutUs: false,
    }))
    await ledger.changeDestination('smtp b', '', (record) => ({ ...record, row }))
    const kept = await ledger.destination('smtp b', '')
    expect(kept.row.map(({ message }) => message)).toEqual(row.slice(15).map(({ message }) => message))
    expect(JSON.stringify(kept).length).toBeLessThan(15_000)
  })

  test('a message that was refused for what is the destination is deferred, due, and that refusal not counted', async () => {
    const ledger = await freshLedger(kind)
    const lease = await leaseOf(ledger, 'a')
    const long = key('y'.repeat(2000), 1)
    await ledger.begin(lease, [
      beginning(key('uid-1'), ['office bob', 'office eve', 'home']),
      beginning(long, ['office bob']),
    ])
    const refused = { state: 'refused', error: '550 no', retryAfterMs: 9000 } as const
    for (const target of ['office bob', 'office eve', 'home'])
      await ledger.settle(lease, settlement(key('uid-1'), refused, target))
    await ledger.settle(lease, settlement(long, refused, 'office bob'))
    await ledger.absolve(
      [nameOfMessage('a', key('uid-1')), nameOfMessage('b', key('uid-1'))],
      ['office', 'other'],
      'bob',
    )
    const [one, other] = await ledger.known('a', [key('uid-1'), long])
    expect(one?.retryAfterMs).toBe(0)
    expect(one?.deliveries.map(({ state, refusals, dueAfterMs }) => [state, refusals, dueAfterMs])).toEqual([
      ['refused', 1, 9000],
      ['failed', 0, 0],
      ['refused', 1, 9000],
    ])
    expect(other?.deliveries[0]?.state).toBe('refused')
    await ledger.absolve([nameOfMessage('a', key('uid-1')), nameOfMessage('a', long)], ['office', 'home'], null)
    const after = await ledger.known('a', [key('uid-1'), long])
    expect(after.flatMap((message) => message?.deliveries.map(({ state }) => state))).toEqual(Array(4).fill('failed'))
    expect((await ledger.records.unsettled()).get('a')).toMatchObject({ waiting: 2, refused: 0 })
  })

  test('what was taken or is under way is not absolved', async () => {
    const ledger = await freshLedger(kind)
    const lease = await leaseOf(ledger, 'a')
    await ledger.begin(lease, [beginning(key('done')), beginning(key('begun'))])
    await ledger.settle(lease, settlement(key('done'), DONE))
    await ledger.absolve(
      ['done', 'begun'].map((uidl) => nameOfMessage('a', key(uidl))),
      ['inbox'],
      null,
    )
    const [done, begun] = await ledger.known('a', [key('done'), key('begun')])
    expect([done?.state, begun?.deliveries[0]?.state]).toEqual(['delivered', 'started'])
  })

  test('deliveries follow a destination to its new name, but for those that have one there already', async () => {
    const ledger = await freshLedger(kind)
    const lease = await leaseOf(ledger, 'a')
    await ledger.begin(lease, [beginning(key('uid-1'), ['old']), beginning(key('uid-2'), ['old', 'new'])])
    expect(await ledger.renameDestination('old', 'new')).toBe(1)
    const known = await ledger.known('a', [key('uid-1'), key('uid-2')])
    expect(known.map((message) => message?.deliveries.map(({ destination }) => destination))).toEqual([
      ['new'],
      ['new', 'old'],
    ])
  })
}

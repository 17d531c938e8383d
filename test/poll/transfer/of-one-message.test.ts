// One message for two destinations, each with trouble of its own: what becomes of the message, and that neither trouble keeps it
// from the other destination.
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { SmtpSink } from '../../support/smtp-server.ts'
import { letter, Scene } from '../scene.ts'

const HOUR = 3_600_000

beforeEach(() => void vi.useFakeTimers({ toFake: ['Date'], now: new Date('2026-11-29T12:00:00Z') }))
afterEach(() => void vi.useRealTimers())

/** `lost`: the answer to it was lost three times. */
type Trouble = 'deferred' | 'lost' | 'held' | 'refused'
type As = 'deferred' | 'held' | 'refused'

const ANSWERS: Readonly<Record<Trouble, string | null>> = {
  deferred: '451 4.7.1 later',
  lost: 'drop',
  held: null,
  refused: '554 5.7.1 no',
}

const CASES: readonly (readonly [Trouble, Trouble, As])[] = [
  ['deferred', 'lost', 'deferred'],
  ['deferred', 'held', 'deferred'],
  ['deferred', 'refused', 'deferred'],
  ['lost', 'held', 'held'],
  ['lost', 'refused', 'held'],
  ['held', 'refused', 'held'],
  ['refused', 'refused', 'refused'],
]

const BOTH_WAYS = CASES.flatMap(([one, two, as]) => [[one, two, as] as const, [two, one, as] as const])

test.each(BOTH_WAYS)(
  '%s at one and %s at the other: it is %s (deferred before held before refused)',
  async (...row) => {
    const [one, two, as] = row
    await using scene = await Scene.create()
    await using first = await SmtpSink.start()
    await using second = await SmtpSink.start()
    const at = [
      { name: 'first', sink: first, trouble: one },
      { name: 'second', sink: second, trouble: two },
    ]
    scene.destinations = at.map(
      ({ name, sink, trouble }) =>
        `${name}: { type: smtp, host: 127.0.0.1, port: ${sink.port}, to: bob@example.net${trouble === 'held' ? ', deliveredTo: hold' : ''} }`,
    )
    scene.deliver = '[first, second]'
    scene.server.mailbox('alice').add(`Delivered-To: bob@example.net\r\n${letter(0)}`, { uidl: 'uid-0' })
    for (const { sink, trouble } of at) sink.faults.dot = () => Promise.resolve(ANSWERS[trouble])
    const poll = async () => {
      const report = await scene.poll({ eager: false })
      vi.setSystemTime(Date.now() + 5 * HOUR)
      return report
    }
    // Three lost answers, and the poll that finds that they were three.
    const reports = [await poll(), await poll(), await poll(), await poll()]
    const counted = reports.map(({ deferred, held, refused }) => ({ deferred, held, refused }))
    const isLost = one === 'lost' || two === 'lost'
    const told = counted[isLost ? 3 : 0]
    expect(told).toEqual({ deferred: 0, held: 0, refused: 0, [as]: 1 })
    // What becomes refused or held does so once.
    if (as !== 'deferred') expect(counted.reduce((sum, each) => sum + each[as], 0)).toBe(1)
    expect(scene.left()).toEqual(['uid-0'])

    // The one that only deferred it gets it, once; then the other trouble counts.
    const well = at.filter(({ trouble }) => trouble === 'deferred')
    for (const { sink } of well) sink.faults.dot = null
    const after = [await poll(), await poll()]
    for (const { sink } of well) expect(sink.messages).toHaveLength(1)
    if (well.length === 0) return
    const other = [one, two].find((trouble) => trouble !== 'deferred')
    expect(after[0]).toMatchObject(other === 'refused' ? { deferred: 0, held: 0 } : { deferred: 0, held: 1 })
    expect(after[1]).toMatchObject({ deferred: 0, held: 0, refused: 0 })
  },
)

test('what was lost three times at one is not offered there again, while the other one waits', async () => {
  await using scene = await Scene.create()
  await using lossy = await SmtpSink.start()
  await using away = await SmtpSink.start()
  scene.destinations = [
    `lossy: { type: smtp, host: 127.0.0.1, port: ${lossy.port}, to: bob@example.net }`,
    `away: { type: smtp, host: 127.0.0.1, port: ${away.port}, to: bob@example.net }`,
  ]
  scene.deliver = '[lossy, away]'
  scene.fill(1)
  let contents = 0
  lossy.faults.dot = () => (contents++, Promise.resolve('drop'))
  away.faults.mail = '450 4.7.28 too much'
  for (let polls = 0; polls < 8; polls++) {
    expect(await scene.poll({ eager: false })).toMatchObject({ delivered: 0, deferred: 1, held: 0 })
    vi.setSystemTime(Date.now() + 5 * HOUR)
  }
  expect(contents).toBe(3)
  expect(scene.notes.join('\n')).not.toContain('ERR_BUG')
})

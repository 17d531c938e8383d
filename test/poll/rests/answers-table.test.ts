// What a destination answers, at the poll's level. Each step × code × how many messages in a row × alone, in a list, as the first
// of two. Judged by what is marked, by the connections, downloads and contents that it took, and by when it is tried again.
// What an answer is concluded to stands here by hand, as the table of answers has it.
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { openLedger } from '../../../src/ledger/sqlite/open.ts'
import type { AccountReport } from '../../../src/poll/report.ts'
import { SmtpSink } from '../../support/smtp-server.ts'
import { Scene, upTo } from '../scene.ts'

const MINUTE = 60_000

beforeEach(() => void vi.useFakeTimers({ toFake: ['Date'], now: new Date('2026-11-29T12:00:00Z') }))
afterEach(() => void vi.useRealTimers())

type Step = 'connect' | 'auth' | 'mail' | 'rcpt' | 'dot'

/** `place`: of the destination, at once. `refused`, `deferred`: of the message. `form`: refused, and never counted in a row.
 *  `uncounted`: deferred, and never counted. */
type Meaning = 'place' | 'refused' | 'deferred' | 'form' | 'uncounted'

interface Row {
  readonly step: Step
  readonly answer: string
  readonly meaning: Meaning
  readonly exit?: number
  /** Another destination takes the message at once, if there is one. */
  readonly goesOn?: boolean
  /** The hazard of which it is a row. */
  readonly names: string
}

const ROWS: readonly Row[] = [
  { step: 'connect', answer: '421 4.3.2 closing', meaning: 'place', names: '' },
  { step: 'connect', answer: '450 4.7.0 not now', meaning: 'place', names: '' },
  { step: 'connect', answer: '554 5.7.1 not you', meaning: 'place', names: '' },
  { step: 'auth', answer: '454 4.7.0 not now', meaning: 'place', names: '' },
  { step: 'auth', answer: '432 4.7.12 later', meaning: 'place', names: '' },
  { step: 'auth', answer: '535 5.7.8 no', meaning: 'place', exit: 77, names: '' },
  { step: 'auth', answer: '534 5.7.9 weak', meaning: 'place', exit: 77, names: '' },
  { step: 'mail', answer: '421 4.7.0 closing', meaning: 'place', names: '' },
  { step: 'mail', answer: '450 4.7.28 too much', meaning: 'place', names: '(D116)' },
  { step: 'mail', answer: '452 4.3.1 disk full', meaning: 'place', names: '' },
  { step: 'mail', answer: '550 5.4.5 daily limit', meaning: 'place', names: '(D117)' },
  { step: 'mail', answer: '550 5.7.28 too much', meaning: 'place', names: '(D117)' },
  { step: 'mail', answer: '530 5.7.0 authentication required', meaning: 'place', exit: 77, names: '' },
  { step: 'mail', answer: '552 5.3.4 too large', meaning: 'form', goesOn: true, names: '' },
  { step: 'mail', answer: '450 4.2.0 greylisted', meaning: 'uncounted', names: '' },
  { step: 'rcpt', answer: '450 4.2.0 greylisted', meaning: 'uncounted', names: '' },
  { step: 'rcpt', answer: '550 5.1.1 no such user', meaning: 'place', goesOn: true, names: '' },
  { step: 'rcpt', answer: '552 5.2.2 full', meaning: 'place', names: '(D117)' },
  { step: 'rcpt', answer: '450 4.2.1 disabled', meaning: 'place', names: '' },
  { step: 'rcpt', answer: '550 5.7.1 policy', meaning: 'place', goesOn: true, names: '' },
  { step: 'dot', answer: '421 4.3.2 closing', meaning: 'place', names: '' },
  { step: 'dot', answer: '452 4.3.1 disk full', meaning: 'place', names: '' },
  { step: 'dot', answer: '552 5.2.2 full', meaning: 'place', names: '(D117)' },
  { step: 'dot', answer: '554 5.3.1 full', meaning: 'place', names: '(D117)' },
  { step: 'dot', answer: '550 5.4.5 daily limit', meaning: 'place', names: '(D117)' },
  { step: 'dot', answer: '550 5.7.28 too much', meaning: 'place', names: '(D117)' },
  { step: 'dot', answer: '451 4.7.1 later', meaning: 'deferred', names: '' },
  { step: 'dot', answer: '451 4.7.26 unauthenticated', meaning: 'uncounted', names: '' },
  { step: 'dot', answer: '451 4.7.1 greylisted', meaning: 'uncounted', names: '' },
  { step: 'dot', answer: '554 5.7.1 policy', meaning: 'refused', goesOn: true, names: '' },
  { step: 'dot', answer: '550 5.7.26 unauthenticated', meaning: 'refused', goesOn: true, names: '' },
  { step: 'dot', answer: '550 5.6.0 malformed', meaning: 'form', goesOn: true, names: '' },
  { step: 'dot', answer: '554 5.4.6 too many hops', meaning: 'form', goesOn: true, names: '' },
]

class Trial implements AsyncDisposable {
  readonly scene: Scene
  readonly sink: SmtpSink
  contents = 0

  private constructor(scene: Scene, sink: SmtpSink) {
    this.scene = scene
    this.sink = sink
  }

  static async of({ step, answer }: Row, count: number, deliver: string): Promise<Trial> {
    const scene = await Scene.create()
    const sink = await SmtpSink.start(step === 'auth' ? { users: { relay: 'right' } } : {})
    const signIn = step === 'auth' ? 'tls: none, user: relay, password: right, ' : ''
    scene.destinations = [
      `next: { type: smtp, host: 127.0.0.1, port: ${sink.port}, ${signIn}to: bob@example.net, concurrency: 1 }`,
      'inbox: { type: maildir, path: inbox }',
    ]
    scene.deliver = deliver
    scene.fill(count)
    const trial = new Trial(scene, sink)
    trial.answer(step, answer)
    return trial
  }

  answer(step: Step, answer: string | null): void {
    for (const each of ['connect', 'auth', 'mail', 'rcpt', 'dot'] as const) this.sink.faults[each] = null
    if (step !== 'dot') this.sink.faults[step] = answer
    this.sink.faults.dot = () => {
      this.contents++
      return Promise.resolve(step === 'dot' ? answer : null)
    }
  }

  poll(): Promise<AccountReport> {
    return this.scene.poll({ eager: false })
  }

  /** What a poll took. */
  async cost(): Promise<{ report: AccountReport; retrieved: number; connections: number; contents: number }> {
    const before = [this.scene.count('RETR'), this.sink.connections, this.contents] as const
    const report = await this.poll()
    return {
      report,
      retrieved: this.scene.count('RETR') - before[0],
      connections: this.sink.connections - before[1],
      contents: this.contents - before[2],
    }
  }

  async marks(): Promise<readonly string[]> {
    await using ledger = await openLedger(this.scene.path('state/state.db'))
    const states = new Set<string>()
    for await (const slice of ledger.records.list(this.scene.name, 'open'))
      for (const { deliveries } of slice)
        for (const { destination, state } of deliveries) if (destination !== 'inbox') states.add(state)
    return [...states]
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.scene[Symbol.asyncDispose]()
    await this.sink[Symbol.asyncDispose]()
  }
}

function later(ms: number): void {
  vi.setSystemTime(Date.now() + ms)
}

const SHAPES = { alone: 'next', 'in a list': '[inbox, next]', 'first of two': '{ first-of: [next, inbox] }' } as const
type Shape = keyof typeof SHAPES

/** Whose is it after this many in a row? */
function isOfPlace({ meaning }: Row, count: number, shape: Shape): boolean {
  if (meaning === 'place') return true
  if (shape === 'first of two') return false
  return (meaning === 'deferred' && count >= 3) || (meaning === 'refused' && count >= 10)
}

const CASES = ROWS.flatMap((row) =>
  (Object.keys(SHAPES) as Shape[]).flatMap((shape) =>
    (row.meaning === 'place' ? [2] : row.meaning === 'refused' ? [3, 12] : [1, 12]).map((count) => ({
      ...row,
      shape,
      count,
    })),
  ),
)

describe('an answer of a destination', () => {
  test.each(CASES)('$step "$answer" to $count, $shape: $meaning $names', async (row) => {
    const { step, count, shape, exit = 75, goesOn = false, meaning } = row
    await using trial = await Trial.of(row, count, SHAPES[shape])
    const first = await trial.cost()
    const { report } = first
    const ofPlace = isOfPlace(row, count, shape)

    // No content is sent that the envelope was refused for.
    if (step !== 'dot') expect(first.contents).toBe(0)
    if (shape !== 'alone' && shape !== 'first of two') expect(trial.scene.subjects()).toEqual(upTo(count))

    if (shape === 'first of two' && goesOn) {
      expect(report).toMatchObject({ outcome: 'ok', delivered: count, deferred: 0, refused: 0, error: null })
      expect(trial.scene.subjects()).toEqual(upTo(count))
      return
    }
    if (shape === 'first of two') expect(trial.scene.subjects()).toEqual([])

    const isRefused = !ofPlace && (meaning === 'refused' || meaning === 'form')
    expect(report).toMatchObject({
      outcome: ofPlace ? 'failed' : 'partial',
      delivered: 0,
      deferred: isRefused ? 0 : count,
      refused: isRefused ? count : 0,
      held: 0,
      error: ofPlace ? { exit } : null,
      deferredThemselves: ofPlace || isRefused ? 0 : count,
    })
    // Told once: of the destination, or of each message.
    expect(report.troubles.map(({ destination }) => destination.split(':')[0])).toEqual(
      ofPlace ? [shape === 'first of two' ? 'first-of' : 'next'] : [],
    )
    expect(report.problems.length).toBe(ofPlace ? 0 : count)
    expect(await trial.marks()).not.toContain(isRefused ? 'failed' : 'refused')

    // A minute later.
    later(MINUTE)
    const second = await trial.cost()
    if (isRefused) {
      expect(second.report).toMatchObject({ outcome: 'ok', error: null, refused: 0 })
      expect([second.retrieved, second.connections]).toEqual([0, 0])
    } else if (ofPlace && exit !== 77) {
      expect(second.report).toMatchObject({ outcome: 'paused', deferred: count, error: { exit } })
      expect([second.retrieved, second.connections]).toEqual([0, 0])
    } else if (ofPlace) {
      // A sign-in is tried twice more before it rests (P052), and nothing is downloaded for it.
      expect(second.report).toMatchObject({ outcome: 'failed', deferred: count, error: { exit } })
      expect(second.connections).toBeLessThanOrEqual(2)
      expect(second.retrieved).toBeLessThanOrEqual(step === 'auth' ? 0 : 1)
    } else expect(second.report.outcome).toBe('partial')

    // It takes mail again: nothing is lost, nothing comes twice, whatever it was.
    trial.answer(step, null)
    for (let hours = 0; hours < 3; hours++) {
      later(60 * MINUTE)
      await trial.poll()
    }
    expect(await trial.poll()).toMatchObject({ outcome: 'ok', deferred: 0, refused: 0, error: null })
    const arrived = trial.sink.messages.map(({ bytes }) =>
      Number(/^Subject: letter (\d+)/m.exec(bytes.toString())?.[1]),
    )
    expect(arrived.toSorted((a, b) => a - b)).toEqual(upTo(count))
  })
})

// The rests of destinations that are only asked after another one (first-of). Each way in which a later one keeps mail back ×
// what makes the first pass it on. One judgement: it is treated like a single destination. Nothing is downloaded for it
// meanwhile, each poll names it, and all of its mail comes when it is well again.
import { renameSync, rmSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { AccountReport } from '../../../src/poll/report.ts'
import { SmtpSink } from '../../support/smtp-server.ts'
import { Scene, upTo } from '../scene.ts'

const MINUTE = 60_000
/** When a rest of 15 min doubling lets one message through, in minutes; and the polls, some of them just before. */
const STEPS = [0, 15, 45, 105, 225]
const POLLS = [0, 5, 14, 15, 44, 45, 104, 105, 224, 225]
const MESSAGES = 6

beforeEach(() => void vi.useFakeTimers({ toFake: ['Date'], now: new Date('2026-11-29T12:00:00Z') }))
afterEach(() => void vi.useRealTimers())

interface Polled {
  readonly minute: number
  readonly report: AccountReport
  readonly retrieved: number
}

class Chained implements AsyncDisposable {
  readonly scene: Scene
  readonly first: SmtpSink
  readonly second: SmtpSink
  /** Minutes since the beginning at which the second one was asked: its first answer of a poll. */
  readonly asked: number[] = []
  readonly #startMs = Date.now()

  private constructor(scene: Scene, first: SmtpSink, second: SmtpSink) {
    this.scene = scene
    this.first = first
    this.second = second
  }

  static async make(names = 'next, other'): Promise<Chained> {
    const scene = await Scene.create()
    const [first, second] = [await SmtpSink.start(), await SmtpSink.start()]
    const smtp = ({ port }: SmtpSink): string => `{ type: smtp, host: 127.0.0.1, port: ${port}, to: bob@example.net }`
    scene.destinations = [
      `next: ${smtp(first)}`,
      `other: ${smtp(second)}`,
      'inbox: { type: maildir, path: inbox }',
      'spare: { type: maildir, path: spare }',
    ]
    scene.deliver = `{ first-of: [${names}] }`
    scene.account = ['delete: after-delivery']
    scene.fill(MESSAGES)
    return new Chained(scene, first, second)
  }

  get minute(): number {
    return (Date.now() - this.#startMs) / MINUTE
  }

  note(): void {
    if (this.asked.at(-1) !== this.minute) this.asked.push(this.minute)
  }

  /** As cron polls, this many minutes from now. */
  async poll(...minutes: readonly number[]): Promise<Polled[]> {
    const fromMs = Date.now()
    const polls: Polled[] = []
    for (const minute of minutes) {
      vi.setSystemTime(fromMs + minute * MINUTE)
      const before = this.scene.count('RETR')
      const report = await this.scene.poll({ eager: false })
      polls.push({ minute, report, retrieved: this.scene.count('RETR') - before })
    }
    return polls
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.scene[Symbol.asyncDispose]()
    await this.first[Symbol.asyncDispose]()
    await this.second[Symbol.asyncDispose]()
  }
}

function numbers({ messages }: SmtpSink): number[] {
  const subjects = messages.map(({ bytes }) => Number(/^Subject: letter (\d+)/m.exec(bytes.toString('latin1'))?.[1]))
  return subjects.toSorted((a, b) => a - b)
}

const REFUSES = {
  'the message': { dot: () => '554 5.7.1 we do not like it' },
  'its form': { dot: () => '554 5.6.0 malformed' },
  'the recipient': { rcpt: '550 5.1.1 no such user' },
} as const

type Faults = Partial<SmtpSink['faults']>
const KEEPS: Readonly<Record<string, Faults>> = {
  'says "not now" at MAIL': { mail: '450 4.7.28 too much mail from you' },
  'says "not now" in its greeting': { connect: '421 4.3.2 too busy' },
  'says "not here" in its greeting': { connect: '554 5.3.2 no service' },
  'has a full mailbox': { rcpt: '452 4.2.2 mailbox full' },
  'has no such user': { rcpt: '550 5.1.1 no such user' },
  'takes no more today': { dot: () => '550 5.4.5 daily quota exceeded' },
}

describe.each(Object.entries(REFUSES))('where the first refuses %s', (_what, refusal) => {
  test.each(Object.entries(KEEPS))('a next one that %s rests as one that stands alone', async (_how, faults) => {
    await using chain = await Chained.make()
    const { scene, first, second } = chain
    Object.assign(first.faults, refusal)
    for (const [step, answer] of Object.entries(faults))
      Object.assign(second.faults, {
        [step]: (subject: never) => {
          chain.note()
          return typeof answer === 'function' ? answer(subject) : answer
        },
      })
    const polls = await chain.poll(...POLLS)
    expect(chain.asked).toEqual(STEPS)
    for (const { minute, report, retrieved } of polls) {
      expect(report).toMatchObject({ delivered: 0, deferred: MESSAGES, deferredThemselves: 0, error: { exit: 75 } })
      expect(report.troubles.map(({ destination }) => destination)).toEqual(['other'])
      expect(report.outcome).toBe(STEPS.includes(minute) ? 'failed' : 'paused')
      // One message alone after a rest.
      if (minute > 0) expect(retrieved).toBeLessThanOrEqual(STEPS.includes(minute) ? 1 : 0)
    }
    Object.assign(second.faults, { connect: null, mail: null, rcpt: null, dot: null })
    // The rest of 4 h that began with the last step.
    await chain.poll(241)
    expect(numbers(second)).toEqual(upTo(MESSAGES))
    expect(scene.left()).toEqual([])
  })

  test('a next one that is away is looked for at each poll of cron, and nothing is downloaded for it', async () => {
    await using chain = await Chained.make()
    Object.assign(chain.first.faults, refusal)
    Object.assign(chain.second.faults, { connect: () => (chain.note(), 'drop') })
    const polls = await chain.poll(0, 1, 5, 60)
    expect(chain.asked).toHaveLength(polls.length)
    expect(polls.slice(1).map(({ retrieved }) => retrieved)).toEqual(polls.slice(1).map(() => 0))
    for (const { report } of polls)
      expect(report).toMatchObject({ outcome: 'failed', deferred: MESSAGES, deferredThemselves: 0 })
    chain.second.faults.connect = null
    await chain.poll(5)
    expect(numbers(chain.second)).toEqual(upTo(MESSAGES))
  })

  test.each(['whole', 'its folder of new mail'])(
    'a Maildir behind it that is gone, %s, is not made again, and costs no download (S045)',
    async (what) => {
      await using chain = await Chained.make('next, inbox')
      const { scene } = chain
      Object.assign(chain.first.faults, refusal)
      await chain.poll(5)
      expect(scene.subjects()).toEqual(upTo(MESSAGES))
      const [there, away] =
        what === 'whole' ? [scene.path('inbox'), scene.path('away')] : [scene.path('inbox/new'), scene.path('away')]
      renameSync(there, away)
      scene.fill(MESSAGES, MESSAGES)
      const polls = await chain.poll(0, 5, 60)
      expect(scene.subjects()).toEqual([])
      expect(scene.left()).toHaveLength(MESSAGES)
      expect(polls.slice(1).every(({ retrieved }) => retrieved === 0)).toBe(true)
      for (const { report } of polls) {
        expect(report).toMatchObject({ outcome: 'failed', deferred: MESSAGES, error: { exit: 73 } })
        expect(report.error?.message).toContain('is gone, though mail was delivered there')
      }
      rmSync(there, { recursive: true, force: true })
      renameSync(away, there)
      await chain.poll(5)
      expect(scene.subjects()).toEqual(upTo(2 * MESSAGES))
      expect(scene.left()).toEqual([])
    },
  )
})

describe('a Maildir that is the first of several and is gone (S045)', () => {
  test('is not made again; nothing is fetched; mail goes on to the next once it has waited for a day', async () => {
    await using chain = await Chained.make('inbox, spare')
    const { scene } = chain
    await chain.poll(5)
    renameSync(scene.path('inbox'), scene.path('away'))
    scene.fill(MESSAGES, MESSAGES)
    const polls = await chain.poll(0, 5, 60, 720, 1380)
    expect(polls.reduce((sum, { retrieved }) => sum + retrieved, 0)).toBe(0)
    for (const { report } of polls) expect(report).toMatchObject({ outcome: 'failed', error: { exit: 73 } })
    expect(scene.subjects('spare')).toEqual([])
    await chain.poll(60, 120, 180, 300)
    expect(scene.subjects('spare')).toEqual(upTo(2 * MESSAGES).slice(MESSAGES))
    expect(scene.subjects()).toEqual([])
    renameSync(scene.path('away'), scene.path('inbox'))
    scene.fill(1, 2 * MESSAGES)
    await chain.poll(5)
    expect(scene.subjects()).toEqual([...upTo(MESSAGES), 2 * MESSAGES])
  })

  test('is made at first, and where mail was only delivered to the next', async () => {
    await using chain = await Chained.make('next, inbox')
    await chain.poll(5)
    expect(numbers(chain.first)).toEqual(upTo(MESSAGES))
    rmSync(chain.scene.path('inbox'), { recursive: true, force: true })
    chain.first.faults.dot = () => '554 5.7.1 no'
    chain.scene.fill(1, MESSAGES)
    await chain.poll(5)
    expect(chain.scene.subjects()).toEqual([MESSAGES])
  })
})

describe('so many answers of a next one in a row that they speak of it (D118)', () => {
  test.each([
    ['three equal ones for now', '451 4.7.1 cannot scan it now', 3],
    ['three equal ones of us', '550 5.7.60 client does not have permissions to send as this sender', 3],
    ['ten refusals', '554 5.7.1 we do not like it', 10],
  ])('%s: nothing is refused, it rests, and all of it comes when it is well', async (_what, answer, row) => {
    await using chain = await Chained.make('next, other')
    const { first, second, scene } = chain
    scene.destinations = scene.destinations.map((line) =>
      line.replace('to: bob@example.net', 'to: bob@example.net, concurrency: 1'),
    )
    scene.fill(9, MESSAGES)
    first.faults.dot = () => '554 5.6.0 malformed'
    let offered = 0
    second.faults.dot = () => (offered++, answer)
    const [poll] = await chain.poll(0)
    // One may be under way when the last of the row is answered.
    expect(offered).toBeLessThanOrEqual(row + 1)
    expect(poll?.report).toMatchObject({
      outcome: 'failed',
      delivered: 0,
      deferred: 15,
      refused: 0,
      error: { exit: 75 },
    })
    expect(poll?.report.problems).toEqual([])
    expect(poll?.report.troubles.map(({ destination }) => destination)).toEqual(['other'])
    for (const { minute, report, retrieved } of await chain.poll(5, 14)) {
      expect(report).toMatchObject({ outcome: 'paused', deferred: 15 })
      // Those that were answered for themselves, once more.
      expect(retrieved).toBeLessThanOrEqual(minute === 5 ? row : 0)
    }
    second.faults.dot = null
    await chain.poll(15)
    expect(numbers(second)).toEqual(upTo(15))
    expect(scene.left()).toEqual([])
  })
})

test('what opened the rest of a next one is not tried first when the rest is over, and holds up no other message', async () => {
  await using chain = await Chained.make()
  const { first, second, scene } = chain
  first.faults.dot = () => '554 5.7.1 no'
  const bad = /^Subject: letter 0\r/m
  const offered: string[] = []
  second.faults.dot = ({ bytes }) => {
    const text = bytes.toString('latin1')
    offered.push(/^Subject: letter (\d+)/m.exec(text)?.[1] ?? '')
    return bad.test(text) ? '452 4.3.1 no room' : null
  }
  await chain.poll(5)
  offered.splice(0)
  await chain.poll(15)
  // It is planned as the last; over two connections it may still come to its answer before another one does.
  expect(offered[0]).not.toBe('0')
  expect(numbers(second)).toEqual([1, 2, 3, 4, 5])
  offered.splice(0)
  await chain.poll(30, 60)
  expect(offered).toEqual(['0', '0'])
  expect(scene.left()).toEqual(['uid-0'])
})

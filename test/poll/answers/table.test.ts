// The table of answers as polls meet it. What a next hop does at each step × how many messages × alone, in a list, as the first
// of two × a fixed recipient, or one of each message × cron, which begins again each time, or the background × SMTP or LMTP.
// Judged by what is reported and marked, by the connections and downloads it takes, by when it is tried again, and by what
// arrives in the end. Time stands still while nobody is silent, so that no limit is waited for.
//
// A sample by default, another one with ANSWERS_SEED; all of it, some minutes, with ANSWERS_STEP=1.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openLedger } from '../../../src/ledger/sqlite/open.ts'
import type { AccountReport } from '../../../src/poll/report.ts'
import { Time } from '../../soak/pairs/time.ts'
import { certificates } from '../../support/certificates.ts'
import { letter, Scene, upTo } from '../scene.ts'
import { type Row, ROWS } from './rows.ts'
import { StepServer } from './step-server.ts'

const STEP = Number(process.env['ANSWERS_STEP'] ?? 113)
const SEED = Number(process.env['ANSWERS_SEED'] ?? 1)

const SECOND_MS = 1000
const HOUR_MS = 3600 * SECOND_MS

const SHAPES = { alone: 'next', 'in a list': '[inbox, next]', 'first of two': '{ first-of: [next, inbox] }' } as const

interface Case extends Row {
  readonly shape: keyof typeof SHAPES
  /** New messages, one after the other. */
  readonly count: number
  readonly to: 'fixed' | 'of each message'
  readonly by: 'cron' | 'background'
  readonly protocol: 'smtp' | 'lmtp'
}

const isOf =
  (protocol: Case['protocol']) =>
  ({ only }: Row): boolean =>
    only === null || only === protocol

const CASES: readonly Case[] = [
  ...ROWS.filter(isOf('smtp')).flatMap((row) =>
    (Object.keys(SHAPES) as (keyof typeof SHAPES)[]).flatMap((shape) =>
      [1, 3].flatMap((count) =>
        (['fixed', 'of each message'] as const).flatMap((to) =>
          (['cron', 'background'] as const).map((by) => ({ ...row, protocol: 'smtp' as const, shape, count, to, by })),
        ),
      ),
    ),
  ),
  ...ROWS.filter(isOf('lmtp')).flatMap((row) =>
    [1, 3].flatMap((count) =>
      (['fixed', 'of each message'] as const).map((to) => {
        return { ...row, protocol: 'lmtp' as const, shape: 'alone' as const, count, to, by: 'cron' as const }
      }),
    ),
  ),
]

const nameOf = ({ step, what, count, shape, to, by, protocol }: Case): string =>
  `${step}: ${what}, to ${count}, ${shape}, ${to} recipient, ${by}, ${protocol}`

const time = new Time()
let restore = (): void => {}
beforeAll(() => void (restore = time.install()))
afterAll(() => restore())

class Trial implements AsyncDisposable {
  readonly scene: Scene
  readonly server: StepServer
  readonly #poll: () => Promise<AccountReport>
  readonly #stack: AsyncDisposableStack

  private constructor(
    scene: Scene,
    server: StepServer,
    poll: () => Promise<AccountReport>,
    stack: AsyncDisposableStack,
  ) {
    ;[this.scene, this.server, this.#poll, this.#stack] = [scene, server, poll, stack]
  }

  static async of({ step, what, count, shape, to, by, protocol }: Case): Promise<Trial> {
    await using stack = new AsyncDisposableStack()
    const habits = { lmtp: protocol === 'lmtp', tls: step === 'STARTTLS' || step === 'TLS', signIn: step === 'AUTH' }
    const silences: (() => void)[] = []
    const server = stack.use(
      await StepServer.start(habits, { heard: () => time.heard(), silent: () => void silences.push(time.silence()) }),
    )
    stack.defer(() => silences.forEach((over) => over()))
    const scene = stack.use(await Scene.create())
    scene.account =
      to === 'fixed'
        ? []
        : ['recipient: { header: X-Original-To, domains: [example.net], otherwise: post@example.net }']
    const keys = [
      `type: ${protocol}, host: 127.0.0.1, port: ${server.port}, concurrency: 1`,
      `to: ${to === 'fixed' ? 'bob@example.net' : '"{recipient}"'}`,
      habits.tls ? `tls: starttls, pin: ${certificates.good.pin}` : 'tls: none',
      ...(habits.signIn ? ['user: relay, password: right-horse'] : []),
    ]
    scene.destinations = [`next: { ${keys.join(', ')} }`, 'inbox: { type: maildir, path: inbox }']
    scene.deliver = SHAPES[shape]
    scene.server.faults.onCommand = () => {
      time.heard()
      return 'serve'
    }
    const mailbox = scene.server.mailbox('alice')
    for (const at of upTo(count))
      mailbox.add(`X-Original-To: bob-${at}@example.net\r\n${letter(at)}`, { uidl: `uid-${at}` })
    server.failure = { step, what }
    const background = by === 'background' ? stack.use(await scene.background()) : null
    const poll = (): Promise<AccountReport> => background?.poll() ?? scene.poll({ eager: false })
    return new Trial(scene, server, poll, stack.move())
  }

  /** A poll, and what it took. */
  async poll(): Promise<{ report: AccountReport; retrieved: number; connections: number; contents: number }> {
    const { scene, server } = this
    const before = [scene.count('RETR'), server.connections, server.contents] as const
    const report = await time.during(this.#poll(), { standsStill: true })
    return {
      report,
      retrieved: scene.count('RETR') - before[0],
      connections: server.connections - before[1],
      contents: server.contents - before[2],
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

  /** The numbers of the letters that the server took, sorted. */
  get taken(): readonly number[] {
    return this.server.taken.map((text) => Number(/^Subject: letter (\d+)/m.exec(text)?.[1])).sort((a, b) => a - b)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await time.during(this.#stack.disposeAsync())
  }
}

/** What it means for this many, and whether it speaks of the destination then. */
function meaningOf({ means, filled, to, count, shape, aboutUs }: Case) {
  const meaning = to === 'fixed' ? means : filled
  const hasNext = shape === 'first of two'
  const inARow = meaning === 'own' || (meaning === 'refused' && aboutUs) ? 3 : meaning === 'cut' ? 2 : Infinity
  return { meaning, ofPlace: meaning === 'place' || (!hasNext && count >= inARow) }
}

const only = process.env['ANSWERS_ONLY']
const chosen = CASES.filter((one, at) => (only === undefined ? (at + SEED) % STEP === 0 : nameOf(one).includes(only)))

test.each(chosen)('$step: $what, to $count, $shape, $to recipient, $by, $protocol', async (asked) => {
  const { step, count, shape, exit, rests, goesOn, by, what } = asked
  const { meaning, ofPlace } = meaningOf(asked)
  const isFirstOf = shape === 'first of two'
  const all = upTo(count)
  await using trial = await Trial.of(asked)
  const first = await trial.poll()
  const { report } = first

  if (shape === 'in a list') expect(trial.scene.subjects()).toEqual(all)
  if (meaning === 'well' || (isFirstOf && goesOn)) {
    expect(report).toMatchObject({
      outcome: 'ok',
      delivered: count,
      deferred: 0,
      refused: 0,
      error: null,
      problems: [],
    })
    const arrived = isFirstOf ? [...trial.scene.subjects(), ...trial.taken].sort((a, b) => a - b) : trial.taken
    expect(arrived).toEqual(all)
    return
  }
  if (isFirstOf) expect(trial.scene.subjects()).toEqual([])
  // No content is sent that the envelope was refused for.
  if (step !== 'dot') expect(first.contents).toBe(0)

  const isRefused = !ofPlace && (meaning === 'refused' || meaning === 'form')
  const marks = await trial.marks()
  if (meaning === 'lost') {
    expect(marks).toContain('unknown')
    expect(report).toMatchObject({ delivered: 0, deferred: count, refused: 0, held: 0 })
    expect(report.outcome).toBe(exit === 76 || (count > 1 && !isFirstOf) ? 'failed' : 'partial')
    if (exit === 76) expect(report.error).toMatchObject({ exit })
    // Two in a row are enough, but where another one may take the mail.
    expect(first.contents).toBeLessThanOrEqual(isFirstOf ? count : 2)
  } else {
    expect(marks).not.toContain(isRefused ? 'failed' : 'refused')
    expect(marks).not.toContain('unknown')
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
      ofPlace ? [isFirstOf ? 'first-of' : 'next'] : [],
    )
    expect(report.problems.length).toBe(ofPlace ? 0 : count)
  }

  // Half a minute later.
  time.pass(30 * SECOND_MS)
  const second = await trial.poll()
  // Where nobody answered, the first poll took longer than that.
  const isSoon = what !== 'silence'
  const isEnvelope = step === 'MAIL' || step === 'RCPT' || step === 'DATA' || step === 'dot'
  if (isRefused) {
    expect(second.report).toMatchObject({ outcome: 'ok', error: null, refused: 0 })
    expect([second.retrieved, second.connections]).toEqual([0, 0])
  } else if (ofPlace && (rests === 'long' || (rests === 'short' && by === 'background' && isSoon))) {
    expect(second.report).toMatchObject({ outcome: 'paused', deferred: count, error: { exit } })
    expect([second.retrieved, second.connections]).toEqual([0, 0])
  } else if (ofPlace) {
    // The background asks no second time within a minute, as it may be for another account.
    if (isSoon) expect(second.report.outcome).toBe(by === 'background' ? 'paused' : 'failed')
    expect(second.report).toMatchObject({ delivered: 0, deferred: count, error: { exit } })
    expect(second.connections).toBeLessThanOrEqual(2)
    expect(second.retrieved).toBeLessThanOrEqual(isEnvelope ? 1 : 0)
  } else if (meaning !== 'lost') {
    expect(second.report.outcome).toBe('partial')
  }

  // It takes mail again: nothing is lost, and nothing comes twice but for an answer that was lost.
  trial.server.failure = null
  const told: number[] = []
  for (let hours = 0; hours < 4; hours++) {
    time.pass(HOUR_MS)
    told.push((await trial.poll()).report.possibleDuplicates)
  }
  expect((await trial.poll()).report).toMatchObject({ outcome: 'ok', deferred: 0, refused: 0, held: 0, error: null })
  if (shape === 'in a list') expect(trial.scene.subjects()).toEqual(all)
  if (meaning !== 'lost') {
    expect(trial.taken).toEqual(all)
    return
  }
  expect([...new Set(trial.taken)]).toEqual(all)
  expect(told.reduce((sum, one) => sum + one, 0)).toBeGreaterThanOrEqual(1)
  if (what === 'cut' || what === 'silence') expect(trial.taken).toEqual(all)
})

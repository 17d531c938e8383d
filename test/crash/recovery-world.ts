// A mailbox with a history, and what is lost of it: the ledger, its newer half, or the UIDs. It is polled, killed and polled
// again, while something else happens. One judge: at every destination that can show it each message stands exactly once.
// At the others at least once, and once more for each record that was lost. Nothing leaves the server that is not
// everywhere, or that is too young.
import { chmodSync, cpSync, existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { expect, vi } from 'vitest'
import type { Ledger } from '../../src/ledger/ledger.ts'
import type { AccountReport, PollOptions } from '../../src/poll/report.ts'
import { mortal } from '../support/mortal-ledger.ts'
import { SmtpSink } from '../support/smtp-server.ts'
import { letter, Scene } from '../poll/scene.ts'

/** `UIDs moved on`: each message has the UID that the one before it had. */
export type Lost = 'nothing' | 'ledger' | 'older copy' | 'UIDs' | 'UIDs moved on'
export type Killed = keyof typeof KILLERS
export type Limit = 'none' | 'limit: 3' | 'first: new'
export type Deletion = 'after-delivery' | '30d' | 'never'

export interface Case {
  readonly lost: Lost
  readonly names: readonly string[]
  readonly limit: Limit
  readonly killed: Killed
  readonly deletion: Deletion
}

/** What else goes on. */
export interface Meanwhile {
  /** More kills than the first. */
  readonly kills: number
  /** Before each poll, once something is lost. */
  readonly before: (world: RecoveryWorld) => void
  /** Once what was lost is mended for the first time. */
  readonly after: (world: RecoveryWorld) => void
  /** Once it is lost, before the first poll: how many letters are new. */
  readonly arrive: (world: RecoveryWorld) => void
  /** By how many years the clock is wrong: in the older half of the history, in the newer half, and at the first recovery. Then
   *  it is right. */
  readonly clock: readonly [number, number, number]
}

export const NOTHING_ELSE: Meanwhile = {
  kills: 0,
  before: () => {},
  after: () => {},
  arrive: (world) => world.mail(2),
  clock: [0, 0, 0],
}

interface Place {
  /** Can it show what it has? */
  readonly shows: boolean
  /** The numbers of the letters that it has. */
  has(scene: Scene, sink: SmtpSink): readonly number[]
}

const lettersIn = (text: string): readonly number[] =>
  [...text.matchAll(/^Subject: letter (\d+)\r?$/gm)].map(([, number]) => Number(number))

const fileOf = (scene: Scene, name: string): string =>
  existsSync(scene.path(name)) ? readFileSync(scene.path(name), 'latin1') : ''

const PLACES: Readonly<Record<string, Place>> = {
  inbox: { shows: true, has: (scene) => scene.subjects('inbox') },
  copy: { shows: true, has: (scene) => scene.subjects('copy') },
  box: { shows: true, has: (scene) => lettersIn(fileOf(scene, 'box')) },
  relay: {
    shows: false,
    has: (_, { messages }) => messages.flatMap(({ bytes }) => lettersIn(bytes.toString('latin1'))),
  },
  program: { shows: false, has: (scene) => lettersIn(fileOf(scene, 'taken')) },
}

const TAKING_OVER = ['adopt', 'rekey', 'takeOver'] as const

export const KILLERS = {
  nowhere: null,
  'before the first listing': null,
  'half way': (ledger: Ledger) => mortal(ledger, { change: 2, made: true }, TAKING_OVER),
  'before it is recorded': (ledger: Ledger) => mortal(ledger, { change: 1, made: false }, ['settle', 'settleAndBegin']),
  'once it is recorded': (ledger: Ledger) => mortal(ledger, { change: 1, made: true }, ['settle', 'settleAndBegin']),
} as const

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
const YEAR_MS = 365 * DAY_MS
const START_MS = Date.UTC(2026, 10, 29, 12)

const MOST_POLLS = 14

export class RecoveryWorld implements AsyncDisposable {
  readonly scene: Scene
  readonly sink: SmtpSink
  /** Letters that the server had and that were to be fetched, and when they came. */
  readonly #sentMs = new Map<number, number>()
  /** Deleted by somebody else. */
  readonly #removed = new Set<number>()
  #next = 0
  #trueMs = START_MS
  #wrongMs = 0
  /** A poll asks for new UIDs to be taken over. */
  #isPerson = true

  private constructor(scene: Scene, sink: SmtpSink) {
    ;[this.scene, this.sink] = [scene, sink]
  }

  static async create(): Promise<RecoveryWorld> {
    const [scene, sink] = [await Scene.create(), await SmtpSink.start()]
    const program = scene.path('program')
    writeFileSync(program, `#!/bin/sh\nexec cat >> '${scene.path('taken')}'\n`)
    chmodSync(program, 0o700)
    scene.destinations = [
      'inbox: { type: maildir, path: inbox }',
      'copy: { type: maildir, path: copy }',
      'box: { type: mbox, path: box }',
      `relay: { type: smtp, host: 127.0.0.1, port: ${sink.port}, tls: none, to: a@example.com }`,
      `program: { type: command, run: ['${program}'] }`,
    ]
    return new RecoveryWorld(scene, sink)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    vi.useRealTimers()
    await this.scene[Symbol.asyncDispose]()
    await this.sink[Symbol.asyncDispose]()
  }

  get #mailbox() {
    return this.scene.server.mailbox('alice')
  }

  /** This many letters come. */
  mail(count: number): void {
    for (let more = 0; more < count; more++) this.#add(`uid-${this.#next}`, '')
  }

  /** Two that were delivered are deleted by somebody, and the server gives their UIDLs to two new ones. One of the same size,
   *  one of another. */
  mailUnderUsedUids(): void {
    for (const [at, more] of [
      [0, ''],
      [2, 'one line more\r\n'],
    ] as const) {
      const [gone] = this.#mailbox.messages.splice(at === 0 ? 0 : at - 1, 1)
      this.#removed.add(at)
      if (gone !== undefined) this.#add(gone.uidl, more)
    }
  }

  #add(uidl: string, more: string): void {
    this.#mailbox.add(letter(this.#next) + more, { uidl })
    this.#sentMs.set(this.#next++, this.#trueMs)
  }

  /** As a mail program does with what it has shown, under another name each time. */
  rename(): void {
    for (const name of ['inbox', 'copy']) {
      for (const file of this.scene.files(name)) {
        const [plain = '', flags = ''] = path.basename(file).split(':2,')
        renameSync(file, this.scene.path(`${name}/cur/${plain}:2,${flags.includes('S') ? '' : 'S'}`))
      }
    }
  }

  #pass(ms: number): void {
    this.#trueMs += ms
    this.#tell()
  }

  #setClock(years: number): void {
    this.#wrongMs = years * YEAR_MS
    this.#tell()
  }

  #tell(): void {
    vi.useFakeTimers({ toFake: ['Date'], now: this.#trueMs + this.#wrongMs })
  }

  async #poll(options: Partial<PollOptions> = {}): Promise<AccountReport> {
    return await this.scene.poll({ eager: this.#isPerson, ...options })
  }

  async run(asked: Case, meanwhile: Meanwhile): Promise<void> {
    const { lost, names, killed, deletion } = asked
    const { kills, before, after, arrive, clock } = meanwhile
    const { scene } = this
    scene.deliver = `[${names.join(', ')}]`
    // Nobody looks: what was put off by a wrong clock must come by itself.
    this.#isPerson = clock.every((years) => years === 0)
    await this.#makeHistory(asked, clock)
    this.#setClock(clock[2])
    this.#lose(lost)
    arrive(this)
    scene.server.faults.ignoreDeletes = false
    before(this)
    await this.#dyingPoll(lost, killed)
    for (let kill = 0; kill < kills; kill++) {
      before(this)
      // Before anything is recorded of it, in the middle of what the first kill left.
      scene.ledgerOf = (ledger) =>
        mortal(ledger, { change: 2, made: false }, [...TAKING_OVER, 'begin', 'handOver', 'settle', 'settleAndBegin'])
      await this.#poll()
      scene.ledgerOf = (ledger) => ledger
    }
    after(this)
    this.#setClock(0)
    for (let polls = 0; polls < MOST_POLLS; polls++) {
      before(this)
      this.#pass(deletion === '30d' ? 5 * DAY_MS : 2 * HOUR_MS)
      const { outcome, delivered, deleted } = await this.#poll()
      this.#judgeDeletions(asked, clock)
      if (deletion !== '30d' && outcome === 'ok' && delivered === 0 && deleted === 0) break
    }
    this.#judge(names, lost, (killed === 'nowhere' ? 0 : 1) + kills)
    expect(scene.left()).toHaveLength(deletion === 'never' ? this.#sentMs.size - this.#removed.size : 0)
  }

  /** The relay takes no mail; the folder `copy` cannot be used. */
  kill(): void {
    this.sink.faults.connect = '421 4.3.2 too busy'
    if (existsSync(this.scene.path('copy'))) renameSync(this.scene.path('copy'), this.scene.path('copy-away'))
    writeFileSync(this.scene.path('copy'), '')
  }

  revive(): void {
    this.sink.faults.connect = null
    rmSync(this.scene.path('copy'))
    if (existsSync(this.scene.path('copy-away'))) renameSync(this.scene.path('copy-away'), this.scene.path('copy'))
  }

  /** Four letters delivered, two of them since the ledger was copied. */
  async #makeHistory({ lost, limit, deletion }: Case, clock: Meanwhile['clock']): Promise<void> {
    const { scene } = this
    scene.account = [`delete: ${deletion}`, ...(limit === 'none' ? [] : [limit])]
    scene.server.faults.ignoreDeletes = true
    this.#setClock(clock[0])
    if (limit === 'first: new') {
      // Nothing is there yet but one letter, which goes.
      scene.fill(1, 900)
      await this.#poll()
      this.#mailbox.messages.splice(0)
    }
    for (const half of [0, 1] as const) {
      this.#setClock(clock[half])
      this.mail(2)
      await this.#poll()
      this.#pass(HOUR_MS)
      await this.#poll()
      this.#pass(HOUR_MS)
      if (half === 0 && lost === 'older copy') cpSync(scene.path('state'), scene.path('kept'), { recursive: true })
    }
  }

  #lose(lost: Lost): void {
    const { scene } = this
    if (lost === 'UIDs') for (const message of this.#mailbox.messages) message.uidl = `new-${message.uidl}`
    if (lost === 'UIDs moved on') {
      const { messages } = this.#mailbox
      const last = messages.at(-1)?.uidl
      for (const message of messages.toReversed())
        message.uidl = messages[messages.indexOf(message) - 1]?.uidl ?? `${last}-1`
    }
    if (lost !== 'ledger' && lost !== 'older copy') return
    rmSync(scene.path('state'), { recursive: true })
    if (lost === 'older copy') cpSync(scene.path('kept'), scene.path('state'), { recursive: true })
  }

  async #dyingPoll(lost: Lost, killed: Killed): Promise<void> {
    const { scene } = this
    const options: Partial<PollOptions> = lost === 'UIDs' ? { acceptNewIds: true } : {}
    if (killed === 'before the first listing') scene.server.faults.reply.set('UIDL', '-ERR [SYS/TEMP] later')
    scene.ledgerOf = KILLERS[killed] ?? scene.ledgerOf
    let { outcome } = await this.#poll(options)
    // What a server keeps under another UID is known by its digest, and nothing is recorded of it: what is new comes behind.
    for (let left = lost === 'UIDs moved on' && killed !== 'nowhere' ? 2 : 0; left > 0 && outcome === 'ok'; left--)
      outcome = (await this.#poll(options)).outcome
    expect(outcome).toBe(killed === 'nowhere' ? 'ok' : 'failed')
    scene.ledgerOf = (ledger) => ledger
    scene.server.faults.reply.clear()
    // A person says so again, as long as nothing was begun.
    if (killed === 'before the first listing' && lost === 'UIDs') await this.#poll(options)
  }

  /** What the server had and has no more. */
  #gone(): readonly number[] {
    const left = new Set(this.#mailbox.messages.flatMap(({ bytes }) => lettersIn(bytes.toString('latin1'))))
    return [...this.#sentMs.keys()].filter((number) => !left.has(number))
  }

  #judgeDeletions({ names, deletion }: Case, clock: Meanwhile['clock']): void {
    // Of a jump ahead a week counts at most.
    const jumps = [...clock, 0].filter((years, at) => years > (clock[at - 1] ?? years)).length
    const youngestMs = deletion === '30d' ? (30 - 7 * jumps) * DAY_MS - 2 * HOUR_MS : 0
    for (const number of this.#gone()) {
      for (const name of names) expect(PLACES[name]?.has(this.scene, this.sink), `${number} is gone`).toContain(number)
      const ageMs = this.#trueMs - (this.#sentMs.get(number) ?? 0)
      if (!this.#removed.has(number))
        expect(ageMs, `the age of ${number}, which is gone`).toBeGreaterThanOrEqual(youngestMs)
    }
  }

  #judge(names: readonly string[], lost: Lost, kills: number): void {
    const records = (lost === 'ledger' || lost === 'older copy' ? 1 : 0) + kills
    for (const name of names) {
      const place = PLACES[name]
      const found = place?.has(this.scene, this.sink) ?? []
      for (const number of this.#sentMs.keys()) {
        const copies = found.filter((one) => one === number).length
        const what = `copies of letter ${number} at ${name}`
        expect(copies, what).toBeGreaterThanOrEqual(1)
        // What is under another one's UID may be new: a copy too many beats a message lost.
        const doubts = lost === 'UIDs moved on' ? 1 : 0
        expect(copies, what).toBeLessThanOrEqual((place?.shows === true ? 1 : 1 + records) + doubts)
      }
    }
  }
}

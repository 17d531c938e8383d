// Any sequence of what can happen to a mailbox, its poller and its destinations (HAZARDS F3, method 6). Afterwards, with all
// healthy again, everything that was sent is where it belongs. The model is the oracle; fast-check finds the shortest sequence
// that breaks it. A failure names its seed and path: CRASH_SEED repeats it.
import {
  assert,
  asyncModelRun,
  asyncProperty,
  boolean,
  commands,
  constant,
  constantFrom,
  integer,
  record,
  type AsyncCommand,
} from 'fast-check'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { Death } from '../support/mortal-ledger.ts'
import { pollHere } from './in-process.ts'
import { DELETIONS, Scene, SET_UPS } from './scene.ts'
import { MODEL_RUNS, SEED } from './sizes.ts'

const DAY_MS = 86_400_000

/** All that is needed beside what the oracle knows. */
interface Model {
  /** The names in the Maildir are made of UIDs: once those are others, they bring no lost ledger back. */
  renamed: boolean
}

type Act = (scene: Scene, model: Model) => Promise<void> | void

class Step implements AsyncCommand<Model, Scene> {
  readonly #name: string
  readonly #act: Act
  readonly #possible: (model: Readonly<Model>) => boolean

  constructor(name: string, act: Act, possible: (model: Readonly<Model>) => boolean = () => true) {
    this.#name = name
    this.#act = act
    this.#possible = possible
  }

  check(model: Readonly<Model>): boolean {
    return this.#possible(model)
  }

  async run(model: Model, scene: Scene): Promise<void> {
    await this.#act(scene, model)
    expect(scene.oracle.violations).toEqual([])
  }

  toString(): string {
    return this.#name
  }
}

/** The deaths of a ledger that this file asks for, in DESIGN 4.2: before or after any record. */
const deaths = record<Death>({ change: integer({ min: 1, max: 14 }), made: boolean() })

const steps = [
  integer({ min: 1, max: 6 }).map((count) => new Step(`mail ${count}`, (scene) => scene.mail(count))),
  constant(new Step('poll', poll)),
  deaths.map(
    ({ change, made }) =>
      new Step(`kill ${made ? 'after' : 'before'} change ${change}`, (scene) => die(scene, { change, made })),
  ),
  integer({ min: 1, max: 24 }).map((nth) => new Step(`cut at command ${nth}`, (scene) => cut(scene, nth))),
  constant(new Step('two pollers', twoPollers)),
  constant(new Step('the sink is down', (scene) => sinkAnswers(scene, '421 4.3.2 closing'))),
  constant(new Step('the sink is up', (scene) => sinkAnswers(scene, null))),
  integer({ min: 1, max: 4 }).map((nth) => new Step(`the sink loses answer ${nth}`, (scene) => loseAnswer(scene, nth))),
  integer({ min: 0, max: 9 }).map(
    (at) => new Step(`another client deletes ${at}`, (scene) => deleteElsewhere(scene, at)),
  ),
  constant(new Step('a reader looks', (scene) => scene.read())),
  constant(new Step('new UIDs, accepted', newUids)),
  constantFrom(-10, 0, 1).map((days) => new Step(`the clock is ${days} days off`, () => setClock(days))),
  constant(new Step('the ledger is lost', loseLedger, ({ renamed }) => !renamed)),
]

const realNow = Date.now

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'], now: realNow() })
})

afterEach(() => {
  vi.useRealTimers()
})

test('whatever happens, every message arrives once, or as often as an answer was lost', async () => {
  await assert(
    asyncProperty(
      constantFrom(...SET_UPS),
      constantFrom(...DELETIONS),
      commands(steps, { maxCommands: 16, size: 'max' }),
      async (setUp, deletion, sequence) => {
        vi.setSystemTime(realNow())
        await using scene = await Scene.create(setUp, deletion)
        scene.mail(3)
        await asyncModelRun(() => ({ model: { renamed: false }, real: scene }), sequence)
        sinkAnswers(scene, null)
        const violations = await scene.settle(async () => {
          const report = await pollHere(scene)
          await scene.account()
          return { code: report.outcome === 'ok' ? 0 : 75, stdout: JSON.stringify(report), stderr: '' }
        })
        expect(violations).toEqual([])
      },
    ),
    { numRuns: MODEL_RUNS, seed: SEED, interruptAfterTimeLimit: 1_500_000 },
  )
})

async function poll(scene: Scene): Promise<void> {
  await pollHere(scene)
  await scene.account()
}

async function die(scene: Scene, death: Death): Promise<void> {
  await pollHere(scene, { death })
  scene.killed()
  await scene.account()
}

/** The connection breaks when the n-th command arrives. */
async function cut(scene: Scene, nth: number): Promise<void> {
  let seen = 0
  scene.onCommand = () => {
    seen += 1
    if (seen === nth) scene.server.crash()
  }
  await poll(scene)
  scene.onCommand = () => {}
}

async function twoPollers(scene: Scene): Promise<void> {
  await Promise.all([pollHere(scene), pollHere(scene)])
  await scene.account()
}

function sinkAnswers(scene: Scene, answer: string | null): void {
  if (scene.sink !== null) scene.sink.faults.connect = answer
}

/** In the poll that follows. */
async function loseAnswer(scene: Scene, nth: number): Promise<void> {
  if (scene.sink === null) return
  let seen = 0
  scene.sink.faults.dot = () => {
    seen += 1
    return seen === nth ? 'lost' : null
  }
  await poll(scene)
  scene.sink.faults.dot = null
}

function deleteElsewhere({ mailbox, oracle }: Scene, at: number): void {
  const message = mailbox.messages[at]
  if (message === undefined) return
  oracle.excuse(message.uidl)
  mailbox.remove(new Set([message]))
}

/** Only where the account is told to take them over; what happens without is for the guards' own tests. */
async function newUids(scene: Scene, model: Model): Promise<void> {
  model.renamed = true
  // What a kill cut off is found by its old UID only. That it comes twice when the UIDs change just then is a known limit.
  await poll(scene)
  for (const message of scene.mailbox.messages) message.uidl = `new-${message.uidl}`
  scene.oracle.renamed()
  await pollHere(scene, { acceptNewIds: true })
  await scene.account()
}

function setClock(days: number): void {
  vi.setSystemTime(realNow() + days * DAY_MS)
}

/** A Maildir's names bring it back (DESIGN 4.3); nothing else's does. */
function loseLedger(scene: Scene): void {
  if (scene.setUp === 'maildir') scene.loseLedger()
}

// Somebody is told of an account in trouble: late enough, once, and when it is over.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { Alarm } from '../../src/daemon/alarm.ts'
import { openLedger } from '../../src/ledger/sqlite/open.ts'
import type { AccountHealth, Ledger } from '../../src/ledger/ledger.ts'
import { type LogFacts, silentLog } from '../../src/log.ts'
import { failing, healthy } from './fake-time.ts'
import { leaseOf, pollEnd } from '../ledger/scene.ts'

const HOUR = 3_600_000
const IDENTITY = { host: 'pop.example.net', port: 995, user: 'alice' }
const none = new Set<string>()

class Scene implements AsyncDisposable {
  readonly directory = mkdtempSync(join(tmpdir(), 'popfetch-alarm-'))
  readonly #said: string[] = []
  nowMs = 1.8e12
  ledger: Ledger | null = null
  #alarm: Alarm | null = null

  static async create(): Promise<Scene> {
    const scene = new Scene()
    await scene.restart()
    return scene
  }

  /** The process begins again: only the ledger is what it was. */
  async restart(): Promise<void> {
    await this.ledger?.[Symbol.asyncDispose]()
    const ledger = await openLedger(join(this.directory, 'state.db'))
    this.ledger = ledger
    const say = (text: string, facts?: LogFacts): void => {
      this.#said.push(`${facts?.['account']}: ${text}`)
    }
    this.#alarm = new Alarm({ ledger, log: { ...silentLog, error: say, info: say }, nowMs: () => this.nowMs })
  }

  async look(health: AccountHealth | null, hangs: ReadonlySet<string> = none): Promise<readonly string[]> {
    if (health !== null) {
      await using lease = await leaseOf(this.ledger!, 'work')
      await this.ledger!.finish(lease, pollEnd({ identity: IDENTITY, health, facts: {} }))
    }
    await this.#alarm!.look({ alertAfterMs: 6 * HOUR }, new Set(['work']), hangs)
    return [...this.#said]
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.ledger?.[Symbol.asyncDispose]()
    rmSync(this.directory, { recursive: true })
  }
}

test('an account that fails for long is reported once, also by a process that is started again, and when it works again', async () => {
  await using scene = await Scene.create()
  const failed = failing(3, { lastSuccessMs: 1.79e12 })
  expect(await scene.look(failed)).toEqual([])
  scene.nowMs += 5 * HOUR
  expect(await scene.look(failed)).toEqual([])
  scene.nowMs += 2 * HOUR
  const problem = 'work: no success for a long time'
  expect(await scene.look(failed)).toEqual([problem])
  await scene.restart()
  scene.nowMs += 100 * HOUR
  expect(await scene.look(failed)).toEqual([problem])
  const well = { ...healthy, lastPollMs: scene.nowMs, lastSuccessMs: scene.nowMs }
  expect(await scene.look(well)).toEqual([problem, 'work: success again'])
  expect(await scene.look(well)).toHaveLength(2)
  expect(await scene.look(failed)).toHaveLength(2)
  scene.nowMs += 7 * HOUR
  expect(await scene.look(failed)).toHaveLength(3)
})

test('an account that failed for a while and works again is not told of', async () => {
  await using scene = await Scene.create()
  await scene.look(failing(1))
  scene.nowMs += 5 * HOUR
  await scene.look(healthy)
  scene.nowMs += 5 * HOUR
  expect(await scene.look(failing(1))).toEqual([])
})

test('a machine that slept for a night has no trouble in the morning', async () => {
  await using scene = await Scene.create()
  await scene.look({ ...healthy, lastPollMs: scene.nowMs, lastSuccessMs: scene.nowMs })
  scene.nowMs += 10 * HOUR
  expect(await scene.look(failing(1, { lastSuccessMs: 1.8e12 }))).toEqual([])
})

test('a poll that hangs is trouble too', async () => {
  await using scene = await Scene.create()
  await scene.look(healthy, new Set(['work']))
  scene.nowMs += 7 * HOUR
  expect(await scene.look(null, new Set(['work']))).toHaveLength(1)
})

test('an account that is no longer polled is left alone', async () => {
  await using scene = await Scene.create()
  const lease = await leaseOf(scene.ledger!, 'old')
  await scene.ledger!.finish(lease, pollEnd({ identity: IDENTITY, health: failing(9), facts: {} }))
  await scene.look(null)
  scene.nowMs += 7 * HOUR
  expect(await scene.look(null)).toEqual([])
})

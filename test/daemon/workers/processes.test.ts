// `popfetch --daemon --workers 3`: real processes on one ledger, killed, stopped and told.
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { isAlive, Scene, until } from '../scene.ts'

const SLOW = 60_000
const NAMES = Array.from({ length: 12 }, (_, at) => `account-${at}`)

/** The processes that this one has started. */
function childrenOf(pid: number): number[] {
  const listed = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
  return listed.trim().split(' ').filter(Boolean).map(Number)
}

function configured(scene: Scene, poll: string, names: readonly string[] = NAMES): void {
  scene.configure(Object.fromEntries(names.map((name) => [name, { poll }])))
}

async function workersOf(pid: number): Promise<readonly number[]> {
  await until(() => childrenOf(pid).length === 2)
  return childrenOf(pid)
}

/** How often each account was polled, by its log at `debug`. */
function polls(scene: Scene): Map<string, number> {
  const polled = scene.log().flatMap(({ msg, account }) => (msg === 'polled' ? [account] : []))
  return new Map(NAMES.map((name) => [name, polled.filter((account) => account === name).length]))
}

test(
  'share the accounts; one that is killed is started again, nothing is lost and nothing comes twice',
  { timeout: SLOW },
  async () => {
    await using scene = await Scene.create()
    configured(scene, '1s')
    const daemon = await scene.foreground('--workers', '3')
    const pid = daemon.pid ?? 0
    const workers = await workersOf(pid)
    let letters = 0
    const bring = async (): Promise<void> => {
      for (const name of NAMES) scene.fill(2, (letters += 2) - 1, name)
      await until(() => scene.letters().length >= letters)
    }
    await bring()
    for (const worker of workers) {
      process.kill(worker, 'SIGKILL')
      await bring()
    }
    await until(async () => (await workersOf(pid)).every((worker) => !workers.includes(worker)))
    await bring()
    expect(scene.letters()).toEqual(Array.from({ length: letters }, (_, at) => at + 1))
    expect(scene.log().filter(({ msg }) => msg === 'a worker ended (SIGKILL), and is started again')).toHaveLength(2)
    const answer = await scene.ask({ verb: 'status' })
    expect(answer?.accounts.map(({ account }) => account)).toEqual(NAMES)
    const others = await workersOf(pid)
    expect((await scene.popfetch('stop')).code).toBe(0)
    expect([pid, ...others].filter(isAlive)).toEqual([])
  },
)

test('a process that is stopped for a while keeps only what it was at', { timeout: SLOW }, async () => {
  await using scene = await Scene.create()
  configured(scene, '1s')
  const daemon = await scene.foreground('--workers', '3', '--log-level', 'debug')
  const [stopped = 0] = await workersOf(daemon.pid ?? 0)
  await until(() => [...polls(scene).values()].every((count) => count > 2))
  process.kill(stopped, 'SIGSTOP')
  const before = polls(scene)
  // It has a few accounts at most: those that it was polling just then.
  await until(() => NAMES.filter((name) => (polls(scene).get(name) ?? 0) > (before.get(name) ?? 0) + 2).length >= 8)
  process.kill(stopped, 'SIGCONT')
  const after = polls(scene)
  await until(() => NAMES.every((name) => (polls(scene).get(name) ?? 0) > (after.get(name) ?? 0)))
})

test('a reload and a wake reach them all, and the death of the daemon ends them', { timeout: SLOW }, async () => {
  await using scene = await Scene.create()
  configured(scene, '1h')
  const daemon = await scene.foreground('--workers', '3')
  const pid = daemon.pid ?? 0
  const workers = await workersOf(pid)
  configured(scene, '1h', [...NAMES, 'new'])
  expect((await scene.popfetch('reload')).code).toBe(0)
  scene.fill(1, 1, 'new')
  expect((await scene.popfetch('wake')).code).toBe(0)
  await until(() => scene.letters().length === 1)
  const reports = await scene.wake()
  expect(reports.map(({ account, outcome }) => [account, outcome])).toEqual(
    [...NAMES, 'new'].map((name) => [name, 'ok']),
  )
  process.kill(pid, 'SIGKILL')
  await until(() => !workers.some(isAlive))
})

test('wrong numbers are refused, and so are workers without a daemon', { timeout: SLOW }, async () => {
  await using scene = await Scene.create()
  for (const args of [
    ['--workers', '3'],
    ['--daemon', '--workers', '0'],
    ['--daemon', '--workers', '65'],
  ])
    expect((await scene.popfetch(...args)).code).toBe(64)
})

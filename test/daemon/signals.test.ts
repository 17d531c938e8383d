// Real daemons that get signals, are killed, have nobody who listens.
import { once } from 'node:events'
import { readdirSync, readFileSync, readlinkSync, renameSync, rmSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { ended } from '../cli/child.ts'
import { Scene, until } from './scene.ts'

const SLOW = 60_000
const upTo = (count: number): number[] => Array.from({ length: count }, (_, at) => at + 1)

describe('signals', { timeout: SLOW }, () => {
  test('SIGTERM in the midst of messages ends it with 0; the next delivers the rest, nothing twice (N001)', async () => {
    await using scene = await Scene.create()
    const child = await scene.foreground()
    scene.fill(300)
    scene.server.faults.pace = { chunkBytes: 200, pauseMs: 1 }
    const woken = scene.wake()
    await scene.server.journal.when((entry) => entry.kind === 'retr')
    child.kill('SIGTERM')
    expect(await woken).toMatchObject([{ error: { code: 'ERR_ABORTED' } }])
    expect(await once(child, 'exit')).toEqual([0, null])
    expect(scene.letters().length).toBeLessThan(300)
    scene.server.faults.pace = null
    expect((await scene.popfetch('work')).code).toBe(0)
    expect(scene.letters()).toEqual(upTo(300))
  })

  test('killed in the midst of messages and started again: every message once', async () => {
    await using scene = await Scene.create()
    const pid = await scene.daemon()
    scene.fill(200)
    scene.server.faults.pace = { chunkBytes: 200, pauseMs: 0 }
    const woken = scene.wake()
    await until(() => scene.letters().length > 0)
    process.kill(pid, 'SIGKILL')
    expect(await woken.catch(() => [])).toEqual([])
    scene.server.faults.pace = null
    await scene.daemon()
    expect(await scene.wake()).toMatchObject([{ outcome: 'ok' }])
    expect(scene.letters()).toEqual(upTo(200))
  })

  test('SIGHUP reopens the log and reads the configuration; SIGUSR1 polls, and opens no debugger', async () => {
    await using scene = await Scene.create()
    const pid = await scene.daemon()
    scene.fill(1)
    await until(() => scene.log().length > 0)
    renameSync(scene.path('popfetch.log'), scene.path('popfetch.log.1'))
    scene.configure({ work: {}, home: {} })
    process.kill(pid, 'SIGHUP')
    await until(() => scene.log().some(({ msg }) => msg === 'reloaded: account home added'))
    expect(scene.log('popfetch.log.1').map(({ msg }) => msg)).toContain('started')
    process.kill(pid, 'SIGUSR1')
    await until(() => scene.letters().length === 1)
    expect(listeners(pid)).toEqual([])
  })

  test('in the foreground it says what it does on standard error, and does it also when nobody listens (N003)', async () => {
    await using scene = await Scene.create()
    const child = scene.start('--daemon', '--foreground')
    const end = ended(child)
    await until(async () => (await scene.pid()) === child.pid)
    scene.fill(1)
    expect(await scene.wake()).toMatchObject([{ delivered: 1 }])
    child.kill('SIGINT')
    const { code, stdout, stderr } = await end
    expect([code, stdout]).toEqual([0, ''])
    const said = stderr
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line).msg)
    expect(said).toEqual(['started', 'polled', 'stopping'])

    const deaf = scene.start('--daemon', '--foreground')
    deaf.stdout?.destroy()
    deaf.stderr?.destroy()
    await until(async () => (await scene.pid()) === deaf.pid)
    scene.fill(1, 2)
    expect(await scene.wake()).toMatchObject([{ delivered: 1 }])
    deaf.kill('SIGTERM')
    expect(await once(deaf, 'exit')).toEqual([0, null])
  })
})

test('a ledger that a newer popfetch has taken over ends it (N040)', { timeout: SLOW }, async () => {
  await using scene = await Scene.create()
  const child = await scene.foreground()
  const { DatabaseSync } = await import('node:sqlite')
  const ledger = new DatabaseSync(scene.path('state.db'))
  ledger.exec('PRAGMA user_version = 99')
  ledger.close()
  const exit = once(child, 'exit')
  await scene.wake().catch(() => [])
  expect(await exit).toEqual([74, null])
  expect(scene.log().at(-1)?.msg).toContain('a newer popfetch has written it')
})

test(
  'a ledger that is deleted under it ends polls with 74 until a copy is put back; it lives, and is the only one (S043)',
  { timeout: SLOW },
  async () => {
    await using scene = await Scene.create()
    const child = await scene.foreground()
    scene.fill(2)
    expect(await scene.wake()).toMatchObject([{ outcome: 'ok', delivered: 2 }])
    expect(await scene.popfetch('state', 'backup', 'copy.db')).toMatchObject({ code: 0 })
    for (const suffix of ['', '-wal', '-shm']) rmSync(scene.path(`state.db${suffix}`))
    scene.fill(1, 3)
    for (let polls = 0; polls < 2; polls++) {
      const [report] = await scene.wake()
      expect(report).toMatchObject({ outcome: 'failed', delivered: 0, error: { code: 'ERR_LEDGER', retry: 'later' } })
      expect(report?.error?.message).toContain('deleted or replaced')
    }
    expect(scene.letters()).toEqual([1, 2])
    renameSync(scene.path('copy.db'), scene.path('state.db'))
    expect(await scene.wake()).toMatchObject([{ outcome: 'ok', delivered: 1 }])
    expect(scene.letters()).toEqual([1, 2, 3])
    expect(child.exitCode).toBeNull()
    // A second one does not start beside it.
    expect((await scene.popfetch('--daemon', '--foreground')).code).toBe(75)
  },
)

/** TCP ports that the process listens on. */
function listeners(pid: number): string[] {
  const sockets = readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
    try {
      return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.slice(1) ?? []
    } catch {
      return []
    }
  })
  return ['tcp', 'tcp6'].flatMap((family) =>
    readFileSync(`/proc/${pid}/net/${family}`, 'utf8')
      .split('\n')
      .map((line) => line.trim().split(/\s+/))
      .filter((cells) => cells[3] === '0A' && sockets.includes(cells[9] ?? ''))
      .map((cells) => cells[1] ?? ''),
  )
}

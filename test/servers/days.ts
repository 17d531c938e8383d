// Cron, a daemon and a clock that a test moves: real processes of popfetch, days ahead of the true time. The test's own clock (of vitest)
// is set to the same time, for servers that live in its process.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { vi } from 'vitest'
import { askDaemon } from '../../src/daemon/control/client.ts'
import { socketPath } from '../../src/daemon/control/protocol.ts'
import { type Desk, openDesk } from './popfetch.ts'
import { START } from './popfetch-auth.ts'

/** Cron, a daemon, and a clock that they and the provider share. */
export class World implements AsyncDisposable {
  readonly desk: Desk
  readonly #startMs = Date.now() - performance.now()
  #aheadMs = 0
  #daemon: ChildProcess | null = null
  readonly #running = new Set<ChildProcess>()

  /** `configuration`: from the folder of all its files. */
  static async make(configuration: (directory: string) => object): Promise<World> {
    const world = new World(await openDesk())
    await world.advance(0)
    await world.desk.configure(configuration(world.desk.directory))
    return world
  }

  private constructor(desk: Desk) {
    this.desk = desk
  }

  /** What processes of this world take for now. */
  nowMs(): number {
    return this.#startMs + performance.now() + this.#aheadMs
  }

  get #clock(): string {
    return join(this.desk.directory, 'ahead')
  }

  get program(): { readonly before: readonly string[]; readonly env: Readonly<Record<string, string>> } {
    return {
      before: ['--import', join(import.meta.dirname, 'clock.ts')],
      env: { CLOCK_AHEAD: this.#clock, XDG_RUNTIME_DIR: join(this.desk.directory, 'home') },
    }
  }

  async advance(ms: number): Promise<void> {
    this.#aheadMs += ms
    // By a new name: a process that reads it meanwhile sees the old number or the new one, never an empty file.
    await writeFile(`${this.#clock}.new`, String(this.#aheadMs))
    await rename(`${this.#clock}.new`, this.#clock)
    vi.setSystemTime(this.nowMs())
  }

  #spawn(words: readonly string[]): ChildProcess {
    const { before, env } = this.program
    const { directory } = this.desk
    const files = ['--config', join(directory, 'config.json'), '--state', join(directory, 'state.db')]
    const child = spawn(process.execPath, [...before, START, ...words, ...files], {
      cwd: directory,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: process.env['PATH'], HOME: join(directory, 'home'), ...env },
    })
    this.#running.add(child)
    child.once('close', () => this.#running.delete(child))
    return child
  }

  /** Runs to its end, or until `killMs`. */
  async run(words: readonly string[], killMs: number | null = null): Promise<Ran> {
    const child = this.#spawn(words)
    let said = ''
    let printed = ''
    child.stdout?.setEncoding('utf8').on('data', (chunk: string) => (printed += chunk))
    child.stderr?.setEncoding('utf8').on('data', (chunk: string) => (said += chunk))
    const closed = once(child, 'close')
    const over = new AbortController()
    if (killMs !== null) {
      wait(killMs, null, { signal: over.signal }).then(
        () => child.kill('SIGKILL'),
        () => {},
      )
    }
    await closed
    over.abort()
    return { exitCode: child.exitCode, said, printed, words }
  }

  /** The daemon; another one when it was killed. */
  async daemon(): Promise<ChildProcess> {
    const before = this.#daemon
    if (before !== null && this.#running.has(before)) {
      if (!before.killed) return before
      await once(before, 'close')
    }
    const started = this.#spawn(['--daemon', '--foreground'])
    started.stdout?.resume()
    started.stderr?.resume()
    this.#daemon = started
    while ((await this.run(['wake', '--json'])).exitCode !== 0)
      if (!this.#running.has(started)) throw new Error('the daemon ended')
    return started
  }

  /** Until the daemon has nothing to do, however long the machine takes for it; where none runs, at once. */
  async idle(): Promise<void> {
    const socket = await socketPath(join(this.desk.directory, 'state.db'), this.program.env)
    const { signal } = new AbortController()
    while (this.#daemon !== null && this.#running.has(this.#daemon)) {
      const status = await askDaemon<'status'>(socket, { verb: 'status' }, signal).catch(() => null)
      const nowMs = this.nowMs()
      const isIdle = status?.accounts.every(
        ({ polling, nextPollMs }) => !polling && (nextPollMs === null || nextPollMs > nowMs + 1000),
      )
      if (isIdle === true) return
      await wait(20)
    }
  }

  killAll(): void {
    for (const child of this.#running) child.kill('SIGKILL')
  }

  async log(): Promise<readonly Record<string, unknown>[]> {
    const text = await readFile(join(this.desk.directory, 'log'), 'utf8').catch(() => '')
    return text
      .split('\n')
      .filter((line) => line !== '')
      .map((line): unknown => JSON.parse(line)) as readonly Record<string, unknown>[]
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = [...this.#running].map((child) => once(child, 'close'))
    this.killAll()
    await Promise.all(ended)
    await this.desk[Symbol.asyncDispose]()
  }
}

export interface Ran {
  readonly exitCode: number | null
  readonly said: string
  readonly printed: string
  readonly words: readonly string[]
}

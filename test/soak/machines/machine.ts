// One machine of the soak: a daemon with a name, a state folder and a configuration of its own.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const PROGRAM = process.env['POPFETCH'] ?? join(import.meta.dirname, '../../../bin/popfetch.ts')
const TICKS_A_SECOND = 100
/** One that was told to end needs nine seconds at most. */
const LAST_MS = 20_000

export interface Written {
  readonly accounts: object
  readonly destinations: object
  readonly postgres: string
}

export class Machine {
  readonly name: string
  readonly #folder: string
  #process: ChildProcess | null = null
  /** Of processes that have ended. */
  #cpuMs = 0

  constructor(name: string, root: string, { accounts, destinations, postgres }: Written) {
    this.name = name
    this.#folder = join(root, name)
    mkdirSync(this.#folder, { mode: 0o700 })
    const log = { file: this.#log, level: 'info' }
    const daemon = { machine: name }
    const written = { accounts, destinations, state: { postgres }, daemon, log, concurrency: 100, perHost: 100 }
    writeFileSync(join(this.#folder, 'config.json'), JSON.stringify(written), { mode: 0o600 })
  }

  get #log(): string {
    return join(this.#folder, 'popfetch.log')
  }

  get pid(): number {
    return this.#process?.pid ?? 0
  }

  start(): void {
    const env = { PATH: process.env['PATH'], HOME: this.#folder, XDG_STATE_HOME: this.#folder }
    const output = openSync(join(this.#folder, 'output'), 'a')
    const args = [PROGRAM, '--daemon', '--foreground', '--config', join(this.#folder, 'config.json')]
    this.#process = spawn(process.execPath, args, { cwd: this.#folder, env, stdio: ['ignore', output, output] })
  }

  /** Signals that end it: resolves once it has ended. */
  async end(signal: 'SIGKILL' | 'SIGTERM'): Promise<number | null> {
    const ending = this.#process
    if (ending === null) return null
    this.#cpuMs += cpuMs(this.pid)
    const ended = ending.exitCode === null && ending.signalCode === null ? once(ending, 'exit') : Promise.resolve()
    ending.kill(signal)
    const limit = setTimeout(() => ending.kill('SIGKILL'), LAST_MS)
    await ended
    clearTimeout(limit)
    this.#process = null
    return ending.exitCode
  }

  signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    this.#process?.kill(signal)
  }

  /** Null: it has ended, though nobody told it to. */
  get isRunning(): boolean {
    return this.#process !== null && this.#process.exitCode === null && this.#process.signalCode === null
  }

  /** What all its processes used. */
  get usedMs(): number {
    return this.#cpuMs + (this.#process === null ? 0 : cpuMs(this.pid))
  }

  /** The lines of its log. */
  get lines(): readonly Readonly<Record<string, unknown>>[] {
    if (!existsSync(this.#log)) return []
    const text = readFileSync(this.#log, 'utf8')
    return text
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .flatMap((line) => {
        try {
          return [JSON.parse(line) as Readonly<Record<string, unknown>>]
        } catch {
          // The last line of a process that was killed.
          return []
        }
      })
  }

  /** What it printed beside its log. */
  get output(): string {
    const lines = readFileSync(join(this.#folder, 'output'), 'utf8').trim().split('\n')
    return lines.filter((line) => !line.startsWith('{')).join('\n')
  }
}

/** User and system time: the 14th and 15th field of /proc/PID/stat. */
function cpuMs(pid: number): number {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
    return ((Number(fields[11]) + Number(fields[12])) * 1000) / TICKS_A_SECOND
  } catch {
    return 0
  }
}

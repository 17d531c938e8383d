// A fake server, a configuration and real daemons in a directory of their own. What a test leaves running is
// ended with it.
import { spawn, type ChildProcess } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadConfiguration } from '../../src/config/load.ts'
import type { Configuration } from '../../src/config/schema.ts'
import { Pop3Server } from '../support/pop3-server.ts'
import { askDaemon } from '../../src/daemon/control/client.ts'
import type { Answers, Requests, Verb } from '../../src/daemon/control/protocol.ts'
import type { AccountReport } from '../../src/poll/report.ts'
import { BIN, CACHE, ended, type Ended } from '../cli/child.ts'

/** Of every account: no word that could be in a path. */
export const PASSWORD = 'Nobody-has-this-1'

/** Lets everything else have its turn until `fact` holds; the limit is the test's own. */
export async function until(fact: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await fact())) await new Promise((next) => setTimeout(next, 5))
}

export class Scene implements AsyncDisposable {
  readonly directory = mkdtempSync(join(tmpdir(), 'popfetch-daemon-'))
  readonly server: Pop3Server
  readonly env: Record<string, string> = {}
  readonly #children: ChildProcess[] = []
  readonly #pids = new Set<number>()

  private constructor(server: Pop3Server) {
    this.server = server
  }

  static async create(): Promise<Scene> {
    const scene = new Scene(await Pop3Server.start())
    scene.configure({ work: {} })
    return scene
  }

  path(...names: string[]): string {
    return join(this.directory, ...names)
  }

  /** Writes the configuration again: these accounts, each with a mailbox of its own; keys beside the usual ones, and of the top. */
  configure(accounts: Readonly<Record<string, object>>, top: object = {}): void {
    for (const name of Object.keys(accounts)) this.server.mailbox(name, PASSWORD)
    const usual = (name: string) => ({
      host: this.server.host,
      port: this.server.port,
      tls: 'none',
      user: name,
      password: PASSWORD,
      deliver: 'inbox',
      poll: '1h',
    })
    const written = Object.fromEntries(
      Object.entries(accounts).map(([name, keys]) => [name, { ...usual(name), ...keys }]),
    )
    this.write(
      JSON.stringify({
        accounts: written,
        destinations: { inbox: { type: 'maildir', path: 'Mail' } },
        state: 'state.db',
        ...top,
      }),
    )
  }

  /** As an editor does it: a new file in the place of the old one. */
  write(text: string): void {
    writeFileSync(this.path('config.new'), text, { mode: 0o600 })
    renameSync(this.path('config.new'), this.path('config.json'))
  }

  /** The configuration as it is written now, for parts that are tried in this process. */
  load(): Promise<Configuration> {
    const { directory } = this
    const uid = process.getuid?.() ?? 0
    return loadConfiguration({
      file: this.path('config.json'),
      state: null,
      env: { HOME: directory },
      cwd: directory,
      uid,
    })
  }

  fill(count: number, from = 1, user = 'work'): void {
    for (let i = from; i < from + count; i++) {
      this.server.mailbox(user).add(`From: a@example.org\nSubject: letter ${i}\n\nbody ${i}\n`, { uidl: `uid-${i}` })
    }
  }

  /** Numbers of the letters that were delivered, sorted. */
  letters(): number[] {
    return ['new', 'cur']
      .flatMap((part) =>
        existsSync(this.path('Mail', part)) ? readdirSync(this.path('Mail', part)).map((name) => join(part, name)) : [],
      )
      .map((name) => Number(/^Subject: letter (\d+)$/m.exec(readFileSync(this.path('Mail', name), 'latin1'))?.[1]))
      .toSorted((a, b) => a - b)
  }

  start(...args: string[]): ChildProcess {
    const { directory } = this
    const env = {
      NODE_COMPILE_CACHE: CACHE,
      PATH: process.env['PATH'],
      HOME: directory,
      XDG_STATE_HOME: directory,
      ...this.env,
    }
    const child = spawn(process.execPath, [BIN, '--config', 'config.json', ...args], {
      cwd: directory,
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.#children.push(child)
    return child
  }

  popfetch(...args: string[]): Promise<Ended> {
    return ended(this.start(...args))
  }

  /** Says something to the process without the command line, which takes its time to start; null: there is none. */
  async ask<V extends Verb>(request: Requests[V] & { readonly verb: V }): Promise<Answers[V] | null> {
    return await askDaemon<V>(this.path('state.db.socket'), request, new AbortController().signal)
  }

  /** Polls these accounts, or all, as a person who asks, and gives what became of it. */
  async wake(...accounts: string[]): Promise<readonly AccountReport[]> {
    const answer = await this.ask({ verb: 'wake', accounts, eager: true, wait: true, mark: null })
    return answer?.reports ?? []
  }

  /** The number of the process that runs; null: none does. */
  async pid(): Promise<number | null> {
    const pid = (await this.ask({ verb: 'status' }))?.pid ?? null
    if (pid !== null) this.#pids.add(pid)
    return pid
  }

  /** Starts one in the background and gives its number; its first polls are over, the next ones are an hour away. */
  async daemon(...args: string[]): Promise<number> {
    const { code, stdout, stderr } = await this.popfetch('--daemon', ...args)
    if (code !== 0 || stdout + stderr !== '') throw new Error(`--daemon ended with ${code}: ${stdout}${stderr}`)
    const pid = await this.pid()
    if (pid === null) throw new Error('no process runs')
    await this.wake()
    return pid
  }

  /** One in the foreground, likewise. */
  async foreground(...args: string[]): Promise<ChildProcess> {
    const child = this.start('--daemon', '--foreground', '--log-file', 'popfetch.log', ...args)
    child.stderr?.resume()
    await until(async () => child.exitCode !== null || (await this.pid()) === child.pid)
    await this.wake()
    return child
  }

  log(file = 'popfetch.log'): { readonly msg: string; readonly [fact: string]: unknown }[] {
    if (!existsSync(this.path(file))) return []
    return readFileSync(this.path(file), 'utf8')
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#children) child.kill('SIGKILL')
    // One that a test failed to hear of is not left behind either.
    await this.pid().catch(() => null)
    for (const pid of this.#pids) if (isAlive(pid)) process.kill(pid, 'SIGKILL')
    await until(() => [...this.#pids].every((pid) => !isAlive(pid)))
    await this.server[Symbol.asyncDispose]()
    rmSync(this.directory, { recursive: true, force: true })
  }
}

/** Not gone, and not a dead one that nobody has collected. */
export function isAlive(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return false
  }
}

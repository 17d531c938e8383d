// A machine that has popfetch, with a home and a configuration of its own, as one of several on one database. The program is the built
// one where POPFETCH names it.
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { temporaryDirectory, type TemporaryDirectory } from '../program.ts'

const START = resolve(process.env['POPFETCH'] ?? join(import.meta.dirname, '../../../bin/popfetch.ts'))

export interface Ran {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export class Machine implements AsyncDisposable {
  readonly folder: string
  readonly env: NodeJS.ProcessEnv
  readonly #directory: TemporaryDirectory
  readonly #daemons: ChildProcess[] = []

  private constructor(directory: TemporaryDirectory) {
    this.#directory = directory
    this.folder = directory.path
    this.env = { PATH: process.env['PATH'], HOME: this.folder, XDG_RUNTIME_DIR: this.folder, NO_COLOR: '1' }
  }

  static async start(configuration: object): Promise<Machine> {
    const machine = new Machine(await temporaryDirectory())
    await mkdir(join(machine.folder, 'tmp'))
    await machine.configure(configuration)
    return machine
  }

  get configuration(): string {
    return join(this.folder, 'config.json')
  }

  get maildir(): string {
    return join(this.folder, 'Mail')
  }

  /** JSON is one of its two forms. */
  async configure(configuration: object): Promise<void> {
    await writeFile(this.configuration, JSON.stringify(configuration, null, 2), { mode: 0o600 })
  }

  /** Runs a command to its end. */
  async run(...args: readonly string[]): Promise<Ran> {
    const child = this.#spawn(args)
    const printed = { stdout: '', stderr: '' }
    child.stdout?.setEncoding('utf8').on('data', (text: string) => (printed.stdout += text))
    child.stderr?.setEncoding('utf8').on('data', (text: string) => (printed.stderr += text))
    const [code] = (await once(child, 'close')) as [number | null]
    return { code, ...printed }
  }

  /** A daemon in the foreground, which was woken. Resolves once it answers. */
  async daemon(...args: readonly string[]): Promise<Daemon> {
    const daemon = await this.quietDaemon(...args)
    await this.run('wake')
    return daemon
  }

  /** One that nobody has woken. */
  async quietDaemon(...args: readonly string[]): Promise<Daemon> {
    const child = this.#spawn(['--daemon', '--foreground', '--log-file', join(this.folder, 'log'), ...args])
    this.#daemons.push(child)
    let said = ''
    child.stderr?.setEncoding('utf8').on('data', (text: string) => (said += text))
    const ended = once(child, 'exit').then(([code]) => code as number | null)
    for (;;) {
      // `wake` would be answered by another machine's, too.
      if ((await this.run('status', '--json')).stdout.includes('"running":true')) break
      if (child.exitCode !== null) throw new Error(`the daemon ended with ${child.exitCode}: ${said}`)
    }
    return { pid: child.pid ?? 0, ended, said: () => said }
  }

  #spawn(args: readonly string[]): ChildProcess {
    return spawn(process.execPath, [START, '--config', this.configuration, ...args], {
      cwd: this.folder,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: this.env,
    })
  }

  /** The contents of all messages, in any order. */
  async mail(): Promise<readonly string[]> {
    const found: string[] = []
    for (const folder of ['new', 'cur']) {
      const names = await readdir(join(this.maildir, folder)).catch(() => [])
      for (const name of names) found.push(await readFile(join(this.maildir, folder, name), 'latin1'))
    }
    return found
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#daemons) if (child.exitCode === null && child.kill('SIGKILL')) await once(child, 'exit')
    await this.#directory[Symbol.asyncDispose]()
  }
}

export interface Daemon {
  readonly pid: number
  readonly ended: Promise<number | null>
  said(): string
}

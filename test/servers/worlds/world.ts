// A broken world as the person in it meets it: a machine, its popfetch and two commands. The first is `popfetch status`. The second is
// taken out of what that printed, and run as it stands there. Both are run as cron would (no terminal), and status on a terminal too.
import { spawn } from 'node:child_process'
import { chmod, mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { text } from 'node:stream/consumers'
import { expect } from 'vitest'
import { Pop3Server, type Pop3ServerOptions } from '../../support/pop3-server.ts'
import { temporaryDirectory } from '../program.ts'
import { START } from '../popfetch-auth.ts'
import { atTerminal } from '../terminal.ts'

export interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Text that may have been broken between words. */
export const unbroken = (words: string): string => words.replaceAll(/\s+/g, ' ')

const NEXT = /^ +next: (popfetch(?: .*)?)$/m

export class World implements AsyncDisposable {
  readonly directory: string
  readonly server: Pop3Server
  /** What stands in front of popfetch: another clock, a disk, a user. */
  before: readonly string[] = []
  /** The world is put away together with these. */
  readonly rest = new AsyncDisposableStack()

  private constructor(directory: string, server: Pop3Server) {
    this.directory = directory
    this.server = server
  }

  static async make(options: Pop3ServerOptions = {}): Promise<World> {
    const directory = await temporaryDirectory()
    const server = await Pop3Server.start(options)
    server.mailbox('alice', 'secret')
    const world = new World(directory.path, server)
    world.rest.use(directory)
    world.rest.use(server)
    await mkdir(world.path('home'))
    await mkdir(world.path('bin'))
    await writeFile(
      world.path('bin/popfetch'),
      `#!/bin/sh\nexec '${process.execPath}' --disable-warning=ExperimentalWarning '${START}' "$@"\n`,
    )
    await chmod(world.path('bin/popfetch'), 0o755)
    await world.configure()
    return world
  }

  path(...names: string[]): string {
    return path.join(this.directory, ...names)
  }

  /** One account, `work`, that delivers to the Maildir `Mail`. */
  async configure(account: object = {}, others: object = {}): Promise<void> {
    const { host, port } = this.server
    const work = { host, port, tls: 'none', user: 'alice', password: 'secret', deliver: 'inbox', ...account }
    const inbox = { type: 'maildir', path: 'Mail' }
    const whole = { accounts: { work }, destinations: { inbox }, state: 'state.db', ...others }
    await writeFile(this.path('config.json'), JSON.stringify(whole), { mode: 0o600 })
  }

  /** A program prints the accounts: this text of a shell. */
  async panel(script: string): Promise<void> {
    await writeFile(this.path('panel'), script)
    const inbox = { type: 'maildir', path: 'Mail' }
    const accountsFrom = { command: ['/bin/sh', this.path('panel')] }
    const whole = { accountsFrom, destinations: { inbox }, state: 'state.db' }
    await writeFile(this.path('config.json'), JSON.stringify(whole), { mode: 0o600 })
  }

  /** A panel that prints the account `work`, with these keys. */
  printing(account: object = {}): string {
    const { host, port } = this.server
    const work = { host, port, tls: 'none', user: 'alice', password: 'secret', deliver: 'inbox', ...account }
    return `cat <<'END'\n${JSON.stringify({ accounts: { work } })}\nEND\n`
  }

  /** New messages on the server, by their UIDLs. */
  fill(...uidls: readonly string[]): void {
    for (const uidl of uidls)
      this.server.mailbox('alice').add(`From: Ada <ada@example.org>\r\nSubject: ${uidl}\r\n\r\nbody\r\n`, { uidl })
  }

  /** A command line as a person types it, or as cron has it: no terminal. */
  async shell(line: string): Promise<Ended> {
    const [program, ...words] = [...this.before, '/bin/sh', '-c', line]
    const child = spawn(program, words, {
      cwd: this.directory,
      env: this.#env,
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    })
    const leave = (): void => void (child.pid !== undefined && process.kill(-child.pid, 'SIGINT'))
    // One that waits for a person to sign in somewhere has said all; the person leaves.
    if (/^popfetch auth\b/.test(line))
      child.stderr.on('data', (chunk: Buffer) => void (/^http/m.test(String(chunk)) && leave()))
    const closed = new Promise<number | null>((done, failed) => child.once('error', failed).once('close', done))
    const [stdout, stderr, code] = await Promise.all([text(child.stdout), text(child.stderr), closed])
    return { code, stdout, stderr }
  }

  /** Polls from cron until that ends like this, at most so often. */
  async polled(code: number, times = 1): Promise<void> {
    for (let count = 1; ; count++) {
      const ended = await this.shell('popfetch')
      if (ended.code === code) return
      if (count === times) throw new Error(`a poll ended with ${ended.code}: ${ended.stdout}${ended.stderr}`)
    }
  }

  /** All that is on the screen after `popfetch status` and the command that it names, if it names one. */
  async twoCommands(): Promise<{ readonly seen: string; readonly next: string | null }> {
    const status = await this.shell('popfetch status')
    const first = status.stdout + status.stderr
    const next = commandIn(first)
    await this.#sameOnTerminal(next)
    const seen = next === null ? first : `${first}\n${await this.#said(next)}`
    return { seen: unbroken(seen), next }
  }

  async #said(line: string): Promise<string> {
    const { stdout, stderr, code } = await this.shell(line)
    // Wrong usage: the command that was named is none.
    expect([line, code, stderr]).toEqual([line, expect.not.toSatisfy((ended) => ended === 64), stderr])
    return stdout + stderr
  }

  /** On 80 columns nothing is wider but what cannot be broken, and the same command is there, whole. */
  async #sameOnTerminal(next: string | null): Promise<void> {
    const words = [...this.before, this.path('bin/popfetch'), 'status']
    const { seen } = await atTerminal(words, { home: this.directory, env: this.#env }, [])
    const lines = seen.split(/\r?\n/)
    expect(commandIn(lines.join('\n'))).toBe(next)
    for (const line of lines) if (line.length > 80) expect(line.trim()).not.toMatch(/ .* /)
    if (this.isLegible) {
      const json = JSON.parse((await this.shell('popfetch status work --json')).stdout) as {
        accounts: readonly { outcome: string | null; next: string | null }[]
      }
      for (const { outcome, next: named } of json.accounts)
        if (outcome !== 'ok' && outcome !== null) expect(named).toMatch(/^popfetch /)
    }
  }

  /** False: the ledger cannot be read, and `status` only says why. */
  isLegible = true

  get #env(): NodeJS.ProcessEnv {
    return {
      PATH: `${this.path('bin')}:/usr/sbin:/usr/bin:/sbin:/bin`,
      HOME: this.path('home'),
      LOGNAME: 'alice',
      POPFETCH_CONFIG: this.path('config.json'),
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.rest.disposeAsync()
  }
}

/** The first that the answer names; null: none. */
function commandIn(said: string): string | null {
  return NEXT.exec(said)?.[1]?.trimEnd() ?? null
}

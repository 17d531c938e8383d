// popfetch as a child process with a configuration and a server: for commands on a ledger that real polls have written.
import type { ChildProcess } from 'node:child_process'
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'vitest'
import { Pop3Server } from '../support/pop3-server.ts'
import { BIN, ended, startNode, type Ended } from './child.ts'

export class Scene implements AsyncDisposable {
  readonly directory: string
  readonly server: Pop3Server

  private constructor(directory: string, server: Pop3Server) {
    this.directory = directory
    this.server = server
  }

  /** One account, `work`: the mailbox of alice, delivered to the Maildir `Mail`. */
  static async start(): Promise<Scene> {
    const server = await Pop3Server.start()
    server.mailbox('alice', 'secret')
    const scene = new Scene(await mkdtemp(join(tmpdir(), 'popfetch-scene-')), server)
    await scene.configure({ work: {} })
    return scene
  }

  path(...names: string[]): string {
    return join(this.directory, ...names)
  }

  /** Writes the configuration again: these accounts, each with keys of its own beside the usual ones. */
  async configure(accounts: Readonly<Record<string, object>>, rest: object = {}): Promise<void> {
    const { host, port } = this.server
    const usual = { host, port, tls: 'none', user: 'alice', password: 'secret', deliver: 'inbox' }
    const configuration = {
      accounts: Object.fromEntries(Object.entries(accounts).map(([name, keys]) => [name, { ...usual, ...keys }])),
      destinations: { inbox: { type: 'maildir', path: 'Mail' } },
      state: 'state.db',
      ...rest,
    }
    await writeFile(this.path('config.json'), JSON.stringify(configuration), { mode: 0o600 })
  }

  /** New messages on the server, with these UIDLs. */
  fill(...uidls: readonly string[]): void {
    for (const uidl of uidls) this.server.mailbox('alice').add(`Subject: ${uidl}\r\n\r\nbody\r\n`, { uidl })
  }

  start(...args: string[]): ChildProcess {
    return startNode(this.directory, [BIN, '--config', this.path('config.json'), ...args])
  }

  async popfetch(...args: string[]): Promise<Ended> {
    return await ended(this.start(...args))
  }

  /** Standard output of a command that succeeds and says nothing else. */
  async answered(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await this.popfetch(...args)
    expect([code, stderr]).toEqual([0, ''])
    return stdout
  }

  async json(...args: string[]): Promise<unknown> {
    return JSON.parse(await this.answered(...args, '--json'))
  }

  /** How many messages are in the Maildir. */
  async mail(): Promise<number> {
    return (await readdir(this.path('Mail', 'new')).catch(() => [])).length
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server[Symbol.asyncDispose]()
    await rm(this.directory, { recursive: true })
  }
}

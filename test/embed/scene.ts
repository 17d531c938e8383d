// A server, a folder, and a poller as an embedding program makes it.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { AccountInput } from '../../src/embed/accounts.ts'
import { createPoller } from '../../src/embed/embed.ts'
import type { Poller, PollerOptions, WrittenConfiguration } from '../../src/embed/options.ts'
import { defineDestination, type OwnAttempt, type OwnDestination } from '../../src/deliver/own/definition.ts'
import { letter } from '../poll/scene.ts'
import { Pop3Server } from '../support/pop3-server.ts'

export class Scene implements AsyncDisposable {
  readonly folder = mkdtempSync(path.join(tmpdir(), 'popfetch-embed-'))
  readonly server: Pop3Server

  private constructor(server: Pop3Server) {
    this.server = server
  }

  static async create(count = 0): Promise<Scene> {
    const scene = new Scene(await Pop3Server.start())
    scene.fill('alice', count)
    return scene
  }

  fill(user: string, count: number, from = 0): void {
    const mailbox = this.server.mailbox(user)
    for (let at = from; at < from + count; at++) mailbox.add(letter(at), { uidl: `uid-${at}` })
  }

  account(changes: Partial<AccountInput> = {}): AccountInput {
    const { host, port } = this.server
    return {
      host,
      port,
      tls: 'none',
      user: 'alice',
      password: 'secret',
      deliver: 'store',
      delete: 'after-delivery',
      ...changes,
    }
  }

  /** With the account `work`, which delivers to `store`. */
  options(store: OwnDestination, changes: Partial<PollerOptions & WrittenConfiguration> = {}): PollerOptions {
    return {
      accounts: { work: this.account({ first: 'all' }) },
      destinations: { store: defineDestination(store) },
      ledger: path.join(this.folder, 'state.db'),
      env: {},
      ...changes,
    }
  }

  async poller(store: OwnDestination, changes: Partial<PollerOptions & WrittenConfiguration> = {}): Promise<Poller> {
    return await createPoller(this.options(store, changes))
  }

  /** What the server still has of that user. */
  left(user = 'alice'): readonly string[] {
    return this.server.mailbox(user).messages.map(({ uidl }) => uidl)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server[Symbol.asyncDispose]()
    rmSync(this.folder, { recursive: true, force: true })
  }
}

/** Keeps what it is given. */
export class Store implements OwnDestination {
  readonly description = 'store'
  readonly attempts: OwnAttempt[] = []
  readonly messages: Buffer[] = []
  /** Called first; what it throws becomes of the message. */
  before: (attempt: OwnAttempt) => unknown = () => {}

  readonly deliver: OwnDestination['deliver'] = async (attempt, message) => {
    this.attempts.push(attempt)
    await this.before(attempt)
    this.messages.push(await message.bytes())
    return { text: `number ${this.messages.length}` }
  }

  get subjects(): readonly number[] {
    return this.messages
      .map((bytes) => Number(/^Subject: letter (\d+)/m.exec(bytes.toString('latin1'))?.[1]))
      .toSorted((a, b) => a - b)
  }
}

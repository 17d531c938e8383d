// A mailbox, a configuration, a ledger and a Maildir in a temporary directory, and migrations through the real rooms:
// everything but the command line. Nobody waits between sessions; how long it would have been is kept.
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { loadConfiguration } from '../../src/config/load.ts'
import { openLedger } from '../../src/ledger/sqlite/open.ts'
import { silentLog } from '../../src/log.ts'
import { migrateAll, type MigrationOptions } from '../../src/migrate/migrate.ts'
import type { MigrationReport } from '../../src/migrate/report.ts'
import { letter } from '../poll/scene.ts'
import { Pop3Server, type Pop3ServerOptions } from '../support/pop3-server.ts'

const usual: MigrationOptions = {
  delete: false,
  limit: null,
  sinceMs: null,
  maxBytesPerSecond: null,
  keepTryingMs: null,
  yes: false,
  dryRun: false,
}

export interface Attempted {
  readonly options?: Partial<MigrationOptions>
  readonly signal?: AbortSignal
  readonly ownLedger?: boolean
}

export class Scene implements AsyncDisposable {
  readonly directory = mkdtempSync(path.join(tmpdir(), 'popfetch-migrate-'))
  readonly server: Pop3Server
  destination: string = 'inbox: { type: maildir, path: inbox }'
  user = 'alice'
  /** Called instead of waiting between sessions. */
  onWait: (ms: number) => void = () => {}
  /** What a wait lasts for. */
  hold: () => Promise<unknown> = () => Promise.resolve()
  readonly waits: number[] = []
  readonly notes: string[] = []
  /** "messages/total" of every progress. */
  readonly progress: string[] = []

  private constructor(server: Pop3Server) {
    this.server = server
  }

  static async create(options: Pop3ServerOptions = {}): Promise<Scene> {
    return new Scene(await Pop3Server.start(options))
  }

  fill(count: number, from = 0): void {
    const mailbox = this.server.mailbox('alice')
    for (let at = from; at < from + count; at++) mailbox.add(letter(at), { uidl: `uid-${at}` })
  }

  path(name: string): string {
    return path.join(this.directory, name)
  }

  async configuration() {
    const file = this.path('config.yaml')
    const lines = [
      'accounts:',
      `  old-isp: { host: ${this.server.host}, port: ${this.server.port}, tls: none, user: ${this.user}, password: secret, deliver: inbox }`,
      'destinations:',
      `  ${this.destination}`,
      'state: state/state.db',
    ]
    writeFileSync(file, lines.join('\n'))
    chmodSync(file, 0o600)
    return await loadConfiguration({
      file,
      state: null,
      env: { HOME: this.directory },
      cwd: this.directory,
      uid: process.getuid?.() ?? 0,
    })
  }

  async migrate({ options = {}, signal, ownLedger = true }: Attempted = {}): Promise<MigrationReport> {
    const configuration = await this.configuration()
    await using ledger = await openLedger(configuration.statePath)
    const [report] = await migrateAll({
      configuration,
      accounts: configuration.accounts,
      ledger,
      ownLedger,
      memo: 'as it was asked for',
      options: { ...usual, ...options },
      observer: {
        progress: (_, { messages, totalMessages }) => void this.progress.push(`${messages}/${totalMessages}`),
        pause: () => {},
        note: (_, text) => void this.notes.push(text),
      },
      log: silentLog,
      env: {},
      signal: signal ?? new AbortController().signal,
      nowMs: Date.now,
      wait: async (ms, stop) => {
        this.waits.push(ms)
        this.onWait(ms)
        await this.hold()
        stop.throwIfAborted()
      },
    })
    if (report === undefined) throw new Error('no report')
    return report
  }

  files(name = 'inbox'): string[] {
    return ['new', 'cur'].flatMap((folder) => {
      const directory = this.path(`${name}/${folder}`)
      return readdirSync(directory).map((file) => path.join(directory, file))
    })
  }

  /** The subjects in a Maildir, sorted by number: each exactly once when all is well. */
  subjects(name = 'inbox'): number[] {
    return this.files(name)
      .map((file) => Number(/^Subject: letter (\d+)$/m.exec(readFileSync(file, 'latin1'))?.[1] ?? Number.NaN))
      .sort((a, b) => a - b)
  }

  left(): string[] {
    return this.server.mailbox('alice').messages.map(({ uidl }) => uidl)
  }

  count(verb: string): number {
    return this.server.journal.commands().filter((line) => line.startsWith(verb)).length
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server[Symbol.asyncDispose]()
    rmSync(this.directory, { recursive: true, force: true })
  }
}

// A mailbox, a configuration, a ledger and destinations in a temporary directory, and polls of them through the real rooms:
// everything but the command line.
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { loadConfiguration } from '../../src/config/load.ts'
import type { Configuration } from '../../src/config/schema.ts'
import type { Ledger } from '../../src/ledger/ledger.ts'
import { openLedger } from '../../src/ledger/sqlite/open.ts'
import { silentLog } from '../../src/log.ts'
import { forgetMessages } from '../../src/poll/account/amend.ts'
import { checkDestinations, type DestinationReport } from '../../src/poll/check/destinations.ts'
import { checkAll, pollAll, Poller } from '../../src/poll/poller.ts'
import type { AccountReport, CheckReport, PollOptions } from '../../src/poll/report.ts'
import type { Verdict } from '../../src/verify/report.ts'
import { verifyAll } from '../../src/verify/verify.ts'
import { Pop3Server, type Pop3ServerOptions } from '../support/pop3-server.ts'
import { BY_ITSELF, BY_PERSON } from '../support/poll-options.ts'

export interface Background extends AsyncDisposable {
  readonly ledger: Ledger
  /** Nobody asks. */
  poll(options?: Partial<PollOptions>): Promise<AccountReport>
}

export class Scene implements AsyncDisposable {
  readonly directory = mkdtempSync(path.join(tmpdir(), 'popfetch-poll-'))
  readonly server: Pop3Server
  name = 'old-isp'
  /** Lines below the account, four spaces deep. */
  account: readonly string[] = []
  /** Whole lines below `destinations`, two spaces deep. */
  destinations: readonly string[] = ['inbox: { type: maildir, path: inbox }']
  /** Whole lines of the configuration. */
  top: readonly string[] = []
  deliver = 'inbox'
  user = 'alice'
  password = 'secret'
  /** As the configuration has it; null: as the server does. */
  tls: 'implicit' | 'starttls' | null = null
  /** Instead of a password: what is behind `token:`. */
  token: string | null = null
  readonly notes: string[] = []
  /** What polls are given instead of the ledger itself. */
  ledgerOf: (ledger: Ledger) => Ledger = (ledger) => ledger
  #loaded: { readonly text: string; readonly configuration: Configuration } | null = null

  private constructor(server: Pop3Server) {
    this.server = server
  }

  static async create(options: Pop3ServerOptions = {}): Promise<Scene> {
    return new Scene(await Pop3Server.start(options))
  }

  /** Puts `count` numbered messages into the mailbox. */
  fill(count: number, from = 0): void {
    const mailbox = this.server.mailbox('alice')
    for (let at = from; at < from + count; at++) mailbox.add(letter(at), { uidl: `uid-${at}` })
  }

  path(name: string): string {
    return path.join(this.directory, name)
  }

  async poll(
    options: Partial<PollOptions> = {},
    signal = new AbortController().signal,
    sessionLimit = 1000,
  ): Promise<AccountReport> {
    const configuration = await this.#configuration()
    await using ledger = await openLedger(configuration.statePath)
    const observer = { progress: () => {}, note: (_: string, text: string) => void this.notes.push(text) }
    const reports = await pollAll({
      configuration,
      accounts: configuration.accounts,
      ledger: this.ledgerOf(ledger),
      options: { ...BY_PERSON, ...options },
      observer,
      log: silentLog,
      env: {},
      signal,
      sessionLimit,
      sessionGapSeconds: 0,
    })
    return only(reports)
  }

  /** As the daemon polls: one poller and one open ledger for all polls. */
  async background(): Promise<Background> {
    const configuration = await this.#configuration()
    const [account] = configuration.accounts
    if (account === undefined) throw new Error('no account')
    const ledger = await openLedger(configuration.statePath)
    const poller = new Poller(configuration, {
      ledger,
      observer: { progress: () => {}, note: (_, text) => void this.notes.push(text) },
      log: silentLog,
      env: {},
      signal: new AbortController().signal,
      sessionGapSeconds: 0,
    })
    return {
      ledger,
      poll: (options = {}) => poller.poll(account, { ...BY_ITSELF, ...options }),
      async [Symbol.asyncDispose]() {
        await poller[Symbol.asyncDispose]()
        await ledger[Symbol.asyncDispose]()
      },
    }
  }

  async check({ thorough = false } = {}): Promise<CheckReport> {
    const configuration = await this.#configuration()
    await using ledger = await openLedger(configuration.statePath)
    return only(
      await checkAll(
        {
          configuration,
          accounts: configuration.accounts,
          ledger,
          options: BY_PERSON,
          observer: { progress: () => {}, note: () => {} },
          log: silentLog,
          env: {},
          signal: new AbortController().signal,
        },
        { thorough },
      ),
    )
  }

  async verify({ digest = false } = {}): Promise<readonly Verdict[]> {
    const configuration = await this.#configuration()
    await using ledger = await openLedger(configuration.statePath, { readOnly: true })
    const { accounts } = configuration
    const signal = new AbortController().signal
    return await verifyAll({
      configuration,
      accounts,
      ledger,
      digest,
      log: silentLog,
      env: {},
      signal,
      nowMs: Date.now,
    })
  }

  /** The ledger, to be changed. */
  async ledger(): Promise<Ledger> {
    return await openLedger((await this.#configuration()).statePath)
  }

  /** As `check` tries destinations. */
  async trials(): Promise<readonly DestinationReport[]> {
    const configuration = await this.#configuration()
    await using ledger = await openLedger(configuration.statePath)
    const request = {
      configuration,
      accounts: configuration.accounts,
      ledger,
      options: BY_PERSON,
      observer: { progress: () => {}, note: () => {} },
      log: silentLog,
      env: {},
      signal: new AbortController().signal,
    }
    return await checkDestinations(request, [...configuration.destinations.keys()])
  }

  /** Puts a delivered message back to where it was when its delivery began. */
  async forgetOutcome(uidl: string): Promise<void> {
    const { DatabaseSync } = await import('node:sqlite')
    const database = new DatabaseSync(this.path('state/state.db'))
    const id = `(SELECT id FROM message WHERE uidl = CAST('${uidl}' AS BLOB))`
    database.exec(`UPDATE delivery SET state = 1, receipt = NULL WHERE message = ${id};
      UPDATE message SET state = 0, attempts = 1, received_bytes = NULL, digest = NULL, fingerprint = NULL WHERE id = ${id}`)
    database.close()
  }

  /** As `state forget` does. */
  async forget(uidls: readonly string[] | 'all'): Promise<void> {
    const { statePath } = await this.#configuration()
    await using ledger = await openLedger(statePath)
    await using lease = await ledger.lease(this.name)
    if (lease === null) throw new Error('somebody polls')
    await forgetMessages(ledger, lease, uidls === 'all' ? 'all' : uidls.map((uidl) => ({ uidl, copy: 0 })))
  }

  async #configuration() {
    const file = this.path('config.yaml')
    const lines = [
      'accounts:',
      `  ${this.name}:`,
      `    host: ${this.server.host}`,
      `    port: ${this.server.port}`,
      `    tls: ${this.tls ?? this.server.tls}`,
      `    user: ${this.user}`,
      this.token === null ? `    password: ${this.password}` : `    token: ${this.token}`,
      `    deliver: ${this.deliver}`,
      ...this.account.map((line) => `    ${line}`),
      'destinations:',
      ...this.destinations.map((line) => `  ${line}`),
      'state: state/state.db',
      ...this.top,
    ]
    const text = lines.join('\n')
    // Polls of one configuration are many, and to read it takes a third of one.
    if (this.#loaded?.text === text) return this.#loaded.configuration
    writeFileSync(file, text, { mode: 0o600 })
    chmodSync(file, 0o600)
    const configuration = await loadConfiguration({
      file,
      state: null,
      env: { HOME: this.directory },
      cwd: this.directory,
      uid: process.getuid?.() ?? 0,
    })
    this.#loaded = { text, configuration }
    return configuration
  }

  /** The files in a Maildir's new/ and cur/, in no order. */
  files(name = 'inbox'): string[] {
    return ['new', 'cur'].flatMap((folder) => {
      const directory = this.path(`${name}/${folder}`)
      return existsSync(directory) ? readdirSync(directory).map((file) => path.join(directory, file)) : []
    })
  }

  /** Their contents. */
  mail(name = 'inbox'): string[] {
    return this.files(name).map((file) => readFileSync(file, 'latin1'))
  }

  /** The subjects in a Maildir, sorted by number: each exactly once when all is well. */
  subjects(name = 'inbox'): number[] {
    return this.mail(name)
      .map((text) => Number(/^Subject: letter (\d+)$/m.exec(text)?.[1] ?? Number.NaN))
      .sort((a, b) => a - b)
  }

  /** What should have left the server, as the ledger has it. */
  async undeleted(): Promise<string[]> {
    await using ledger = await openLedger(this.path('state/state.db'))
    const uidls: string[] = []
    for await (const slice of ledger.records.list(this.name, 'all'))
      uidls.push(...slice.filter(({ deletion }) => deletion !== null).map(({ key }) => key.uidl))
    return uidls
  }

  /** What the server still has. */
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

export function letter(number: number): string {
  return [
    'From: Ada <ada@example.org>',
    'To: alice@example.net',
    `Subject: letter ${number}`,
    'Date: Tue, 24 Nov 2026 10:00:00 +0000',
    `Message-ID: <${number}@example.org>`,
    '',
    '.a line that begins with a dot',
    '..',
    `the end of ${number}`,
    '',
  ].join('\r\n')
}

function only<T>(reports: readonly T[]): T {
  const [report] = reports
  if (report === undefined) throw new Error('no report')
  return report
}

/** 0, 1, … count - 1 */
export function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, at) => at)
}

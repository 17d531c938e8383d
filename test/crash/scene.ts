// A mailbox, a Maildir, a sink and a popfetch that can be killed, all in one temporary directory. The servers run in this
// process, popfetch as a child. What is right is for the oracle to say; here is only what happens.
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { constants, tmpdir } from 'node:os'
import path from 'node:path'
import { text } from 'node:stream/consumers'
import { setImmediate as turn } from 'node:timers/promises'
import { inject } from 'vitest'
import type { KnownMessage } from '../../src/ledger/ledger.ts'
import { openLedger } from '../../src/config/state/open-ledger.ts'
import { inFile, namedState, type StatePlace } from '../../src/config/state/place.ts'
import { PopfetchError } from '../../src/errors.ts'
import type { Ledger } from '../../src/ledger/ledger.ts'
import { Pop3Server, type Mailbox } from '../support/pop3-server.ts'
import { PostgresServer } from '../support/postgres-server.ts'
import { SmtpSink } from '../support/smtp-server.ts'
import { environmentOf } from './child.ts'
import { Oracle } from './oracle.ts'

/** Where a ledger is that is no file. */
export interface Database {
  readonly url: string
  drop(): void
  /** As if nobody had been heard of for a minute: then all are dead. */
  forgetTheDead(): void
}

export type SetUp = 'maildir' | 'smtp' | 'both'
export const SET_UPS: readonly SetUp[] = ['maildir', 'smtp', 'both']
export type Deletion = 'never' | 'after-delivery'
export const DELETIONS: readonly Deletion[] = ['after-delivery', 'never']

export interface Ran {
  readonly code: number | null
  readonly killed: boolean
  readonly stdout: string
  readonly stderr: string
}

export interface RunOptions {
  /** Before Node's own arguments: strace and its. */
  readonly tracer?: readonly string[]
  /** Given the way to kill it, once it has been started. */
  readonly started?: (kill: () => void) => void
}

export const ACCOUNT = 'old-isp'
/** More than any number of kills in a row needs (a message that was begun twice is fetched alone). */
const MOST_POLLS = 6
const KEYS_AT_ONCE = 5000
const LARGE_BYTES = 1_300_000

export class Scene implements AsyncDisposable {
  readonly directory: string
  readonly server: Pop3Server
  readonly sink: SmtpSink | null
  readonly oracle: Oracle
  readonly maildir: string
  /** Of a ledger in a file; else where its local things lie. */
  readonly statePath: string
  /** Called with each command before it is obeyed. */
  onCommand: (verb: string) => void = () => {}
  readonly setUp: SetUp
  readonly mailbox: Mailbox
  readonly configFile: string
  readonly #deletion: Deletion
  readonly #place: StatePlace
  readonly #database: Database | null
  #sent = 0
  #kills = 0
  #runs = 0
  #duplicatesTold = 0

  private constructor(
    setUp: SetUp,
    deletion: Deletion,
    { server, sink, database }: { server: Pop3Server; sink: SmtpSink | null; database: Database | null },
  ) {
    this.directory = mkdtempSync(path.join(tmpdir(), 'popfetch-crash-'))
    this.maildir = path.join(this.directory, 'inbox')
    this.configFile = path.join(this.directory, 'config.yaml')
    const file = path.join(this.directory, 'state', 'state.db')
    this.#database = database
    this.#place = database === null ? inFile(file) : namedState(database.url, '/', { HOME: this.directory })
    this.statePath = this.#place.statePath
    this.server = server
    this.sink = sink
    this.setUp = setUp
    this.#deletion = deletion
    this.mailbox = server.mailbox('alice')
    this.oracle = new Oracle({
      server,
      mailbox: this.mailbox,
      maildir: setUp === 'smtp' ? null : this.maildir,
      sink,
    })
    server.faults.onCommand = (verb, _, session) => {
      if (verb === 'QUIT') this.oracle.atQuit(session.id)
      this.onCommand(verb)
      return 'serve'
    }
    this.#configure()
  }

  /** `database`: that of its ledger; null: a file. Unless said, as the suite is run. */
  static async create(setUp: SetUp, deletion: Deletion, database: Database | null = ofSuite()): Promise<Scene> {
    const sink = setUp === 'maildir' ? null : await SmtpSink.start()
    return new Scene(setUp, deletion, { server: await Pop3Server.start(), sink, database })
  }

  /** New mail, small, or with a large one among it that does not stay in memory. */
  mail(count: number, large = false): void {
    for (let n = 0; n < count; n++) {
      this.#sent += 1
      const body = large && n === 1 ? `${'x'.repeat(98)}\r\n`.repeat(LARGE_BYTES / 100) : '.a dot\r\n..\r\nthe end\r\n'
      this.oracle.sent(this.mailbox.add(letter(this.#sent, body)))
    }
  }

  /** One poll in a child process. Resolves when all connections of it are gone. */
  async run({ tracer = [], started }: RunOptions = {}): Promise<Ran> {
    const words = [...tracer, process.execPath, inject('popfetch'), '--config', this.configFile, '--json', ACCOUNT]
    const child = spawn(words[0]!, words.slice(1), {
      cwd: this.directory,
      env: environmentOf(this.directory),
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const closed = once(child, 'close') as Promise<[number | null, string | null]>
    started?.(() => child.kill('SIGKILL'))
    const [stdout, stderr, [code, signal]] = await Promise.all([text(child.stdout), text(child.stderr), closed])
    while (this.server.open > 0 || (this.sink?.open ?? 0) > 0) await turn()
    // strace passes the signal on, or ends with its number.
    const killed = signal === 'SIGKILL' || code === 128 + constants.signals.SIGKILL
    if (killed || signal !== null) this.killed()
    this.#runs += 1
    if (!killed) this.#duplicatesTold += possibleDuplicates(stdout)
    await this.account()
    // The session of a process that was killed may take a moment to end.
    if (this.#database !== null && stdout.includes('"outcome":"busy"'))
      return await this.run({ tracer, ...(started === undefined ? {} : { started }) })
    return { code, killed, stdout, stderr }
  }

  killed(): void {
    this.#kills += 1
    this.#database?.forgetTheDead()
    this.oracle.killed()
  }

  /** Polls until nothing happens any more (I8), then lets the oracle judge. All of them must go well. The first one may
   *  find in the Maildir what needs no fetching, and delete it in the next. */
  async settle(
    run: () => Promise<Pick<Ran, 'code' | 'stdout' | 'stderr'>> = () => this.run(),
  ): Promise<readonly string[]> {
    const { violations } = this.oracle
    for (let poll = 1; ; poll++) {
      const before = this.#activity()
      const ran = await run()
      if (ran.code !== 0) violations.push(`poll ${poll} ended with ${ran.code}: ${ran.stderr}${ran.stdout}`)
      const over = poll > 1 || this.mailbox.messages.length === 0
      if (ran.code === 0 && over && this.#activity() === before) break
      if (poll === MOST_POLLS) {
        violations.push(`still at work after ${poll} polls`)
        break
      }
    }
    this.oracle.judge({ deletes: this.#deletion === 'after-delivery', held: await this.#held() })
    this.#judgeFiles()
    // P2. A run that was killed after such a delivery could not say so.
    if (this.#runs > 0 && this.#kills < 2 && this.oracle.extraCopies > this.#duplicatesTold) {
      violations.push(`${this.oracle.extraCopies} extra copies at the sink, ${this.#duplicatesTold} told of`)
    }
    return violations
  }

  /** A mail reader looks at what is new: to cur/, with a flag. */
  read(): void {
    for (const name of existsSync(`${this.maildir}/new`) ? readdirSync(`${this.maildir}/new`) : []) {
      renameSync(`${this.maildir}/new/${name}`, `${this.maildir}/cur/${name}:2,S`)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server[Symbol.asyncDispose]()
    await this.sink?.[Symbol.asyncDispose]()
    rmSync(this.directory, { recursive: true, force: true })
  }

  #activity(): number {
    const { journal } = this.server
    return journal.of('retr').length + journal.of('dele').length + (this.sink?.messages.length ?? 0)
  }

  /** Tells the oracle which answers of the sink reached the ledger. */
  async account(): Promise<void> {
    if (this.sink === null) return
    const recorded = new Set<string>()
    for (const [uidl, message] of await this.#known()) {
      const delivery = message.deliveries.find(({ destination }) => destination === 'relay')
      if (message.state === 'delivered' || delivery?.state === 'done') recorded.add(uidl)
    }
    this.oracle.ran((uidl) => recorded.has(uidl))
  }

  async #held(): Promise<ReadonlySet<string>> {
    return new Set((await this.#known()).filter(([, { state }]) => state === 'held').map(([uidl]) => uidl))
  }

  /** Null: there is none yet. */
  async #opened(): Promise<Ledger | null> {
    if (this.#database === null && !existsSync(this.statePath)) return null
    try {
      return await openLedger(this.#place, { env: {}, readOnly: true })
    } catch (error) {
      if (error instanceof PopfetchError && error.message.includes('there is none in this database yet')) return null
      throw error
    }
  }

  /** The ledger is there, and empty. */
  async prepare(): Promise<void> {
    await using ledger = await openLedger(this.#place, { env: {} })
    await ledger.accounts()
  }

  /** All that was recorded is gone. */
  loseLedger(): void {
    if (this.#database === null) rmSync(path.dirname(this.statePath), { recursive: true, force: true })
    else this.#database.drop()
  }

  async #known(): Promise<readonly (readonly [string, KnownMessage])[]> {
    await using ledger = await this.#opened()
    if (ledger === null) return []
    const { uidls } = this.oracle
    const found: (readonly [string, KnownMessage])[] = []
    for (let from = 0; from < uidls.length; from += KEYS_AT_ONCE) {
      const some = uidls.slice(from, from + KEYS_AT_ONCE)
      const known = await ledger.known(
        ACCOUNT,
        some.map((uidl) => ({ uidl, copy: 0 })),
      )
      for (const [at, message] of known.entries()) if (message !== null) found.push([some[at]!, message])
    }
    return found
  }

  /** I7: each kill may leave its spool files for the sweep, which cannot know that they are dead for 36 hours. */
  #judgeFiles(): void {
    const { violations } = this.oracle
    const state = path.dirname(this.statePath)
    const names = existsSync(`${state}/spool`) ? readdirSync(`${state}/spool`) : []
    if (names.length > this.#kills) violations.push(`left in spool/: ${names.join(' ')}`)
    const leases = existsSync(`${this.statePath}.leases`) ? readdirSync(`${this.statePath}.leases`) : []
    if (leases.length > 0) violations.push(`left in leases: ${leases.join(' ')}`)
  }

  #configure(): void {
    const deliver = { maildir: 'inbox', smtp: 'relay', both: '[inbox, relay]' }[this.setUp]
    const lines = [
      'accounts:',
      `  ${ACCOUNT}:`,
      `    host: ${this.server.host}`,
      `    port: ${this.server.port}`,
      '    tls: none',
      '    user: alice',
      '    password: secret',
      `    deliver: ${deliver}`,
      `    delete: ${this.#deletion}`,
      '    first: all',
      'destinations:',
      ...(this.setUp === 'smtp' ? [] : [`  inbox: { type: maildir, path: ${this.maildir} }`]),
      ...(this.sink === null
        ? []
        : [
            `  relay: { type: smtp, host: ${this.sink.host}, port: ${this.sink.port}, tls: none, to: alice@here.example }`,
          ]),
      `state: ${this.#database === null ? 'state/state.db' : JSON.stringify(this.#database.url)}`,
    ]
    writeFileSync(this.configFile, `${lines.join('\n')}\n`, { mode: 0o600 })
  }
}

/** A schema of its own. */
export function databaseOf(server: PostgresServer, url = server.url()): Database {
  const schema = `c${randomBytes(6).toString('hex')}`
  const past = "renewed = renewed - interval '1 minute', alive_until = clock_timestamp() - interval '1 second'"
  return {
    url: `${url}${url.includes('?') ? '&' : '?'}schema=${schema}`,
    drop: () => void server.sql(`DROP SCHEMA IF EXISTS ${schema} CASCADE`),
    forgetTheDead() {
      if (server.sql(`SELECT to_regclass('${schema}.worker')`) !== '') server.sql(`UPDATE ${schema}.worker SET ${past}`)
    },
  }
}

function ofSuite(): Database | null {
  const folder = inject('database')
  return folder === null || folder === undefined ? null : databaseOf(PostgresServer.at(folder))
}

function possibleDuplicates(stdout: string): number {
  return Number(/"possibleDuplicates":(\d+)/.exec(stdout)?.[1] ?? 0)
}

function letter(token: number, body: string): string {
  return `From: Ada <ada@example.org>\r\nTo: alice@here.example\r\nSubject: letter ${token}\r\nMessage-ID: <${token}@crash.example>\r\n\r\n${body}`
}

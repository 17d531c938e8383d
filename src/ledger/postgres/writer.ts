// The only writer of a process: what many callers want meanwhile goes into one statement, with one round trip and one commit, while
// the one before is under way (group commit). It is also the life of the process in the eyes of the others: each statement renews
// its deadline, and an empty one does where there is nothing to write. Each has a number, so that one whose answer was lost is
// sent again and made once.
import { uptime } from 'node:os'
import type { Connection, Row } from './connection/connection.ts'
import { Line } from './connection/line.ts'
import { asLedgerError, GIVEN_UP, isOfOneChange, Refused, type Server } from './connection/server.ts'
import { leaseLost } from '../lease.ts'
import type { Claim, WorkerCard } from '../schedule.ts'
import type { Operation } from './schema/batch-function.ts'
import { base64, text, toBytes } from './rows/cells.ts'
import { LASTS_S } from './schema/lease-functions.ts'
import { KNOWN, MIGRATIONS } from './schema/migrations.ts'

/** Renewed this often, ... */
const RENEWED_S = 5
/** ... and taken for lost after so long by our own clock, well before others may take over (LASTS_S). */
const LOST_S = 15
/** Items of changes in one statement: some milliseconds of the database's time. */
const MOST_ITEMS = 2000

/** A plan that was made while a table was nearly empty reads all of an account for each message: 350 a second instead of 7,900 (seen).
 *  The database's own statistics end that after a minute; after so many items of a connection all is planned anew. */
const PLANNED_ANEW_AT = [500, 2000, 8000, 32_000]

export type Part = readonly [operation: Operation, argument: unknown]

/** Whose right allows a change. */
export interface Holder {
  readonly account: string
  readonly token: number
}

interface Change {
  readonly kind: 'change'
  readonly holder: Holder | null
  readonly parts: readonly Part[]
  readonly items: number
  /** False: it need not survive a power cut. */
  readonly lasting: boolean
  readonly resolve: (value: number) => void
  readonly reject: (reason: unknown) => void
}

/** What is asked for with the right to an account; `claim` null: only to hold it. */
interface Taking {
  readonly kind: 'take'
  readonly account: string
  readonly claim: Claim | null
  readonly resolve: (row: Row) => void
  readonly reject: (reason: unknown) => void
}

export interface WriterOptions {
  readonly name: string
  readonly machine: string
  /** Null: the database's clock. */
  readonly nowMs: (() => number) | null
  readonly keep: 'all' | 'open' | 'none'
  readonly awayMs: number
  readonly random: (bytes: number) => Buffer
  /** A clock that counts sleep, in seconds. */
  readonly upS?: () => number
  readonly channel: string
  /** All leases are lost. */
  readonly lost: () => void
  readonly notified: () => void
}

// In the order of `claim`: account, token, woken, why not, what is paused, then the account's row.
const TAKEN = `AS t (account bytea, token bigint, woken boolean, refused bigint, paused text, name bytea, host bytea, port integer, username bytea,
  started boolean, known integer, last_poll_ms bigint, last_success_ms bigint, failures integer, refusals integer, secret_mark integer,
  paused_until_ms bigint, error bytea, told_state bytea, told_ms bigint, mark_digest bytea, mark_due_ms bigint, taking_over bytea,
  facts text)`

export class Writer {
  readonly #server: Server
  readonly #line: Line
  readonly #options: WriterOptions
  readonly #upS: () => number
  #queue: (Change | Taking)[] = []
  #running: Promise<void> | null = null
  /** As the others know this process; null: they do not. */
  #worker: number | null = null
  /** Rows of ours that are to go, because we gave up what they hold. */
  #former: number[] = []
  #batch = 0
  /** Items of changes, since the connection began. */
  #items = 0
  /** When the last statement that succeeded was sent. */
  #renewedS: number
  #timer: NodeJS.Timeout | null = null
  /** As this process presents itself, and since when; null: it does not. */
  #card: WorkerCard | null = null
  #sinceMs: number | null = null

  constructor(server: Server, options: WriterOptions) {
    this.#server = server
    this.#options = options
    this.#upS = options.upS ?? uptime
    this.#renewedS = this.#upS()
    this.#line = new Line(server, {
      awayMs: options.awayMs,
      prepare: (connection) => this.#prepare(connection),
      notified: options.notified,
    })
  }

  /** Resolves with what the last part gave, once that is durable. Rejects with ERR_LEASE_LOST, ERR_BUG or ERR_LEDGER. */
  change(holder: Holder | null, parts: readonly Part[], { items = 1, lasting = true } = {}): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#queue.push({ kind: 'change', holder, parts, items, lasting, resolve, reject })
      this.#start()
    })
  }

  /** The row that answers it; see TAKEN. */
  take(account: string, claim: Claim | null): Promise<Row> {
    return new Promise((resolve, reject) => {
      // Behind changes that wait for a database that is away, each of thousands would wait as well.
      this.#line.refuseAway()
      this.#queue.push({ kind: 'take', account, claim, resolve, reject })
      this.#start()
    })
  }

  /** Presents this process to the others; again, should it have to be made known again. */
  async join(card: WorkerCard): Promise<void> {
    const change = { machine: base64(card.machine), program: base64(card.version), since: this.#sinceMs }
    this.#sinceMs = await this.change(null, [['join', change]], { lasting: false })
    this.#card = card
  }

  /** Resolves once what others notify is heard. */
  async listen(): Promise<void> {
    await this.#registered()
  }

  /** Is it certain that nobody took over? By a clock that counts sleep. */
  get isAlive(): boolean {
    return this.#worker !== null && this.#upS() - this.#renewedS < LOST_S
  }

  #start(): void {
    this.#running ??= Promise.resolve()
      .then(() => this.#run())
      .finally(() => {
        this.#running = null
        if (this.#queue.length > 0) this.#start()
      })
  }

  async #run(): Promise<void> {
    // What the same turn of the loop still asks for goes with it.
    await new Promise(setImmediate)
    while (this.#queue.length > 0) await this.#next()
  }

  async #next(): Promise<void> {
    const first = this.#queue[0]
    if (first === undefined) return
    if (first.kind === 'change') await this.#makeChanges(this.#leading(first))
    else await this.#giveLeases()
  }

  /** The changes that go together, in the order of the calls. */
  #leading(first: Change): readonly Change[] {
    const changes: Change[] = []
    let items = 0
    for (const job of this.#queue) {
      if (job.kind !== 'change' || (items > 0 && items + job.items > MOST_ITEMS)) break
      changes.push(job)
      items += job.items
    }
    return changes.length === 0 ? [first] : changes
  }

  async #makeChanges(changes: readonly Change[]): Promise<void> {
    try {
      const made = await this.#send(changes)
      this.#remove(changes)
      this.#planAnew(changes)
      for (const [at, change] of changes.entries()) {
        const value = made[at] ?? -1
        if (value === -1 && change.holder !== null) change.reject(leaseLost(change.holder.account))
        else change.resolve(value)
      }
    } catch (thrown) {
      if (isGivenUp(thrown)) return this.#givenUp()
      if (isOfOneChange(thrown) && changes.length > 1) return await this.#oneByOne(changes)
      this.#remove(changes)
      for (const change of changes) change.reject(asLedgerError(this.#server.place, thrown))
    }
  }

  #planAnew(changes: readonly Change[]): void {
    const before = this.#items
    this.#items += changes.reduce((sum, { items }) => sum + items, 0)
    if (PLANNED_ANEW_AT.some((bound) => before < bound && this.#items >= bound))
      this.#line.query('DISCARD PLANS', []).catch(() => undefined)
  }

  /** One of them is forbidden: the others are made all the same. */
  async #oneByOne(changes: readonly Change[]): Promise<void> {
    // One that is gone from the queue was rejected meanwhile: its lease was lost.
    for (const change of changes) if (this.#queue.includes(change)) await this.#makeChanges([change])
  }

  /** They stand at the front: what was asked for since is behind them. */
  #remove(jobs: readonly (Change | Taking)[]): void {
    const done = new Set(jobs)
    this.#queue = this.#queue.filter((job) => !done.has(job))
  }

  /** What each of them gives. */
  async #send(changes: readonly Change[]): Promise<readonly number[]> {
    const groups = new Map<
      string,
      { readonly group: { a: string | null; t: number; c: unknown[] }; readonly places: number[] }
    >()
    for (const [place, { holder, parts }] of changes.entries()) {
      const name = holder === null ? '' : `${holder.token} ${holder.account}`
      const found = groups.get(name) ?? {
        group: { a: holder === null ? null : base64(holder.account), t: holder?.token ?? 0, c: [] },
        places: [],
      }
      found.group.c.push(parts)
      found.places.push(place)
      groups.set(name, found)
    }
    // Locked in one order by all.
    const ordered = [...groups.values()].toSorted((a, b) => ((a.group.a ?? '') < (b.group.a ?? '') ? -1 : 1))
    const lasting = changes.some((change) => change.lasting)
    const keep = this.#options.keep
    const json = JSON.stringify(ordered.map(({ group }) => group))
    // What polls have delivered is to be recorded.
    const patient = changes.some(({ holder }) => holder !== null)
    const [row] = await this.#numbered(
      (worker, batch) =>
        this.#line.query(
          `SELECT array_to_string(@.batch_${KNOWN}($1, $2, $3, $4, $5, $6), $7)`,
          [worker, batch, this.#nowMs(), keep, lasting, json, ','],
          { raw: true, patient },
        ),
      { patient },
    )
    const given = String(row?.[0] ?? '')
    const values = given === '' ? [] : given.split(',').map(Number)
    const made: number[] = []
    let next = 0
    for (const { places } of ordered) for (const place of places) made[place] = values[next++] ?? -1
    return made
  }

  async #giveLeases(): Promise<void> {
    const asked: Taking[] = []
    for (const job of this.#queue) {
      if (job.kind !== 'take' || asked.length >= MOST_ITEMS) break
      asked.push(job)
    }
    const asks = asked.map(({ account, claim }) => ({
      a: base64(account),
      u: (claim?.uses ?? []).map(({ key, most }) => ({ k: base64(key), m: most })),
      w: claim === null || claim.dueWithinMs === null ? null : Math.round(claim.dueWithinMs),
      l: claim === null,
    }))
    try {
      const rows = await this.#numbered((worker, batch) =>
        this.#line.query(
          `SELECT * FROM @.claim_${KNOWN}($1, $2, $3, $4) ${TAKEN}`,
          [worker, batch, this.#nowMs(), JSON.stringify(asks)],
          { raw: true },
        ),
      )
      this.#remove(asked)
      const byAccount = new Map(rows.map((row) => [text(row[0]), row]))
      for (const job of asked) job.resolve(byAccount.get(job.account) ?? [])
    } catch (thrown) {
      if (isGivenUp(thrown)) return this.#givenUp()
      this.#remove(asked)
      for (const job of asked) job.reject(asLedgerError(this.#server.place, thrown))
    }
  }

  /** Sends a statement as the next of this process. */
  async #numbered(
    send: (worker: number, batch: number) => Promise<readonly Row[]>,
    { patient = false } = {},
  ): Promise<readonly Row[]> {
    const worker = await this.#registered({ patient })
    const sentS = this.#upS()
    const rows = await send(worker, ++this.#batch)
    // Where it was lost meanwhile, what was asked for under leases is not to count as made.
    if (this.#worker !== worker) throw new Refused(GIVEN_UP, 'given up', null)
    this.#renewedS = sentS
    return rows
  }

  /** The number of this process, which is known to the others once the line is there. */
  async #registered({ patient = false } = {}): Promise<number> {
    for (;;) {
      await this.#line.ready({ patient })
      if (this.#worker !== null) return this.#worker
      this.#line.reset()
      // Whatever is wrong, timers and signals have their turn.
      await new Promise(setImmediate)
    }
  }

  /** Each session locks a number of its own: the session before may still seem to live. */
  async #prepare(connection: Connection): Promise<void> {
    const limitMs = this.#options.awayMs
    this.#items = 0
    const lock = this.#options.random(8).readBigInt64BE().toString()
    const sentS = this.#upS()
    const { name, machine, channel } = this.#options
    const card = this.#card ?? { machine, version: '' }
    const { schema } = this.#server
    const known = this.#worker
    const former = this.#former
    const locked = connection.query('SELECT pg_advisory_lock($1::bigint)', [lock], limitMs)
    const listening = connection.query(`LISTEN ${channel}`, [], limitMs)
    const [, , [row]] = await Promise.all([
      locked,
      listening,
      known === null
        ? connection.query(
            `WITH gone AS (DELETE FROM "${schema}".worker WHERE id = ANY ($5::integer[])),
               freed AS (DELETE FROM "${schema}".lease WHERE worker = ANY ($5::integer[])),
               shared AS (DELETE FROM "${schema}".share WHERE worker = ANY ($5::integer[]))
             INSERT INTO "${schema}".worker (name, machine, version, session_lock, program, since_ms, renewed, alive_until)
             VALUES ($1, $2, $3, $4, $6, $7, clock_timestamp(), clock_timestamp() + interval '${LASTS_S} seconds') RETURNING id`,
            [
              toBytes(name),
              toBytes(card.machine),
              MIGRATIONS.length,
              lock,
              former,
              toBytes(card.version),
              this.#sinceMs,
            ],
            limitMs,
          )
        : connection.query(
            `UPDATE "${schema}".worker SET session_lock = $2::bigint WHERE id = $1 RETURNING id`,
            [known, lock],
            limitMs,
          ),
    ])
    if (known !== null) return
    this.#former = this.#former.filter((id) => !former.includes(id))
    this.#worker = Number(row?.[0])
    this.#batch = 0
    this.#renewedS = sentS
    this.#timer ??= setInterval(() => this.#beat(), 1000).unref()
  }

  #beat(): void {
    if (this.#worker === null) return
    const silentS = this.#upS() - this.#renewedS
    if (silentS >= LOST_S) return this.#givenUp()
    if (silentS >= RENEWED_S && this.#running === null) this.change(null, [], { lasting: false }).catch(() => undefined)
  }

  /** Others may have what we held: nothing that was asked for under our leases is made any more. */
  #givenUp(): void {
    if (this.#worker === null) return
    this.#former.push(this.#worker)
    this.#worker = null
    const held = this.#queue.filter((job) => job.kind === 'change' && job.holder !== null)
    this.#queue = this.#queue.filter((job) => !held.includes(job))
    for (const job of held) if (job.kind === 'change') job.reject(leaseLost(job.holder?.account ?? ''))
    this.#options.lost()
    this.#line.reset()
  }

  #nowMs(): number | null {
    return this.#options.nowMs?.() ?? null
  }

  /** Resolves once all that was asked for is made, and the others know that this process has ended. */
  async close(): Promise<void> {
    while (this.#running !== null) await this.#running
    if (this.#timer !== null) clearInterval(this.#timer)
    const ids = [...this.#former, ...(this.#worker === null ? [] : [this.#worker])]
    this.#worker = null
    if (ids.length > 0) {
      const sql = `WITH gone AS (DELETE FROM @.worker WHERE id = ANY ($1::integer[])),
        shared AS (DELETE FROM @.share WHERE worker = ANY ($1::integer[]))
        DELETE FROM @.lease WHERE worker = ANY ($1::integer[])`
      await this.#line.query(sql, [ids], { limitMs: 2000 }).catch(() => undefined)
    }
    this.#line.close()
  }
}

function isGivenUp(thrown: unknown): boolean {
  return thrown instanceof Refused && thrown.sqlState === GIVEN_UP
}

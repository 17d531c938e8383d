// A connection that is opened when it is wanted, and again when it was lost: every statement of this folder may be sent twice. Waits
// for a database that is away, but not for long, and not once for each caller: who comes later learns at once what is known.
import { setTimeout as wait } from 'node:timers/promises'
import { Connection, type Row, type Value } from './connection.ts'
import { isPooled } from './pool.ts'
import { asFault, asLedgerError, Lost, misconfigured, pooled, type Server } from './server.ts'

/** How long a database that is away is waited for (DESIGN 4.6). */
export const AWAY_MS = 10_000
/** No statement takes so long. */
const STATEMENT_MS = 60_000

/** Between two tries to connect: short at first, for a server that restarts is back in a second. */
const RETRY_MS = [20, 100, 250, 500, 1000]

/** A server that is gone refuses at once; one that is cut off says nothing: after this share of what anybody waits it is cut off. */
const SLOW_SHARE = 0.1

/** The oldest PostgreSQL that is tried (test/servers/). */
const OLDEST = 150_000

// What a role or a database may have set otherwise. Plans made while a table was empty scan it later: 432 messages a second
// instead of 10,500 (seen).
const SETTINGS = `SELECT set_config('enable_seqscan', 'off', false), set_config('jit', 'off', false),
  set_config('search_path', 'pg_catalog', false), set_config('bytea_output', 'hex', false),
  set_config('default_transaction_isolation', 'read committed', false),
  set_config('synchronous_commit', CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on'
    ELSE current_setting('synchronous_commit') END, false),
  set_config('statement_timeout', '0', false), set_config('lock_timeout', '0', false),
  set_config('idle_session_timeout', '0', false),
  set_config('tcp_keepalives_idle', '5', false), set_config('tcp_keepalives_interval', '2', false),
  set_config('tcp_keepalives_count', '3', false), set_config('tcp_user_timeout', '12000', false)`
const FACTS = `SELECT current_setting('server_version_num')::integer, current_setting('server_version')`

export interface LineOptions {
  /** For what belongs to one session: locks, notifications. */
  readonly prepare?: (connection: Connection) => Promise<void>
  readonly notified?: (channel: string) => void
  /** How long a database that is away is waited for. */
  readonly awayMs: number
}

interface Away {
  readonly fault: Lost
  /** When that was, by a clock that never jumps, and how long it took. */
  readonly askedMs: number
  readonly tookMs: number
}

export class Line {
  readonly #server: Server
  readonly #options: LineOptions
  #connection: Promise<Connection> | null = null
  #open: Connection | null = null
  /** The last try to connect failed; null: it did not. */
  #away: Away | null = null
  /** Somebody has waited for it in vain since. */
  #isGivenUp = false
  #closed = false

  constructor(server: Server, options: LineOptions) {
    this.#server = server
    this.#options = options
  }

  /** Rejects with ERR_LEDGER, ERR_BUG, or with Refused where `raw` says so. `patient`: waits for a database that is away whatever others
   *  have found: what was delivered is to be recorded. */
  async query(
    text: string,
    values: readonly Value[],
    { limitMs = STATEMENT_MS, raw = false, patient = false } = {},
  ): Promise<readonly Row[]> {
    const sql = inSchema(text, this.#server.schema)
    return await this.#repeated((connection) => connection.query(sql, values, limitMs), { raw, patient })
  }

  async script(text: string): Promise<void> {
    const sql = inSchema(text, this.#server.schema)
    await this.#repeated((connection) => connection.script(sql, STATEMENT_MS), {
      raw: true,
      patient: false,
    })
  }

  async #repeated<T>(
    attempt: (connection: Connection) => Promise<T>,
    { raw, patient }: { readonly raw: boolean; readonly patient: boolean },
  ): Promise<T> {
    const known = patient ? null : this.#knownAway
    if (known !== null) throw asLedgerError(this.#server.place, known)
    const startMs = performance.now()
    for (let tries = 0; ; tries++) {
      try {
        return await attempt(await this.#connected())
      } catch (thrown) {
        const fault = asFault(thrown)
        const pauseMs = RETRY_MS[Math.min(tries, RETRY_MS.length - 1)] ?? 0
        const isLate = (this.#isGivenUp && !patient) || performance.now() - startMs + pauseMs > this.#options.awayMs
        if (isLate) this.#isGivenUp = this.#away !== null
        if (!(fault instanceof Lost) || this.#closed || isLate || isCertain(fault))
          throw raw && !(fault instanceof Lost) ? fault : asLedgerError(this.#server.place, fault)
        await wait(pauseMs)
      }
    }
  }

  /** Resolves once there is a connection. Rejects as `query` does. */
  async ready({ patient = false } = {}): Promise<void> {
    await this.#repeated(() => Promise.resolve(), { raw: false, patient })
  }

  /** Rejects at once where nobody need wait to learn that the database is away. */
  refuseAway(): void {
    const known = this.#knownAway
    if (known !== null) throw asLedgerError(this.#server.place, known)
  }

  /** Why it is no use to wait: somebody has waited in vain, and whoever asks whether it is back gets no answer for long. Otherwise each
   *  of three thousand polls would wait in its turn. Null: whoever comes asks. */
  get #knownAway(): Lost | null {
    if (this.#away === null || !this.#isGivenUp || this.#connection === null) return null
    return this.#away.tookMs > SLOW_SHARE * this.#options.awayMs ? this.#away.fault : null
  }

  async #connected(): Promise<Connection> {
    if (this.#open !== null && !this.#open.isOver) return this.#open
    this.#connection ??= this.#asked().finally(() => (this.#connection = null))
    return await this.#connection
  }

  async #asked(): Promise<Connection> {
    const startMs = performance.now()
    // Nobody knows what it did while nobody asked.
    if (this.#away !== null && startMs - this.#away.askedMs > this.#options.awayMs) this.#isGivenUp = false
    try {
      const connection = await this.#connect()
      this.#away = null
      this.#isGivenUp = false
      return connection
    } catch (thrown) {
      const fault = asFault(thrown)
      const askedMs = performance.now()
      this.#away = fault instanceof Lost ? { fault, askedMs, tookMs: askedMs - startMs } : null
      this.#isGivenUp &&= this.#away !== null
      throw thrown
    }
  }

  async #connect(): Promise<Connection> {
    const { notified } = this.#options
    const limitMs = this.#options.awayMs
    const connection = await Connection.open(this.#server, {
      limitMs,
      ended: () => undefined,
      ...(notified === undefined ? {} : { notified }),
    })
    const another = (): Promise<Connection> => Connection.open(this.#server, { limitMs, ended: () => undefined })
    try {
      if (await isPooled(connection, another, limitMs)) throw pooled(this.#server.place)
      const [, facts] = await Promise.all([
        connection.query(SETTINGS, [], limitMs),
        connection.query(FACTS, [], limitMs),
      ])
      if (Number(facts[0]?.[0]) < OLDEST) {
        const why = `its PostgreSQL is ${String(facts[0]?.[1])}`
        throw misconfigured(this.#server.place, why, 'popfetch needs 15 or later')
      }
      await this.#options.prepare?.(connection)
    } catch (thrown) {
      connection.destroy()
      throw thrown
    }
    if (this.#closed) connection.destroy()
    this.#open = connection
    return connection
  }

  /** Whether the present connection keeps the program from ending. */
  keepProgram(keeps: boolean): void {
    this.#open?.keepProgram(keeps)
  }

  /** The present connection is given up: what waits for an answer is sent again. */
  reset(): void {
    this.#open?.destroy()
  }

  close(): void {
    this.#closed = true
    this.#open?.close()
  }
}

/** No time changes that. */
function isCertain({ cause }: Lost): boolean {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : ''
  return /CERT|SELF_SIGNED|UNABLE_TO|ALTNAME/.test(code)
}

function inSchema(text: string, schema: string): string {
  return text.replaceAll('@.', () => `"${schema}".`)
}

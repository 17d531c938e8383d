// Sign-ins in the database of a ledger, as rows of sealed bytes: what is in them, oauth/ knows. One may be changed by whoever holds it,
// over all machines. Who holds it says so again and again; who dies, sleeps or is cut off loses it after LASTS_S by the
// database's clock, and changes nothing from then on. A connection of its own, for as long as it is used: sign-ins are there
// where no ledger is open.
import { randomBytes } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { PopfetchError } from '../../errors.ts'
import type { Row, Value } from './connection/connection.ts'
import { AWAY_MS, Line } from './connection/line.ts'
import { asLedgerError, Refused, type Server } from './connection/server.ts'
import { openPostgres } from './open.ts'
import { bytes } from './rows/cells.ts'
import { KNOWN } from './schema/migrations.ts'

/** Held this long without a word. */
const LASTS_S = 25
const RENEWED_MS = 5000
/** Between two looks at one that another holds. */
const LOOK_MS = 500
/** A connection that nobody used for so long is closed. */
const IDLE_MS = 30_000

const UNTIL = `clock_timestamp() + interval '${LASTS_S} seconds'`

// Each may be sent again when its answer was lost.
const READ =
  'SELECT name, sealed FROM @.sign_in WHERE sealed IS NOT NULL AND ($1::bytea IS NULL OR name = $1) ORDER BY name'
const TAKE = `WITH usable AS MATERIALIZED (SELECT @.usable_${KNOWN}())
  INSERT INTO @.sign_in AS s (name, holder, held_until) SELECT $1::bytea, $2::bytea, ${UNTIL} FROM usable
  ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, held_until = excluded.held_until
  WHERE s.holder IS NULL OR s.holder = excluded.holder OR s.held_until < clock_timestamp() RETURNING true`
const RENEW = `UPDATE @.sign_in SET held_until = ${UNTIL} WHERE name = $1 AND holder = $2`
const WRITE = `UPDATE @.sign_in SET sealed = $3, held_until = ${UNTIL} WHERE name = $1 AND holder = $2 RETURNING true`
const REPLACE = 'UPDATE @.sign_in SET sealed = $3 WHERE name = $1 AND sealed = $2'
const GIVE_BACK = `WITH gone AS (DELETE FROM @.sign_in WHERE name = $1 AND holder = $2 AND sealed IS NULL)
  UPDATE @.sign_in SET holder = NULL, held_until = NULL WHERE name = $1 AND holder = $2 AND sealed IS NOT NULL`

export interface SignInRow {
  readonly name: Buffer
  readonly sealed: Buffer
}

/** The right to change one sign-in. */
export interface HeldSignIn extends AsyncDisposable {
  /** Durable when it resolves; null removes it. Rejects with ERR_LEDGER, also where another holds it by now. */
  write(sealed: Buffer | null): Promise<void>
}

export class SignInRows {
  readonly place: string
  readonly #server: Server
  readonly #awayMs: number
  #line: Line | null = null
  #asking = 0
  #closing: NodeJS.Timeout | null = null
  /** Callers of this process, by name, one behind the other. */
  readonly #queues = new Map<string, Promise<void>>()

  constructor(server: Server, { awayMs = AWAY_MS }: { readonly awayMs?: number } = {}) {
    this.place = server.place
    this.#server = server
    this.#awayMs = awayMs
  }

  /** Null: there is none. Rejects with ERR_LEDGER, as all of this does. */
  async read(name: Buffer): Promise<Buffer | null> {
    const [row] = await this.#ifThere(READ, [name])
    return row === undefined ? null : bytes(row[1] ?? null)
  }

  async all(): Promise<readonly SignInRow[]> {
    const rows = await this.#ifThere(READ, [null])
    return rows.map(([name = null, sealed = null]) => ({ name: bytes(name), sealed: bytes(sealed) }))
  }

  /** The same, sealed otherwise; nothing happens where it is another by now. */
  async replace({ name, sealed }: SignInRow, by: Buffer): Promise<void> {
    await this.#ask(REPLACE, [name, sealed, by])
  }

  /** Makes the ledger's tables if need be. Null: another holds it all the time. Rejects with the signal's reason. */
  async hold(name: Buffer, limitMs: number, signal: AbortSignal): Promise<HeldSignIn | null> {
    const endMs = performance.now() + limitMs
    const leave = await this.#turn(name.toString('hex'), limitMs, signal)
    if (leave === null) return null
    const holder = randomBytes(16)
    try {
      while (!(await this.#take(name, holder))) {
        const leftMs = endMs - performance.now()
        if (leftMs <= 0) {
          leave()
          return null
        }
        await delay(Math.min(LOOK_MS, leftMs), undefined, { signal, ref: false })
      }
    } catch (error) {
      leave()
      signal.throwIfAborted()
      throw error
    }
    return this.#held(name, holder, leave)
  }

  #held(name: Buffer, holder: Buffer, leave: () => void): HeldSignIn {
    // What fails here shows when something is written.
    const timer = setInterval(() => void this.#ask(RENEW, [name, holder]).catch(() => undefined), RENEWED_MS).unref()
    return {
      write: async (sealed) => {
        const [row] = await this.#ask(WRITE, [name, holder, sealed])
        if (row === undefined) throw taken(this.place)
      },
      [Symbol.asyncDispose]: async () => {
        clearInterval(timer)
        // Who cannot say it has it no longer than it lasts.
        await this.#ask(GIVE_BACK, [name, holder]).catch(() => undefined)
        leave()
      },
    }
  }

  async #take(name: Buffer, holder: Buffer): Promise<boolean> {
    const rows = await this.#ask(TAKE, [name, holder], true).catch(async (error: unknown) => {
      if (!isMissing(error)) throw asLedgerError(this.place, error)
      const ledger = await openPostgres(this.#server, { awayMs: this.#awayMs })
      await ledger[Symbol.asyncDispose]()
      return await this.#ask(TAKE, [name, holder])
    })
    return rows.length > 0
  }

  /** Null: those before have it all the time. */
  async #turn(key: string, limitMs: number, signal: AbortSignal): Promise<(() => void) | null> {
    const before = this.#queues.get(key) ?? Promise.resolve()
    const { promise: left, resolve: leave } = Promise.withResolvers<void>()
    // Who gives up waiting leaves the queue to those before it.
    const after = before.then(() => left)
    this.#queues.set(key, after)
    void after.then(() => {
      if (this.#queues.get(key) === after) this.#queues.delete(key)
    })
    try {
      const isOurs = await Promise.race([before.then(() => true), delay(limitMs, false, { signal, ref: false })])
      if (isOurs) return leave
    } catch (error) {
      leave()
      throw error
    }
    leave()
    return null
  }

  /** Where there are no tables yet, there is nothing. */
  async #ifThere(sql: string, values: readonly Value[]): Promise<readonly Row[]> {
    return await this.#ask(sql, values, true).catch((error: unknown) => {
      if (isMissing(error)) return []
      throw asLedgerError(this.place, error)
    })
  }

  async #ask(sql: string, values: readonly Value[], raw = false): Promise<readonly Row[]> {
    const line = (this.#line ??= new Line(this.#server, { awayMs: this.#awayMs }))
    if (this.#closing !== null) clearTimeout(this.#closing)
    this.#asking++
    line.keepProgram(true)
    try {
      return await line.query(sql, values, { raw })
    } finally {
      if (--this.#asking === 0) {
        line.keepProgram(false)
        this.#closing = setTimeout(() => this.close(), IDLE_MS).unref()
      }
    }
  }

  close(): void {
    this.#line?.close()
    this.#line = null
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Refused && /^(?:3F000|42P01|42883)$/.test(error.sqlState)
}

function taken(place: string): PopfetchError {
  const text = `keeping a sign-in in ${place}: another popfetch has changed it meanwhile: trying again later`
  return new PopfetchError('ERR_LEDGER', text, { scope: 'account', retry: 'soon' })
}

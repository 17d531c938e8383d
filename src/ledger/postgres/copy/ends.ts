// A ledger in PostgreSQL as the source and as the target of a copy (../../copy/copy.ts). Nobody else can use it meanwhile: its tables are
// locked, and no other process may be at work on it.
import { copyError, type CopySource, type CopyTarget } from '../../copy/copy.ts'
import type { CopiedRow } from '../../copy/copied.ts'
import type { Connection, Row } from '../connection/connection.ts'
import { AWAY_MS, Line } from '../connection/line.ts'
import { asLedgerError, FILLING, Refused, type Server } from '../connection/server.ts'
import { openPostgres } from '../open.ts'
import { number, text, toBytes } from '../rows/cells.ts'
import { type Ask, copiedRows, CopiedInto } from './rows.ts'

/** A statement of a thousand rows, on a machine with other work. */
const STATEMENT_MS = 120_000
/** How long others may be in the way: each holds a lock for a moment. */
const LOCK_MS = 5000

/** Rejects with ERR_LEDGER where there is none, with ERR_BUSY while a popfetch is at work on it. */
export async function sourceDatabase(server: Server): Promise<CopySource> {
  const session = await Session.open(server)
  try {
    const moved = await session.movedTo()
    if (moved === null) throw copyError('ERR_LEDGER', server.place, `there is no ledger in the schema ${server.schema}`)
    if (moved.startsWith(FILLING))
      throw copyError('ERR_LEDGER', server.place, 'it is itself a copy that has not come to its end')
    // Brings an older one up to date, and refuses a newer one.
    if (moved === '') await prepared(server)
    await session.lock()
    return new DatabaseSource(session, moved === '' ? null : moved)
  } catch (thrown) {
    session.close()
    throw asLedgerError(server.place, thrown)
  }
}

/** Its schema is made where there is none. Whether it is empty shows when it is filled. */
export async function targetDatabase(server: Server): Promise<CopyTarget> {
  const session = await Session.open(server)
  try {
    const moved = (await session.movedTo()) ?? ''
    if (moved !== '' && !moved.startsWith(FILLING))
      throw copyError(
        'ERR_LEDGER',
        server.place,
        'it is not empty, it was copied elsewhere itself: choose another schema',
      )
    if (moved === '') await prepared(server)
    return new DatabaseTarget(session, moved === '' ? null : moved.slice(FILLING.length))
  } catch (thrown) {
    session.close()
    throw asLedgerError(server.place, thrown)
  }
}

async function prepared(server: Server): Promise<void> {
  const ledger = await openPostgres(server)
  await ledger[Symbol.asyncDispose]()
}

/** One session, which a lost connection ends: what it had locked and not committed is undone then. */
class Session {
  readonly server: Server
  readonly #line: Line
  readonly #connection: Connection

  private constructor(server: Server, line: Line, connection: Connection) {
    this.server = server
    this.#line = line
    this.#connection = connection
  }

  static async open(server: Server): Promise<Session> {
    const opened: Connection[] = []
    const line = new Line(server, {
      awayMs: AWAY_MS,
      prepare: (connection) => {
        opened.push(connection)
        return Promise.resolve()
      },
    })
    try {
      await line.ready()
      const connection = opened.at(-1)
      if (connection === undefined) throw new Error('there is no connection')
      return new Session(server, line, connection)
    } catch (thrown) {
      line.close()
      throw asLedgerError(server.place, thrown)
    }
  }

  readonly ask: Ask = async (sql, values = []): Promise<readonly Row[]> => {
    return await this.#connection.query(this.#inSchema(sql), values, STATEMENT_MS)
  }

  async script(sql: string): Promise<void> {
    await this.#connection.script(this.#inSchema(sql), STATEMENT_MS)
  }

  #inSchema(sql: string): string {
    return sql.replaceAll('@.', () => `"${this.server.schema}".`)
  }

  /** '': it may be used. Null: there is no ledger. */
  async movedTo(): Promise<string | null> {
    try {
      const [row] = await this.ask('SELECT moved_to FROM @.ledger')
      return row === undefined ? null : row[0] === null ? '' : text(row[0])
    } catch (thrown) {
      // No such schema, no such table.
      if (thrown instanceof Refused && /^(?:3F000|42P01)$/.test(thrown.sqlState)) return null
      throw thrown
    }
  }

  /** Begins a transaction in which nobody else reads or writes, nor begins to. Rejects with ERR_BUSY. */
  async lock(): Promise<void> {
    await this.script(`BEGIN; SET LOCAL lock_timeout = ${LOCK_MS}`)
    try {
      await this.script('LOCK TABLE @.ledger, @.worker IN ACCESS EXCLUSIVE MODE')
    } catch (thrown) {
      if (thrown instanceof Refused || (thrown instanceof Error && /lock timeout/.test(thrown.message)))
        throw copyError('ERR_BUSY', this.server.place, BUSY, thrown)
      throw thrown
    }
    const [row] = await this.ask(
      'SELECT count(*) FROM @.worker w WHERE NOT @.is_dead_1(w.session_lock, w.renewed, w.alive_until)',
    )
    if (number(row?.[0]) > 0) throw copyError('ERR_BUSY', this.server.place, BUSY)
  }

  async note(movedTo: string | null): Promise<void> {
    await this.ask('UPDATE @.ledger SET moved_to = $1', [movedTo === null ? null : toBytes(movedTo)])
  }

  async commit(): Promise<void> {
    await this.script('COMMIT')
  }

  close(): void {
    this.#line.close()
  }
}

const BUSY = 'a popfetch uses it: stop it (popfetch stop), on every machine, or wait until it is done'

class DatabaseSource implements CopySource {
  readonly movedTo: string | null
  readonly #session: Session

  constructor(session: Session, movedTo: string | null) {
    this.#session = session
    this.movedTo = movedTo
  }

  get place(): string {
    return this.#session.server.place
  }

  async *rows(): AsyncGenerator<readonly CopiedRow[], void, void> {
    try {
      yield* copiedRows(this.#session.ask)
    } catch (thrown) {
      throw asLedgerError(this.place, thrown)
    }
  }

  async retire(to: string): Promise<void> {
    try {
      await this.#session.note(to)
      await this.#session.commit()
    } catch (thrown) {
      throw asLedgerError(this.place, thrown)
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#session.close()
    return Promise.resolve()
  }
}

const FILLED = ['account', 'fact', 'message', 'delivery', 'destination', 'day', 'memo', 'pause'] as const
/** One row in any of them is something that somebody wants to keep. */
const KEPT = ['account', 'destination', 'pause'] as const

class DatabaseTarget implements CopyTarget {
  readonly filledFrom: string | null
  readonly #session: Session

  constructor(session: Session, filledFrom: string | null) {
    this.#session = session
    this.filledFrom = filledFrom
  }

  get place(): string {
    return this.#session.server.place
  }

  /** In one transaction. */
  async fill(rows: AsyncIterable<readonly CopiedRow[]>, from: string): Promise<void> {
    const session = this.#session
    try {
      await session.lock()
      if (this.filledFrom === null) {
        const counts = KEPT.map((table) => `(SELECT count(*) FROM @.${table})`).join(' + ')
        const [row] = await session.ask(`SELECT ${counts}`)
        if (number(row?.[0]) > 0)
          throw copyError('ERR_LEDGER', this.place, 'it is not empty: only an empty ledger is filled')
      }
      await session.script(FILLED.map((table) => `DELETE FROM @.${table}`).join('; '))
      await session.note(`${FILLING}${from}`)
      const into = new CopiedInto(session.ask)
      for await (const slice of rows) await into.put(slice)
      await into.end()
      await session.commit()
    } catch (thrown) {
      // Whatever was begun is undone with its session.
      session.close()
      throw asLedgerError(this.place, thrown)
    }
  }

  async *rows(): AsyncGenerator<readonly CopiedRow[], void, void> {
    try {
      yield* copiedRows(this.#session.ask)
    } catch (thrown) {
      throw asLedgerError(this.place, thrown)
    }
  }

  async release(): Promise<void> {
    try {
      await this.#session.note(null)
    } catch (thrown) {
      throw asLedgerError(this.place, thrown)
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#session.close()
    return Promise.resolve()
  }
}

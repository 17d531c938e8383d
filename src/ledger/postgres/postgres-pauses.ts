// The methods of Pauses on a schema of PostgreSQL. What each method promises is in pause.ts.
import type { Pause, Paused, Pauses } from '../pause.ts'
import type { Access } from './access.ts'
import type { Row } from './connection/connection.ts'
import { base64, number, numberOrNull, text, toBytes, word } from './rows/cells.ts'

/** A longer text of who it was is cut. */
const BY_LIMIT = 200

const PAUSES = `SELECT p.kind, p.name, p.by_whom, p.since_ms, p.until_ms FROM @.pause p
  WHERE (p.until_ms IS NULL OR p.until_ms > coalesce($1, floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint))`

export class PostgresPauses implements Pauses {
  readonly #access: Access

  constructor(access: Access) {
    this.#access = access
  }

  async all(kind?: Paused['kind']): Promise<readonly Pause[]> {
    const sql = `${PAUSES} AND ($2::text IS NULL OR p.kind = $2) ORDER BY p.kind, p.name`
    return (await this.#access.read(sql, [this.#access.nowMs, kind ?? null])).map(pauseOf)
  }

  async of({ kind, name }: Paused): Promise<Pause | null> {
    const sql = `${PAUSES} AND p.kind = $2 AND p.name = $3`
    const [row] = await this.#access.read(sql, [this.#access.nowMs, kind, toBytes(name)])
    return row === undefined ? null : pauseOf(row)
  }

  async begin(paused: readonly Paused[], by: string, forMs: number | null): Promise<readonly Pause[]> {
    const change = { paused: paused.map(named), by: base64(by.slice(0, BY_LIMIT)), for: forMs }
    await this.#access.write([['begin_pause', change]])
    return await this.#these(paused)
  }

  async end(paused: readonly Paused[]): Promise<readonly Pause[]> {
    const ended = await this.#these(paused)
    await this.#access.write([['end_pause', { paused: paused.map(named) }]])
    return ended
  }

  async #these(paused: readonly Paused[]): Promise<readonly Pause[]> {
    const found = await Promise.all(paused.map((what) => this.of(what)))
    return found.filter((pause) => pause !== null)
  }
}

function named({ kind, name }: Paused): object {
  return { kind, name: base64(name) }
}

function pauseOf(row: Row): Pause {
  const kind = word(row[0]) === 'account' ? 'account' : 'destination'
  return { kind, name: text(row[1]), by: text(row[2]), sinceMs: number(row[3]), untilMs: numberOrNull(row[4]) }
}

// What belongs to no account: records of destinations, and memos. Each is read and replaced as a whole; a replacement says what was
// read, and is made only if that is there still, so that two processes change it one after the other.
import { blankDestination, type DestinationRecord, isBlank, LONGEST_ROW, MOST_OPENERS } from '../destination.ts'
import type { Access } from './access.ts'
import { base64, base64OrNull, bytesOrNull, text, toBytes } from './rows/cells.ts'

/** Longer texts of strangers are cut: what they make us remember is bounded. */
const TEXT_LIMIT = 1000

export class PostgresShared {
  readonly #access: Access

  constructor(access: Access) {
    this.#access = access
  }

  async destinations(): Promise<readonly DestinationRecord[]> {
    const rows = await this.#access.read('SELECT key, recipient, record FROM @.destination ORDER BY key, recipient')
    return rows.map(([key, recipient, record]) => destinationOf(text(key), text(recipient), text(record)))
  }

  async destination(key: string, recipient: string): Promise<DestinationRecord> {
    const json = await this.#destinationAt(key, recipient)
    return json === null ? blankDestination(key, recipient) : destinationOf(key, recipient, json)
  }

  async #destinationAt(key: string, recipient: string): Promise<string | null> {
    const sql = 'SELECT record FROM @.destination WHERE key = $1 AND recipient = $2'
    const [row] = await this.#access.read(sql, [toBytes(key), toBytes(recipient)])
    return row === undefined ? null : text(row[0])
  }

  async changeDestination(
    key: string,
    recipient: string,
    change: (record: DestinationRecord) => DestinationRecord,
  ): Promise<DestinationRecord> {
    for (;;) {
      const was = await this.#destinationAt(key, recipient)
      const before = was === null ? blankDestination(key, recipient) : destinationOf(key, recipient, was)
      const after = change(before)
      if (after === before) return after
      const now = jsonOf({ ...after, key, recipient })
      if (was === now) return after
      const swap = { key: base64(key), recipient: base64(recipient), was: base64OrNull(was), now: base64OrNull(now) }
      if ((await this.#access.write([['swap_destination', swap]])) === 1) return after
    }
  }

  async memo(name: string): Promise<string | null> {
    const [row] = await this.#access.read('SELECT memo FROM @.memo WHERE name = $1', [toBytes(name)])
    return bytesOrNull(row?.[0] ?? null)?.toString() ?? null
  }

  async changeMemo(name: string, change: (text: string | null) => string | null): Promise<string | null> {
    for (;;) {
      const was = await this.memo(name)
      const now = change(was)
      if (now === was) return now
      const swap = { name: base64(name), was: base64OrNull(was), now: base64OrNull(now) }
      if ((await this.#access.write([['swap_memo', swap]])) === 1) return now
    }
  }
}

function destinationOf(key: string, recipient: string, json: string): DestinationRecord {
  return { ...blankDestination(key, recipient), ...(JSON.parse(json) as Omit<DestinationRecord, 'key' | 'recipient'>) }
}

/** Null: it says nothing that is to be kept. */
function jsonOf(record: DestinationRecord): string | null {
  if (isBlank(record)) return null
  const { key: _, recipient: __, ...rest } = record
  const kept = { ...rest, row: rest.row.slice(-LONGEST_ROW), former: rest.former.slice(-MOST_OPENERS) }
  return JSON.stringify(kept, (_name, value: unknown) =>
    typeof value === 'string' ? value.slice(0, TEXT_LIMIT) : value,
  )
}

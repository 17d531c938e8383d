// A listing held against the rows of one account. As with a file, what was given is kept as row numbers by position, and what was seen
// as a bit for each position. Row numbers count within the account.
import { BitSet } from '../../bit-set.ts'
import type {
  ComparedMessage,
  Comparison,
  FingerprintedKey,
  KnownCopy,
  Settled,
  SettledColumns,
} from '../comparison.ts'
import type { EntryKey } from '../entry.ts'
import type { Lease } from '../lease.ts'
import { SortedNumbers } from '../sorted-numbers.ts'
import { uidlBytes } from '../stored.ts'
import { STAND_IN } from '../../redact/stand-in.ts'
import type { Access } from './access.ts'
import type { Row } from './connection/connection.ts'
import { bytes, keyOf, number, numberOrNull, toBytes, word } from './rows/cells.ts'
import { AFTER_KNOWN, DELIVERY, deliveryOf, hasDeliveries, KNOWN, knownOf, type KnownRow } from './rows/message.ts'

/** Rows looked at by one statement: a hundred thousand take five round trips, and none keeps the event loop for long. */
const ROWS = 20_000
/** Keys looked up by one statement, and given in one slice. */
const KEYS = 5000
/** Rows of an account are passed over in a sixteenth of the time that it takes to look a key up. */
const ROWS_PER_KEY = 16
/** Changed by one statement. */
const CHANGED = 1000
/** Beyond every time. */
const EVER_MS = 9e15

const FIRST_STAND_IN = Buffer.from(STAND_IN, 'latin1')
const AFTER_STAND_INS = Buffer.from(`${STAND_IN}\xff`, 'latin1')

/** Rows of some positions that follow each other. Those of settled messages stay text: most comparisons never ask for one. */
interface Given {
  readonly first: number
  readonly rows: string | readonly number[]
}

interface Account {
  readonly id: number
  readonly known: number
  readonly lastRow: number
}

const BARE = `m.fingerprint IS NULL AND m.gone_since_ms IS NULL AND (m.state = 2 OR (m.state = 1
  AND NOT EXISTS (SELECT 1 FROM @.delivery d WHERE d.account = m.account AND d.row = m.row)))`

export class PostgresComparison implements Comparison {
  readonly #account: string
  readonly #access: Access
  #given: Given[] = []
  #positions = 0
  #seen = new BitSet()

  constructor(account: string, access: Access) {
    this.#account = account
    this.#access = access
  }

  async #accountNow(): Promise<Account | null> {
    const sql = 'SELECT c.id, c.known, c.last_row FROM @.account c WHERE c.name = $1'
    const [row] = await this.#access.read(sql, [toBytes(this.#account)])
    return row === undefined ? null : { id: number(row[0]), known: number(row[1]), lastRow: number(row[2]) }
  }

  /** Takes the next positions for these rows; gives the first of them. */
  #give(rows: Given['rows'], count: number): number {
    const first = this.#positions
    this.#given.push({ first, rows })
    this.#positions += count
    return first
  }

  /** Rows of statements with $1 the account, $2 and $3 the row numbers between which they look. The next one is under way
   *  while one is dealt with. */
  async *#slices(account: Account, sql: string, more: readonly number[] = []): AsyncGenerator<readonly Row[]> {
    const slice = (after: number) => this.#access.read(sql, [account.id, after, after + ROWS, ...more])
    let next: Promise<readonly Row[]> | null = account.lastRow > 0 ? slice(0) : null
    for (let after = 0; next !== null;) {
      const rows = await next
      after += ROWS
      next = after < account.lastRow ? slice(after) : null
      // Told where it is waited for.
      next?.catch(() => undefined)
      yield rows
    }
  }

  async *settled(which: Settled, entries: number): AsyncIterable<SettledColumns> {
    const account = await this.#accountNow()
    if (account === null || account.known > entries * ROWS_PER_KEY) return
    const { seenAfterMs, deliveredAfterMs, deliveredUntilMs } = which
    const times = [seenAfterMs, deliveredAfterMs, deliveredUntilMs].map(bounded)
    // UIDLs have no LF, so LF separates them. In the order of the rows: that of the listings that brought them.
    const sql = `SELECT string_agg(m.uidl || '\\x0a'::bytea, ''::bytea ORDER BY m.row), string_agg(m.row::text, ',' ORDER BY m.row),
        string_agg(coalesce(m.listed_bytes, -1)::text, ',' ORDER BY m.row),
        min(CASE WHEN m.state = 1 THEN m.first_seen_ms END)
      FROM @.message m WHERE m.account = $1 AND m.row > $2 AND m.row <= $3 AND m.copy = 0 AND m.gone_since_ms IS NULL
        AND m.deletions = 0 AND m.deletion_wanted_ms IS NULL AND position('\\x0a'::bytea IN m.uidl) = 0
        AND ((m.state = 2 AND m.first_seen_ms > $4::bigint)
          OR (m.state = 1 AND m.first_seen_ms > $5::bigint AND m.first_seen_ms <= $6::bigint))`
    for await (const [row] of this.#slices(account, sql, times)) {
      if (row === undefined || row[0] === null) continue
      const listedBytes = numbers(word(row[2]))
      const deliveredSinceMs = numberOrNull(row[3])
      yield {
        position: this.#give(word(row[1]), listedBytes.length),
        uidls: bytes(row[0]),
        listedBytes,
        deliveredSinceMs,
      }
    }
  }

  async known(keys: readonly EntryKey[]): Promise<readonly (ComparedMessage | null)[]> {
    const found = await findKnown(this.#access, this.#account, keys)
    this.#place(found)
    return found
  }

  /** Gives each its position. */
  #place(messages: readonly (KnownRow | null)[]): void {
    const present = messages.filter((message) => message !== null)
    let position = this.#give(
      present.map(({ row }) => row),
      present.length,
    )
    for (const message of present) message.position = position++
  }

  async copies(uidls: readonly string[]): Promise<ReadonlyMap<string, readonly KnownCopy[]>> {
    const found = new Map<string, KnownCopy[]>()
    for (let first = 0; first < uidls.length; first += KEYS) {
      const slice = uidls.slice(first, first + KEYS)
      const sql = `SELECT ${KNOWN}, m.copy, k.place FROM unnest($2::bytea[]) WITH ORDINALITY AS k (uidl, place)
        JOIN @.message m ON m.account = (SELECT c.id FROM @.account c WHERE c.name = $1) AND m.uidl = k.uidl
        ORDER BY k.place, m.copy`
      const rows = await this.#access.read(sql, [toBytes(this.#account), slice.map(uidlBytes)])
      const messages = await withDeliveries(this.#access, this.#account, rows)
      this.#place(messages)
      for (const [at, known] of messages.entries()) {
        const row = rows[at] ?? []
        const uidl = slice[number(row[AFTER_KNOWN + 1]) - 1] ?? ''
        const copies = found.get(uidl) ?? []
        copies.push({ copy: number(row[AFTER_KNOWN]), known })
        found.set(uidl, copies)
      }
    }
    return found
  }

  async hasStandIns(): Promise<boolean> {
    const sql = `SELECT 1 FROM @.message m WHERE m.account = (SELECT c.id FROM @.account c WHERE c.name = $1)
      AND m.uidl >= $2 AND m.uidl < $3 LIMIT 1`
    return (await this.#access.read(sql, [toBytes(this.#account), FIRST_STAND_IN, AFTER_STAND_INS])).length > 0
  }

  async *keys(): AsyncGenerator<readonly EntryKey[]> {
    const account = await this.#accountNow()
    if (account === null) return
    const sql = `SELECT m.uidl, m.copy FROM @.message m WHERE m.account = $1 AND m.row > $2 AND m.row <= $3 ORDER BY m.row`
    for await (const rows of this.#slices(account, sql))
      if (rows.length > 0) yield rows.map(([uidl, copy]) => keyOf(uidl, copy))
  }

  async duplicated(): Promise<readonly string[]> {
    const sql = `SELECT DISTINCT m.uidl FROM @.message m
      WHERE m.account = (SELECT c.id FROM @.account c WHERE c.name = $1) AND m.copy > 0`
    const rows = await this.#access.read(sql, [toBytes(this.#account)])
    return rows.map(([uidl]) => bytes(uidl).toString('latin1'))
  }

  see(position: number): void {
    this.#seen.add(position)
  }

  get seen(): number {
    return this.#seen.size
  }

  async counts(): Promise<{ readonly present: number; readonly removed: number }> {
    const sql = `SELECT c.known - (SELECT count(*) FROM @.message m WHERE m.account = c.id AND m.gone_since_ms IS NOT NULL),
      (SELECT count(*) FROM @.message m WHERE m.account = c.id AND m.deletions > 0 AND m.gone_since_ms IS NULL)
      + (SELECT count(*) FROM @.message m WHERE m.account = c.id AND m.deletion_wanted_ms IS NOT NULL
        AND m.deletion_tried > 0 AND m.deletions = 0)
      FROM @.account c WHERE c.name = $1`
    const [row] = await this.#access.read(sql, [toBytes(this.#account)])
    return row === undefined ? { present: 0, removed: 0 } : { present: number(row[0]), removed: number(row[1]) }
  }

  async gone(lease: Lease, { keep }: { readonly keep: boolean }): Promise<number> {
    const seen = this.#seenRows()
    const { present } = await this.counts()
    let missing = present - this.seen
    let forgotten = 0
    const note = async (rows: Iterable<number>): Promise<void> => {
      const gone = Array.from(rows).filter((row) => !seen.has(row))
      missing -= gone.length
      for (let first = 0; first < gone.length; first += CHANGED) {
        const slice = gone.slice(first, first + CHANGED)
        forgotten += await this.#access.change(lease, [['gone', { rows: slice, keep }]], { items: slice.length })
      }
    }
    // Where messages are deleted once they are delivered, these are mostly all.
    for await (const removed of this.#removed()) await note(removed.map(({ row }) => row))
    if (missing > 0) {
      const sql = `SELECT string_agg(m.row::text, ',' ORDER BY m.row) FROM @.message m
        WHERE m.account = $1 AND m.row > $2 AND m.row <= $3 AND m.gone_since_ms IS NULL`
      const account = await this.#accountNow()
      if (account !== null)
        for await (const [row] of this.#slices(account, sql)) await note(row?.[0] ? numbers(word(row[0])) : [])
    }
    if (!this.#access.closed) lease.requireHeld()
    return forgotten
  }

  async *unseenRemoved(): AsyncIterable<readonly EntryKey[]> {
    const seen = this.#seenRows()
    for await (const removed of this.#removed()) yield removed.flatMap(({ row, key }) => (seen.has(row) ? [] : [key]))
  }

  /** What was asked to be deleted and is not recorded as gone. */
  async *#removed(): AsyncGenerator<readonly { readonly row: number; readonly key: EntryKey }[]> {
    const sql = `SELECT m.row, m.uidl, m.copy FROM @.message m WHERE m.account = (SELECT c.id FROM @.account c WHERE c.name = $1)
      AND m.deletions > 0 AND m.gone_since_ms IS NULL AND m.row > $2 ORDER BY m.row LIMIT ${KEYS}`
    for (let after = 0; ;) {
      const rows = await this.#access.read(sql, [toBytes(this.#account), after])
      if (rows.length > 0) yield rows.map(([row, uidl, copy]) => ({ row: number(row), key: keyOf(uidl, copy) }))
      if (rows.length < KEYS) return
      after = number(rows.at(-1)?.[0])
    }
  }

  async *unseenFingerprints(): AsyncIterable<readonly FingerprintedKey[]> {
    const seen = this.#seenRows()
    for await (const found of this.#fingerprints('')) yield found.filter(({ row }) => !seen.has(row))
  }

  async *goneFingerprints(): AsyncIterable<readonly FingerprintedKey[]> {
    for await (const found of this.#fingerprints('AND m.gone_since_ms IS NOT NULL AND m.deletions = 0'))
      if (found.length > 0) yield found
  }

  async *#fingerprints(which: string): AsyncGenerator<readonly (FingerprintedKey & { readonly row: number })[]> {
    const account = await this.#accountNow()
    if (account === null) return
    const sql = `SELECT m.row, m.uidl, m.copy, m.fingerprint FROM @.message m
      WHERE m.account = $1 AND m.row > $2 AND m.row <= $3 AND m.fingerprint IS NOT NULL ${which} ORDER BY m.row`
    for await (const rows of this.#slices(account, sql))
      yield rows.map(([row, uidl, copy, fingerprint]) => ({
        row: number(row),
        key: keyOf(uidl, copy),
        fingerprint: bytes(fingerprint),
      }))
  }

  async unseenBare(): Promise<number> {
    const seen = this.#seenRows()
    const account = await this.#accountNow()
    if (account === null) return 0
    const sql = `SELECT string_agg(m.row::text, ',' ORDER BY m.row) FROM @.message m
      WHERE m.account = $1 AND m.row > $2 AND m.row <= $3 AND ${BARE}`
    let count = 0
    for await (const [row] of this.#slices(account, sql))
      if (row?.[0]) count += numbers(word(row[0])).filter((each) => !seen.has(each)).length
    return count
  }

  async unseen(keys: readonly EntryKey[]): Promise<readonly EntryKey[]> {
    const seen = this.#seenRows()
    const found = await findKnown(this.#access, this.#account, keys)
    return keys.filter((_, at) => {
      const message = found[at] ?? null
      return message !== null && !seen.has(message.row)
    })
  }

  #seenRows(): SortedNumbers {
    const found = new Float64Array(this.#seen.size)
    let count = 0
    for (const { first, rows } of this.#given) {
      const given = typeof rows === 'string' ? numbers(rows) : rows
      for (const [at, row] of given.entries()) if (this.#seen.has(first + at)) found[count++] = row
    }
    return new SortedNumbers(found.subarray(0, count))
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#given = []
    this.#seen = new BitSet()
    return Promise.resolve()
  }
}

function numbers(list: string): Float64Array {
  return new Float64Array(JSON.parse(`[${list}]`) as readonly number[])
}

function bounded(ms: number): number {
  return Math.round(Math.min(EVER_MS, Math.max(-EVER_MS, ms)))
}

/** What is known of these entries, in their order. */
export async function findKnown(
  access: Access,
  account: string,
  keys: readonly EntryKey[],
): Promise<readonly (KnownRow | null)[]> {
  const found: (KnownRow | null)[] = Array.from({ length: keys.length }, () => null)
  const sql = `SELECT ${KNOWN}, k.place FROM unnest($2::bytea[], $3::integer[]) WITH ORDINALITY AS k (uidl, copy, place)
    JOIN @.message m ON m.account = (SELECT c.id FROM @.account c WHERE c.name = $1) AND m.uidl = k.uidl AND m.copy = k.copy`
  for (let first = 0; first < keys.length; first += KEYS) {
    const slice = keys.slice(first, first + KEYS)
    const uidls = slice.map(({ uidl }) => uidlBytes(uidl))
    const rows = await access.read(sql, [toBytes(account), uidls, slice.map(({ copy }) => copy)])
    const messages = await withDeliveries(access, account, rows)
    for (const [at, message] of messages.entries()) found[first + number(rows[at]?.[AFTER_KNOWN]) - 1] = message
  }
  return found
}

/** The messages of rows that begin with KNOWN, with the deliveries of those that are not settled. */
async function withDeliveries(access: Access, account: string, rows: readonly Row[]): Promise<readonly KnownRow[]> {
  const messages = rows.map(knownOf)
  const open = messages.filter((_, at) => hasDeliveries(rows[at]?.[0]))
  if (open.length === 0) return messages
  const sql = `SELECT ${DELIVERY} FROM @.delivery d WHERE d.account = (SELECT c.id FROM @.account c WHERE c.name = $1)
    AND d.row = ANY ($2::integer[]) ORDER BY d.row, d.destination, d.recipient`
  const deliveries = await access.read(sql, [toBytes(account), open.map(({ row }) => row)])
  const byRow = Map.groupBy(deliveries, (row) => number(row[1]))
  for (const message of open) message.deliveries = (byRow.get(message.row) ?? []).map(deliveryOf)
  return messages
}

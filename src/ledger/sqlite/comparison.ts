// A listing held against the rows of one account. It keeps what was given as row numbers by position, and what was seen as a
// bit for each position. So memory grows with the account, not with the file, which may hold fifty million other rows (P5).
import { setImmediate as turn } from 'node:timers/promises'
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
import type { Access } from './access.ts'
import type { AccountRows } from './rows/accounts.ts'
import { FIRST_KEY, type IdentityRows } from './rows/identity.ts'
import { KEYS_PER_STATEMENT, type KnownRow, type KnownRows } from './rows/known.ts'
import { uidlBytes } from './rows/row.ts'
import { isWorthwhile, numbers, ROWS_PER_STATEMENT, type SettledRows } from './rows/settled.ts'

export interface ComparedRows {
  readonly accounts: AccountRows
  readonly known: KnownRows
  readonly identity: IdentityRows
  readonly settled: SettledRows
}

/** The rows of some positions that follow each other. Those of settled messages stay JSON, as SQLite made it: most comparisons
 *  find nothing gone, and never ask for one of them. */
interface Given {
  readonly first: number
  readonly rows: string | readonly number[]
}

export class SqliteComparison implements Comparison {
  readonly #account: string
  readonly #access: Access
  readonly #rows: ComparedRows
  #given: Given[] = []
  #positions = 0
  #seen = new BitSet()

  constructor(account: string, access: Access, rows: ComparedRows) {
    this.#account = account
    this.#access = access
    this.#rows = rows
  }

  /** Takes the next positions for these rows; gives the first of them. */
  #give(rows: Given['rows'], count: number): number {
    const first = this.#positions
    this.#given.push({ first, rows })
    this.#positions += count
    return first
  }

  async *settled(which: Settled, entries: number): AsyncIterable<SettledColumns> {
    const { settled, identity } = this.#rows
    const last = (): number => identity.last()
    if (!isWorthwhile(await this.#access.read(last), entries)) return
    const read = (id: number, after: number, until: number) => settled.between(id, after, until, which)
    for await (const slices of this.#access.readAll(this.#account, last, read, ROWS_PER_STATEMENT)) {
      for (const { rows, ...columns } of slices)
        yield { position: this.#give(rows, columns.listedBytes.length), ...columns }
    }
  }

  async known(keys: readonly EntryKey[]): Promise<readonly (ComparedMessage | null)[]> {
    const found = await this.#find(keys)
    this.#place(found)
    return found
  }

  async #find(keys: readonly EntryKey[]): Promise<readonly (KnownRow | null)[]> {
    const { accounts, known } = this.#rows
    return await findKnown(this.#account, keys, this.#access, accounts, known)
  }

  /** Gives each its position. */
  #place(messages: readonly (KnownRow | null)[]): void {
    const present = messages.filter((message) => message !== null)
    const rows = present.map(({ row }) => row)
    let position = this.#give(rows, rows.length)
    for (const message of present) message.position = position++
  }

  async copies(uidls: readonly string[]): Promise<ReadonlyMap<string, readonly KnownCopy[]>> {
    const { accounts, identity } = this.#rows
    const found = new Map<string, readonly KnownCopy[]>()
    for (let first = 0; first < uidls.length; first += KEYS_PER_STATEMENT) {
      const slice = uidls.slice(first, first + KEYS_PER_STATEMENT)
      await this.#access.read(() => {
        const id = accounts.find(this.#account)
        if (id === null) return
        for (const uidl of slice) {
          const copies = identity.copies(id, uidl)
          this.#place(copies.map(({ known }) => known))
          if (copies.length > 0) found.set(uidl, copies)
        }
      })
      await turn()
    }
    return found
  }

  hasStandIns(): Promise<boolean> {
    const { accounts, identity } = this.#rows
    return this.#access.read(() => {
      const id = accounts.find(this.#account)
      return id !== null && identity.hasStandIns(id)
    })
  }

  async *keys(): AsyncGenerator<readonly EntryKey[]> {
    const { accounts, identity } = this.#rows
    for (let after = FIRST_KEY; ;) {
      const from = after
      const keys = await this.#access.read(() => {
        const id = accounts.find(this.#account)
        return id === null ? [] : identity.keysAfter(id, from)
      })
      const last = keys.at(-1)
      if (last === undefined) return
      yield keys
      after = { uidl: uidlBytes(last.uidl), copy: last.copy }
      await turn()
    }
  }

  duplicated(): Promise<readonly string[]> {
    const { accounts, identity } = this.#rows
    return this.#access.read(() => {
      const id = accounts.find(this.#account)
      return id === null ? [] : identity.duplicated(id)
    })
  }

  see(position: number): void {
    this.#seen.add(position)
  }

  get seen(): number {
    return this.#seen.size
  }

  counts(): Promise<{ readonly present: number; readonly removed: number }> {
    const { accounts, identity } = this.#rows
    return this.#access.read(() => {
      const id = accounts.find(this.#account)
      if (id === null) return { present: 0, removed: 0 }
      const known = accounts.read(this.#account)?.known ?? 0
      return { present: known - identity.absent(id), removed: identity.removedCount(id) }
    })
  }

  async gone(lease: Lease, { keep }: { readonly keep: boolean }): Promise<number> {
    const seen = this.#seenRows()
    const { present } = await this.counts()
    let missing = present - this.seen
    let forgotten = 0
    const note = async (rows: readonly number[]): Promise<void> => {
      const gone = rows.filter((row) => !seen.has(row))
      missing -= gone.length
      await this.#access.changeAll(lease, gone, (row, _, nowMs) => {
        const removed = this.#rows.identity.go(row, keep, nowMs)
        forgotten += removed
        return -removed
      })
    }
    // Where messages are deleted once they are delivered, these are mostly all.
    for await (const removed of this.#removed()) await note(removed.map(({ row }) => row))
    if (missing > 0) for await (const rows of this.#presentRows()) await note(rows)
    return forgotten
  }

  async *unseenRemoved(): AsyncIterable<readonly EntryKey[]> {
    const seen = this.#seenRows()
    for await (const removed of this.#removed()) yield removed.flatMap(({ row, key }) => (seen.has(row) ? [] : [key]))
  }

  /** What was asked to be deleted and is not recorded as gone. */
  async *#removed(): AsyncGenerator<readonly { readonly row: number; readonly key: EntryKey }[]> {
    const { accounts, identity } = this.#rows
    for (let after: number | undefined = 0; after !== undefined;) {
      const from: number = after
      const rows = await this.#access.read(() => {
        const id = accounts.find(this.#account)
        return id === null ? [] : identity.removed(id, from)
      })
      if (rows.length > 0) yield rows
      after = rows.at(-1)?.row
      await turn()
    }
  }

  /** The rows that are not recorded as gone: by row number where the account has a good part of the file, else by key. */
  async *#presentRows(): AsyncGenerator<readonly number[]> {
    const { accounts, identity } = this.#rows
    const last = (): number => identity.last()
    const known = await this.#access.read(() => accounts.read(this.#account)?.known ?? 0)
    if (isWorthwhile(await this.#access.read(last), known)) {
      yield* this.#access.readAll(this.#account, last, (id, after, until) => identity.present(id, after, until))
      return
    }
    for (let after = FIRST_KEY; ;) {
      const page = await this.#access.read(() => {
        const id = accounts.find(this.#account)
        return id === null ? null : identity.presentAfter(id, after)
      })
      if (page === null) return
      yield page.rows
      if (page.next === null) return
      after = page.next
      await turn()
    }
  }

  async *unseenFingerprints(): AsyncIterable<readonly FingerprintedKey[]> {
    const { identity } = this.#rows
    const seen = this.#seenRows()
    const read = (id: number, after: number, until: number) =>
      identity.fingerprints(id, after, until).filter(({ row }) => !seen.has(row))
    yield* this.#access.readAll(this.#account, () => identity.last(), read)
  }

  async *goneFingerprints(): AsyncIterable<readonly FingerprintedKey[]> {
    const { accounts, identity } = this.#rows
    for (let after: number | undefined = 0; after !== undefined;) {
      const from: number = after
      const found = await this.#access.read(() => {
        const id = accounts.find(this.#account)
        return id === null ? [] : identity.goneFingerprints(id, from)
      })
      if (found.length > 0) yield found
      after = found.at(-1)?.row
      await turn()
    }
  }

  async unseenBare(): Promise<number> {
    const { identity } = this.#rows
    const seen = this.#seenRows()
    const read = (id: number, after: number, until: number) =>
      identity.bare(id, after, until).filter((row) => !seen.has(row))
    let count = 0
    for await (const rows of this.#access.readAll(this.#account, () => identity.last(), read)) count += rows.length
    return count
  }

  async unseen(keys: readonly EntryKey[]): Promise<readonly EntryKey[]> {
    const seen = this.#seenRows()
    const found = await this.#find(keys)
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

/** What is known of these entries, in their order. */
export async function findKnown(
  account: string,
  keys: readonly EntryKey[],
  access: Access,
  accounts: AccountRows,
  known: KnownRows,
): Promise<readonly (KnownRow | null)[]> {
  const found: (KnownRow | null)[] = []
  for (let first = 0; first < keys.length; first += KEYS_PER_STATEMENT) {
    if (first > 0) await turn()
    const slice = keys.slice(first, first + KEYS_PER_STATEMENT)
    const some = await access.read(() => {
      const id = accounts.find(account)
      return id === null ? slice.map(() => null) : known.find(id, slice)
    })
    for (const message of some) found.push(message)
  }
  return found
}

// How the methods of a ledger get at its rows: reads on a connection of their own, changes through the one writer. Nothing goes past a
// ledger that was closed or opened to be read.
import type { Lease } from '../lease.ts'
import type { Row, Value } from './connection/connection.ts'
import type { Line } from './connection/line.ts'
import { bug } from './connection/server.ts'
import { HeldLease } from './leases.ts'
import type { Part, Writer } from './writer.ts'

/** Items in one change: those of a longer list are made in slices. */
const SLICE = 1000

export class Access {
  readonly #reader: Line
  readonly #writer: Writer | null
  readonly #nowMs: (() => number) | null
  #closed = false

  constructor(reader: Line, writer: Writer | null, nowMs: (() => number) | null) {
    this.#reader = reader
    this.#writer = writer
    this.#nowMs = nowMs
  }

  get closed(): boolean {
    return this.#closed
  }

  close(): void {
    this.#closed = true
  }

  /** By the clock of a test; null: the database's. */
  get nowMs(): number | null {
    return this.#nowMs?.() ?? null
  }

  /** Reads what is committed. */
  async read(sql: string, values: readonly Value[] = []): Promise<readonly Row[]> {
    if (this.#closed) throw bug('it is closed')
    return await this.#reader.query(sql, values)
  }

  /** A change of no account, or of one whose lease does not matter. */
  async write(parts: readonly Part[]): Promise<number> {
    if (this.#closed) throw bug('it is closed')
    if (this.#writer === null) throw bug('it was opened to be read')
    return await this.#writer.change(null, parts)
  }

  /** A change of an account under its lease. */
  async change(lease: Lease, parts: readonly Part[], { items = 1, lasting = true } = {}): Promise<number> {
    if (this.#closed) throw bug('it is closed')
    lease.requireHeld()
    if (this.#writer === null) throw bug('it was opened to be read')
    if (lease instanceof HeldLease) lease.isFresh = false
    return await this.#writer.change(lease, parts, { items, lasting })
  }

  /** The same change of many items, in slices; gives the sum of what each gives. */
  async changeAll(lease: Lease, operation: Part[0], items: readonly unknown[]): Promise<number> {
    const slices: Promise<number>[] = []
    for (let first = 0; first < items.length; first += SLICE) {
      const slice = items.slice(first, first + SLICE)
      slices.push(this.change(lease, [[operation, slice]], { items: slice.length }))
    }
    // Also where there is nothing to do, a lease that is lost is told.
    if (slices.length === 0 && !this.#closed) lease.requireHeld()
    const given = await Promise.all(slices)
    return given.reduce((sum, value) => sum + value, 0)
  }
}

// How the methods of a ledger get at its rows: reads between commits, changes within one, many changes in slices. Nobody else
// waits for the file, and nothing goes past a ledger that was closed or opened to be read.
import { setImmediate as turn } from 'node:timers/promises'
import type { AccountRows } from './rows/accounts.ts'
import type { Durability, GroupCommit } from './group-commit.ts'
import { bug, refused, whenFree } from './rows/fault.ts'
import { KEYS_PER_STATEMENT } from './rows/known.ts'
import type { Lease } from '../lease.ts'

export interface Surroundings {
  readonly nowMs: () => number
  readonly random: (bytes: number) => Buffer
  readonly readOnly: boolean
  readonly busyLimitMs: number
}

export class Access {
  readonly path: string
  readonly surroundings: Surroundings
  readonly #commit: GroupCommit
  readonly #accounts: AccountRows
  #closed = false

  constructor(path: string, surroundings: Surroundings, commit: GroupCommit, accounts: AccountRows) {
    this.path = path
    this.surroundings = surroundings
    this.#commit = commit
    this.#accounts = accounts
  }

  get closed(): boolean {
    return this.#closed
  }

  /** Is another process in the way of what is to be written? */
  get isBlocked(): boolean {
    return this.#commit.isBlocked
  }

  /** From now on everything is refused. Resolves when what was asked for before is written. */
  close(): Promise<void> {
    this.#closed = true
    return this.#commit.drained()
  }

  /** Reads what is committed. */
  async read<T>(read: () => T): Promise<T> {
    if (this.#closed) throw bugAfterClose()
    const attempt = (): T => {
      this.#commit.requireUsable()
      return read()
    }
    return whenFree(this.path, attempt, this.surroundings.busyLimitMs)
  }

  /** Reads all of an account's rows up to the last one. Each slice covers a limited number of the file's rows, so the event
   *  loop gets its turns. */
  async *readAll<T>(
    account: string,
    last: () => number,
    read: (accountId: number, after: number, until: number) => readonly T[],
    rows = KEYS_PER_STATEMENT,
  ): AsyncGenerator<readonly T[]> {
    const lastRow = await this.read(last)
    for (let after = 0; after < lastRow; after += rows) {
      const found = await this.read(() => {
        const id = this.#accounts.find(account)
        return id === null ? [] : read(id, after, after + rows)
      })
      if (found.length > 0) yield found
      await turn()
    }
  }

  write<T>(apply: () => T, durability?: Durability): Promise<T> {
    if (this.#closed) return Promise.reject(bugAfterClose())
    if (this.surroundings.readOnly)
      return Promise.reject(refused(this.path, 'it was opened to be read', 'this is a bug, please report it'))
    return this.#commit.submit(apply, durability)
  }

  /** A change of an account that is known, under its lease. */
  async change<T>(
    lease: Lease,
    apply: (accountId: number, nowMs: number) => T,
    durability: Durability = 'disk',
  ): Promise<T> {
    this.requireHeld(lease)
    return await this.write(() => apply(this.#accounts.idOf(lease.account), this.surroundings.nowMs()), durability)
  }

  /** Throws ERR_LEASE_LOST. A ledger that is closed says that first. */
  requireHeld(lease: Lease): void {
    if (!this.#closed) lease.requireHeld()
  }

  /** Applies a change to each item, a thousand to a transaction at most, so that no commit holds up the event loop.
   *  `apply` gives how many messages it added. */
  async changeAll<T>(
    lease: Lease,
    items: readonly T[],
    apply: (item: T, accountId: number, nowMs: number) => number | void,
  ): Promise<void> {
    const slices: Promise<void>[] = []
    for (let first = 0; first < items.length; first += KEYS_PER_STATEMENT) {
      const slice = items.slice(first, first + KEYS_PER_STATEMENT)
      slices.push(
        this.change(lease, (id, nowMs) => {
          let added = 0
          for (const item of slice) added += apply(item, id, nowMs) ?? 0
          this.#accounts.grow(id, added)
        }),
      )
    }
    await Promise.all(slices)
  }
}

function bugAfterClose(): Error {
  return bug('it is closed')
}

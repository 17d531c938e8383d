// One popfetch at a time for an account (DESIGN 4.5). A lease is a row that names the lock file of the process that has it.
// The kernel frees the lock when the process dies, and not when it is only suspended. Pid, boot and host do not enter (S002).
// Shares of what all processes use together are rows of the same kind, under names that no account has.
// One rule: lock files are made and removed only inside a write transaction of the ledger, so nobody sees one half-made.
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync, type StatementSync } from 'node:sqlite'
import { pathToFileURL } from 'node:url'
import type { Use } from '../ledger.ts'
import { isBusy } from './rows/fault.ts'
import { Misread, rowOf, rowsOf, text, type Row } from './rows/row.ts'

// Nothing is ever written to the file: the lock lies on an empty one. In memory, for the journal would be a second file.
const LOCK = 'PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE'

/** Begins the names of rows that are shares and not accounts. */
const SHARE = '(use) '

const NAME = /^[0-9a-f]{32}$/

/** Does any living process have its lock in this directory? For whoever cannot ask the ledger, and changes nothing. */
export function isAnyAtWork(directory: string): boolean {
  if (!existsSync(directory)) return false
  return readdirSync(directory).some((name) => NAME.test(name) && !ifDead(directory, name, () => {}))
}

export class LeaseRows {
  readonly #directory: string
  readonly #random: (bytes: number) => Buffer
  readonly #holder: StatementSync
  readonly #all: StatementSync
  readonly #between: StatementSync
  readonly #take: StatementSync
  readonly #release: StatementSync
  readonly #releaseAll: StatementSync
  #own: { readonly name: string; readonly lock: DatabaseSync } | null = null

  constructor(database: DatabaseSync, directory: string, random: (bytes: number) => Buffer) {
    this.#directory = directory
    this.#random = random
    this.#holder = database.prepare('SELECT file FROM lease WHERE account = ?')
    this.#all = database.prepare('SELECT account, file FROM lease ORDER BY account')
    this.#between = database.prepare('SELECT account, file FROM lease WHERE account BETWEEN ? AND ?')
    this.#take = database.prepare(
      `INSERT INTO lease (account, file, taken_ms) VALUES (?, ?, ?)
       ON CONFLICT (account) DO UPDATE SET file = excluded.file, taken_ms = excluded.taken_ms`,
    )
    this.#release = database.prepare('DELETE FROM lease WHERE account = ? AND file = ?')
    this.#releaseAll = database.prepare('DELETE FROM lease WHERE file = ?')
  }

  /** Inside a transaction. The caller has made sure that nobody else in this process has the account. The names of the rows that were
   *  written, for `release`; or why there are none. */
  take(account: string, uses: readonly Use[], nowMs: number): readonly string[] | 'held' | 'crowded' {
    const own = this.#ownName()
    // Of each lock file, what was found of it here.
    const living = new Map([[own, true]])
    const isAlive = (file: string): boolean => {
      const known = living.get(file)
      if (known !== undefined) return known
      const found = !this.#removeIfDead(file)
      living.set(file, found)
      return found
    }
    const row = rowOf(this.#holder, account)
    const file = row === null ? own : text(row[0])
    if (file !== own && isAlive(file)) return 'held'
    const names = [account]
    for (const use of uses) {
      const share = this.#freeShare(use, isAlive)
      if (share === null) return 'crowded'
      names.push(share)
    }
    for (const name of names) this.#take.run(name, own, nowMs)
    return names
  }

  #freeShare({ key, most }: Use, isAlive: (file: string) => boolean): string | null {
    const hash = createHash('sha256').update(key).digest('hex').slice(0, 32)
    const prefix = `${SHARE}${hash} `
    const taken = new Map(rowsOf(this.#between, prefix, `${prefix}~`).map((row) => [text(row[0]), text(row[1])]))
    let used = 0
    let free: string | null = null
    for (const [name, file] of taken) {
      if (isAlive(file)) used++
      else free ??= name
    }
    if (used >= most) return null
    for (let number = 0; free === null; number++) if (!taken.has(`${prefix}${number}`)) free = `${prefix}${number}`
    return free
  }

  /** What each living process has, by the name of its lock file. Changes nothing. */
  holders(): ReadonlyMap<string, readonly string[]> {
    const held = Map.groupBy(rowsOf(this.#all), (row) => text(row[1]))
    const living = [...held].filter(([file]) => this.isAlive(file))
    const accounts = (rows: readonly Row[]): string[] =>
      rows.map((row) => text(row[0])).filter((name) => !name.startsWith(SHARE))
    return new Map(living.map(([file, rows]) => [file, accounts(rows)]))
  }

  get hasOwn(): boolean {
    return this.#own !== null
  }

  /** Inside a transaction: the name of this process, which lives as long as it does. */
  own(): string {
    return this.#ownName()
  }

  /** Does the process of this name live? Changes nothing. */
  isAlive(name: string): boolean {
    return name === this.#own?.name || !this.#ifDead(name, () => {})
  }

  /** Inside a transaction: these rows of ours. */
  release(names: readonly string[]): void {
    if (this.#own === null) return
    for (const name of names) this.#release.run(name, this.#own.name)
  }

  /** Inside a transaction. */
  releaseAll(): void {
    if (this.#own !== null) this.#releaseAll.run(this.#own.name)
  }

  /** Gives up the lock and its file: whatever this process still had is free. */
  close(): void {
    if (this.#own === null) return
    try {
      rmSync(join(this.#directory, this.#own.name), { force: true })
    } catch {
      // It is the file of a dead process then, and the next one removes it.
    }
    this.#own.lock.close()
    this.#own = null
  }

  /** The lock file of this process, made at the first lease. What dead processes left is swept away then (N036). */
  #ownName(): string {
    if (this.#own !== null) return this.#own.name
    mkdirSync(this.#directory, { recursive: true, mode: 0o700 })
    for (const name of readdirSync(this.#directory)) if (NAME.test(name)) this.#removeIfDead(name)
    const name = this.#random(16).toString('hex')
    const lock = new DatabaseSync(join(this.#directory, name), { timeout: 0 })
    lock.exec(LOCK)
    this.#own = { name, lock }
    return name
  }

  /** Has another process the account, and lives? Outside a transaction, for when none can begin: what is dead is not removed. */
  isHeldByOther(account: string): boolean {
    const row = rowOf(this.#holder, account)
    const file = row === null ? null : text(row[0])
    return file !== null && file !== this.#own?.name && !this.#ifDead(file, () => {})
  }

  #removeIfDead(name: string): boolean {
    return this.#ifDead(name, (path) => rmSync(path, { force: true }))
  }

  #ifDead(name: string, act: (path: string) => void): boolean {
    if (!NAME.test(name)) throw new Misread('a lease that names no lock file')
    return ifDead(this.#directory, name, act)
  }
}

/** Whether the process that made this file is gone; then `act` is done while nobody else can think that it lives. The file is
 *  opened through SQLite alone: a POSIX lock is lost when its process closes any descriptor of the file. */
function ifDead(directory: string, name: string, act: (path: string) => void): boolean {
  const path = join(directory, name)
  if (!existsSync(path)) return true
  let lock: DatabaseSync | null = null
  try {
    // mode=rw: without it SQLite would make the file that is missing.
    lock = new DatabaseSync(new URL(`${pathToFileURL(path).href}?mode=rw`), { timeout: 0 })
    lock.exec(LOCK)
    act(path)
    return true
  } catch (thrown) {
    if (isBusy(thrown)) return false
    // A process that ends removes its own file at any time.
    if (!existsSync(path)) return true
    throw thrown
  } finally {
    lock?.close()
  }
}

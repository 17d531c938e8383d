// A ledger's file as the source and as the target of a copy (../../copy/copy.ts). Nobody else has it open meanwhile, as for a restore.
import { randomBytes } from 'node:crypto'
import { open, rm, stat } from 'node:fs/promises'
import { DatabaseSync } from 'node:sqlite'
import { copyError, type CopySource, type CopyTarget } from '../../copy/copy.ts'
import type { CopiedRow } from '../../copy/copied.ts'
import { BEFORE_RESTORE, closeFile, create, fileSystemType, inspect, openFile, preparePlace } from '../file.ts'
import { openLedger } from '../open.ts'
import { replace, takeAlone } from '../restore.ts'
import { asLedgerError, LOCK_TIMEOUT_MS } from '../rows/fault.ts'
import { rowOf, text } from '../rows/row.ts'
import { putBack, setAside, setAsideIn } from '../schema/set-aside.ts'
import { copiedRows, CopiedInto } from './rows.ts'

/** How long to wait for a popfetch that is just ending. */
const BUSY_LIMIT_MS = 2000

/** Rejects with ERR_LEDGER where there is none or it is damaged, with ERR_BUSY while a popfetch has it open. */
export async function sourceFile(path: string): Promise<CopySource> {
  const place = await placeOf(path)
  if ((await stat(place).catch(() => null)) === null) throw copyError('ERR_LEDGER', path, 'there is no such file')
  if ((await asideOf(place)) === null) {
    // Brings an older one up to date, and refuses what is none.
    const ledger = await openLedger(path)
    await ledger[Symbol.asyncDispose]()
  }
  const database = await alone(place)
  try {
    const verdict = text(rowOf(database.prepare('PRAGMA quick_check(1)'))?.[0])
    if (verdict !== 'ok')
      throw copyError('ERR_LEDGER', path, 'it is damaged: popfetch state repair saves what can be read')
    const aside = setAsideIn(database)
    if (aside?.why === 'filling')
      throw copyError('ERR_LEDGER', path, 'it is itself a copy that has not come to its end')
    return new FileSource(place, database, aside?.place ?? null)
  } catch (thrown) {
    closeFile(database)
    throw asLedgerError(path, thrown)
  }
}

/** Nothing is there, or an empty ledger, or one that an earlier copy began to fill. Rejects with ERR_LEDGER for any other. */
export async function targetFile(path: string): Promise<CopyTarget> {
  const place = await placeOf(path)
  const found = await stat(place).catch(() => null)
  if (found === null) return new FileTarget(place, null)
  const aside = await asideOf(place)
  if (aside !== null) {
    if (aside.why === 'filling') return new FileTarget(place, aside.place)
    throw copyError('ERR_LEDGER', path, 'it is not empty, it was copied elsewhere itself: choose another place')
  }
  const ledger = await openLedger(path)
  const had = [await ledger.accounts(), await ledger.destinations(), await ledger.pauses.all()]
  const isEmpty = had.every((each) => each.length === 0)
  await ledger[Symbol.asyncDispose]()
  if (!isEmpty) throw copyError('ERR_LEDGER', path, 'it is not empty: only an empty ledger is filled')
  return new FileTarget(place, null)
}

async function placeOf(path: string): Promise<string> {
  try {
    const place = await preparePlace(path, fileSystemType, false)
    await inspect(place, false)
    return place
  } catch (thrown) {
    throw asLedgerError(path, thrown)
  }
}

async function asideOf(place: string): Promise<ReturnType<typeof setAsideIn>> {
  const database = openFile(place, { timeout: LOCK_TIMEOUT_MS, readOnly: false })
  try {
    return setAsideIn(database)
  } catch (thrown) {
    throw asLedgerError(place, thrown)
  } finally {
    closeFile(database)
  }
}

/** In a transaction, which ends with whoever closes it. */
async function alone(place: string): Promise<DatabaseSync> {
  const database = await takeAlone(place, BUSY_LIMIT_MS, 'copying')
  if (database === null)
    throw copyError('ERR_LEDGER', place, 'it is damaged: popfetch state repair saves what can be read')
  return database
}

class FileSource implements CopySource {
  readonly place: string
  readonly movedTo: string | null
  readonly #database: DatabaseSync

  constructor(place: string, database: DatabaseSync, movedTo: string | null) {
    this.place = place
    this.movedTo = movedTo
    this.#database = database
  }

  async *rows(): AsyncGenerator<readonly CopiedRow[], void, void> {
    try {
      yield* copiedRows(this.#database)
    } catch (thrown) {
      throw asLedgerError(this.place, thrown)
    }
  }

  retire(to: string): Promise<void> {
    try {
      // In the transaction since nobody else has it, which is durable when it ends.
      setAside(this.#database, { why: 'moved', place: to })
      this.#database.exec('COMMIT')
      return Promise.resolve()
    } catch (thrown) {
      return Promise.reject(asLedgerError(this.place, thrown))
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    closeFile(this.#database)
    return Promise.resolve()
  }
}

class FileTarget implements CopyTarget {
  readonly place: string
  readonly filledFrom: string | null

  constructor(place: string, filledFrom: string | null) {
    this.place = place
    this.filledFrom = filledFrom
  }

  /** Under another name first: a kill leaves nothing in the ledger's place. */
  async fill(rows: AsyncIterable<readonly CopiedRow[]>, from: string): Promise<void> {
    const draft = `${this.place}.new-${randomBytes(8).toString('hex')}`
    try {
      await create(draft)
      await this.#write(draft, rows, from)
      const taken = await takeAlone(this.place, BUSY_LIMIT_MS, 'filling')
      const before = await replace(this.place, draft, BEFORE_RESTORE, Date.now(), taken)
      // It was empty.
      if (before !== null) for (const suffix of ['', '-wal']) await rm(before + suffix, { force: true })
    } catch (thrown) {
      throw asLedgerError(this.place, thrown)
    } finally {
      for (const suffix of ['', '-journal', '-wal', '-shm']) await rm(draft + suffix, { force: true })
    }
  }

  async #write(draft: string, rows: AsyncIterable<readonly CopiedRow[]>, from: string): Promise<void> {
    const database = new DatabaseSync(draft)
    try {
      database.exec(
        'PRAGMA journal_mode = DELETE; PRAGMA synchronous = OFF; PRAGMA cache_size = -8192; BEGIN IMMEDIATE',
      )
      const into = new CopiedInto(database)
      for await (const slice of rows) for (const row of slice) into.put(row)
      into.end()
      setAside(database, { why: 'filling', place: from })
      database.exec('COMMIT')
    } finally {
      database.close()
    }
    const durable = await open(draft, 'r+')
    try {
      await durable.sync()
    } finally {
      await durable.close()
    }
  }

  async *rows(): AsyncGenerator<readonly CopiedRow[], void, void> {
    const database = openFile(this.place, { timeout: LOCK_TIMEOUT_MS, readOnly: false })
    try {
      yield* copiedRows(database)
    } catch (thrown) {
      throw asLedgerError(this.place, thrown)
    } finally {
      closeFile(database)
    }
  }

  async release(): Promise<void> {
    const database = await alone(this.place)
    try {
      putBack(database)
      database.exec('COMMIT')
    } catch (thrown) {
      throw asLedgerError(this.place, thrown)
    } finally {
      closeFile(database)
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve()
  }
}

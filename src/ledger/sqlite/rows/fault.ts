// What SQLite and the file system say, in popfetch's words: every ERR_LEDGER is written here. Also the one way to wait for a
// file that another process is writing to. A damaged ledger is never replaced: an empty one would deliver everything again.
import { setTimeout as wait } from 'node:timers/promises'
import { display } from '../../../display.ts'
import { PopfetchError, errnoOf, type Retry } from '../../../errors.ts'
import { Misread } from './row.ts'

/** How long SQLite itself may block the event loop waiting for a lock; the rest of the wait is asynchronous. */
export const LOCK_TIMEOUT_MS = 10
/** How long a commit waits for other processes before it gives up (S005). */
export const BUSY_LIMIT_MS = 30_000

// Primary result codes, https://sqlite.org/rescode.html; the low byte of the extended ones.
const PERM = 3
const BUSY = 5
const LOCKED = 6
const READONLY = 8
const IOERR = 10
const CORRUPT = 11
const FULL = 13
const CANTOPEN = 14
const CONSTRAINT = 19
const NOTADB = 26

/** SQLite's primary result code, or null when SQLite did not throw it. */
function resultCode(thrown: unknown): number | null {
  if (!(thrown instanceof Error) || !('errcode' in thrown) || typeof thrown.errcode !== 'number') return null
  return thrown.errcode & 0xff
}

export function isBusy(thrown: unknown): boolean {
  const code = resultCode(thrown)
  return code === BUSY || code === LOCKED
}

/** The fault of one change, not of the file: the others in its transaction can go on. */
export function isOfOneChange(thrown: unknown): boolean {
  const code = resultCode(thrown)
  return code === null || code === CONSTRAINT
}

function ledgerError(message: string, retry: Retry, cause?: unknown): PopfetchError {
  return new PopfetchError('ERR_LEDGER', message, { scope: 'process', retry, cause })
}

const RESTORE =
  'popfetch state repair saves what can be read, popfetch state restore goes back to a copy; or move it away to start over (mail still on the servers is then fetched again)'

export function refused(path: string, why: string, advice: string, cause?: unknown): PopfetchError {
  return ledgerError(`cannot use the ledger ${display(path)}: ${why}: ${advice}`, 'never', cause)
}

export function damaged(path: string, thrown: unknown): unknown {
  return resultCode(thrown) === 1 ? refused(path, `it is damaged (${wordsOf(thrown)})`, RESTORE, thrown) : thrown
}

export function corrupt(path: string, why: string, cause?: unknown): PopfetchError {
  return refused(path, why, RESTORE, cause)
}

export function noLedger(path: string, cause?: unknown): PopfetchError {
  return refused(
    path,
    'it is not a popfetch ledger, or its beginning is damaged',
    'choose another file with state: or --state; if it was the ledger, popfetch state repair saves what can be read, and popfetch state restore goes back to a copy',
    cause,
  )
}

export function ofAnotherProgram(path: string): PopfetchError {
  return refused(path, 'it is a SQLite file of another program', 'choose another file with state: or --state')
}

export function newerLedger(path: string, found: number, known: number): PopfetchError {
  return refused(
    path,
    `a newer popfetch has written it (schema ${found}, this one knows ${known})`,
    'update popfetch, or restart it if it was updated while it ran',
  )
}

/** Not a matter of time: somebody must change the configuration. */
export function movedAway(path: string, to: string): PopfetchError {
  const [where, there] = [display(path), display(to)]
  const message = `cannot use the ledger ${where}: everything in it was copied to ${there}, and that copy goes on: use ${there} in its place, with state: or --state`
  return new PopfetchError('ERR_CONFIG', message, { scope: 'process', retry: 'never' })
}

export function filledHalf(path: string, from: string): PopfetchError {
  const message = `cannot use the ledger ${display(path)}: it is being filled from ${display(from)}, and that has not come to its end: if no popfetch state copy is at work, run it again`
  return ledgerError(message, 'soon')
}

/** Somebody removed the file or put a wrong one there. Once the right one is back, it is used again. */
export function movedLedger(path: string, cause?: PopfetchError): PopfetchError {
  const found = cause === undefined ? '' : ` (now: ${cause.message})`
  return ledgerError(
    `cannot use the ledger ${display(path)}: it was deleted or replaced while popfetch had it open${found}: put it back, or a copy of it with popfetch state restore FILE; popfetch then goes on by itself`,
    'later',
    cause,
  )
}

/** A use of the ledger that its contract forbids. */
export function bug(message: string, cause?: unknown): PopfetchError {
  const text = `ledger: ${message}: please report this`
  return new PopfetchError('ERR_BUG', text, { scope: 'account', retry: 'soon', cause })
}

/** Anything thrown while the ledger was read or written, as a PopfetchError. */
export function asLedgerError(path: string, thrown: unknown): PopfetchError {
  if (thrown instanceof PopfetchError) return thrown
  switch (resultCode(thrown) ?? 0) {
    case BUSY:
    case LOCKED:
      return ledgerError(
        `cannot write the ledger ${display(path)}: another program has kept it locked: find it (lsof) and stop it`,
        'soon',
        thrown,
      )
    case FULL:
      return ledgerError(
        `cannot write the ledger ${display(path)}: its disk or quota is full: make room`,
        'later',
        thrown,
      )
    case IOERR:
      return ledgerError(
        `cannot read or write the ledger ${display(path)}: ${wordsOf(thrown)}: look at the disk and the system log`,
        'later',
        thrown,
      )
    case READONLY:
      return refused(
        path,
        'it cannot be written',
        'mount its file system read-write and let this user write the file and its directory',
        thrown,
      )
    case PERM:
    case CANTOPEN:
      return refused(path, 'it cannot be opened', 'let this user read and write the file and its directory', thrown)
    case CORRUPT:
      return corrupt(path, `it is damaged (${wordsOf(thrown)})`, thrown)
    case NOTADB:
      return noLedger(path, thrown)
    case CONSTRAINT:
      return bug(wordsOf(thrown), thrown)
    default:
      return asFileError(path, thrown)
  }
}

/** The same, for what the file system said rather than SQLite. */
function asFileError(path: string, thrown: unknown): PopfetchError {
  const errno = errnoOf(thrown)
  if (errno === 'ENOSPC' || errno === 'EDQUOT') {
    return ledgerError(
      `cannot write beside the ledger ${display(path)}: its disk or quota is full: make room`,
      'later',
      thrown,
    )
  }
  if (errno === 'EACCES' || errno === 'EPERM' || errno === 'EROFS') {
    return refused(path, wordsOf(thrown), 'let this user write the file and its directory', thrown)
  }
  if (errno?.startsWith('E') === true && !errno.startsWith('ERR_')) {
    return ledgerError(
      `cannot use the ledger ${display(path)}: ${wordsOf(thrown)}: look at its directory`,
      'later',
      thrown,
    )
  }
  if (thrown instanceof Misread) return corrupt(path, `it is damaged (${thrown.message})`, thrown)
  return bug(wordsOf(thrown), thrown)
}

function wordsOf(thrown: unknown): string {
  return display(thrown instanceof Error ? thrown.message : String(thrown))
}

/** How long to stand back before the next try at a locked file: short, and spread so that two processes do not keep step. */
export function pauseMs(): number {
  return 2 + Math.random() * 20
}

/** Runs `attempt` again while another process has the file locked, up to `limitMs`. */
export async function whenFree<T>(path: string, attempt: () => T, limitMs = BUSY_LIMIT_MS): Promise<T> {
  // The clock is loaded where somebody waits, which is rare.
  let sinceMs: number | null = null
  for (;;) {
    try {
      return attempt()
    } catch (thrown) {
      if (!isBusy(thrown)) throw asLedgerError(path, thrown)
      sinceMs ??= performance.now()
      if (performance.now() - sinceMs > limitMs) throw asLedgerError(path, thrown)
    }
    await wait(pauseMs())
  }
}

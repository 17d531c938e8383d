// Where a ledger in PostgreSQL is kept, and what its errors mean in popfetch's words. Every ERR_LEDGER of this folder is written here.
import { display } from '../../../display.ts'
import { errnoOf, PopfetchError, type Retry } from '../../../errors.ts'

/** A server, a database on it, and a schema in that. */
export interface Server {
  /** For words: the URL without a password. */
  readonly place: string
  /** A name, an address, or a folder with a Unix socket. */
  readonly host: string
  readonly port: number
  readonly user: string
  readonly database: string
  readonly schema: string
  /** Asked for when the server wants one; null: there is none. */
  readonly password: () => Promise<string | null>
  /** TLS, with these authorities in PEM, or with the usual ones; null: no TLS (a socket, or this machine). */
  readonly tls: { readonly ca: string | Buffer | null } | null
}

/** The connection ended, or the server says that it does: the statement may be sent again. */
export class Lost extends Error {}

/** What is wrong passes by itself or does not: the connection is not at fault. */
export class Refused extends Error {
  readonly sqlState: string

  constructor(sqlState: string, message: string, cause: unknown) {
    super(message, { cause })
    this.sqlState = sqlState
  }
}

/** This process was taken for dead, and all its leases with it. */
export const GIVEN_UP = 'PF002'
const BUG = 'PF001'
const MOVED = 'PF003'
const NEWER = 'PF004'

// Classes and codes: https://www.postgresql.org/docs/15/errcodes-appendix.html
/** The server stops, starts, became a copy of another one, has no more connections; a transaction was in another's way. */
const PASSING = /^(?:08|57P0[1235]|25006|53300|40001|40P01|55P03|72000|XX000)/

/** What was thrown by the client's library. */
export function asFault(thrown: unknown): Lost | Refused | PopfetchError {
  if (thrown instanceof PopfetchError || thrown instanceof Lost || thrown instanceof Refused) return thrown
  const words = wordsOf(thrown)
  const state = thrown instanceof Error && 'code' in thrown && 'severity' in thrown ? String(thrown.code) : null
  if (state === null) return new Lost(words, { cause: thrown })
  return PASSING.test(state) ? new Lost(words, { cause: thrown }) : new Refused(state, words, thrown)
}

/** Whether it is the fault of one change, so that the others of its batch can go on. */
export function isOfOneChange(thrown: unknown): boolean {
  return thrown instanceof Refused && (thrown.sqlState === BUG || /^2[23]/.test(thrown.sqlState))
}

function ledgerError(place: string, why: string, advice: string, retry: Retry, cause?: unknown): PopfetchError {
  const message = `cannot use the ledger ${display(place)}: ${why}: ${advice}`
  return new PopfetchError('ERR_LEDGER', message, { scope: 'process', retry, cause })
}

/** Not a matter of time: somebody must change the configuration. */
export function misconfigured(place: string, why: string, advice: string): PopfetchError {
  const message = `cannot use the ledger ${display(place)}: ${why}: ${advice}`
  return new PopfetchError('ERR_CONFIG', message, { scope: 'process', retry: 'never' })
}

/** A use of the ledger that its contract forbids. */
export function bug(message: string, cause?: unknown): PopfetchError {
  const text = `ledger: ${message}: please report this`
  return new PopfetchError('ERR_BUG', text, { scope: 'account', retry: 'soon', cause })
}

export function away(place: string, cause: unknown): PopfetchError {
  const why = `the database is away (${wordsOf(cause)})`
  const goesOn = 'mail stays where it is, and popfetch goes on once the database is back'
  const advice = `${goesOn}: see that it runs, and that state.postgres names its host and port`
  return ledgerError(place, why, advice, 'soon', cause)
}

export function withoutPassword(place: string): PopfetchError {
  return ledgerError(
    place,
    'the database requires a password, and there is none',
    'say with state.password where it is, or name a file in PGPASSFILE',
    'later',
  )
}

/** Opened to be read, where nothing was ever recorded. */
export function noLedger(place: string, schema: string): PopfetchError {
  return ledgerError(
    place,
    `there is none in this database yet (no tables in the schema "${schema}")`,
    'the first poll makes it; if there should be one, look at database and schema',
    'later',
  )
}

export function olderLedger(place: string): PopfetchError {
  return ledgerError(place, 'an older popfetch made it', 'poll once: that brings it up to date', 'later')
}

export function pooled(place: string): PopfetchError {
  return misconfigured(
    place,
    'a pool in front of the database gives each statement another session (as pgbouncer does with pool_mode = transaction)',
    'connect to the database itself, or let the pool keep a session (pool_mode = session)',
  )
}

/** Before a place in `ledger.moved_to`: not all of that place is here yet, or it is not said that it is. */
export const FILLING = 'filling from '

export function movedTo(place: string, to: string): PopfetchError {
  if (to.startsWith(FILLING)) return filledHalf(place, to.slice(FILLING.length))
  const advice = `use ${display(to)} in its place, with state: or --state`
  return misconfigured(place, `everything in it was copied to ${display(to)}, and that copy goes on`, advice)
}

function filledHalf(place: string, from: string): PopfetchError {
  const why = `it is being filled from ${display(from)}, and that has not come to its end`
  return ledgerError(place, why, 'if no popfetch state copy is at work, run it again', 'soon')
}

/** Anything thrown while the ledger was read or written, as a PopfetchError. */
export function asLedgerError(place: string, thrown: unknown): PopfetchError {
  const fault = asFault(thrown)
  if (fault instanceof PopfetchError) return fault
  if (fault instanceof Lost) return errnoOf(fault.cause) === null ? away(place, fault) : unreachable(place, fault)
  const said = fault.message
  switch (fault.sqlState) {
    case BUG:
      return bug(said, fault)
    case MOVED:
      return movedTo(place, Buffer.from(said, 'base64').toString())
    case NEWER:
      return ledgerError(
        place,
        `a newer popfetch has changed it (schema ${said})`,
        'update popfetch, or restart it if it was updated while it ran',
        'never',
        fault,
      )
    case '28P01':
    case '28000':
      return ledgerError(
        place,
        `the database refuses to let us in (${said})`,
        'look at the user, state.password and pg_hba.conf',
        'later',
        fault,
      )
    case '3D000':
      return ledgerError(place, said, 'create it (createdb), or name another one in the URL', 'later', fault)
    case '42501':
      return ledgerError(
        place,
        `the database does not let this user do that (${said})`,
        'the user must own the schema, or be allowed to create one (GRANT CREATE ON DATABASE)',
        'later',
        fault,
      )
    case '42P01':
    case '42883':
    case '3F000':
      return ledgerError(place, `its tables are gone (${said})`, 'put them back from a dump of pg_dump', 'later', fault)
    case '53100':
      return ledgerError(place, 'the disk of the database is full', 'make room', 'later', fault)
    default:
      return ledgerError(
        place,
        `the database says: ${said} (${fault.sqlState})`,
        "look at the database's log",
        'later',
        fault,
      )
  }
}

function unreachable(place: string, fault: Lost): PopfetchError {
  const errno = errnoOf(fault.cause) ?? ''
  if (/CERT|SELF_SIGNED|UNABLE_TO|ALTNAME/.test(errno)) {
    const advice = 'name the authority that signed it with state.ca, and the host as its certificate does'
    return ledgerError(
      place,
      `the certificate of the database is not trusted (${wordsOf(fault)})`,
      advice,
      'later',
      fault,
    )
  }
  return away(place, fault)
}

function wordsOf(thrown: unknown): string {
  const text = thrown instanceof Error ? thrown.message || (errnoOf(thrown) ?? thrown.name) : String(thrown)
  return display(text)
}

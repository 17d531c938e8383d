// Opens a ledger in a PostgreSQL database: makes its schema where there is none, brings an older one to this version, refuses what it
// cannot work on. The ledger itself is postgres-ledger.ts.
import { createHash, randomBytes } from 'node:crypto'
import { hostname } from 'node:os'
import type { Ledger } from '../ledger.ts'
import { Access } from './access.ts'
import { AWAY_MS, Line } from './connection/line.ts'
import { asLedgerError, misconfigured, movedTo, noLedger, Refused, type Server } from './connection/server.ts'
import { Leases } from './leases.ts'
import { PostgresLedger } from './postgres-ledger.ts'
import { text } from './rows/cells.ts'
import { MIGRATIONS, type Step } from './schema/migrations.ts'
import { fillIn, TEMPORARY } from './schema/older.ts'
import { Wakes } from './wakes.ts'
import { Writer } from './writer.ts'

export interface PostgresOptions {
  /** The clock of a test; the database's is the usual one. */
  readonly nowMs?: () => number
  readonly readOnly?: boolean
  /** Of which messages From, Subject and Date are kept (`state.headers`); absent: of all. */
  readonly headers?: 'all' | 'open' | 'none'
  /** As `daemon.machine` says; absent: the host's name. */
  readonly machine?: string
  /** How long a database that is away is waited for. */
  readonly awayMs?: number
  /** A clock that counts sleep, in seconds. */
  readonly upS?: () => number
  /** Those of a version to come, in its tests. */
  readonly steps?: readonly Step[]
}

/** Rejects with ERR_LEDGER when the database is away, refuses, or has a newer ledger; with ERR_CONFIG when somebody must change
 *  the configuration. */
export async function openPostgres(server: Server, options: PostgresOptions = {}): Promise<Ledger> {
  const { readOnly = false, headers = 'all', awayMs = AWAY_MS, nowMs = null, machine = hostname() } = options
  const reader = await readerOf(server, options)
  let leases: Leases | null = null
  let wakes: Wakes | null = null
  const channel = channelOf(server)
  const writer = readOnly
    ? null
    : new Writer(server, {
        name: randomBytes(16).toString('hex'),
        machine,
        nowMs,
        keep: headers,
        awayMs,
        random: randomBytes,
        channel,
        ...(options.upS === undefined ? {} : { upS: options.upS }),
        lost: () => leases?.loseAll(),
        notified: () => wakes?.look(),
      })
  leases = writer === null ? null : new Leases(writer)
  const access = new Access(reader, writer, nowMs)
  wakes = new Wakes(access, () => writer?.listen() ?? Promise.resolve())
  return new PostgresLedger({
    place: server.place,
    access,
    reader,
    writer,
    leases,
    wakes,
    channel,
    machine,
    keep: headers,
  })
}

/** Of notifications: one for each schema, which the whole server's names share. */
function channelOf({ schema }: Server): string {
  return `popfetch_${createHash('sha256').update(schema).digest('hex').slice(0, 16)}`
}

/** On which every statement of this version can be made. */
async function readerOf(server: Server, options: PostgresOptions): Promise<Line> {
  const { readOnly = false, awayMs = AWAY_MS, steps = MIGRATIONS } = options
  let line = new Line(server, { awayMs })
  try {
    if ((await prepare(server, line, { readOnly, steps })) === 'current') return line
    line.close()
    const { schema, place } = server
    line = new Line(
      { ...server, schema: TEMPORARY },
      { awayMs, prepare: async (connection) => await fillIn(connection, { schema, place, steps }) },
    )
    await line.ready()
    return line
  } catch (thrown) {
    line.close()
    throw asLedgerError(server.place, thrown)
  }
}

/** Reads how far the schema is, and takes the steps that it lacks. Only read, it stays as it is. */
async function prepare(
  server: Server,
  line: Line,
  { readOnly, steps }: { readonly readOnly: boolean; readonly steps: readonly Step[] },
): Promise<'current' | 'older'> {
  const found = await versionOf(line)
  if (found.movedTo !== null) throw movedTo(server.place, found.movedTo)
  if (found.oldest > steps.length) throw new Refused('PF004', String(found.version), null)
  if (found.version >= steps.length) return 'current'
  if (readOnly && found.version === 0) throw noLedger(server.place, server.schema)
  if (readOnly) return 'older'
  await migrate(server, line, steps)
  return 'current'
}

interface Version {
  readonly version: number
  readonly oldest: number
  readonly movedTo: string | null
}

const NONE: Version = { version: 0, oldest: 0, movedTo: null }

async function versionOf(line: Line): Promise<Version> {
  try {
    const [row] = await line.query('SELECT version, oldest, moved_to FROM @.ledger', [], { raw: true })
    if (row === undefined) return NONE
    return { version: Number(row[0]), oldest: Number(row[1]), movedTo: row[2] === null ? null : text(row[2]) }
  } catch (thrown) {
    // No such schema, no such table.
    if (thrown instanceof Refused && /^(?:3F000|42P01)$/.test(thrown.sqlState)) return NONE
    throw thrown
  }
}

/** Two processes may do this at once: each looks again under a lock that belongs to the schema. All steps are one transaction. */
async function migrate({ schema, place }: Server, line: Line, all: readonly Step[]): Promise<void> {
  const steps = all.map(({ sql }, at) => {
    const oldest = Math.max(...all.slice(0, at + 1).map((step) => step.oldest))
    const first =
      at === 0
        ? "NOT EXISTS (SELECT 1 FROM pg_tables WHERE schemaname = wanted AND tablename = 'ledger')"
        : `(SELECT version FROM @.ledger) = ${at}`
    return `IF ${first} THEN ${executed(sql)} UPDATE @.ledger SET version = ${at + 1}, oldest = ${oldest}; END IF;`
  })
  const key = createHash('sha256').update(`popfetch ${schema}`).digest().readBigInt64BE()
  try {
    await line.script(`DO $migration$ DECLARE wanted text := '${schema}'; BEGIN
      PERFORM pg_advisory_xact_lock(${key});
      IF NOT EXISTS (SELECT 1 FROM pg_namespace WHERE nspname = wanted) THEN CREATE SCHEMA "${schema}"; END IF;
      ${steps.join('\n')}
    END $migration$`)
  } catch (thrown) {
    if (thrown instanceof Refused && thrown.sqlState === '42501') {
      const advice = `let its user own a schema "${schema}" (CREATE SCHEMA ${schema} AUTHORIZATION …), or create schemas in the database`
      throw misconfigured(place, thrown.message, advice)
    }
    throw thrown
  }
}

/** A script inside a block of PL/pgSQL: its statements come one after the other, as text. */
function executed(sql: string): string {
  return `EXECUTE $step$${sql}$step$;`
}

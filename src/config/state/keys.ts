// The key `state`: where the ledger is, a file or a database, and how it is kept.
import * as z from 'zod'
import { parseDuration } from '../values/quantity.ts'
import * as value from '../values/values.ts'
import type { ResolvePath } from '../values/values.ts'
import {
  type DatabasePlace,
  isPostgresUrl,
  isSchemaName,
  parsePostgresUrl,
  type Postgres,
  SCHEMA_WORDS,
  URL_WORDS,
} from './postgres.ts'

const DAY_MS = 86_400_000
/** 100 years: beyond what anybody means. */
const LIMIT_MS = 36_500 * DAY_MS

const BACKUP = z.enum(['daily', 'off'])
const HEADERS = z.enum(['all', 'open', 'none'])
/** `ms` null: never. */
const departure = value.parsed(
  'never, or a duration of at least a day such as 90d',
  (text): { readonly ms: number | null } | null => {
    if (text === 'never') return { ms: null }
    const ms = value.within(parseDuration(text), DAY_MS, LIMIT_MS)
    return ms === null ? null : { ms }
  },
  /^(?:never|\d+[smhd])$/,
)
export const USUAL_STATE = { headers: 'all', backup: 'daily', keepDeparted: { ms: 90 * DAY_MS } } as const

const url = value.parsed(URL_WORDS, parsePostgresUrl)
const schema = value.parsed(SCHEMA_WORDS, (text) => (isSchemaName(text) ? text : null))
const NO_URL = 'a path: the URL of a database is given as postgres'
const DATABASE_KEYS = ['password', 'ca', 'schema', 'key', 'formerKey'] as const

/** What `state` is, as far as it says so itself. */
export interface StateKeys {
  /** Null: none was written. */
  readonly path: string | null
  readonly postgres: Postgres | null
  readonly headers: z.output<typeof HEADERS>
  readonly backup: z.output<typeof BACKUP>
  readonly keepDeparted: z.output<typeof departure>
}

/** A path, the URL of a database, or a mapping. */
export const state = value.once((resolve: ResolvePath) => {
  const keys = value
    .mapping({
      path: value
        .orNull(value.filePath(resolve).refine((file) => !/\/postgres(?:ql)?:\//i.test(file), { error: NO_URL }))
        .describe('File of the ledger'),
      postgres: value
        .orNull(url)
        .describe('URL of a PostgreSQL database for the ledger instead of a file, to share it among machines'),
      password: value
        .orNull(value.secret(resolve))
        .describe('Password for the database, or where to read it; without one, $PGPASSFILE is looked into'),
      ca: value
        .orNull(value.filePath(resolve))
        .describe('PEM file with the certificate authorities to trust for the database instead of the system’s'),
      schema: value.orNull(schema).describe('Schema of the tables in the database; by default popfetch'),
      key: value
        .orNull(value.secret(resolve))
        .describe(
          'Secret that seals OAuth sign-ins in the database; needed with oauth. At least 32 characters: openssl rand -hex 32 prints one',
        ),
      formerKey: value
        .orNull(value.secret(resolve))
        .describe('The key before this one: what it has sealed is sealed with the new one when it is read'),
      headers: HEADERS.default('all').describe(
        'Of which messages the ledger keeps From, Subject and Date: all, those not delivered yet (open), or none',
      ),
      backup: value
        .orNull(BACKUP)
        .describe(
          'daily (the default): keep two copies of the ledger’s file from the last days beside it; off: do not',
        ),
      keepDeparted: departure
        .prefault('90d')
        .describe('Forget an account that has not been configured for so long; never: keep what is known of it'),
    })
    .refine(({ path, postgres }) => path === null || postgres === null, {
      error: 'no postgres beside a path: the ledger is in one of them',
      path: ['postgres'],
    })
  const needsDatabase = DATABASE_KEYS.reduce(
    (schemaOfKeys, key) =>
      schemaOfKeys.refine((written) => written[key] === null || written.postgres !== null, {
        error: 'a postgres beside it: it is for a ledger in a database',
        path: [key],
      }),
    keys,
  )
  const needsKey = needsDatabase.refine(({ key, formerKey }) => formerKey === null || key !== null, {
    error: 'a key beside it, the new one',
    path: ['formerKey'],
  })
  const whole = needsKey.refine(({ backup, postgres }) => backup === null || postgres === null, {
    error: 'no backup with postgres: pg_dump copies a database',
    path: ['backup'],
  })
  const place = value.parsed(
    `${value.formOf(resolve)} or ${URL_WORDS}`,
    (text): { readonly path: string | null; readonly postgres: DatabasePlace | null } | null => {
      if (isPostgresUrl(text)) {
        const postgres = parsePostgresUrl(text)
        return postgres === null ? null : { path: null, postgres }
      }
      const path = value.isPath(text) ? resolve(text) : null
      return path === null ? null : { path, postgres: null }
    },
  )
  return z
    .union([place, whole], { error: 'a path, the URL of a database, or a mapping' })
    .optional()
    .transform((written): StateKeys => {
      if (written === undefined) return { ...USUAL_STATE, path: null, postgres: null }
      if (!('headers' in written))
        return { ...USUAL_STATE, path: written.path, postgres: database(written.postgres, BARE) }
      const { path, postgres, headers, backup, keepDeparted } = written
      return { path, postgres: database(postgres, written), headers, backup: backup ?? 'daily', keepDeparted }
    })
})

const BARE = { password: null, ca: null, schema: null, key: null, formerKey: null }

function database(
  place: DatabasePlace | null,
  {
    schema: named,
    password,
    ca,
    key,
    formerKey,
  }: Omit<Postgres, keyof DatabasePlace> & { readonly schema: string | null },
): Postgres | null {
  return place === null ? null : { ...place, password, ca, key, formerKey, schema: named ?? place.schema }
}

// Two versions of popfetch on one ledger in PostgreSQL (N040): the next one keeps its contract beside this one, and looks into a ledger
// of this one without touching it. The next version is made up: a step that adds.
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import type { Ledger } from '../../../src/ledger/ledger.ts'
import { openPostgres, type PostgresOptions } from '../../../src/ledger/postgres/open.ts'
import { MIGRATIONS } from '../../../src/ledger/postgres/schema/migrations.ts'
import { contract } from '../../ledger/contract.ts'
import { LOOKS } from '../../ledger/looks.ts'
import { beginning, key, leaseOf } from '../../ledger/scene.ts'
import { PostgresServer } from '../../support/postgres-server.ts'

let server: PostgresServer
beforeAll(async () => void (server = await PostgresServer.start()))
afterAll(() => server[Symbol.asyncDispose]())

const NEXT = [
  ...MIGRATIONS,
  {
    sql: `ALTER TABLE @.message ADD COLUMN made_up text;
      ALTER TABLE @.delivery ADD COLUMN made_up integer NOT NULL DEFAULT 7;
      CREATE TABLE @.made_up (id integer PRIMARY KEY);`,
    oldest: MIGRATIONS.length,
  },
]

async function open(schema: string, options: PostgresOptions = {}): Promise<Ledger> {
  const ledger = await openPostgres(server.server(schema), options)
  onTestFinished(() => ledger[Symbol.asyncDispose]())
  return ledger
}

const newSchema = (): string => `s${randomBytes(8).toString('hex')}`

// Whoever opens it first is the next version, then this one, and so on in turn; other processes are this one.
contract({
  name: 'PostgreSQL with the next version beside this one',
  sequences: 5,
  opener: join(import.meta.dirname, '../../ledger/postgres/opener.ts'),
  place: () => {
    const schema = newSchema()
    let opened = 0
    return Promise.resolve({
      name: `${server.folder} ${schema}`,
      open: (options = {}) => open(schema, opened++ % 2 === 0 ? { ...options, steps: NEXT } : options),
    })
  },
})

const TABLES = 'SELECT count(*) FROM pg_tables WHERE schemaname ='
const versionOf = (schema: string): string => server.sql(`SELECT version FROM ${schema}.ledger`)

describe('a ledger of an older version', () => {
  /** One that lacks much of what this version has. */
  async function older(): Promise<string> {
    const schema = newSchema()
    await using _ = await openPostgres(server.server(schema))
    server.sql(`SET search_path = ${schema};
      INSERT INTO account (name, host, port, username, started, known, last_row, failures)
        VALUES ('a', 'h', 1, 'u', true, 2, 2, 3);
      INSERT INTO message (account, row, uidl, copy, state, first_seen_ms, reason)
        VALUES (1, 1, 'x', 0, 0, 5, 'wait'), (1, 2, 'y', 0, 1, 6, NULL);
      INSERT INTO delivery (account, row, destination, recipient, state, intent, attempts, error)
        VALUES (1, 1, 'd', '', 5, 'i', 1, 'no');
      ALTER TABLE message DROP COLUMN sender, DROP COLUMN deletion_wanted_ms, DROP COLUMN harm_times;
      ALTER TABLE delivery DROP COLUMN conclusion, DROP COLUMN handed_over, DROP COLUMN refusals;
      ALTER TABLE account DROP COLUMN listings, DROP COLUMN taking_over;
      DROP TABLE pause, day, destination, memo, fact, share;
      DROP FUNCTION is_dead_1`)
    return schema
  }

  test.each(Object.entries(LOOKS))('answers %s', async (_, [look, expected]) => {
    const ledger = await open(await older(), { readOnly: true, steps: NEXT })
    expect(await look(ledger)).toEqual(expected)
  })

  test('stays as it is when it is read, by two at once too, and cannot be written', async () => {
    const schema = await older()
    const before = [versionOf(schema), server.sql(`${TABLES} '${schema}'`)]
    const ledgers = await Promise.all([1, 2].map(() => open(schema, { readOnly: true, steps: NEXT })))
    for (const ledger of ledgers) {
      for (const [look] of Object.values(LOOKS)) await look(ledger)
      expect(await ledger.workers()).toEqual([])
      await expect(ledger.lease('a')).rejects.toThrow('opened to be read')
    }
    expect([versionOf(schema), server.sql(`${TABLES} '${schema}'`)]).toEqual(before)
  })

  test('is taken to the next version while it is being read, and goes on being read', async () => {
    const schema = newSchema()
    await using _ = await open(schema)
    const reader = await open(schema, { readOnly: true, steps: NEXT })
    await open(schema, { steps: NEXT })
    expect(versionOf(schema)).toBe(String(NEXT.length))
    expect(await reader.accounts()).toEqual([])
  })

  test('is read again after the connection was lost', async () => {
    const schema = await older()
    const ledger = await open(schema, { readOnly: true, steps: NEXT })
    expect((await ledger.accounts()).length).toBe(1)
    server.sql(
      'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_type = $$client backend$$',
    )
    expect((await ledger.account('a'))?.failures).toBe(3)
  })

  test('of the first step has no machine beside its attempts, nor where that version begins one again beside this one', async () => {
    const schema = newSchema()
    await (await open(schema, { steps: MIGRATIONS.slice(0, 1) }))[Symbol.asyncDispose]()
    server.sql(`INSERT INTO ${schema}.account (name, host, port, username) VALUES ('a', 'h', 1, 'u')`)
    const item = { u: btoa('x'), c: 0, b: 7, d: [{ d: btoa('inbox'), r: '', i: btoa('i') }] }
    const beginAsBefore = `SELECT ${schema}.begin_1(1, 0, '${JSON.stringify([item])}', 1, 'all')`
    server.sql(beginAsBefore)
    const ledger = await open(schema, { machine: 'm2' })
    const machineOf = async (): Promise<unknown> => (await ledger.known('a', [key('x')]))[0]?.deliveries[0]?.machine
    expect([versionOf(schema), await machineOf()]).toEqual([String(MIGRATIONS.length), null])
    await ledger.begin(await leaseOf(ledger, 'a'), [beginning(key('x'))])
    expect(await machineOf()).toBe('m2')
    server.sql(beginAsBefore)
    expect(await machineOf()).toBe(null)
  })

  test('whose user may make nothing temporary says how it can be read', async () => {
    const schema = await older()
    server.sql(`CREATE ROLE careful LOGIN; GRANT USAGE ON SCHEMA ${schema} TO careful;
      GRANT SELECT ON ALL TABLES IN SCHEMA ${schema} TO careful; REVOKE TEMPORARY ON DATABASE postgres FROM PUBLIC`)
    onTestFinished(() => void server.sql('GRANT TEMPORARY ON DATABASE postgres TO PUBLIC'))
    const asked = openPostgres(server.server(schema, { user: 'careful' }), { readOnly: true, steps: NEXT })
    await expect(asked).rejects.toMatchObject({
      code: 'ERR_LEDGER',
      message: expect.stringContaining('an older popfetch made it: poll once') as string,
    })
  })
})

test('a ledger of a version that this one would misread is refused, opened or not', async () => {
  const schema = newSchema()
  const ledger = await open(schema)
  const lease = await ledger.lease('a')
  if (lease === null) throw new Error('somebody else has it')
  const steps = [...NEXT.slice(0, -1), { sql: '', oldest: NEXT.length }]
  await open(schema, { steps })
  const newer = { code: 'ERR_LEDGER', message: expect.stringContaining('a newer popfetch has changed it') as string }
  await expect(ledger.admit(lease, { host: 'h', port: 1, user: 'u' })).rejects.toMatchObject(newer)
  await expect(openPostgres(server.server(schema))).rejects.toMatchObject(newer)
  await expect(openPostgres(server.server(schema), { readOnly: true })).rejects.toMatchObject(newer)
})

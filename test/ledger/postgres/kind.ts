// PostgreSQL, as the suite of the contract wants it: one server for a file of tests, a schema for each place.
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { afterAll, beforeAll, onTestFinished } from 'vitest'
import { openPostgres } from '../../../src/ledger/postgres/open.ts'
import { PostgresServer } from '../../support/postgres-server.ts'
import type { Kind } from '../kind.ts'

/** To be called where tests are declared: the server lives as long as they run. */
export function postgres(): Kind & { server(): PostgresServer } {
  let server: PostgresServer | null = null
  const present = (): PostgresServer => {
    if (server === null) throw new Error('the server does not run')
    return server
  }
  beforeAll(async () => {
    server = await PostgresServer.start()
  })
  afterAll(async () => await server?.[Symbol.asyncDispose]())
  return {
    name: 'PostgreSQL',
    sequences: 15,
    server: present,
    opener: join(import.meta.dirname, 'opener.ts'),
    place: () => {
      const schema = `s${randomBytes(8).toString('hex')}`
      return Promise.resolve({
        name: `${present().folder} ${schema}`,
        open: async (options = {}) => {
          const ledger = await openPostgres(present().server(schema), options)
          onTestFinished(() => ledger[Symbol.asyncDispose]())
          return ledger
        },
      })
    },
  }
}

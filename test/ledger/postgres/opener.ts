// For processes that the suite of the contract starts: opens the ledger of a place by its name, which is a folder and a schema.
import type { Ledger } from '../../../src/ledger/ledger.ts'
import { openPostgres } from '../../../src/ledger/postgres/open.ts'

export async function open(name: string): Promise<Ledger> {
  const [host = '', schema = ''] = name.split(' ')
  return await openPostgres({
    place: name,
    host,
    port: 5432,
    user: 'popfetch',
    database: 'postgres',
    schema,
    password: () => Promise.resolve(null),
    tls: null,
  })
}

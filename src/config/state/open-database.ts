// Opens a ledger in a PostgreSQL database, as the configuration describes it.
import { mkdir } from 'node:fs/promises'
import { wordsOfErrno } from '../../deliver/disk/disk-error.ts'
import { display } from '../../display.ts'
import { errnoOf, PopfetchError } from '../../errors.ts'
import type { Ledger } from '../../ledger/ledger.ts'
import type { Server } from '../../ledger/postgres/connection/server.ts'
import { openPostgres } from '../../ledger/postgres/open.ts'
import type { Environment } from '../paths.ts'
import { stateFolder } from '../paths.ts'
import { pem } from '../values/secret.ts'
import type { Opening } from './opening.ts'
import { databasePassword } from './password.ts'
import { isEncrypted, type Postgres, postgresUrl } from './postgres.ts'

/** Makes the folder of this machine's things as well, unless it is only read. Rejects as openLedger does. */
export async function openDatabase(
  { statePath, postgres }: { readonly statePath: string; readonly postgres: Postgres },
  { env, readOnly = false, headers = 'all', machine }: Opening,
): Promise<Ledger> {
  if (!readOnly) await makeFolder(stateFolder({ statePath }))
  const server = await serverOf(postgres, env)
  return await openPostgres(server, { readOnly, headers, ...(machine === undefined ? {} : { machine }) })
}

/** Rejects with ERR_CONFIG where the file of authorities cannot be read. */
export async function serverOf(postgres: Postgres, env: Environment): Promise<Server> {
  const { host, port, user, database, schema, ca } = postgres
  const authorities = ca === null ? null : await pem(ca)
  return {
    place: postgresUrl(postgres),
    host,
    port,
    user,
    database,
    schema,
    password: () => databasePassword(postgres, env),
    tls: isEncrypted(postgres) ? { ca: authorities } : null,
  }
}

/** As the folder of a ledger's file is made. */
async function makeFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 })
  } catch (cause) {
    const errno = errnoOf(cause)
    const words = wordsOfErrno(errno)
    const why = words === null ? (errno ?? 'it cannot be made') : `${words.says}: ${words.advice}`
    const text = `cannot make the folder ${display(folder)} for what this machine keeps beside the ledger: ${why}`
    throw new PopfetchError('ERR_LEDGER', text, { scope: 'process', retry: 'later', cause })
  }
}

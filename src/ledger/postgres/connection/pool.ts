// Is there a pool between us and the database that gives each statement, or each transaction, another session? Locks, notifications and
// settings would be another's then, so it is refused. One that keeps a session as long as a connection lasts is as good as none.
import type { Connection } from './connection.ts'
import { Refused } from './server.ts'

const BACKEND = 'SELECT pg_backend_pid()'

/** A pool that hands out its sessions in turn shows it by then. */
const ROUNDS = 5

/** Asked first of all: what is set for a session would be set for whoever gets it next. `another`: opens one more connection. */
export async function isPooled(
  connection: Connection,
  another: () => Promise<Connection>,
  limitMs: number,
): Promise<boolean> {
  const backend = async (asked: Connection): Promise<number> => Number((await asked.ask(BACKEND, limitMs))[0]?.[0])
  const own = await backend(connection)
  // The database itself says that number when a connection begins, a pool one of its own.
  if (own === connection.backend) return false
  const other = await another()
  try {
    for (let round = 0; round < ROUNDS; round++) {
      await other.ask('BEGIN', limitMs)
      // In a transaction it keeps its session, so ours cannot be the same one.
      if ((await backend(other)) === own || (await backend(connection)) !== own) return true
      await other.ask('ROLLBACK', limitMs)
    }
    return false
  } catch (thrown) {
    // A pool for single statements has no transactions. pgbouncer says so as an error of the connection.
    if (thrown instanceof Refused || /transaction blocks not allowed/.test(String(thrown))) return true
    throw thrown
  } finally {
    other.destroy()
  }
}

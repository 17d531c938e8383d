// The database of a crash suite whose ledgers are in PostgreSQL: CRASH_LEDGER=postgres. One server for the whole run, a schema for each
// scene. Its commits are real ones, but need not survive a power cut: what is killed here is popfetch.
import type { TestProject } from 'vitest/node'
import { PostgresServer } from '../support/postgres-server.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** The folder of the server; null: ledgers are files. */
    database: string | null
  }
}

export default async function setup(project: TestProject): Promise<(() => Promise<void>) | undefined> {
  if (process.env['CRASH_LEDGER'] !== 'postgres') {
    project.provide('database', null)
    return undefined
  }
  const server = await PostgresServer.start()
  project.provide('database', server.folder)
  return () => server[Symbol.asyncDispose]()
}

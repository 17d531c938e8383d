// A whole copy of a ledger's file, made by SQLite in a thread of its own. It blocks, and takes seconds where the ledger is large.
import { BUSY_LIMIT_MS } from './fault.ts'

// As text, because a bundle has no file of its own for it. Whoever reads is in nobody's way: writers go on beside it.
const COPY = `
  const { workerData } = process.getBuiltinModule('node:worker_threads')
  const { DatabaseSync } = process.getBuiltinModule('node:sqlite')
  const database = new DatabaseSync(workerData.from, { readOnly: true, timeout: workerData.timeoutMs })
  const check = workerData.sound ? database.prepare('PRAGMA quick_check(1)').all() : []
  const verdict = check.map((row) => Object.values(row)[0])[0] ?? 'ok'
  if (verdict !== 'ok') throw new Error('it is damaged: ' + verdict)
  database.prepare('VACUUM INTO ?').run(workerData.to)
  database.close()
`

/** Copies `from` into the empty file `to`, which is not yet durable when it resolves. `sound`: only what SQLite finds whole. Rejects
 *  with what SQLite says. */
export function copyWhole(from: string, to: string, { sound }: { readonly sound: boolean }): Promise<void> {
  // A poll without a copy to make does not load it.
  const { Worker } = process.getBuiltinModule('node:worker_threads')
  const worker = new Worker(COPY, { eval: true, workerData: { from, to, sound, timeoutMs: BUSY_LIMIT_MS } })
  return new Promise((resolve, reject) => {
    worker.once('error', reject)
    worker.once('exit', () => resolve())
  })
}

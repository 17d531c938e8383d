// A copy of the ledger while it is in use (S015). VACUUM INTO is one statement that takes seconds for a large ledger, so it runs
// on a thread of its own. One rule: the copy gets its name when it is whole and durable, and never takes that of another file.
import { randomBytes } from 'node:crypto'
import { link, open, rename, rm, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { Worker } from 'node:worker_threads'
import { display } from '../../display.ts'
import { errnoOf, PopfetchError } from '../../errors.ts'
import { BUSY_LIMIT_MS, refused } from './rows/fault.ts'
import { syncUpwards } from './file.ts'

// As text, because a bundle has no file of its own for it. Whoever reads is in nobody's way: writers go on beside it.
const COPY = `
  const { workerData } = process.getBuiltinModule('node:worker_threads')
  const { DatabaseSync } = process.getBuiltinModule('node:sqlite')
  const database = new DatabaseSync(workerData.from, { readOnly: true, timeout: workerData.timeoutMs })
  database.prepare('VACUUM INTO ?').run(workerData.to)
  database.close()
`

/** Copies the ledger at `path` to `file`; see Records.backup. */
export async function backup(path: string, file: string): Promise<void> {
  if ((await statOrNull(path)) === null) {
    throw refused(path, 'it does not exist', 'poll once, or choose the right one with state: or --state')
  }
  if ((await statOrNull(file)) !== null) throw exists(file)
  const draft = `${file}.new-${randomBytes(8).toString('hex')}`
  try {
    const copy = await open(draft, 'wx', 0o600)
    try {
      await vacuumInto(path, draft)
      await copy.sync()
    } finally {
      await copy.close()
    }
    await appear(draft, file)
  } catch (thrown) {
    throw thrown instanceof PopfetchError ? thrown : failed(file, thrown)
  } finally {
    await rm(draft, { force: true })
  }
}

function vacuumInto(from: string, to: string): Promise<void> {
  const worker = new Worker(COPY, { eval: true, workerData: { from, to, timeoutMs: BUSY_LIMIT_MS } })
  return new Promise((resolve, reject) => {
    worker.once('error', reject)
    worker.once('exit', () => resolve())
  })
}

async function appear(draft: string, file: string): Promise<void> {
  try {
    await link(draft, file)
  } catch (thrown) {
    const errno = errnoOf(thrown)
    if (errno === 'EEXIST') throw exists(file)
    // No hard links (FAT, some FUSE): the window between the look and the rename is left open there.
    if (errno !== 'EPERM' && errno !== 'ENOTSUP' && errno !== 'ENOSYS' && errno !== 'EMLINK') throw thrown
    if ((await statOrNull(file)) !== null) throw exists(file)
    await rename(draft, file)
  }
  await syncUpwards(dirname(file), dirname(file))
}

function statOrNull(path: string) {
  return stat(path).catch((thrown: unknown) => {
    if (errnoOf(thrown) === 'ENOENT') return null
    throw failed(path, thrown)
  })
}

function exists(file: string): PopfetchError {
  return problem(file, 'a file of this name already exists: use another name')
}

function failed(file: string, thrown: unknown): PopfetchError {
  const said = display(thrown instanceof Error ? thrown.message : String(thrown))
  return problem(file, `${said}: check the directory and its disk`, thrown)
}

function problem(file: string, what: string, cause?: unknown): PopfetchError {
  const message = `cannot write the backup ${display(file, 4096)}: ${what}`
  return new PopfetchError('ERR_LEDGER', message, { scope: 'process', retry: 'never', cause })
}

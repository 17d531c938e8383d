// Is a ledger's file sound? Looks through all of it: whether its pages and indexes are whole, and whether the rows fit together. Changes
// nothing, and works while polls run. On a thread of its own, for one statement takes seconds for a large ledger.
import { display } from '../../../display.ts'
import { fileSystemType, inspect, preparePlace } from '../file.ts'
import { asLedgerError, BUSY_LIMIT_MS, damaged, refused } from '../rows/fault.ts'

export interface Soundness {
  /** The ledger's file. */
  readonly place: string
  readonly accounts: number
  readonly messages: number
  /** What is wrong, for people; empty: it is sound. */
  readonly faults: readonly string[]
}

const MOST_FAULTS = 20

// As text, because a bundle has no file of its own for it. Each statement names rows that no ledger has.
const LOOK = `
  const { workerData, parentPort } = process.getBuiltinModule('node:worker_threads')
  const { DatabaseSync } = process.getBuiltinModule('node:sqlite')
  const { path, timeoutMs, most } = workerData
  const faults = []
  let accounts = 0, messages = 0
  const database = new DatabaseSync(path, { readOnly: true, timeout: timeoutMs })
  const first = (sql) => Object.values(database.prepare(sql).get() ?? {})[0]
  try {
    database.exec('PRAGMA cell_size_check = ON; BEGIN')
    for (const row of database.prepare('PRAGMA integrity_check(' + most + ')').all()) {
      const [text] = Object.values(row)
      if (text !== 'ok') faults.push(String(text))
    }
    accounts = first('SELECT count(*) FROM account')
    messages = first('SELECT count(*) FROM message')
    const known = first('SELECT coalesce(sum(known), 0) FROM account')
    const counts = [
      [first('SELECT count(*) FROM message WHERE account NOT IN (SELECT id FROM account)'), 'messages of an account that is not there'],
      [first('SELECT count(*) FROM delivery WHERE message NOT IN (SELECT id FROM message)'), 'deliveries of a message that is not there'],
      [first('SELECT count(*) FROM message WHERE state NOT IN (0, 1, 2, 3, 4)'), 'messages in a state that there is not'],
      [first('SELECT count(*) FROM account WHERE NOT json_valid(facts)'), 'accounts whose facts cannot be read'],
      [first('SELECT count(*) FROM message m WHERE state = 1 AND EXISTS (SELECT 1 FROM delivery d WHERE d.message = m.id AND d.state <> 2)'), 'messages that count as delivered and are not at all their destinations'],
      [Math.max(0, known - messages), 'messages missing that are counted'],
    ]
    for (const [count, what] of counts) if (count > 0) faults.push(count + ' ' + what)
  } catch (error) {
    if ((error.errcode & 0xff) === 5) throw error
    faults.push(error.message)
  } finally {
    database.close()
  }
  parentPort.postMessage({ accounts, messages, faults: faults.slice(0, most) })
`

/** Rejects with ERR_LEDGER where there is none, it is no ledger, or it cannot be read at all. */
export async function checkLedger(path: string): Promise<Soundness> {
  try {
    const place = await preparePlace(path, fileSystemType, true)
    if (!(await inspect(place, true)))
      throw refused(path, 'there is none', 'choose the right one with state: or --state')
    const { faults, ...counts } = await lookThrough(place)
    const lines = faults.flatMap((fault) => fault.split('\n')).map((line) => display(line, 300))
    return { place, ...counts, faults: lines.slice(0, MOST_FAULTS) }
  } catch (thrown) {
    throw asLedgerError(path, damaged(path, thrown))
  }
}

function lookThrough(path: string): Promise<Omit<Soundness, 'place'>> {
  const workerData = { path, timeoutMs: BUSY_LIMIT_MS, most: MOST_FAULTS }
  const { Worker } = process.getBuiltinModule('node:worker_threads')
  const worker = new Worker(LOOK, { eval: true, workerData })
  return new Promise((resolve, reject) => {
    worker.once('message', resolve)
    worker.once('error', reject)
    worker.once('exit', () => reject(new Error('the look at the ledger ended early')))
  })
}

// The door through which every command opens its ledger, whichever kind it is. What a database needs is loaded only for one.
import { display } from '../../display.ts'
import { PopfetchError } from '../../errors.ts'
import type { Ledger } from '../../ledger/ledger.ts'
import { openLedger as openFile } from '../../ledger/sqlite/open.ts'
import type { Opening } from './opening.ts'
import type { StatePlace } from './place.ts'

/** What a machine keeps beside a ledger in a database (place.ts): a file made there would know nothing, and all mail would come
 *  twice. */
const LOCAL = /\/postgres-[0-9a-f]{16}\/ledger$/

function ofDatabase(statePath: string): PopfetchError {
  const text = `cannot use ${display(statePath)} as a ledger: the ledger to which it belongs is in a database: give its URL`
  return new PopfetchError('ERR_CONFIG', text, { scope: 'process', retry: 'never' })
}

/** Rejects with ERR_LEDGER, with ERR_CONFIG where the configuration leads to none, with ERR_SECRET. */
export async function openLedger({ statePath, postgres }: StatePlace, opening: Opening): Promise<Ledger> {
  const { readOnly = false, headers = 'all' } = opening
  if (postgres === null) {
    if (LOCAL.test(statePath)) throw ofDatabase(statePath)
    return await openFile(statePath, { readOnly, headers })
  }
  const { openDatabase } = await import('./open-database.ts')
  return await openDatabase({ statePath, postgres }, opening)
}

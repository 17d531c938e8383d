// SQLite gives new rows the next number, until the last number of all is taken: by a damaged row, never otherwise.
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect, test } from 'vitest'
import { openLedger } from '../../../src/ledger/sqlite/open.ts'
import { beginning, key, leaseOf, temporaryDirectory } from '../scene.ts'

test('messages are not begun together behind a row with the last number of all, and nothing is lost of what is there', async () => {
  const path = join(await temporaryDirectory(), 'state.db')
  {
    await using ledger = await openLedger(path)
    await ledger.begin(await leaseOf(ledger, 'here'), [beginning(key('first'))])
  }
  const database = new DatabaseSync(path)
  database.exec('PRAGMA foreign_keys = OFF; UPDATE message SET id = 9223372036854775807')
  database.close()
  {
    await using ledger = await openLedger(path)
    const lease = await leaseOf(ledger, 'here')
    const many = Array.from({ length: 16 }, (_, at) => beginning(key(`m${at}`)))
    await expect(ledger.settleAndBegin(lease, [], many)).rejects.toMatchObject({ code: 'ERR_LEDGER' })
    await lease[Symbol.asyncDispose]()
  }
  const after = new DatabaseSync(path)
  expect(after.prepare('SELECT count(*) AS count FROM message').get()).toEqual({ count: 1 })
  after.close()
})

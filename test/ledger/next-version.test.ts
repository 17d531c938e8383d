// Going back to this version: a ledger that the next one has written keeps the whole contract (N040, migrations only add).
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { describe, expect, onTestFinished, test } from 'vitest'
import { MIGRATIONS } from '../../src/ledger/sqlite/schema/migrations.ts'
import { openLedger } from '../../src/ledger/sqlite/open.ts'
import { readVersion } from '../../src/ledger/sqlite/schema/version.ts'
import { contract } from './contract.ts'
import { beginning, DONE, key, leaseOf, settlement, temporaryDirectory } from './scene.ts'
import { NEXT, open, upgrade } from './sqlite/next-version.ts'

contract({
  name: 'SQLite of the next version',
  opener: join(import.meta.dirname, 'sqlite/next-version.ts'),
  place: async () => {
    const name = join(await temporaryDirectory(), 'state.db')
    return {
      name,
      open: async (options) => {
        const ledger = await open(name, options)
        onTestFinished(() => ledger[Symbol.asyncDispose]())
        return ledger
      },
    }
  },
})

function versionAt(path: string): unknown {
  const database = new DatabaseSync(path, { readOnly: true })
  const version = readVersion(database)
  database.close()
  return version
}

describe('a ledger that becomes the next version while this one works on it', () => {
  test('is worked on as before, read and written, and stays the next version', async () => {
    const path = join(await temporaryDirectory(), 'state.db')
    await using ledger = await openLedger(path)
    const lease = await leaseOf(ledger, 'a')
    await ledger.begin(lease, [beginning(key('x'))])
    await upgrade(path)
    await ledger.settle(lease, settlement(key('x'), DONE))
    expect((await ledger.known('a', [key('x')]))[0]?.state).toBe('delivered')
    await using reader = await openLedger(path, { readOnly: true })
    expect((await reader.account('a'))?.known).toBe(1)
    expect(versionAt(path)).toEqual({ steps: MIGRATIONS.length + 1, oldest: MIGRATIONS.length })
  })

  test('is not touched any more where this version would misread it', async () => {
    const path = join(await temporaryDirectory(), 'state.db')
    await using ledger = await openLedger(path)
    const lease = await leaseOf(ledger, 'a')
    await upgrade(path, { ...NEXT, oldest: MIGRATIONS.length + 1 })
    const newer = { code: 'ERR_LEDGER', message: expect.stringContaining('a newer popfetch has written it') as string }
    await expect(ledger.begin(lease, [beginning(key('x'))])).rejects.toMatchObject(newer)
    await expect(ledger.account('a')).rejects.toMatchObject(newer)
    await expect(openLedger(path)).rejects.toMatchObject(newer)
    await expect(openLedger(path, { readOnly: true })).rejects.toMatchObject(newer)
  })
})

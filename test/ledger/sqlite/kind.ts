// SQLite, as the suite of the contract wants it.
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { openLedger } from '../../../src/ledger/sqlite/open.ts'
import type { Kind } from '../kind.ts'
import { temporaryDirectory } from '../scene.ts'

export const sqlite: Kind = {
  name: 'SQLite',
  opener: join(import.meta.dirname, 'opener.ts'),
  place: async () => {
    const name = join(await temporaryDirectory(), 'state.db')
    return {
      name,
      open: async (options) => {
        const ledger = await openLedger(name, options)
        onTestFinished(() => ledger[Symbol.asyncDispose]())
        return ledger
      },
    }
  },
}

// The ledger that the suite tells a process of: by a module that opens ledgers, and the place of this one.
import type { Ledger } from '../../../src/ledger/ledger.ts'

export async function opened(): Promise<Ledger> {
  const [module = '', place = ''] = process.argv.slice(2)
  const { open } = (await import(module)) as { readonly open: (place: string) => Promise<Ledger> }
  return await open(place)
}

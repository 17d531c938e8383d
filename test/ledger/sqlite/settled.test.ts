// Going through a whole file costs more than looking up a few keys, however small their account is.
import { expect, test } from 'vitest'
import { freshLedger, key, leaseOf } from '../scene.ts'

const all = { seenAfterMs: -Infinity, deliveredAfterMs: -Infinity, deliveredUntilMs: Infinity }

test('nothing is given where the file is long and few are asked for', async () => {
  const ledger = await freshLedger()
  const [lease, large] = [await leaseOf(ledger, 'here'), await leaseOf(ledger, 'large')]
  const many = Array.from({ length: 5000 }, (_, at) => ({ key: key(`m${at}`), listedBytes: null }))
  await ledger.see(large, many)
  await ledger.see(lease, many.slice(0, 10))
  await using comparison = ledger.compare('here')
  expect(await Array.fromAsync(comparison.settled(all, 10))).toEqual([])
})

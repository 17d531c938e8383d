// Ledgers with something in them, for tests that look things up.
import type { EntryKey, Ledger, Lease } from '../../../src/ledger/ledger.ts'
import type { Selection } from '../../../src/ledger/records.ts'
import { freshLedger, type Kind } from '../kind.ts'
import { beginning, DONE, key, leaseOf, settlement } from '../scene.ts'

const refusal = { state: 'refused', error: '554 no', retryAfterMs: 9000 } as const
export const HEADING = { from: 'Ann <ann@example.org>', subject: 'lunch \u{1f600}', dateMs: 1_700_000_000_000 }
export const received = {
  receivedBytes: 4100,
  digest: Buffer.alloc(32, 1),
  fingerprint: Buffer.alloc(16, 2),
  messageId: '<1@example.org>',
  heading: HEADING,
}

export async function keysOf(ledger: Ledger, selection: Selection, account = 'a'): Promise<EntryKey[]> {
  return (await Array.fromAsync(ledger.records.list(account, selection))).flat().map((message) => message.key)
}

export async function uidlsOf(ledger: Ledger, selection: Selection): Promise<string[]> {
  return (await keysOf(ledger, selection)).map(({ uidl }) => uidl)
}

/** One message of each state: `done`, `cut`, `no` (refused), `kept` (held), `old` (seen). */
export async function oneOfEach(ledger: Ledger, account = 'a'): Promise<Lease> {
  const lease = await leaseOf(ledger, account)
  await ledger.begin(
    lease,
    ['done', 'cut', 'no'].map((uidl) => beginning(key(uidl))),
  )
  await ledger.settle(lease, { ...settlement(key('done'), DONE), received })
  await ledger.settle(lease, settlement(key('no'), refusal))
  await ledger.hold(lease, [{ key: key('kept'), listedBytes: 9e7, reason: 'too large' }])
  await ledger.start(lease, [{ key: key('old'), listedBytes: 100 }])
  return lease
}

/** An account with `count` skipped messages beside a small one, in a ledger of its own. */
export async function largeLedger(
  kind: Kind,
  count: number,
): Promise<{ readonly ledger: Ledger; readonly large: Lease }> {
  const ledger = await freshLedger(kind)
  await ledger.start(await leaseOf(ledger, 'small'), [{ key: key('first'), listedBytes: null }])
  const large = await leaseOf(ledger, 'large')
  const many = Array.from({ length: count }, (_, at) => ({ key: key(`uid-${at}`), listedBytes: null }))
  await ledger.start(large, many)
  return { ledger, large }
}

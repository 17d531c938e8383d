// The ledger, in memory if there is room: what its statements and transactions cost, without a disk's fsync. A message is
// begun and settled; `at once`: how many share a group, as deliveries that end together do.
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { openLedger } from '../../../src/ledger/sqlite/open.ts'
import { roomyDirectory, temporaryDirectory } from '../../servers/program.ts'
import type { Work } from './rate.ts'

const KNOWN = 50_000
/** As many as the interface takes. */
const KEYS_AT_ONCE = 5_000
const identity = { host: 'pop.example.net', port: 995, user: 'alice' }

/** The ledger is closed with `stack`. */
export async function ledger(stack: AsyncDisposableStack): Promise<readonly Work[]> {
  const directory = stack.use(await temporaryDirectory(await roomyDirectory(1e9)))
  const opened = stack.use(await openLedger(join(directory.path, 'state.db')))
  const [known, busy] = [await opened.lease('known'), await opened.lease('busy')]
  if (known === null || busy === null) throw new Error('somebody else has the ledger')
  for (const lease of [known, busy]) await opened.admit(lease, identity)
  const keys = Array.from({ length: KNOWN }, (_, index) => ({ uidl: `${1_700_000_000 + index}.abcdef`, copy: 0 }))
  await opened.see(
    known,
    keys.map((key) => ({ key, listedBytes: 4_096 })),
  )

  let last = 0
  const target = { destination: 'inbox', recipient: '' }
  const received = { receivedBytes: 4_096, digest: randomBytes(32), fingerprint: randomBytes(16), messageId: '<a@b>' }
  const outcome = { state: 'done', receipt: '/home/alice/Mail/new/1700000000.K0123456789abcdefI0.host,S=4096' } as const
  const deliver = async (count: number): Promise<void> => {
    const begun = Array.from({ length: count }, () => ({ uidl: `new-${last++}`, copy: 0 }))
    const deliveries = [{ ...target, intent: '0123456789abcdef' }]
    await opened.begin(
      busy,
      begun.map((key) => ({ key, listedBytes: 4_096, deliveries })),
    )
    await Promise.all(begun.map((key) => opened.settle(busy, { key, ...target, outcome, received })))
  }

  return [
    ...[1, 50].map((atOnce) => ({
      name: `ledger, begin and settle, ${atOnce} at once`,
      unit: 'messages/s',
      amount: 100,
      round: async () => {
        for (let done = 0; done < 100; done += atOnce) await deliver(atOnce)
      },
    })),
    {
      name: 'ledger, 50000 known',
      unit: 'entries/s',
      amount: KNOWN,
      round: async () => {
        for (let first = 0; first < KNOWN; first += KEYS_AT_ONCE) {
          const found = await opened.known('known', keys.slice(first, first + KEYS_AT_ONCE))
          if (found.includes(null)) throw new Error('the ledger does not know what it was told')
        }
      },
    },
  ]
}

// The page of the daemon for 500 accounts with a month of days each, from the ledger to its last byte. A page is to
// take less than 100 ms, so more than ten a second.
import { join } from 'node:path'
import { hostname } from 'node:os'
import { page } from '../../../src/daemon/http/page/page.ts'
import { DAYS_SHOWN } from '../../../src/daemon/http/page/graphs.ts'
import { FIRST_VIEW, shownOf } from '../../../src/daemon/http/page/view.ts'
import { openLedger } from '../../../src/ledger/sqlite/open.ts'
import { readFacts } from '../../../src/status/facts.ts'
import { statusOf } from '../../../src/status/status.ts'
import { beginning, key, pollEnd } from '../../ledger/scene.ts'
import { roomyDirectory, temporaryDirectory } from '../../servers/program.ts'
import type { Work } from './rate.ts'

const ACCOUNTS = 500
const DAY_MS = 86_400_000

/** The ledger is closed with `stack`. */
export async function pages(stack: AsyncDisposableStack): Promise<readonly Work[]> {
  const directory = stack.use(await temporaryDirectory(await roomyDirectory(1e9)))
  const lastMs = Date.now()
  let nowMs = lastMs
  const ledger = stack.use(await openLedger(join(directory.path, 'state.db'), { nowMs: () => nowMs }))
  const names = Array.from({ length: ACCOUNTS }, (_, at) => `account-${at}`)
  for (const [at, name] of names.entries()) {
    await using lease = await ledger.lease(name)
    if (lease === null) throw new Error('somebody else has the ledger')
    await ledger.admit(lease, { host: 'pop.example.net', port: 995, user: name })
    await ledger.begin(lease, [beginning(key('waits')), beginning(key('held'))])
    if (at % 10 === 0) await ledger.hold(lease, [{ key: key('held'), listedBytes: null, reason: 'too large' }])
    for (let day = DAYS_SHOWN - 1; day >= 0; day--) {
      nowMs = lastMs - day * DAY_MS
      const day30 = { delivered: day % 7, bytes: 40_000, failures: day % 11 === 0 ? 1 : 0, longestWaitMs: 0 }
      await ledger.finish(lease, pollEnd({ day: day30 }))
    }
  }
  const about = { version: '1.2.3', machine: hostname() }
  const daemon = { wanted: true, pid: 1, sinceMs: lastMs, accounts: [] }
  return [
    {
      name: `page of ${ACCOUNTS} accounts`,
      unit: 'pages/s',
      amount: 1,
      round: async () => {
        const facts = await readFacts(ledger, { nowMs, configured: names, signIns: [], daemon })
        const status = statusOf(facts)
        const shown = shownOf(status, FIRST_VIEW)
        const days = await ledger.records.days(
          DAYS_SHOWN,
          shown.accounts.map(({ account }) => account),
        )
        if (!page(status, shown, days, about).includes('account-99')) throw new Error('the page is not whole')
      },
    },
  ]
}

// Begins and settles one message after the other until it is killed; prints the number of each once that is resolved.
// Arguments: a module that opens ledgers, the place of this one, the account, a prefix for UIDLs.
import { writeSync } from 'node:fs'
import { opened } from './opened.ts'

const [account = '', prefix = ''] = process.argv.slice(4)
await using ledger = await opened()
const lease = await ledger.lease(account)
if (lease === null) throw new Error(`${account} is at work`)
await ledger.admit(lease, { host: 'pop.example.net', port: 995, user: 'alice' })
for (let number = 0; ; number++) {
  const key = { uidl: `${prefix}${number}`, copy: 0 }
  const deliveries = [{ destination: 'inbox', recipient: '', intent: number.toString(16).padStart(16, '0') }]
  await ledger.begin(lease, [{ key, listedBytes: number, deliveries }])
  const outcome = { state: 'done', receipt: 'x'.repeat(60) } as const
  await ledger.settle(lease, { key, destination: 'inbox', recipient: '', outcome, received: null })
  // Blocks where the reader lags behind: what waited in this process would die with it.
  writeSync(1, `${number}\n`)
}

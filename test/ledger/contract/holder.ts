// Takes leases as it is told on standard input, a line each: "take NAME" answers "NAME yes|no", "release NAME" "NAME released".
// Arguments: a module that opens ledgers, the place of this one.
import { createInterface } from 'node:readline'
import type { Lease } from '../../../src/ledger/ledger.ts'
import { opened } from './opened.ts'

await using ledger = await opened()
const leases = new Map<string, Lease>()
process.stdout.write('ready\n')
for await (const line of createInterface({ input: process.stdin })) {
  const [verb, account = ''] = line.split(' ')
  if (verb === 'take') {
    const lease = await ledger.lease(account)
    if (lease !== null) leases.set(account, lease)
    process.stdout.write(`${account} ${lease === null ? 'no' : 'yes'}\n`)
  } else {
    await leases.get(account)?.[Symbol.asyncDispose]()
    process.stdout.write(`${account} released\n`)
  }
}

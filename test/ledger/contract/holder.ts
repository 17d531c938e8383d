// Takes leases as it is told on standard input, a line each: "take NAME" and "use NAME MOST" (with a share of "holder") answer
// "NAME yes|no", "release NAME" "NAME released", "join MACHINE" "MACHINE joined".
// Arguments: a module that opens ledgers, the place of this one.
import { createInterface } from 'node:readline'
import type { Lease } from '../../../src/ledger/ledger.ts'
import { opened } from './opened.ts'

await using ledger = await opened()
const leases = new Map<string, Lease>()
process.stdout.write('ready\n')
for await (const line of createInterface({ input: process.stdin })) {
  const [verb, account = '', most = ''] = line.split(' ')
  if (verb === 'join') {
    await ledger.join({ machine: account, version: '1' })
    process.stdout.write(`${account} joined\n`)
  } else if (verb === 'take' || verb === 'use') {
    const uses = [{ key: 'holder', most: Number(most) }]
    const lease =
      verb === 'take' ? await ledger.lease(account) : (await ledger.claim(account, { uses, dueWithinMs: null })).lease
    if (lease !== null) leases.set(account, lease)
    process.stdout.write(`${account} ${lease === null ? 'no' : 'yes'}\n`)
  } else {
    await leases.get(account)?.[Symbol.asyncDispose]()
    process.stdout.write(`${account} released\n`)
  }
}

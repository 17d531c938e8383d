// A listing compared with the ledger, in batches, → a plan. Bounded memory and no long turn of the loop, whatever the size
// of the mailbox (P103).
import { setImmediate as turn } from 'node:timers/promises'
import type { Account } from '../config/schema.ts'
import type { AccountRecord } from '../ledger/ledger.ts'
import type { Listing } from '../pop3/listing.ts'
import { type Plan, Planner } from './plan.ts'
import type { RunRequest } from './run.ts'

const BATCH = 2000

export async function compare(
  listing: Listing,
  account: Account,
  record: AccountRecord,
  { ledger, options }: Pick<RunRequest, 'ledger' | 'options'>,
  nowMs: number,
): Promise<Plan> {
  const limits = [account.limit, options.limit].filter((limit) => limit !== null)
  const policy = {
    delete: account.delete,
    first: account.first,
    limit: limits.length === 0 ? null : Math.min(...limits),
    maxSizeBytes: account.maxSizeBytes,
    all: options.all,
  }
  const planner = new Planner(policy, listing.length, record.started, nowMs)
  for (let at = 0; at < listing.length; at += BATCH) {
    const entries = listing.slice(at, at + BATCH)
    planner.add(entries, await ledger.known(account.name, entries))
    await turn()
  }
  return planner.finish()
}

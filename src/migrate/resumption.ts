// What an unfinished migration leaves in the ledger for the next run: when it began, and the messages that failed, which the
// next run tries afresh.
import type { Account } from '../config/schema.ts'
import type { AccountIdentity, AccountRecord, EntryKey, Ledger, Lease } from '../ledger/ledger.ts'
import type { MessageRecord } from '../ledger/records.ts'

/** One of the account's facts: when the migration began, and its destinations. */
const FACT = 'migration'

const AT_ONCE = 1000

/** When the migration of this account to these destinations began: now, unless an unfinished one is recorded. */
export async function begin(ledger: Ledger, lease: Lease, account: Account, nowMs: number): Promise<number> {
  const { deliver } = account
  const record = await ledger.admit(lease, identityOf(account))
  const [since = '', ...to] = (record.facts[FACT] ?? '').split('\n')
  if (since !== '' && to.join('\n') === deliver.join('\n')) return Number(since)
  await setFact(ledger, lease, account, record, [nowMs, ...deliver].join('\n'))
  return nowMs
}

/** To be called when everything was verified: a later migration is then a new one. */
export async function finish(ledger: Ledger, lease: Lease, account: Account): Promise<void> {
  await setFact(ledger, lease, account, await ledger.admit(lease, identityOf(account)), null)
}

async function setFact(
  ledger: Ledger,
  lease: Lease,
  account: Account,
  record: AccountRecord,
  fact: string | null,
): Promise<void> {
  const facts = { [FACT]: fact }
  await ledger.finish(lease, { identity: identityOf(account), health: record, facts, wholeListing: false, mark: null })
}

function identityOf({ host, port, user }: Account): AccountIdentity {
  return { host, port, user }
}

/** Makes the ledger forget what was refused or held back, so that this run takes it for new; gives how many. What may
 *  be at one of its destinations already stays as it is: nothing comes twice. */
export async function tryAfresh(ledger: Ledger, lease: Lease): Promise<number> {
  const keys: EntryKey[] = []
  for (const selection of ['refused', 'held'] as const) {
    for await (const slice of ledger.records.list(lease.account, selection)) {
      for (const message of slice) if (isNowhere(message)) keys.push(message.key)
    }
  }
  let forgotten = 0
  for (let at = 0; at < keys.length; at += AT_ONCE) {
    forgotten += await ledger.records.forget(lease, keys.slice(at, at + AT_ONCE), {})
  }
  return forgotten
}

function isNowhere({ deliveries }: MessageRecord): boolean {
  return deliveries.every(
    ({ state, unknowns }) => unknowns === 0 && (state === 'pending' || state === 'refused' || state === 'failed'),
  )
}

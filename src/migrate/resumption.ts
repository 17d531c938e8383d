// What a migration leaves in the ledger. For the next run: when it began, how it was asked for, and the messages that failed,
// which the next run tries afresh. For an account that polls the mailbox afterwards: that it came to its end.
import type { Account } from '../config/schema.ts'
import type { AccountIdentity, AccountRecord, EntryKey, FactChanges, Ledger, Lease } from '../ledger/ledger.ts'
import type { MessageRecord } from '../ledger/records.ts'
import { MIGRATED } from '../poll/plan/migrated.ts'

/** In AccountRecord.facts: when the migration began, and its destinations; absent: none is under way. */
const BEGUN = 'migration'
/** In AccountRecord.facts: how it was asked for, to go on by. */
export const MEMO = 'migrate'

const AT_ONCE = 1000

/** When the migration of this account to these destinations began: now, unless an unfinished one is recorded. `memo`: how it was
 *  asked for. */
export async function begin(
  ledger: Ledger,
  lease: Lease,
  account: Account,
  { memo, nowMs }: { readonly memo: string; readonly nowMs: number },
): Promise<number> {
  const { deliver } = account
  const record = await ledger.admit(lease, identityOf(account))
  const [, ...to] = (record.facts[BEGUN] ?? '').split('\n')
  const isOn = record.facts[BEGUN] !== undefined && to.join('\n') === deliver.join('\n')
  const sinceMs = isOn ? sinceOf(record.facts) : nowMs
  const facts = { [BEGUN]: [sinceMs, ...deliver].join('\n'), [MEMO]: memo }
  await setFacts(ledger, lease, account, record, facts)
  return sinceMs
}

export function sinceOf(facts: AccountRecord['facts']): number {
  return Number((facts[BEGUN] ?? '').split('\n', 1)[0]) || 0
}

/** It came to its end. `whole`: everything was verified, so that a later migration is a new one. An account that polls the
 *  mailbox afterwards takes over what was delivered (poll/compare/take-over-migration.ts). */
export async function finish(
  ledger: Ledger,
  lease: Lease,
  account: Account,
  { whole, nowMs }: { readonly whole: boolean; readonly nowMs: number },
): Promise<void> {
  const facts = { [MIGRATED]: String(nowMs), ...(whole ? { [BEGUN]: null, [MEMO]: null } : {}) }
  await setFacts(ledger, lease, account, await ledger.admit(lease, identityOf(account)), facts)
}

async function setFacts(
  ledger: Ledger,
  lease: Lease,
  account: Account,
  record: AccountRecord,
  facts: FactChanges,
): Promise<void> {
  await ledger.finish(lease, {
    identity: identityOf(account),
    health: record,
    facts,
    wholeListing: false,
    mark: null,
    day: null,
  })
}

function identityOf({ host, port, user }: Account): AccountIdentity {
  return { host, port, user }
}

/** Makes the ledger forget what was refused or held back, so that this run takes it for new; gives how many. A message that may
 *  be at one of its destinations already stays as it is, so that nothing comes twice. */
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

// What a migration that was ended leaves in the ledger for the next run, and what the next run makes of it: when it began, and
// the messages that failed, which are to be tried afresh. The caller holds the account's lease.
import type { Account } from '../config/schema.ts'
import type { AccountRecord, EntryKey, Ledger } from '../ledger/ledger.ts'
import type { MessageRecord } from '../ledger/records.ts'

/** Among the account's facts: when it began, and where to. */
const FACT = 'migration'

const AT_ONCE = 1000

/** When the migration of this account to these destinations began; now, unless one was begun and not finished. */
export async function begin(ledger: Ledger, account: Account, nowMs: number): Promise<number> {
  const { name, host, port, user, deliver } = account
  const record = await ledger.account(name, { host, port, user })
  const [since = '', ...to] = (record.facts[FACT] ?? '').split('\n')
  if (since !== '' && to.join('\n') === deliver.join('\n')) return Number(since)
  await setFact(ledger, account, record, [nowMs, ...deliver].join('\n'))
  return nowMs
}

/** Everything was verified: a later migration is another one. */
export async function finish(ledger: Ledger, account: Account): Promise<void> {
  const { name, host, port, user } = account
  await setFact(ledger, account, await ledger.account(name, { host, port, user }), null)
}

async function setFact(
  ledger: Ledger,
  { name, host, port, user }: Account,
  record: AccountRecord,
  fact: string | null,
): Promise<void> {
  await ledger.finish(name, { identity: { host, port, user }, health: record, facts: { [FACT]: fact } })
}

/** Makes the ledger forget what was refused or held back, so that this run takes it for new; gives how many. What may
 *  be at one of its destinations already stays as it is: nothing comes twice. */
export async function tryAfresh(ledger: Ledger, account: string): Promise<number> {
  const keys: EntryKey[] = []
  for (const selection of ['refused', 'held'] as const) {
    for await (const slice of ledger.records.list(account, selection)) {
      for (const message of slice) if (isNowhere(message)) keys.push(message.key)
    }
  }
  let forgotten = 0
  for (let at = 0; at < keys.length; at += AT_ONCE) {
    forgotten += await ledger.records.forget(account, keys.slice(at, at + AT_ONCE), {})
  }
  return forgotten
}

function isNowhere({ deliveries }: MessageRecord): boolean {
  return deliveries.every(
    ({ state, unknowns }) => unknowns === 0 && (state === 'pending' || state === 'refused' || state === 'failed'),
  )
}

// What `popfetch migrate` moved, for an account that polls the same mailbox afterwards (DESIGN 4.1). The record of a migration
// that came to its end is taken over at the account's first poll. So nothing comes twice, and what came since is fetched.
// One rule: only what was delivered counts; all else of that ledger is new to the account.
import type { Account } from '../../config/schema.ts'
import type { Adoption, ReceivedFacts } from '../../ledger/ledger.ts'
import type { MessageRecord } from '../../ledger/records.ts'
import { openLedger } from '../../ledger/sqlite/open.ts'
import { DELETE } from '../plan/changed-deletes.ts'
import { isOf } from '../plan/migrated.ts'
import type { AccountPoll } from '../visit.ts'

/** In AccountRecord.facts of an account: the ledgers that are being taken over. */
const TAKING = 'takesMigration'

/** Takes over what a finished migration of this mailbox delivered, if nothing is known of the account yet. Changes nothing in a
 *  dry run. Rejects with ERR_LEDGER. */
export async function takeOverMigration({ account, run, lease, history, tally }: AccountPoll): Promise<void> {
  const { facts, known } = history.record
  const begun = facts[TAKING]?.split('\n') ?? null
  if (!run.restrictions.takesOver || (known > 0 && begun === null)) return
  const files = begun ?? (await run.migrated.of(account))
  if (files.length === 0) return
  if (run.options.dryRun)
    return tally.note('a finished migration knows this mailbox: the next poll takes over its record')
  // Durable before anything is taken: a kill in between does not end it (S035).
  await run.ledger.records.note(account.name, { [TAKING]: files.join('\n') })
  let alive = 0
  let count = 0
  for (const file of files) {
    for await (const slice of deliveredIn(file, account)) {
      await run.ledger.adopt(lease, slice.map(adoptionOf))
      await Promise.all(slice.map((message) => run.ledger.confirm(lease, message.key, receivedOf(message))))
      count += slice.length
      alive += slice.filter(({ deletions }) => deletions === 0).length
    }
  }
  // `first` speaks of accounts of which nothing is known (S046): what came since the migration is due.
  if (count > 0) await run.ledger.start(lease, [])
  const { host, port, user } = account
  await run.ledger.finish(lease, {
    identity: { host, port, user },
    health: history.record,
    // `alive`, `uidls`: a listing with none of them means other UIDs, and everything would come twice (S020, P084). `delete`: a
    // mailbox that was moved is not emptied because the account deletes what it fetches (S022).
    facts: { [TAKING]: null, ...(count === 0 ? {} : { alive: String(alive), uidls: 'given', [DELETE]: 'never' }) },
    wholeListing: false,
    mark: null,
    day: null,
  })
  await history.reread()
  if (count > 0) tally.note(`${count} messages that a migration moved are taken over, and do not come again`)
}

async function* deliveredIn(file: string, account: Account): AsyncGenerator<readonly MessageRecord[]> {
  await using migration = await openLedger(file)
  for (const { name, identity } of await migration.accounts()) {
    if (!isOf(identity, account)) continue
    for await (const slice of migration.records.list(name, 'delivered'))
      yield slice.filter(({ goneSinceMs }) => goneSinceMs === null)
  }
}

function adoptionOf({ key, listedBytes, deliveries }: MessageRecord): Adoption {
  const done = deliveries.map(({ destination, recipient, intent, receipt }) => {
    return { destination, recipient, state: 'done' as const, intent, receipt: receipt ?? '' }
  })
  return { key, listedBytes, deliveries: done, complete: true }
}

function receivedOf(message: MessageRecord): ReceivedFacts | null {
  const { receivedBytes, digest, fingerprint, messageId, from, subject, dateMs } = message
  if (receivedBytes === null || digest === null || fingerprint === null) return null
  return { receivedBytes, digest, fingerprint, messageId, heading: { from, subject, dateMs } }
}

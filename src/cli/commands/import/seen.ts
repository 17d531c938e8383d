// Takes an old tool's record of seen messages over into the ledger. popfetch neither fetches nor deletes a message that is
// remembered as seen. The old tool delivered it, and the record does not tell where to.
import type { Account } from '../../../config/schema.ts'
import type { AccountIdentity, Ledger, Lease } from '../../../ledger/ledger.ts'
import type { SeenElsewhere } from '../../../poll/account/amend.ts'
import type { Draft } from '../../../setup/draft.ts'
import type { ImportedAccount, SeenUidl } from '../../../setup/imported.ts'
import type { ImportRequest } from './options.ts'
import { accountBusy, refusal } from '../../command-errors.ts'
import { readSeen } from './old-files.ts'
import type { Surroundings } from '../../surroundings.ts'
import type { StatePlace } from '../../../config/state/place.ts'

export interface TakenOver {
  readonly name: string
  /** The account is only a comment in the new file. */
  readonly off: boolean
  /** How many messages are remembered; null: the old tool had no record. */
  readonly count: number | null
  /** What the old file left in doubt. */
  readonly warnings: readonly string[]
  /** What becomes of messages on the server, as the new file says it. */
  readonly delete: string
  /** The old tool's messages count as delivered. */
  readonly takenOver: boolean
}

export interface TakeOverContext {
  /** The accounts of the new file; null: the file has a fault. */
  readonly configured: readonly Account[] | null
  readonly place: StatePlace
}

/** Takes over all accounts, or none and rejects: ERR_BUSY when one is being polled, ERR_USAGE when another mailbox has its
 *  name in the ledger, ERR_LEDGER. */
export async function takeOver(
  accounts: Draft['accounts'],
  { configured, place }: TakeOverContext,
  request: ImportRequest,
  surroundings: Surroundings,
): Promise<readonly TakenOver[]> {
  const records = await readSeen(
    accounts.map(({ account }) => account),
    request,
    surroundings,
  )
  const byName = new Map((configured ?? []).map((each) => [each.name, each]))
  const wanted = accounts.map(({ name, account }, at) => ({
    name,
    account,
    seen: records[at] ?? [],
    // As the schema reads it, because a poll compares with that.
    identity: byName.get(name) ?? account,
  }))
  const known = wanted.flatMap(({ name, account, seen, identity }) => {
    const uidls = spelled(account, seen)
    return uidls.size === 0 ? [] : [{ name, identity, count: countOf(seen), uidls }]
  })
  if (known.length > 0) {
    const { openLedger } = await surroundings.rooms.ledger()
    await using ledger = await openLedger(place, { env: surroundings.env })
    await using leases = new AsyncDisposableStack()
    const held: { readonly lease: Lease; readonly seen: SeenElsewhere }[] = []
    for (const { name, identity, count, uidls } of known) {
      await requireSame(name, identity, ledger)
      const lease = await ledger.lease(name)
      if (lease === null) throw accountBusy(`importing ${name}`)
      const { host, port, user } = identity
      const seen = { identity: { host, port, user }, count, delivered: request.takeOver, uidls }
      held.push({ lease: leases.use(lease), seen })
    }
    const { rememberSeen } = await import('../../../poll/account/amend.ts')
    for (const { lease, seen } of held) await rememberSeen(ledger, lease, seen)
  }
  return wanted.map(({ name, account, seen }) => ({
    name,
    off: account.off,
    count: seen.length === 0 ? null : countOf(seen),
    warnings: account.warnings,
    delete: typeof account.keys['delete'] === 'string' ? account.keys['delete'] : 'never',
    takenOver: request.takeOver,
  }))
}

/** The UIDLs that the server may use for those of a record, and when the old tool saw each first. */
export function spelled(
  { seen: record }: Pick<ImportedAccount, 'seen'>,
  seen: readonly SeenUidl[],
): ReadonlyMap<string, number | null> {
  if (record === null) return new Map()
  return new Map(seen.flatMap(({ uidl, sinceMs }) => record.spellings(uidl).map((each) => [each, sinceMs] as const)))
}

/** Of different messages. */
export function countOf(seen: readonly SeenUidl[]): number {
  return new Set(seen.map(({ uidl }) => uidl)).size
}

/** Throws ERR_USAGE when the ledger knows another mailbox by this name: their records would be mixed. */
async function requireSame(name: string, { host, port, user }: AccountIdentity, ledger: Ledger): Promise<void> {
  const record = (await ledger.accounts()).find((each) => each.name === name)
  if (record === undefined) return
  const { identity } = record
  if (identity.host === host && identity.port === port && identity.user === user) return
  throw refusal(
    `importing ${name}: the ledger ${ledger.place} knows another mailbox by this name: use another ledger (--state FILE), or popfetch state rename ${name} NEW`,
  )
}

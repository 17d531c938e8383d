// Messages that another program fetched before popfetch: remembered as seen, which is neither fetched nor deleted. What a
// poll would have recorded beside them is recorded too, so that the guards protect them from the first poll on.
import type { AccountIdentity, Ledger, Lease } from '../../ledger/ledger.ts'

export interface SeenElsewhere {
  readonly identity: AccountIdentity
  /** How many messages it was. */
  readonly count: number
  /** The UIDLs they may have: as many, or more where a spelling is in doubt. */
  readonly uidls: readonly string[]
}

/** What is known of the account already stays as it is. */
export async function rememberSeen(ledger: Ledger, lease: Lease, seen: SeenElsewhere): Promise<void> {
  const record = await ledger.admit(lease, seen.identity)
  await ledger.start(
    lease,
    seen.uidls.map((uidl) => ({ key: { uidl, copy: 0 }, listedBytes: null })),
  )
  if (record.started) return
  // `alive`: a listing with nearly none of them means other UIDLs, or another mailbox, and everything would come twice
  // (S020). `uidls`: so would a listing without any (P084).
  const facts = { alive: String(seen.count), uidls: 'given' }
  await ledger.finish(lease, { identity: seen.identity, health: record, facts })
}

// What a panel calls differently is the same account (`formerly`): its next poll takes over all that is recorded under the name that it
// had, whatever the server. Only where nothing is known under the new name: two histories cannot be one.
import type { Account } from '../../config/schema.ts'
import { PopfetchError } from '../../errors.ts'
import type { Ledger, Lease } from '../../ledger/ledger.ts'

/** Gives the name whose history the account has now; null: it keeps its own. `lease`: of the account. Rejects with ERR_BUSY while
 *  another popfetch polls it under the former name. */
export async function takeOverFormerName(
  account: Pick<Account, 'name' | 'formerly'>,
  lease: Lease,
  ledger: Ledger,
): Promise<string | null> {
  if (account.formerly.length === 0 || (lease.record?.known ?? 0) > 0) return null
  for (const former of account.formerly) {
    const recorded = await ledger.account(former)
    if (recorded === null || recorded.known === 0) continue
    await using other = await ledger.lease(former)
    if (other === null) {
      const text = `polling ${account.name}: another popfetch polls it as ${former}, its former name: reload or restart that one`
      throw new PopfetchError('ERR_BUSY', text, { scope: 'account', retry: 'soon' })
    }
    if (await ledger.records.rename(other, lease)) return former
  }
  return null
}

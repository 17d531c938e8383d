// What `accountsFrom` printed was not taken, and the accounts before hold: told once, for as long as it lasts.
import type { PopfetchError } from '../errors.ts'
import type { Ledger } from '../ledger/ledger.ts'
import type { Log } from '../log.ts'

const MEMO = 'accountsFrom'

/** `tell` is called where it is news, or always (`always`: a person looks on). Null: nothing is wrong, which the log says once.
 *  Never rejects: at worst it is told twice. */
export async function tellTrouble(
  trouble: PopfetchError | null,
  { ledger, log }: { readonly ledger: Pick<Ledger, 'memo' | 'changeMemo'>; readonly log: Log },
  { always, tell }: { readonly always: boolean; readonly tell: (message: string) => void },
): Promise<void> {
  const now = trouble?.retry ?? null
  const before = await ledger.memo(MEMO).catch(() => null)
  if (trouble !== null && (always || before !== now)) tell(trouble.message)
  if (before === now) return
  if (trouble === null) log.info('accountsFrom works again')
  else log.error(trouble.message, { error: trouble.code })
  await ledger.changeMemo(MEMO, () => now).catch(() => {})
}

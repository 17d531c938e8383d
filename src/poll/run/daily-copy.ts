// Daily copies of the ledger (`state.backup`), from cron and daemon alike: after the mail, never instead of it. What goes wrong with one
// is logged and costs nothing else; that the ledger is damaged, the log says at once.
import { keptFree } from '../../deliver/disk/reserve.ts'
import { asPopfetchError } from '../../errors.ts'
import type { Ledger } from '../../ledger/ledger.ts'
import type { Log } from '../../log.ts'

/** Never rejects. */
export async function copyLedger(
  { backup }: { readonly backup: 'daily' | 'off' },
  { ledger, log }: { readonly ledger: Pick<Ledger, 'records'>; readonly log: Pick<Log, 'info' | 'warn'> },
): Promise<void> {
  if (backup === 'off') return
  try {
    const outcome = await ledger.records.copyDaily(keptFree)
    if (outcome === 'taken') log.info('the ledger was copied')
    if (outcome === 'short') log.warn('the ledger was not copied: its disk is short')
  } catch (error) {
    log.warn(
      `the ledger could not be copied: ${asPopfetchError(error, 'process').message}: popfetch state check looks it through`,
    )
  }
}

// What the guards look at (guards.ts), out of a poll: its plan, the account's record, what was asked for.
import { showsWhatItHas } from '../../config/destinations/destinations.ts'
import { firstPolicy } from '../plan/first.ts'
import { possibleNames } from '../route/route.ts'
import type { Visit } from '../visit.ts'
import { DELETE, deleteText, MEANT_DELETE } from '../plan/changed-deletes.ts'
import type { GuardView, NewIds } from '../plan/guards.ts'
import type { Plan } from '../plan/plan.ts'

export async function guardView(
  plan: Plan,
  newIds: NewIds | null,
  { account, run, history }: Pick<Visit, 'account' | 'run' | 'history'>,
): Promise<GuardView> {
  const { record, takingOver, lastAlive } = history
  const { options, configuration, changedDeletes, destinations } = run
  const { imported, restored, [DELETE]: lastDelete, [MEANT_DELETE]: meantDelete } = record.facts
  const wanted = deleteText(account)
  const isMeant = lastDelete === wanted || meantDelete === wanted
  return {
    account: account.name,
    plan,
    hasHistory: record.started && takingOver?.why !== 'lost',
    wasRestored: restored !== undefined,
    openKnown: plan.fetch.filter(({ known }) => known?.state === 'open').length + plan.deferred + plan.paused,
    openElsewhere: takingOver?.counts['open'] ?? 0,
    lastAlive,
    imported: imported === undefined ? null : Number(imported),
    lastDelete: isMeant ? wanted : (lastDelete ?? null),
    delete: wanted,
    changedDeletes: isMeant || lastDelete === undefined || options.yes ? 0 : await changedDeletes.count(),
    firstWritten: account.first.kind !== 'default',
    firstAnswered: firstPolicy(account, record).kind !== 'default',
    showWhatTheyHave: possibleNames(account).every(
      (name) => showsWhatItHas(name, configuration.destinations) && !destinations.dependsOnMailbox(name, account),
    ),
    newIds,
    markSeen: options.markSeen || options.dryRun,
    yes: options.yes || options.dryRun,
    acceptNewIds: options.acceptNewIds || options.dryRun || takingOver?.why === 'new-ids',
  }
}

// A plan as `--dry-run` shows it. Pure.
import type { Account } from '../config/schema.ts'
import type { Entry, Plan } from './plan.ts'
import type { PlannedMessage } from './report.ts'
import { possibleNames } from './route.ts'

const SHOWN = 1000

export function plannedMessages(plan: Plan, account: Account): readonly PlannedMessage[] {
  const line =
    (action: PlannedMessage['action'], destinations: readonly string[]) =>
    ({ uidl, sizeBytes }: Entry): PlannedMessage => ({ uidl, sizeBytes, action, destinations })
  return [
    // Which of them, its header decides.
    ...plan.fetch.map(line('fetch', possibleNames(account))),
    ...plan.deletions.map(line('delete', [])),
    ...plan.holds.map(line('hold', [])),
    ...(plan.seen ?? []).map(line('skip', [])),
  ].slice(0, SHOWN)
}

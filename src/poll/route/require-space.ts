// Asks the destinations of a plan whether they have the space for it (plan/space.ts). A destination that does not tell, or is down,
// stops nothing.
import type { Plan } from '../plan/plan.ts'
import { amountOf, noSpace, SpaceBook, type SpaceCheck } from '../plan/space.ts'
import type { Visit } from '../visit.ts'

/** Rejects with ERR_NO_SPACE when one of the account's destinations has less space than what is to come there. */
export async function requireSpace(plan: Plan, visit: Visit): Promise<void> {
  const { account, run, destinations } = visit
  const check = run.restrictions.spaceCheck === null ? ofFirstPoll(plan, visit) : run.restrictions.spaceCheck()
  if (run.options.dryRun || check === null || check.amount.messages === 0) return
  // Where a header decides, nobody knows yet what goes where.
  const names = account.route.length === 0 ? account.deliver : []
  const plain = names.filter((name) => !run.destinations.dependsOnMailbox(name, account))
  const targets = await Promise.all(plain.map((name) => destinations.open(name)))
  const telling = targets.filter(({ destination }) => destination.space !== undefined)
  if (telling.length > 0) await destinations.ask((target) => telling.includes(target))
  for (const { destination, down } of telling) {
    // A destination that is down does not tell; its failure is reported elsewhere.
    const space = down === null ? await destination.space?.(run.signal).catch(() => null) : null
    if (space && !check.book.take(space, check.amount)) throw noSpace(destination.description, space, check)
  }
}

/** Unless a person said `--yes`. */
function ofFirstPoll({ fetch, left }: Plan, { account, run, history }: Visit): SpaceCheck | null {
  if (history.record.known > 0 || run.options.yes) return null
  return { amount: amountOf(fetch, left), book: new SpaceBook(), goesOn: `popfetch --yes ${account.name}` }
}

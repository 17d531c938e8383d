// Which deliveries of a message are due: fixed when it is first retrieved, later what the ledger says (DESIGN 4.1). An
// attempt that a crash cut off is looked for at its destination first (DESIGN 4.3), so that it is not made twice.
import type { Delivery, EntryKey } from '../../ledger/ledger.ts'
import type { Message } from '../../message.ts'
import { newIntent, originOf } from '../attempt.ts'
import { copiesOf, type Copy, isByName } from './proof.ts'
import { hold } from '../hold.ts'
import { MOST_UNKNOWNS, type PlannedFetch } from '../plan/plan.ts'
import type { Target } from '../run/destinations.ts'
import type { Visit } from '../visit.ts'
import { possibleNames, router } from './route.ts'

/** One delivery that is to be tried now. */
export interface Due {
  readonly target: Target
  readonly recipient: string
  readonly intent: string
  /** How often it was tried before. */
  readonly attempts: number
  /** An earlier attempt may have arrived. */
  readonly doubtful: boolean
}

/** A message to be fetched, and where it goes. */
export interface Job extends PlannedFetch {
  /** Empty as long as `choice` is to be made. */
  readonly due: readonly Due[]
  /** Where it goes is decided by its header and size, when it is there (`route`); null: that is fixed. */
  readonly choice: Choice | null
  /** What stands where it was found by its name alone, to be compared. */
  readonly copies: readonly Copy[]
}

export interface Choice {
  /** All that may be chosen. */
  readonly targets: readonly Target[]
  due(message: Message): readonly Due[]
}

/** What is to be fetched. Jobs are made one by one as they are needed: thousands of them at once are work for V8 alone. */
export interface Jobs {
  readonly fetches: readonly PlannedFetch[]
  /** Of one of them, once. */
  readonly job: (fetch: PlannedFetch) => Job
}

const LOST_ANSWERS = `the answer to its delivery was lost ${MOST_UNKNOWNS} times; it may be there already`

const noJobs: Jobs = { fetches: [], job: (fetch) => ({ ...fetch, due: [], choice: null, copies: [] }) }

/** The fetches with their due deliveries. A message that turns out to be delivered already is settled and left out. Asks
 *  each destination whether it can take mail; rejects when all that are needed are down. */
export async function prepareJobs(fetches: readonly PlannedFetch[], visit: Visit): Promise<Jobs> {
  if (fetches.length === 0) return noJobs
  const { account, destinations, tally } = visit
  for (const name of possibleNames(account)) await destinations.open(name)
  for (const { known } of fetches)
    for (const { destination } of known?.deliveries ?? []) await destinations.open(destination)
  await destinations.ready()
  const choice = await choiceOf(visit)
  const left: PlannedFetch[] = []
  const fixed = new Map<PlannedFetch, readonly Due[]>()
  for (const fetch of fetches) {
    const due = isUntouched(fetch) || (choice !== null && isUndecided(fetch)) ? null : await undone(fetch, visit)
    if (due === 'delivered') tally.delivered++
    else if (due === 'waiting') tally.deferred++
    else if (due !== 'held') left.push(fetch)
    if (typeof due !== 'string' && due !== null) fixed.set(fetch, due)
  }
  const found = await copiesOfFound(left, visit)
  return {
    fetches: left,
    job: (fetch) => {
      const copies = found.get(fetch) ?? []
      const due = fixed.get(fetch)
      if (due !== undefined) return { ...fetch, due, choice: null, copies }
      return choice === null
        ? { ...fetch, due: allRecipients(account.deliver, visit), choice, copies }
        : { ...fetch, due: [], choice: isUndecided(fetch) ? butFor(choice, fetch) : choice, copies }
    },
  }
}

/** Those that were found by their names alone. */
async function copiesOfFound(
  fetches: readonly PlannedFetch[],
  visit: Visit,
): Promise<ReadonlyMap<PlannedFetch, readonly Copy[]>> {
  const byName = fetches.flatMap((fetch) => {
    const { known, uidl, copy } = fetch
    return known !== null && isByName(known) ? [{ fetch, uidl, copy, deliveries: known.deliveries }] : []
  })
  const found = new Map<PlannedFetch, readonly Copy[]>()
  for await (const slice of copiesOf(byName, visit)) for (const [{ fetch }, copies] of slice) found.set(fetch, copies)
  return found
}

/** It was found somewhere, and where else it goes is not known (Adoption.complete). */
function isUndecided({ known }: PlannedFetch): boolean {
  return known?.state === 'open' && known.deliveries.every(({ state }) => state === 'done')
}

/** The same choice without the destinations that have the message. */
function butFor(choice: Choice, { known }: PlannedFetch): Choice {
  const has = new Set(known?.deliveries.map(({ destination }) => destination))
  return { ...choice, due: (message) => choice.due(message).filter(({ target }) => !has.has(target.name)) }
}

/** No deliveries were fixed for it yet, or all were done and it is to be delivered again. */
function isUntouched({ known }: PlannedFetch): boolean {
  return known === null || known.deliveries.length === 0
}

/** null: every message goes to the same destinations. */
async function choiceOf(visit: Visit): Promise<Choice | null> {
  const { account, destinations } = visit
  const route = await router(account)
  if (route === null) return null
  const targets = possibleNames(account).flatMap((name) => destinations.opened(name) ?? [])
  return { targets, due: (message) => allRecipients(route(message), visit) }
}

/** A delivery to every recipient of these destinations. */
function allRecipients(names: readonly string[], { destinations }: Visit): readonly Due[] {
  return names.flatMap((name) => {
    const target = destinations.opened(name)
    const recipients = target?.destination.recipients ?? []
    return target === undefined
      ? []
      : recipients.map((recipient) => ({ target, recipient, intent: newIntent(), attempts: 0, doubtful: false }))
  })
}

/** `waiting`: what is left cannot be tried now, since a destination that may have it already is down. `held`: an answer was
 *  lost once too often. */
async function undone(fetch: PlannedFetch, visit: Visit): Promise<readonly Due[] | 'delivered' | 'waiting' | 'held'> {
  const due: Due[] = []
  let waiting = false
  for (const delivery of fetch.known?.deliveries ?? []) {
    const { state, recipient, attempts, unknowns } = delivery
    if (state === 'done') continue
    const target = await visit.destinations.open(delivery.destination)
    // An answer that was lost earlier stays lost, whatever came since.
    let doubtful = unknowns > 0 && !target.destination.remembers
    if (state === 'started' || state === 'unknown') {
      if (target.down !== null) {
        waiting = true
        continue
      }
      if (await recalled(fetch, delivery, target, visit)) continue
      doubtful = !target.destination.remembers
      if (doubtful && state === 'started') await settleUnknown(fetch, delivery, visit)
      if (doubtful && unknowns + (state === 'started' ? 1 : 0) >= MOST_UNKNOWNS) {
        await hold([{ ...fetch, reason: LOST_ANSWERS }], visit)
        return 'held'
      }
    }
    due.push({ target, recipient, intent: newIntent(), attempts, doubtful })
  }
  if (due.length > 0) return due
  return waiting ? 'waiting' : 'delivered'
}

/** Settles every attempt that a crash cut off and its destination has, listed or not. Called before messages are matched by
 *  their headers, which the ledger does not know of these yet. A destination that is down delays only its own messages. */
export async function recallInterrupted(visit: Visit): Promise<void> {
  const { account, run, destinations } = visit
  for await (const slice of run.ledger.records.list(account.name, 'open')) {
    for (const { key, deliveries } of slice) {
      for (const delivery of deliveries.filter(({ state }) => state === 'started' || state === 'unknown')) {
        const target = await destinations.open(delivery.destination)
        await destinations.ask()
        if (target.down === null) await recalled(key, delivery, target, visit)
      }
    }
  }
}

/** Did the cut-off attempt arrive after all? Then it is settled. */
async function recalled(
  { uidl, copy }: EntryKey,
  delivery: Delivery,
  target: Target,
  { account, lease, run }: Visit,
): Promise<boolean> {
  const { destination, recipient, intent } = delivery
  const attempt = { intent, recipient, origin: originOf(account, { uidl, copy }) }
  const receipt = await target.destination.recall(attempt, run.signal)
  if (receipt === null) return false
  const { received } = receipt
  await run.ledger.settle(lease, {
    key: { uidl, copy },
    destination,
    recipient,
    outcome: { state: 'done', receipt: receipt.text },
    received,
  })
  return true
}

async function settleUnknown(
  { uidl, copy }: PlannedFetch,
  { destination, recipient }: Delivery,
  { lease, run }: Visit,
): Promise<void> {
  await run.ledger.settle(lease, {
    key: { uidl, copy },
    destination,
    recipient,
    outcome: { state: 'unknown', error: 'interrupted before its answer was recorded', retryAfterMs: 0 },
    received: null,
  })
}

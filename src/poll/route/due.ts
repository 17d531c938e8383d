// Which deliveries of a message are due: fixed when it is first retrieved, later what the ledger says (DESIGN 4.1). An
// attempt that a crash cut off is looked for at its destination first (DESIGN 4.3), so that it is not made twice.
import { showsWhatItHas } from '../../config/destinations/destinations.ts'
import { nameOfMessage } from '../../ledger/destination.ts'
import type { Delivery } from '../../ledger/ledger.ts'
import type { Message } from '../../message.ts'
import { newIntent } from '../attempt.ts'
import { copiesOf, type Copy, isByName } from './proof.ts'
import { hold } from '../hold.ts'
import { isDeferred, isDue, isDueMessage, type PlannedFetch } from '../plan/entry.ts'
import { isLost, LOST_ANSWERS, MOST_UNKNOWNS } from '../plan/lost-answers.ts'
import type { Closed, Target } from '../run/destinations.ts'
import type { Visit } from '../visit.ts'
import { awaited, keptByNext, passesBy } from './chain.ts'
import { closedAt, hiddenAt, isClosed, spentAt, whyKept } from './closed.ts'
import { recalled, seenElsewhere, settleUnknown } from './recall.ts'
import { MOST_MAILBOXES } from './known-mailboxes.ts'
import { mailboxReader } from './mailbox.ts'
import { possibleNames, router } from './route.ts'

/** One delivery that is to be tried now. */
export interface Due {
  readonly target: Target
  readonly recipient: string
  readonly intent: string
  /** The outcome of earlier attempts; null: there were none. */
  readonly before: Delivery | null
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
  /** What is left of it at other destinations, and is not due now. */
  readonly later: Later
}

/** `deferred`: a destination lacks it for the time being. `held`: one lost its answers too often, and none does. `refused`: all that
 *  lack it refused it. */
type Later = 'deferred' | 'held' | 'refused' | null

export interface Choice {
  /** All that may be chosen. */
  readonly targets: readonly Target[]
  /** There may be others, which the message itself names. */
  readonly others: boolean
  due(message: Message): Promise<readonly Due[]>
}

/** What is to be fetched. Jobs are made one by one as they are needed: thousands of them at once are work for V8 alone. */
export interface Jobs {
  readonly fetches: readonly PlannedFetch[]
  /** Of one of them, once. */
  readonly job: (fetch: PlannedFetch) => Job
}

const noJobs: Jobs = { fetches: [], job: (fetch) => ({ ...fetch, due: [], choice: null, copies: [], later: null }) }

/** The fetches with their due deliveries. A message that turns out to be delivered already is settled and left out. Asks
 *  each destination whether it can take mail; what only closed ones would get is left out, and counted. */
export async function prepareJobs(fetches: readonly PlannedFetch[], visit: Visit): Promise<Jobs> {
  const { account, destinations, tally } = visit
  tally.unbegun = 0
  if (fetches.length === 0) return noJobs
  for (const name of possibleNames(account)) await destinations.open(name)
  for (const { known } of fetches)
    for (const { destination, recipient } of known?.deliveries ?? []) await destinations.open(destination, recipient)
  await destinations.ready()
  destinations.letOthersFirst((key) => {
    const openers = new Set(visit.run.doors.openersOf(key))
    return fetches.every((fetch) => openers.has(nameOfMessage(account.name, fetch)))
  })
  const choice = await choiceOf(visit, fetches.some(isUndecided))
  const left: PlannedFetch[] = []
  const fixed = new Map<PlannedFetch, Undone>()
  const fresh = choice === null ? allRecipients(account.deliver, () => null, visit) : []
  const unseen: PlannedFetch[] = []
  // Then nothing is to be asked for each of those of which nothing is known: mostly all, and there may be many.
  const isOpenForNew = !isStuck({ due: fresh, choice, sizeBytes: Number.MAX_VALUE })
  for (const fetch of fetches) {
    if (isOpenForNew && fetch.known === null) {
      left.push(fetch)
      continue
    }
    const isOpen = isUntouched(fetch) || (choice !== null && isUndecided(fetch))
    const found = isOpen ? null : await undone(fetch, visit)
    if (found === 'delivered') tally.deliver(fetch, isDueMessage(fetch))
    else if (found !== 'held') {
      const { due, closed } = found ?? { due: fresh, closed: [] }
      const job = { ...fetch, due, choice: found === null ? choice : null }
      if (keptBack(job, closed, visit)) {
        if (fetch.known === null && hasNext(job)) unseen.push(fetch)
        else if (fetch.known === null) tally.unbegun++
        continue
      }
      left.push(fetch)
      if (found !== null) fixed.set(fetch, found)
    }
  }
  await rememberSeen(unseen, visit)
  const found = await copiesOfFound(left, visit)
  destinations.expect(left)
  return {
    fetches: probesFirst(left, fixed, visit),
    job: (fetch) => {
      const copies = found.get(fetch) ?? []
      const undone = fixed.get(fetch)
      if (undone !== undefined) return { ...fetch, due: undone.due, choice: null, copies, later: undone.later }
      return choice === null
        ? { ...fetch, due: allRecipients(account.deliver, () => null, visit), choice, copies, later: null }
        : { ...fetch, due: [], choice: isUndecided(fetch) ? butFor(choice, fetch) : choice, copies, later: null }
    },
  }
}

function hasNext({ due, choice }: Pick<Job, 'due' | 'choice'>): boolean {
  return (choice?.targets ?? due.map(({ target }) => target)).some((target) => target.hasNext)
}

/** A message that waits for the first of several goes on once it is a day old. It is known from now on, though it is not asked
 *  for (D133). */
async function rememberSeen(fetches: readonly PlannedFetch[], { lease, run }: Visit): Promise<void> {
  if (fetches.length === 0) return
  const seen = fetches.map(({ uidl, copy, sizeBytes }) => ({
    key: { uidl, copy },
    listedBytes: sizeBytes,
    deliveries: [],
  }))
  await run.ledger.begin(lease, seen)
  await run.ledger.abandon(
    lease,
    seen.map(({ key }) => ({ key, reason: null, counts: false })),
  )
}

/** Deliveries that were found by their file names alone. */
async function copiesOfFound(
  fetches: readonly PlannedFetch[],
  visit: Visit,
): Promise<ReadonlyMap<PlannedFetch, readonly Copy[]>> {
  const byName = fetches
    .filter(({ known }) => known !== null && isByName(known))
    .map((fetch) => ({ fetch, uidl: fetch.uidl, copy: fetch.copy, deliveries: fetch.known?.deliveries ?? [] }))
  const found = new Map<PlannedFetch, readonly Copy[]>()
  for await (const slice of copiesOf(byName, visit)) for (const [{ fetch }, copies] of slice) found.set(fetch, copies)
  return found
}

/** It was found somewhere, and where else it goes is not known (Adoption.complete, or lost: ledger/sqlite/mend/). */
function isUndecided({ known }: PlannedFetch): boolean {
  return known?.state === 'open' && known.deliveries.every(({ state }) => state === 'done')
}

/** The same choice without the places that have the message. */
function butFor(choice: Choice, { known }: PlannedFetch): Choice {
  const nameOf = (destination: string, recipient: string): string => JSON.stringify([destination, recipient])
  const has = new Set(known?.deliveries.map(({ destination, recipient }) => nameOf(destination, recipient)))
  const due = async (message: Message): Promise<readonly Due[]> =>
    (await choice.due(message)).filter(({ target, recipient }) => !has.has(nameOf(target.name, recipient)))
  return { ...choice, due }
}

/** Are all destinations closed that the message may go to? */
export function isStuck(
  { due, choice, sizeBytes }: Pick<Job, 'due' | 'choice' | 'sizeBytes'>,
  goesOn = false,
): boolean {
  const isFull = ({ fullFromBytes }: Target): boolean => sizeBytes !== null && sizeBytes >= fullFromBytes
  const isShut = ({ down, pace }: Target): boolean => down !== null || pace?.isSpent === true
  return choice !== null
    ? !choice.others &&
        choice.targets.every((target) => isFull(target) || (isShut(target) && !passesBy(target, '', goesOn)))
    : due.every(({ target, recipient, before }) => {
        if (isFull(target) || keptByNext(target, before, goesOn) !== null) return true
        return isClosed(target, recipient) && !passesBy(target, recipient, goesOn)
      })
}

/** Does it go on to the next of several where the one before only waits? Never after an answer that was lost. */
export function isOverdue({ known }: PlannedFetch, history: Visit['history']): boolean {
  if (known === null || known.deliveries.some(({ state, unknowns }) => state === 'unknown' || unknowns > 0))
    return false
  return history.hasWaitedADay(known)
}

/** Counts a message that only closed destinations would get; false: another one may take it. */
export function keptBack(
  job: PlannedFetch & Pick<Job, 'due' | 'choice'>,
  more: readonly Closed[],
  { tally, history }: Visit,
): boolean {
  const goesOn = isOverdue(job, history)
  if (!isStuck(job, goesOn)) return false
  const places = job.choice?.targets.flatMap((target) => closedAt(target, '') ?? []) ?? []
  const kept = job.due.flatMap(
    ({ target, recipient, before }) => closedAt(target, recipient) ?? keptByNext(target, before, goesOn) ?? [],
  )
  const targets = job.choice?.targets ?? job.due.map(({ target }) => target)
  // Without any of these there is no room for a message of its size; a smaller one may still be taken.
  const why = whyKept([...places, ...kept, ...more, ...targets.flatMap(spentAt)], tally)
  tally.keep(job, { kept: why, as: 'deferred', isDue: isDueMessage(job) })
  return true
}

/** Where a destination was left alone, the smallest message that had no part in it goes first, and those that had go last. */
function probesFirst(
  fetches: readonly PlannedFetch[],
  fixed: ReadonlyMap<PlannedFetch, Undone>,
  { account, destinations, run }: Visit,
): readonly PlannedFetch[] {
  const { probing, probingNext } = destinations
  if (probing.length === 0 && probingNext.length === 0) return fetches
  const keys = new Set([...probing, ...probingNext].flatMap(({ key, part }) => [key, part]))
  const openers = new Set([...keys].flatMap((key) => run.doors.openersOf(key)))
  const [others, last] = split(fetches, (fetch) => !openers.has(nameOfMessage(account.name, fetch)))
  // Only a message that waits for a later member is known to reach it.
  const mayProbe = (fetch: PlannedFetch): boolean => probing.length > 0 || isProbe(fixed.get(fetch)?.due ?? [])
  const sizeOf = ({ sizeBytes }: PlannedFetch): number => sizeBytes ?? Infinity
  const bySize = (of: readonly PlannedFetch[]): readonly PlannedFetch[] =>
    of.filter(mayProbe).toSorted((a, b) => Math.sign(sizeOf(a) - sizeOf(b)) || 0)
  const [first = bySize(last)[0]] = bySize(others)
  return first === undefined
    ? [...others, ...last]
    : [first, ...others.filter((fetch) => fetch !== first), ...last.filter((fetch) => fetch !== first)]
}

function split<T>(all: readonly T[], isFirst: (one: T) => boolean): readonly [readonly T[], readonly T[]] {
  return [all.filter(isFirst), all.filter((one) => !isFirst(one))]
}

/** Does it wait for a later one of several that was left alone, and now takes one message alone? */
export function isProbe(due: readonly Due[]): boolean {
  return due.some(({ target, before }) => awaited(target, before)?.probing === true)
}

/** No deliveries were fixed for it yet, or all were done and it is to be delivered again. */
function isUntouched({ known }: PlannedFetch): boolean {
  return known === null || known.deliveries.length === 0
}

/** null: every message goes to the same destinations, and none of them `isWanted` for one of which some are known. */
async function choiceOf(visit: Visit, isWanted: boolean): Promise<Choice | null> {
  const { account, destinations, run } = visit
  const route = await router(account)
  const names = possibleNames(account)
  const dependent = names.filter((name) => run.destinations.dependsOnMailbox(name, account))
  const mailboxOf = dependent.length === 0 ? null : mailboxReader(account)
  if (route === null && mailboxOf === null && !isWanted) return null
  const targets = names.flatMap((name) => destinations.opened(name) ?? [])
  const others = dependent.some((name) => run.destinations.placeFor(name, account, null) !== null)
  const due = async (message: Message): Promise<readonly Due[]> => {
    const chosen = route?.(message) ?? account.deliver
    const mailbox = mailboxOf?.(message.header) ?? null
    const of = (name: string): string | null => mailboxAt(name, mailbox, visit)
    if (mailbox !== null && others) {
      for (const name of chosen) await destinations.open(name, of(name))
      await destinations.ask()
    }
    return allRecipients(chosen, of, visit)
  }
  return { targets, others, due }
}

/** Whose place the message goes to at a destination. Addresses beyond the limit share the place of `otherwise`. */
function mailboxAt(name: string, mailbox: string | null, { account, run, history, tally }: Visit): string | null {
  const { recipient } = account
  if (mailbox === null || recipient?.kind !== 'header' || mailbox === recipient.otherwise) return mailbox
  if (run.destinations.placeFor(name, account, mailbox) === null || history.mailboxes.admit(mailbox)) return mailbox
  tally.note(
    `${MOST_MAILBOXES} addresses have their own place at ${name}: mail for others goes to ${recipient.otherwise}`,
  )
  return recipient.otherwise
}

/** A delivery to every recipient of these destinations. */
function allRecipients(
  names: readonly string[],
  mailboxOf: (name: string) => string | null,
  { destinations }: Visit,
): readonly Due[] {
  return names.flatMap((name) => {
    const mailbox = mailboxOf(name)
    const target = destinations.opened(name, mailbox)
    const recipients = target?.recipientsFor(mailbox) ?? []
    return target === undefined
      ? []
      : recipients.map((recipient) => ({ target, recipient, intent: newIntent(), before: null, doubtful: false }))
  })
}

interface Undone {
  readonly due: readonly Due[]
  readonly later: Later
  /** Destinations that may have it already, and cannot be asked now. */
  readonly closed: readonly Closed[]
}

/** `held`: an answer was lost once too often. */
async function undone(fetch: PlannedFetch, visit: Visit): Promise<Undone | 'delivered' | 'held'> {
  const due: Due[] = []
  const closed: Closed[] = []
  let later: Later = null
  const { options, nowMs } = visit.run
  const shows = (name: string): boolean => showsWhatItHas(name, visit.run.configuration.destinations)
  const wait = (as: Exclude<Later, null>): void => {
    later = LATER.find((one) => one === as || one === later) ?? as
  }
  const { deliveries = [] } = fetch.known ?? {}
  for (const delivery of deliveries) {
    const { state, recipient, unknowns } = delivery
    if (state === 'done') continue
    if (!options.all && isLost(delivery, shows)) {
      wait('held')
      continue
    }
    if (!options.all && !isDue(delivery, nowMs(), options.eager)) {
      wait(isDeferred(delivery) ? 'deferred' : 'refused')
      continue
    }
    const target = await visit.destinations.open(delivery.destination, recipient)
    // An answer that was lost earlier stays lost, whatever came since.
    let doubtful = unknowns > 0 && !target.destination.remembers
    if (state === 'started' || state === 'unknown') {
      const found = hiddenAt(target) === null ? await recalled(fetch, delivery, target, visit) : null
      if (found === null) {
        const hidden = hiddenAt(target)
        if (hidden !== null) closed.push(hidden)
        wait('deferred')
        continue
      }
      if (found) continue
      const away = options.all ? null : seenElsewhere(delivery, visit)
      if (away !== null) {
        closed.push(away)
        wait('deferred')
        continue
      }
      // What a killed poll had begun and never handed over has not arrived (S042).
      const handedOver = state === 'unknown' || delivery.handedOver
      doubtful = !target.destination.remembers && (handedOver || unknowns > 0)
      if (doubtful && state === 'started' && handedOver) await settleUnknown(fetch, delivery, visit)
      if (doubtful && unknowns + (state === 'started' && handedOver ? 1 : 0) >= MOST_UNKNOWNS) {
        wait('held')
        continue
      }
    }
    due.push({ target, recipient, intent: newIntent(), before: delivery, doubtful })
  }
  if (due.length > 0) return { due, later, closed }
  if (later !== 'held') return later === null ? 'delivered' : { due, later, closed }
  await hold([{ ...fetch, reason: LOST_ANSWERS }], visit)
  return 'held'
}

/** The most important first. */
const LATER = ['deferred', 'held', 'refused'] as const

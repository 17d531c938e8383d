// A complete message goes to each destination that has not got it yet, and each outcome is recorded in the ledger. A
// destination that fails as a whole is not asked again in this poll.
import { display } from '../../display.ts'
import { asPopfetchError, DeliveryError, type PopfetchError } from '../../errors.ts'
import { headingOf, receivedFacts } from '../../heading.ts'
import { nameOfMessage } from '../../ledger/destination.ts'
import type { Beginning, Outcome, ReceivedFacts } from '../../ledger/ledger.ts'
import type { Message } from '../../message.ts'
import { newIntent } from '../attempt.ts'
import { compareCopy } from '../route/proof.ts'
import { HandingOver, type Tried } from '../run/handing.ts'
import { hold } from '../hold.ts'
import type { Kept } from '../outcome.ts'
import { followed, type FollowedChain, passesBy, waitingFor } from '../route/chain.ts'
import { closedAt, whyKept } from '../route/closed.ts'
import { tooManyRefused } from '../route/envelope-refusals.ts'
import { type Answer, answerOf } from '../rests/answer.ts'
import { LOST_ANSWERS } from '../plan/lost-answers.ts'
import { isDueMessage } from '../plan/entry.ts'
import { type Choice, type Due, isOverdue, type Job } from '../route/due.ts'
import { dueAfterMs, holdReason, nextTryText } from '../rests/next-try.ts'
import type { Closed, Target } from '../run/destinations.ts'
import type { MessageSettled } from '../report.ts'
import type { Tally } from '../tally.ts'
import type { Visit } from '../visit.ts'

interface Result {
  readonly outcome: Outcome
  /** Why the message is to be held; null: it is not. */
  readonly holdReason: string | null
  /** Why it was not delivered; null: it was. */
  readonly kept: Kept | null
  /** What becomes of it, for people; absent: it is not refused. */
  readonly next?: string
  /** It was delivered, and the ledger could not record what that says of the destination. */
  readonly unrecorded?: PopfetchError | null
}

/** The job with its destinations fixed, in the ledger too (DESIGN 4.1). Rejects when the ledger cannot be written. */
export async function fixDestinations(job: Job, choice: Choice, message: Message, { lease, run }: Visit): Promise<Job> {
  const due = await choice.due(message)
  if (due.length === 0 && job.copies.length === 0) throw new Error('a message that would go nowhere')
  const key = { uidl: job.uidl, copy: job.copy }
  // The same attempt is not to be counted twice.
  if (isBegun(job)) await run.ledger.abandon(lease, [{ key, reason: null, counts: false }])
  await run.ledger.begin(lease, [{ key, listedBytes: job.sizeBytes, deliveries: due.map(beginning) }])
  return { ...job, due, choice: null }
}

/** Is the job recorded as begun before its retrieval? Not when it was delivered, is to be delivered again and has no
 *  destinations yet: the message would stay open if it did not come. */
export function isBegun({ choice, known }: Job): boolean {
  return choice === null || known?.state !== 'delivered'
}

export function beginning({ target, recipient, intent }: Due): Beginning['deliveries'][number] {
  return { destination: target.name, recipient, intent }
}

/** The job, with a delivery to each destination where another message is under the name of this one (P130). `isProven`:
 *  wherever the message was found by its name, it stands as it came now. Rejects when the ledger cannot be written. */
export async function compareCopies(
  job: Job,
  message: Message,
  { lease, run }: Visit,
): Promise<{ readonly job: Job; readonly isProven: boolean }> {
  const verdicts = job.copies.map((copy) => ({ copy, verdict: compareCopy(copy, message) }))
  const isProven = verdicts.every(({ verdict }) => verdict !== 'unclear')
  const again: readonly Due[] = verdicts.flatMap(({ copy: { target, recipient }, verdict }) =>
    verdict === 'other' ? [{ target, recipient, intent: newIntent(), before: null, doubtful: false }] : [],
  )
  if (again.length === 0) return { job, isProven }
  const key = { uidl: job.uidl, copy: job.copy }
  await run.ledger.begin(lease, [{ key, listedBytes: job.sizeBytes, deliveries: again.map(beginning) }])
  return { job: { ...job, due: [...job.due, ...again] }, isProven }
}

/** True: every destination has the message, and the ledger says so durably. What was received is only recorded when it is
 *  proven (compareCopies). `tried`: it was tried already, and this is what came of it. Rejects when the ledger cannot be written. */
export async function handOver(
  job: Job,
  message: Message,
  visit: Visit,
  isProven = true,
  tried: Tried | null = null,
): Promise<boolean> {
  const { tally, lease, run } = visit
  const heading = headingOf(message.header)
  const facts: ReceivedFacts = { ...receivedFacts(message), heading }
  const received = isProven ? facts : null
  const results = await everyResult(job.due.map((due) => handOne(job, due, message, received, visit, tried)))
  if (results.length === 0) await run.ledger.confirm(lease, { uidl: job.uidl, copy: job.copy }, received)
  visit.destinations.ended(job)
  const isDue = isDueMessage(job)
  const failed = results.filter(({ kept }) => kept !== null)
  if (failed.length === 0 && job.later === null) {
    tally.deliver(job, isDue)
    tellSettled('delivered', job, message, results, visit)
    return true
  }
  const isDeferred = job.later === 'deferred' || failed.some(({ outcome }) => outcome.state !== 'refused')
  const lost = job.later === 'held' ? LOST_ANSWERS : null
  const holdReason = failed.find((result) => result.holdReason !== null)?.holdReason ?? lost
  const keptBy = (kept: Kept): boolean => failed.some((result) => result.kept === kept)
  const order = ['tried', 'own', 'rest', 'rate', 'pause'] as const
  const kept = order.find(keptBy) ?? 'own'
  const as = isDeferred ? 'deferred' : holdReason !== null ? 'held' : 'refused'
  tally.keep(job, { kept, as, isDue })
  // A message that another destination may yet take is held only once that one has it.
  if (as === 'held' && holdReason !== null) await hold([{ ...job, reason: holdReason, heading }], visit)
  tellSettled(as, job, message, results, visit)
  return false
}

/** `results` are of the job's deliveries, in their order. */
function tellSettled(
  outcome: MessageSettled['outcome'],
  job: Job,
  message: Message,
  results: readonly Result[],
  { account, run }: Visit,
): void {
  if (run.observer.settled === undefined) return
  const { from, subject } = headingOf(message.header)
  const shown = (text: string | null): string | null => (text === null ? null : display(text))
  run.observer.settled(account.name, {
    uidl: display(job.uidl),
    copy: job.copy,
    sizeBytes: message.sizeBytes,
    messageId: shown(message.messageId),
    from: shown(from),
    subject: shown(subject),
    outcome,
    deliveries: job.due.flatMap(({ target, recipient, doubtful }, at) => {
      const result = results[at]?.outcome
      if (result === undefined) return []
      const isDone = result.state === 'done'
      const state = isDone ? 'delivered' : result.state === 'failed' ? 'deferred' : result.state
      return [
        {
          destination: target.name,
          recipient,
          state,
          receipt: isDone ? result.receipt : null,
          error: isDone ? null : result.error,
          possibleDuplicate: isDone && doubtful,
        },
      ]
    }),
  })
}

/** The ledger cannot record anything more: no further message is begun. */
export function endsTransfer({ code }: PopfetchError): boolean {
  return code === 'ERR_LEDGER' || code === 'ERR_LEASE_LOST'
}

/** Of all, once the last is there: each reads the message, which goes with our return, and records its own result.
 *  Rejects with the most serious error. */
async function everyResult(work: readonly Promise<Result>[]): Promise<readonly Result[]> {
  const settled = await Promise.allSettled(work)
  const errors = settled.flatMap((one) => (one.status === 'rejected' ? [asPopfetchError(one.reason, 'message')] : []))
  const worst = errors.find(endsTransfer) ?? errors[0]
  if (worst !== undefined) throw worst
  return settled.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
}

async function handOne(
  job: Job,
  due: Due,
  message: Message,
  received: ReceivedFacts | null,
  visit: Visit,
  tried: Tried | null,
): Promise<Result> {
  const { lease, run, tally } = visit
  using handing = tried?.handing ?? new HandingOver()
  const result =
    tried === null
      ? await attempt(job, due, message, visit, handing)
      : await notTaken(job, due, message, visit, { thrown: tried.error, since: tried.since, chain: null })
  const { outcome, kept } = result
  const { recipient, target, before } = due
  const settled = run.ledger.settle(lease, {
    key: { uidl: job.uidl, copy: job.copy },
    destination: target.name,
    recipient,
    outcome,
    received,
  })
  // Not after the commit: the next hand-over goes with the same one, behind it.
  handing[Symbol.dispose]()
  await settled
  const about = {
    uidl: job.uidl,
    copy: job.copy,
    ...(received?.heading ?? headingOf(message.header)),
    destination: target.name,
    recipient,
  }
  if (outcome.state === 'done' && due.doubtful) {
    tally.possibleDuplicates++
    tally.problem({ ...about, kind: 'possibleDuplicate', reason: 'an earlier delivery may have arrived already' })
  }
  if (result.unrecorded) throw result.unrecorded
  if (outcome.state === 'done') return result
  const conclusion = outcome.conclusion === undefined ? {} : { conclusion: outcome.conclusion }
  // What is the destination's is told once, of the destination.
  if (kept === 'own' && result.holdReason === null) {
    const kind = outcome.state === 'refused' ? 'refused' : 'deferred'
    // The state may have been lost: begun again, and not retrieved after all.
    const again = before !== null && (kind === 'refused' ? before.refusals : before.deferrals + before.unknowns) > 0
    // A repeated refusal is only counted.
    if (again && kind === 'refused') return result
    const reason = result.next === undefined ? outcome.error : `${outcome.error}; ${result.next}`
    tally.problem({ ...about, ...conclusion, kind, reason, ...(again ? { again } : {}) })
  }
  return result
}

async function attempt(job: Job, due: Due, message: Message, visit: Visit, handing: HandingOver): Promise<Result> {
  const { account, run, destinations, envelopeRefusals, tally, lease, history } = visit
  const { target, recipient, intent } = due
  const delivery = { key: { uidl: job.uidl, copy: job.copy }, destination: target.name, recipient }
  const handingOver = async (): Promise<void> => {
    await run.ledger.handOver(lease, [delivery])
    // The answer may have come while we slept.
    lease.requireHeld()
  }
  using _ = await destinations.turn(target, recipient)
  using admitted = await envelopeRefusals.admit(target)
  if (admitted === null) return notOffered(tooManyRefused(target))
  const place = (member: Target): Promise<DeliveryError | null> => handing.begin(member, run.deliverySignal)
  const stopped = target.members.length === 0 ? await place(target) : null
  if (stopped !== null) return notOffered(stopped)
  // What another one was answered meanwhile may be the destination's.
  const goesOn = isOverdue(job, history)
  const closed = closedAt(target, recipient)
  if (closed !== null && !passesBy(target, recipient, goesOn)) {
    return keptBy(closed, tally)
  }
  const spent = target.members.length > 0 ? null : await destinations.begin(target, due)
  if (spent !== null) {
    return keptBy(spent, tally)
  }
  const since = destinations.closings(target)
  const about = aboutOf(job, due, message, account)
  const chain = target.members.length === 0 ? null : followed(target, due, about, goesOn, destinations, place)
  let receipt: string
  try {
    const taken = await target.destination.deliver(
      { intent, origin: message.origin, recipient, handingOver, right: lease, ...(chain === null ? {} : { chain }) },
      message,
      run.deliverySignal,
    )
    receipt = taken.text
  } catch (thrown) {
    return await notTaken(job, due, message, visit, { thrown, since, chain })
  }
  // Whatever fails from here on, the destination has it: it would be delivered twice.
  const note = chain === null ? destinations.taken(target, recipient, since) : chain.noted
  const unrecorded = await note.then(
    () => null,
    (error: unknown) => asPopfetchError(error),
  )
  return { outcome: { state: 'done', receipt }, holdReason: null, kept: null, unrecorded }
}

/** What of a message is told with what came of it. */
function aboutOf(job: Job, { before }: Due, message: Message, account: Visit['account']) {
  return {
    message: nameOfMessage(account.name, job),
    refusedBefore: before?.state === 'refused',
    bytes: job.sizeBytes ?? message.sizeBytes,
  }
}

/** It was offered, and this came instead of a receipt. `since`: what `closings` gave before. */
async function notTaken(
  job: Job,
  due: Due,
  message: Message,
  { account, run, destinations, tally }: Visit,
  { thrown, since, chain }: { readonly thrown: unknown; readonly since: number; readonly chain: FollowedChain | null },
): Promise<Result> {
  const { target, recipient, before } = due
  const error = asPopfetchError(thrown, 'message')
  const answer = answerOf(error)
  // Cut off by our own end, which says nothing of the destination.
  if (run.deliverySignal.aborted)
    return failedAs(answer, { state: 'failed', error: error.message, retryAfterMs: 0, counts: false })
  const refusals = before?.refusals ?? 0
  const deferrals = (before?.deferrals ?? 0) + (before?.unknowns ?? 0)
  const tried = { refusals, deferrals, bytes: message.sizeBytes }
  const later = chain?.keptBy ?? null
  if (later?.isSpent === true || later?.isPaused === true) {
    const kept = keptBy(later, tally)
    return { ...kept, outcome: { ...kept.outcome, ...waits(answer, later) } }
  }
  if (later !== null) {
    tally.blame(later, later.error)
    // As with a single destination: nothing of it is the message's fault. The message waits only for the destination.
    const outcome = { state: 'failed', error: error.message, retryAfterMs: 0, counts: false } as const
    const failed = failedAs(answer, outcome)
    return {
      ...failed,
      outcome: { ...failed.outcome, ...waits(answer, later) },
      kept: later.atRest ? 'rest' : 'tried',
    }
  }
  const step = await destinations.answered(target, recipient, { ...aboutOf(job, due, message, account), error, since })
  if (step.speaksOf === 'destination') {
    // The only recipient is the destination: at rest it is told as that (closedAt), and is one trouble.
    const isOne = isOfRecipient(answer) && target.destination.recipients.length > 1
    tally.blame({ destination: target.name, recipient: isOne ? recipient : '' }, error)
    return {
      ...failedAs(answer, { state: 'failed', error: error.message, retryAfterMs: 0, counts: false }),
      kept: 'tried',
    }
  }
  const state = isRefusal(answer) ? 'refused' : 'failed'
  const retryAfterMs = dueAfterMs(answer, tried, run.nowMs())
  const failed = failedAs(answer, { state, error: error.message, retryAfterMs })
  // Out of step, it may have taken this message, and takes no other one.
  if (answer.isUnknown && error instanceof DeliveryError && error.scope === 'destination') {
    tally.blame({ destination: target.name, recipient: '' }, error)
    return { ...failed, kept: 'tried' }
  }
  const next = state === 'refused' ? { next: nextTryText(answer) } : {}
  return { ...failed, ...next, holdReason: holdReason(answer, tried) }
}

function notOffered({ message }: PopfetchError): Result {
  const outcome = { state: 'failed', error: message, retryAfterMs: 0, counts: false } as const
  return { outcome, holdReason: null, kept: 'own' }
}

/** After an answer that was lost it is asked again where it was. */
function waits({ isUnknown }: Answer, { destination }: Closed): { readonly conclusion?: string } {
  return isUnknown ? {} : { conclusion: waitingFor(destination) }
}

function keptBy(closed: Closed, tally: Tally): Result {
  const outcome: Outcome = { state: 'failed', error: closed.error.message, retryAfterMs: 0, counts: false }
  return { outcome, holdReason: null, kept: whyKept([closed], tally) }
}

function failedAs({ conclusion, isUnknown }: Answer, outcome: Exclude<Outcome, { state: 'done' }>): Result {
  const unknown = isUnknown ? { state: 'unknown' as const } : {}
  return { outcome: { ...outcome, ...unknown, conclusion }, holdReason: null, kept: 'own' }
}

function isOfRecipient({ conclusion }: Answer): boolean {
  return conclusion === 'RCPT' || conclusion === 'ROOM'
}

function isRefusal({ conclusion }: Answer): boolean {
  return conclusion === 'BAD' || conclusion === 'FORM' || conclusion === 'HELD'
}

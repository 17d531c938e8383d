// A complete message goes to each destination that has not got it yet, and each outcome is recorded in the ledger. A
// destination that fails as a whole is not asked again in this poll.
import { asPopfetchError, DeliveryError } from '../../errors.ts'
import type { Beginning, Outcome, ReceivedFacts } from '../../ledger/ledger.ts'
import type { Message } from '../../message.ts'
import { newIntent } from '../attempt.ts'
import { compareCopy } from '../route/proof.ts'
import { hold } from '../hold.ts'
import type { Choice, Due, Job } from '../route/due.ts'
import type { Run } from '../run/run.ts'
import type { Visit } from '../visit.ts'

const HOUR_MS = 3_600_000

interface Result {
  readonly outcome: Outcome
  /** Why the message is to be held; null: it is not. */
  readonly holdReason: string | null
}

/** The job with its destinations fixed, in the ledger too (DESIGN 4.1). Rejects when the ledger cannot be written. */
export async function fixDestinations(job: Job, choice: Choice, message: Message, { lease, run }: Visit): Promise<Job> {
  const due = choice.due(message)
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

/** Are all destinations down that the message may go to? */
export function isStuck({ due, choice }: Job): boolean {
  const targets = choice?.targets ?? due.map(({ target }) => target)
  return targets.every(({ down }) => down !== null)
}

/** The job, with a delivery to each destination where another message stands under the name of this one (P130). `isProven`:
 *  wherever the message was found by its name, it stands as it came now. Rejects when the ledger cannot be written. */
export async function compareCopies(
  job: Job,
  message: Message,
  { lease, run }: Visit,
): Promise<{ readonly job: Job; readonly isProven: boolean }> {
  const verdicts = job.copies.map((copy) => ({ copy, verdict: compareCopy(copy, message) }))
  const isProven = verdicts.every(({ verdict }) => verdict !== 'unclear')
  const again: readonly Due[] = verdicts.flatMap(({ copy: { target, recipient }, verdict }) =>
    verdict === 'other' ? [{ target, recipient, intent: newIntent(), attempts: 0, doubtful: false }] : [],
  )
  if (again.length === 0) return { job, isProven }
  const key = { uidl: job.uidl, copy: job.copy }
  await run.ledger.begin(lease, [{ key, listedBytes: job.sizeBytes, deliveries: again.map(beginning) }])
  return { job: { ...job, due: [...job.due, ...again] }, isProven }
}

/** True: every destination has the message, and the ledger says so durably. What was received is only recorded when it is
 *  proven (compareCopies). Rejects when the ledger cannot be written. */
export async function handOver(job: Job, message: Message, visit: Visit, isProven = true): Promise<boolean> {
  const { tally, lease, run } = visit
  const facts: ReceivedFacts = {
    receivedBytes: message.sizeBytes,
    digest: message.digest,
    fingerprint: message.fingerprint,
    messageId: message.messageId,
  }
  const received = isProven ? facts : null
  const results = await Promise.all(job.due.map((due) => handOne(job, due, message, received, visit)))
  if (results.length === 0) await run.ledger.confirm(lease, { uidl: job.uidl, copy: job.copy }, received)
  if (results.every(({ outcome }) => outcome.state === 'done')) {
    tally.delivered++
    return true
  }
  const outcomes = results.map(({ outcome }) => outcome)
  const temporary = outcomes.find(({ state }) => state === 'failed' || state === 'unknown')
  const refused = outcomes.find(({ state }) => state === 'refused')
  const holdReason = results.find((result) => result.holdReason !== null)?.holdReason ?? null
  // A message that another destination may yet take is held only once that one has it.
  if (temporary !== undefined && temporary.state !== 'done') {
    tally.deferred++
    tally.problem({ uidl: job.uidl, kind: 'deferred', reason: temporary.error })
  } else if (holdReason !== null) {
    await hold([{ ...job, reason: holdReason }], visit)
  } else if (refused !== undefined && refused.state !== 'done') {
    tally.refused++
    tally.problem({ uidl: job.uidl, kind: 'refused', reason: refused.error })
  }
  return false
}

async function handOne(
  job: Job,
  due: Due,
  message: Message,
  received: ReceivedFacts | null,
  { lease, run, tally }: Visit,
): Promise<Result> {
  const result = await attempt(due, message, run)
  const { outcome } = result
  await run.ledger.settle(lease, {
    key: { uidl: job.uidl, copy: job.copy },
    destination: due.target.name,
    recipient: due.recipient,
    outcome,
    received,
  })
  if (outcome.state === 'done' && due.doubtful) {
    tally.possibleDuplicates++
    const reason = 'an earlier delivery may have arrived already'
    tally.problem({ uidl: job.uidl, kind: 'possibleDuplicate', reason })
  }
  return result
}

async function attempt({ target, recipient, intent, attempts }: Due, message: Message, run: Run): Promise<Result> {
  if (target.down !== null)
    return { outcome: { state: 'failed', error: target.down.message, retryAfterMs: 0 }, holdReason: null }
  try {
    const tried = { intent, origin: message.origin, recipient }
    const receipt = await target.destination.deliver(tried, message, run.deliverySignal)
    return { outcome: { state: 'done', receipt: receipt.text }, holdReason: null }
  } catch (thrown) {
    const error = asPopfetchError(thrown, 'message')
    const onlyRecipient = error.scope === 'recipient' && target.destination.recipients.length === 1
    if (error.scope === 'destination' || onlyRecipient) target.down ??= error
    const verdict = error instanceof DeliveryError ? error.verdict : 'temporary'
    const isRefused = verdict === 'refused' || verdict === 'held'
    const outcome: Outcome = {
      state: isRefused ? 'refused' : verdict === 'unknown' ? 'unknown' : 'failed',
      error: error.message,
      // A refused message is tried again ever more seldom, in the end once a day (D031).
      retryAfterMs: isRefused ? run.nowMs() + Math.min(HOUR_MS * 2 ** attempts, 24 * HOUR_MS) : 0,
    }
    return { outcome, holdReason: verdict === 'held' ? error.message : null }
  }
}

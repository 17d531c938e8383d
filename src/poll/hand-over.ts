// A complete message → each destination that has not got it → the ledger, one outcome for each. A destination that fails as
// a whole is not asked again in this poll.
import { randomBytes } from 'node:crypto'
import type { Account } from '../config/schema.ts'
import { asPopfetchError, DeliveryError } from '../errors.ts'
import type { Outcome, ReceivedFacts } from '../ledger/ledger.ts'
import type { Message, Origin } from '../message.ts'
import type { Target } from './destinations.ts'
import type { PlannedFetch } from './plan.ts'
import type { Run } from './run.ts'
import type { Tally } from './tally.ts'

const HOUR_MS = 3_600_000

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

export interface Job extends PlannedFetch {
  readonly due: readonly Due[]
}

export interface HandOverContext {
  readonly account: Account
  readonly run: Run
  readonly tally: Tally
}

export function newIntent(): string {
  return randomBytes(8).toString('hex')
}

export function originOf(account: Account, entry: { readonly uidl: string; readonly copy: number }): Origin {
  const { name, host, user, tls } = account
  return { account: name, host, user, uidl: entry.uidl, copy: entry.copy, protocol: tls === 'none' ? 'POP3' : 'POP3S' }
}

/** True: each destination has it, and the ledger says so durably. Rejects when the ledger cannot be written. */
export async function handOver(job: Job, message: Message, context: HandOverContext): Promise<boolean> {
  const { tally } = context
  const received: ReceivedFacts = {
    receivedBytes: message.sizeBytes,
    digest: message.digest,
    fingerprint: message.fingerprint,
    messageId: message.messageId,
  }
  const outcomes = await Promise.all(job.due.map((due) => handOne(job, due, message, received, context)))
  if (outcomes.every((outcome) => outcome.state === 'done')) {
    tally.delivered++
    return true
  }
  const passing = outcomes.find(({ state }) => state === 'failed' || state === 'unknown')
  const refused = outcomes.find(({ state }) => state === 'refused')
  if (passing !== undefined && passing.state !== 'done') {
    tally.deferred++
    tally.problem({ uidl: job.uidl, kind: 'deferred', reason: passing.error })
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
  received: ReceivedFacts,
  { account, run, tally }: HandOverContext,
): Promise<Outcome> {
  const outcome = await attempt(due, message, run)
  await run.ledger.settle(account.name, {
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
  return outcome
}

async function attempt({ target, recipient, intent, attempts }: Due, message: Message, run: Run): Promise<Outcome> {
  if (target.down !== null) return { state: 'failed', error: target.down.message, retryAfterMs: 0 }
  try {
    const tried = { intent, origin: message.origin, recipient }
    const receipt = await target.destination.deliver(tried, message, run.deliverySignal)
    return { state: 'done', receipt: receipt.text }
  } catch (thrown) {
    const error = asPopfetchError(thrown, 'message')
    if (error.scope === 'destination') target.down ??= error
    const verdict = error instanceof DeliveryError ? error.verdict : 'temporary'
    return {
      state: verdict === 'temporary' ? 'failed' : verdict,
      error: error.message,
      // What was refused is tried again, ever more seldom, up to once a day (D031).
      retryAfterMs: verdict === 'refused' ? run.nowMs() + Math.min(HOUR_MS * 2 ** attempts, 24 * HOUR_MS) : 0,
    }
  }
}

// Stops before something that cannot be undone and was probably not meant (DESIGN 4.4). Pure: a plan and what the account
// looked like after its last poll → an error, or nothing. Each error names the command that goes on.
import { PopfetchError } from '../../errors.ts'
import type { Plan } from './plan.ts'

export interface GuardView {
  readonly account: string
  readonly plan: Plan
  /** Any message known, of any state. */
  readonly hasHistory: boolean
  /** The ledger is a copy that was put back, and no poll since went well (S047). */
  readonly wasRestored: boolean
  /** Messages that were found at a destination and that others may have or lack, as far as the ledger knows. */
  readonly openElsewhere: number
  /** Delivered messages that were still listed after the last poll and not deleted by it; null: not recorded yet. */
  readonly lastAlive: number | null
  /** How many messages another program's record has, while no listing was compared with it; null: there is none. */
  readonly imported: number | null
  /** `delete` as it was at the last poll; null: not recorded yet. */
  readonly lastDelete: string | null
  readonly delete: string
  readonly firstWritten: boolean
  /** Every destination of the account tells what stands there, and so notices a message that it already has. */
  readonly showWhatTheyHave: boolean
  readonly yes: boolean
  readonly acceptNewIds: boolean
}

const FEW = 20
const MOST_DELETIONS = 1000
const MANY_DELETIONS = 50
const MOST_FIRST = 1000

/** Throws the guard's error. */
export function guard(view: GuardView): void {
  recordFits(view)
  uidsChanged(view)
  deletions(view)
  firstPoll(view)
  restored(view)
}

/** M002, a misread record: where none of it is listed, it was misread, or belongs to another mailbox. */
function recordFits({ account, plan, imported, acceptNewIds }: GuardView): void {
  if (acceptNewIds || imported === null || plan.new === 0 || plan.new < plan.listed) return
  throw guardError(
    'ERR_UIDS_CHANGED',
    `the record that was imported for ${account} has ${imported} messages, and the server lists none of them: it may be of another mailbox, or out of date, and all ${plan.listed} messages would be fetched. To fetch them: popfetch --accept-new-ids ${account}`,
  )
}

/** S020: a mailbox that was rebuilt shows all its messages under new UIDs; they must not come again. */
function uidsChanged({ account, plan, lastAlive, acceptNewIds }: GuardView): void {
  if (acceptNewIds || !haveUidsChanged({ plan, lastAlive })) return
  throw guardError(
    'ERR_UIDS_CHANGED',
    `the server shows ${plan.listed} messages and nearly none of the ${lastAlive} that it had: their UIDs seem to have changed, and fetching all again would bring them twice. To go on and take over what is the same: popfetch --accept-new-ids ${account}`,
  )
}

/** So many that a person is asked. */
export function haveUidsChanged({ plan, lastAlive }: Pick<GuardView, 'plan' | 'lastAlive'>): boolean {
  if (lastAlive === null || lastAlive < FEW) return false
  const known = plan.listed - plan.new
  return plan.listed >= FEW && plan.listed >= lastAlive / 2 && known < plan.listed / 10
}

/** S022: a word changed in the configuration must not empty a mailbox unasked. */
function deletions(view: GuardView): void {
  const count = view.plan.deletions.length
  if (view.yes || view.lastDelete === null || view.lastDelete === view.delete) return
  if (count <= MOST_DELETIONS && (count <= MANY_DELETIONS || count <= view.plan.listed / 2)) return
  throw guardError(
    'ERR_DELETE_GUARD',
    `delete was changed from ${view.lastDelete} to ${view.delete}, which would remove ${count} of ${view.plan.listed} messages from the server now. If that is meant: popfetch --yes ${view.account}`,
  )
}

function firstPoll({ account, plan, hasHistory, firstWritten, showWhatTheyHave, yes }: GuardView): void {
  if (yes || hasHistory || firstWritten || showWhatTheyHave || plan.listed <= MOST_FIRST) return
  throw guardError(
    'ERR_FIRST_POLL',
    `this first poll would send ${plan.listed} messages on. Write first: all, new or last:N for this account, or, to send all: popfetch --yes ${account}`,
  )
}

/** S047: what the copy does not know, such a destination may have. */
function restored(view: GuardView): void {
  const { account, plan, wasRestored, openElsewhere, firstWritten, showWhatTheyHave, yes } = view
  const unknown = plan.new + openElsewhere
  if (yes || !wasRestored || firstWritten || showWhatTheyHave || unknown === 0) return
  throw guardError(
    'ERR_FIRST_POLL',
    `the ledger was restored from a copy, which does not know of ${unknown} of ${plan.listed} messages: they may have been sent on since the copy was made. Write first: all, new or last:N for this account, or, to send them all: popfetch --yes ${account}`,
  )
}

function guardError(code: 'ERR_UIDS_CHANGED' | 'ERR_DELETE_GUARD' | 'ERR_FIRST_POLL', text: string): PopfetchError {
  return new PopfetchError(code, text, { scope: 'account', retry: 'never' })
}

// Stops before something that cannot be undone and was probably not meant (DESIGN 4.4). Pure: a plan and what the account
// looked like after its last poll → an error, or nothing. Each error names the command that goes on.
import { grouped } from '../../display.ts'
import { PopfetchError } from '../../errors.ts'
import type { Plan } from './plan.ts'

export interface GuardView {
  readonly account: string
  readonly plan: Plan
  /** A listing of this account was dealt with before, and its ledger is not one that was lost. */
  readonly hasHistory: boolean
  /** The ledger is a copy that was put back, and no poll since went well (S047). */
  readonly wasRestored: boolean
  /** Messages that are open, by the ledger. */
  readonly openKnown: number
  /** Messages that were found at a destination and that others may have or lack, as far as the ledger knows. */
  readonly openElsewhere: number
  /** Delivered messages that were still listed after the last poll and not deleted by it; null: not recorded yet. */
  readonly lastAlive: number | null
  /** How many messages another program's record has, while no listing was compared with it; null: there is none. */
  readonly imported: number | null
  /** `delete` as it was at the last poll; null: not recorded yet. */
  readonly lastDelete: string | null
  readonly delete: string
  /** For this many accounts `delete` was changed since their last poll, so that more is removed; this one may be among them. */
  readonly changedDeletes: number
  /** `first` is written in the configuration. */
  readonly firstWritten: boolean
  /** It was answered to `init`, which only this ledger knows. */
  readonly firstAnswered: boolean
  /** Every destination of the account tells what is there, and so notices a message that it already has. */
  readonly showWhatTheyHave: boolean
  /** What was taken over under new UIDs; null: nobody asked for that. */
  readonly newIds: NewIds | null
  readonly yes: boolean
  readonly acceptNewIds: boolean
  readonly markSeen: boolean
}

export interface NewIds {
  /** Matched by their headers in this session. */
  readonly matched: number
  /** No longer listed, and known only by their UID, so that nothing can match them (M010). */
  readonly bare: number
}

const FEW = 20
const MOST_DELETIONS = 1000
const MANY_DELETIONS = 50
const MOST_CHANGED = 20
const MOST_FIRST = 200

/** Throws the guard's error. */
export function guard(view: GuardView): void {
  recordFits(view)
  uidsChanged(view)
  knownByUidAlone(view)
  deletions(view)
  firstPoll(view)
  restored(view)
}

/** M002, a misread record: where none of it is listed, it was misread, or belongs to another mailbox. */
function recordFits({ account, plan, imported, acceptNewIds }: GuardView): void {
  if (acceptNewIds || imported === null || plan.new === 0 || plan.new < plan.listed) return
  throw guardError(
    'ERR_UIDS_CHANGED',
    `the record that was imported for ${account} has ${grouped(imported)} messages, and the server lists none of them: it may be of another mailbox, or out of date, and all ${grouped(plan.listed)} messages would be fetched. To fetch them: popfetch --accept-new-ids --yes ${account}. To count them as seen: popfetch --accept-new-ids --mark-seen ${account}`,
  )
}

/** S020: a mailbox that was rebuilt shows all its messages under new UIDs; they must not come again. */
function uidsChanged({ account, plan, lastAlive, acceptNewIds }: GuardView): void {
  if (acceptNewIds || !haveUidsChanged({ plan, lastAlive })) return
  throw guardError(
    'ERR_UIDS_CHANGED',
    `the server shows ${grouped(plan.listed)} messages and almost none of the ${grouped(lastAlive ?? 0)} known messages: their UIDs seem to have changed, and fetching all again would fetch them twice. To continue and match them by their headers: popfetch --accept-new-ids ${account}`,
  )
}

/** So many that a person is asked. */
export function haveUidsChanged({ plan, lastAlive }: Pick<GuardView, 'plan' | 'lastAlive'>): boolean {
  if (lastAlive === null || lastAlive < FEW) return false
  const known = plan.listed - plan.new
  // A tenth of what should be there: what is unknown may have come since, or was left by a limit.
  return plan.listed >= FEW && plan.listed >= lastAlive / 2 && known < Math.min(plan.listed, lastAlive) / 10
}

/** M010: what an older program fetched, or `first` skipped, is known by its UID alone: under a new one it looks like new mail. */
function knownByUidAlone({ account, plan, newIds, yes, markSeen }: GuardView): void {
  if (newIds === null || newIds.bare === 0 || plan.new === 0 || yes || markSeen) return
  const matched = newIds.matched === 0 ? '' : `${grouped(newIds.matched)} messages were matched by their headers. `
  throw guardError(
    'ERR_UIDS_CHANGED',
    `${matched}${grouped(plan.new)} messages on the server match nothing that is known; for ${grouped(newIds.bare)} that are no longer listed only the UID is known (imported, or skipped by first), so these may be the same. To count what is there as seen: popfetch --accept-new-ids --mark-seen ${account}. To have it delivered: popfetch --accept-new-ids --yes ${account}`,
  )
}

/** S022: a word changed in the configuration must not empty a mailbox unasked. */
function deletions(view: GuardView): void {
  const { account, plan, changedDeletes, yes, lastDelete } = view
  const count = plan.deletions.length
  if (yes || lastDelete === null || lastDelete === view.delete) return
  const isMany = count > MOST_DELETIONS || (count > MANY_DELETIONS && count > plan.listed / 2)
  if (isMany)
    throw guardError(
      'ERR_DELETE_GUARD',
      `delete was changed from ${lastDelete} to ${view.delete}, which would remove ${grouped(count)} of ${grouped(plan.listed)} messages from the server now. If that is what you want: popfetch --yes ${account}`,
    )
  if (view.delete !== 'never' && isChangedForMany(changedDeletes))
    throw changedForMany(changedDeletes, 'popfetch --yes')
}

/** For this many accounts at once that it was perhaps not meant. */
export function isChangedForMany(changedDeletes: number): boolean {
  return changedDeletes > MOST_CHANGED
}

export function changedForMany(changedDeletes: number, command: string): PopfetchError {
  return guardError(
    'ERR_DELETE_GUARD',
    `delete was changed for ${grouped(changedDeletes)} accounts at once, and would remove messages from their servers, now or when they are old enough. If that is what you want: ${command}`,
  )
}

function firstPoll(view: GuardView): void {
  const { account, plan, hasHistory, openElsewhere, firstWritten, firstAnswered, yes, markSeen } = view
  const unknown = plan.new + openElsewhere
  if (yes || markSeen || hasHistory || firstWritten || firstAnswered) return
  if (view.showWhatTheyHave || unknown <= MOST_FIRST) return
  throw guardError(
    'ERR_FIRST_POLL',
    `this first poll would forward ${grouped(unknown)} messages. Set first: all, new, last:N or since:DATE for this account. Or, to count them as seen: popfetch --mark-seen ${account}; to send them all: popfetch --yes ${account}`,
  )
}

/** S047: what the copy does not know, or has as open, such a destination may have. What `init` was answered speaks of the first poll alone. */
function restored(view: GuardView): void {
  const { account, plan, wasRestored, openElsewhere, openKnown, firstWritten, showWhatTheyHave, yes, markSeen } = view
  const unknown = plan.new + Math.max(openElsewhere, openKnown)
  if (yes || markSeen || !wasRestored || firstWritten || showWhatTheyHave || unknown === 0) return
  throw guardError(
    'ERR_FIRST_POLL',
    `the ledger was restored from a copy, or repaired, and does not know of ${grouped(unknown)} of ${grouped(plan.listed)} messages that they came: they may have been forwarded. Set first: all, new, last:N or since:DATE for this account. Or, to count them as seen: popfetch --mark-seen ${account}; to send them all: popfetch --yes ${account}`,
  )
}

function guardError(code: 'ERR_UIDS_CHANGED' | 'ERR_DELETE_GUARD' | 'ERR_FIRST_POLL', text: string): PopfetchError {
  return new PopfetchError(code, text, { scope: 'account', retry: 'never' })
}

// A message on its way through a first-of: each of its destinations has a rest of its own, as if it stood alone. What a later
// one answers is recorded there, and the message waits for it.
import type { Chain } from '../../deliver/destination.ts'
import { concluded } from '../../deliver/answers/conclusions.ts'
import { asPopfetchError, DeliveryError, type PopfetchError } from '../../errors.ts'
import type { Delivery } from '../../ledger/ledger.ts'
import type { Closed, Target } from '../run/destinations.ts'
import { isPausedChain } from './paused.ts'
import type { AccountDestinations } from './account-destinations.ts'
import { closedAt, isClosed, spentAt } from './closed.ts'
import type { Offered } from './places.ts'
import { tooManyRefused } from './envelope-refusals.ts'

export interface FollowedChain extends Chain {
  /** What a destination keeps the message back for, though the first one was asked or passed over; null: none does. */
  readonly keptBy: Closed | null
  /** Rejects when the ledger could not record what it says of a destination that it took the message. */
  readonly noted: Promise<void>
}

/** `target` has members. `delivery`: for which room may have been set aside at the first of them. `goesOn`: the message has
 *  waited for a day. `place`: gives it a place there (run/handing.ts), or says why not. */
export function followed(
  target: Target,
  delivery: object,
  offered: Omit<Offered, 'error' | 'since'>,
  goesOn: boolean,
  destinations: AccountDestinations,
  place: (member: Target) => Promise<PopfetchError | null>,
): FollowedChain {
  let keptBy: Closed | null = null
  let noted = Promise.resolve()
  const since = new Map(target.members.map((member) => [member.name, destinations.closings(member)]))
  const find = (name: string): { readonly member: Target; readonly recipient: string } => {
    const at = target.members.findIndex((member) => member.name === name)
    // The first one's trouble is that of all of them together.
    const member = at > 0 ? target.members[at] : target
    if (member === undefined) throw new Error(`a first-of without ${name}`)
    return { member, recipient: at > 0 ? recipientOf(member) : '' }
  }
  return {
    goesOn: goesOn && !isPausedChain(target),
    get keptBy() {
      return keptBy
    },
    get noted() {
      return noted
    },
    async closed(name) {
      const { member, recipient } = find(name)
      const isFirst = member === target
      const stopped = await place(isFirst ? (target.members[0] ?? target) : member)
      if (stopped !== null) return stopped
      let closed = closedAt(member, recipient) ?? beingTried(member, target)
      if (closed === null && !isFirst && destinations.envelopeRefusals.isOver(member)) return tooManyRefused(member)
      if (closed === null && !isFirst) member.offered++
      if (closed === null) {
        closed = await destinations.begin(member, isFirst ? delivery : null)
        if (closed !== null && !isFirst) member.offered--
      }
      keptBy ??= closed
      return closed?.error ?? null
    },
    refused(name, error) {
      destinations.refused(find(name).member, asPopfetchError(error))
    },
    async answered(name, error) {
      const { member, recipient } = find(name)
      if (member !== target) member.offered--
      const own = { ...offered, error: asPopfetchError(error), since: since.get(name) ?? 0 }
      const step = await destinations.answered(member, recipient, own)
      // A refusal, too, that is one of too many: it says nothing of the message.
      const isLost = error instanceof DeliveryError && error.verdict === 'unknown'
      if (step.speaksOf === 'destination' && !isLost)
        keptBy ??= { destination: member.name, recipient: '', error, atRest: false }
    },
    async taken(name) {
      const { member, recipient } = find(name)
      if (member !== target) member.offered--
      keptBy = null
      noted = destinations.taken(member, recipient, since.get(name) ?? 0)
      // Not here: it is taken all the same.
      await noted.catch(() => {})
    },
  }
}

/** A later one that was left alone gets one message alone. */
function beingTried(member: Target, target: Target): Closed | null {
  if (member === target || !member.probing || member.offered === 0) return null
  const error = new DeliveryError(`${member.name} is tried with another message first`, {
    ...concluded('TEMP', 'left alone', { counts: false }),
  })
  return { destination: member.name, recipient: '', error, atRest: true }
}

/** May the message pass this destination by, which is closed to it? */
export function passesBy(target: Target, recipient: string, goesOn: boolean): boolean {
  return goesOn && !isPausedChain(target) && target.members.some((member, at) => at > 0 && !isClosed(member, recipient))
}

const NEXT = 'NEXT '

/** The record of a message that the members before `name` refused, and that waits for `name`. */
export function waitingFor(name: string): string {
  return `${NEXT}${name}`
}

/** The one of these that the message waits for, as far as is known: those before it refused the message. */
export function awaited({ members }: Target, before: Delivery | null): Target | null {
  const { conclusion = null } = before ?? {}
  if (conclusion?.startsWith(NEXT) !== true) return null
  return members.find(({ name }, at) => at > 0 && waitingFor(name) === conclusion) ?? null
}

/** Why nothing is retrieved for it: the member that it waits for is closed. With `goesOn`, a later member may take it. */
export function keptByNext(target: Target, before: Delivery | null, goesOn: boolean): Closed | null {
  const member = awaited(target, before)
  if (member === null) return null
  const behind = target.members.slice(target.members.indexOf(member) + 1)
  if (goesOn && !isPausedChain(target) && behind.some((each) => !isClosed(each, recipientOf(each)))) return null
  return closedAt(member, recipientOf(member)) ?? spentAt(member)[0] ?? null
}

function recipientOf(member: Target): string {
  return member.recipientsFor(null)[0] ?? ''
}

// A message on its way through a first-of: each of its destinations has a rest of its own, as if it stood alone. What a later
// one answers is recorded there, and the message waits for it.
import type { Chain } from '../../deliver/destination.ts'
import { concluded } from '../../deliver/answers/conclusions.ts'
import { asPopfetchError, DeliveryError } from '../../errors.ts'
import type { Closed, Target } from '../run/destinations.ts'
import { type AccountDestinations, closedAt, isClosed, type Offered } from './account-destinations.ts'

export interface FollowedChain extends Chain {
  /** What a destination keeps the message back for, though the first one was asked or passed over; null: none does. */
  readonly keptBy: Closed | null
}

/** `target` has members. `delivery`: for which room may have been set aside at the first of them. `goesOn`: the message has
 *  waited for a day. */
export function followed(
  target: Target,
  delivery: object,
  offered: Omit<Offered, 'error' | 'since'>,
  goesOn: boolean,
  destinations: AccountDestinations,
): FollowedChain {
  let keptBy: Closed | null = null
  const since = new Map(target.members.map((member) => [member.name, destinations.closings(member)]))
  const find = (name: string): { readonly member: Target; readonly recipient: string } => {
    const at = target.members.findIndex((member) => member.name === name)
    // The first one's trouble is that of all of them together.
    const member = at > 0 ? target.members[at] : target
    if (member === undefined) throw new Error(`a first-of without ${name}`)
    return { member, recipient: at > 0 ? (member.recipientsFor(null)[0] ?? '') : '' }
  }
  return {
    goesOn,
    get keptBy() {
      return keptBy
    },
    async closed(name) {
      const { member, recipient } = find(name)
      const isFirst = member === target
      let closed = closedAt(member, recipient) ?? beingTried(member, target)
      if (closed === null && !isFirst) member.offered++
      if (closed === null) {
        closed = await destinations.begin(member, isFirst ? delivery : null)
        if (closed !== null && !isFirst) member.offered--
      }
      keptBy ??= closed
      return closed?.error ?? null
    },
    async answered(name, error) {
      const { member, recipient } = find(name)
      if (member !== target) member.offered--
      const own = { ...offered, error: asPopfetchError(error), since: since.get(name) ?? 0 }
      const step = await destinations.answered(member, recipient, own)
      const isWaiting = !(error instanceof DeliveryError) || error.verdict === 'temporary'
      if (step.speaksOf === 'destination' && isWaiting)
        keptBy ??= { destination: member.name, recipient: '', error, atRest: false }
    },
    async taken(name) {
      const { member, recipient } = find(name)
      if (member !== target) member.offered--
      keptBy = null
      await destinations.taken(member, recipient, since.get(name) ?? 0)
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
  return goesOn && target.members.some((member, at) => at > 0 && !isClosed(member, recipient))
}

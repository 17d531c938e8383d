// May something be offered at a destination now, as far as this poll knows? It is down, it or a recipient is left alone, or it has got
// as many messages as its rate allows.
import { concluded } from '../../deliver/answers/conclusions.ts'
import { localStamp } from '../../display.ts'
import { type AnswerFacts, DeliveryError } from '../../errors.ts'
import type { Rest } from '../../ledger/ledger.ts'
import type { Pace } from '../rests/paces.ts'
import type { Kept } from '../outcome.ts'
import type { Closed, Target } from '../run/destinations.ts'
import type { Tally } from '../tally.ts'

/** Why nothing can be delivered there now; null: it takes mail, as far as we know. */
export function closedAt(target: Target, recipient: string): Closed | null {
  if (target.down !== null)
    return {
      destination: target.name,
      recipient: '',
      error: target.down,
      atRest: target.atRest,
      ...(target.isPaused ? { isPaused: true } : {}),
    }
  return target.recipients.get(recipient) ?? null
}

/** It has got as many as its rate allows; none: it may get more. */
export function spentAt({ name, pace }: Target): readonly Closed[] {
  return pace?.isSpent === true ? [spentBy(name, pace)] : []
}

export function spentBy(destination: string, { text }: Pace): Closed {
  const error = new DeliveryError(text, concluded('TEMP', 'rate', { counts: false }))
  return { destination, recipient: '', error, atRest: true, isSpent: true }
}

/** May nothing be offered there now? */
export function isClosed(target: Target, recipient: string): boolean {
  return closedAt(target, recipient) !== null || target.pace?.isSpent === true
}

/** Counts why a message is kept back by these: whose trouble it is, and what it waits for where that is no trouble. If there is
 *  no such destination, or it waits for another machine, that is for the message's own sake. */
export function whyKept(closed: readonly Closed[], tally: Tally): Kept {
  for (const each of closed) {
    if (each.isSpent === true) tally.waitsForRate(each.destination, each.error.message)
    else if (each.isPaused === true) tally.waitsForPaused(each.destination, each.error.message)
    else tally.blame(each, each.error)
    if (each.machine !== undefined) tally.waitsForMachine(each.machine)
  }
  const troubles = closed.filter(
    ({ isSpent, isPaused, machine }) => isSpent !== true && isPaused !== true && machine === undefined,
  )
  if (troubles.length > 0) return troubles.some(({ atRest }) => !atRest) ? 'tried' : 'rest'
  if (closed.every(({ machine }) => machine !== undefined)) return 'own'
  return closed.some(({ isPaused }) => isPaused === true) ? 'pause' : 'rate'
}

interface Failing {
  closings(target: Target): number
  failed(target: Target, thrown: unknown, since: number | null): Promise<void>
}

/** What a destination shows of what it has; null: it cannot show it now, and takes no mail in this session (P4). Rejects where the
 *  poll is to end. */
export async function shownBy<T>(
  target: Target,
  { destinations }: { readonly destinations: Failing },
  look: () => Promise<T>,
): Promise<T | null> {
  const since = destinations.closings(target)
  try {
    return await look()
  } catch (error) {
    await destinations.failed(target, error, target.members.length > 0 ? null : since)
    return null
  }
}

/** Why an attempt that a crash cut off cannot be looked for now; null: it can. Of several, each that can show it is asked. */
export function hiddenAt(target: Target): Closed | null {
  const others = target.members.slice(1).filter(({ destination }) => destination.remembers)
  return closedAt(target, '') ?? others.map((member) => closedAt(member, '')).find((closed) => closed !== null) ?? null
}

/** Why a poll sends nothing to a destination that is left alone. */
export function restError(name: string, { untilMs, untilSignIn, error, exit }: Rest, nowMs: number): DeliveryError {
  const paused = untilMs > nowMs ? `is paused until ${localStamp(untilMs)}` : 'was tried a moment ago'
  const why = untilSignIn === true ? 'is paused until somebody signs in' : paused
  return new DeliveryError(`${name} ${why}: ${error.message}`, {
    ...concluded('BUSY', 'left alone'),
    exit: isExit(exit) ? exit : 75,
    retry: exit === 75 ? 'soon' : 'later',
  })
}

function isExit(exit: number): exit is AnswerFacts['exit'] {
  return exit === 73 || exit === 75 || exit === 76 || exit === 77 || exit === 78
}

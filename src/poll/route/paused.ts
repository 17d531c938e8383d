// What a person paused (ledger/pause.ts), as one poll sees it: read once when the poll begins, so that all its sessions agree. A
// paused account is not polled at all; a paused destination gets nothing and is asked nothing, whoever wants it. It is no trouble
// of anybody, and nothing goes on to the next of several because of it.
import type { Configuration } from '../../config/schema.ts'
import { FIRST_OF } from '../../config/values/written.ts'
import { concluded } from '../../deliver/answers/conclusions.ts'
import { display, localStamp } from '../../display.ts'
import { DeliveryError } from '../../errors.ts'
import type { Ledger, Pause } from '../../ledger/ledger.ts'
import type { Target } from '../run/destinations.ts'

/** By their names. */
export type PausedDestinations = ReadonlyMap<string, Pause>

export interface PausedNow {
  /** Null: the account is not paused. */
  readonly account: Pause | null
  readonly destinations: PausedDestinations
}

/** `paused`: as it came with a lease that was taken for this poll. Rejects with ERR_LEDGER. */
export async function pausedNow(
  account: string,
  { pauses }: Pick<Ledger, 'pauses'>,
  paused?: readonly Pause[],
): Promise<PausedNow> {
  if (paused !== undefined) {
    const own = paused.find(({ kind }) => kind === 'account') ?? null
    return of(own, own === null ? paused : [])
  }
  // Together: one exchange with a database.
  const [own, all] = await Promise.all([pauses.of({ kind: 'account', name: account }), pauses.all('destination')])
  return of(own, own === null ? all : [])
}

function of(account: Pause | null, destinations: readonly Pause[]): PausedNow {
  return { account, destinations: new Map(destinations.map((pause) => [pause.name, pause])) }
}

/** The pause of a destination, as the configuration calls it; null: it is not paused. Of several as one: theirs, or that of the
 *  first of them. */
export function pauseAt(
  name: string,
  paused: PausedDestinations,
  destinations: Configuration['destinations'],
): Pause | null {
  const config = destinations.get(name)
  const [first = name] = config?.type === FIRST_OF ? config.of : []
  return paused.get(name) ?? paused.get(first) ?? null
}

/** For people; safe to print. */
export function pauseText({ name, by, sinceMs, untilMs }: Pause): string {
  const until = untilMs === null ? '' : ` until ${localStamp(untilMs)}`
  return `${display(name)} is paused${until} (by ${display(by)}, ${localStamp(sinceMs)}): popfetch resume ${display(name)}`
}

/** Closes a destination that is paused. Of several as one: when they are paused, or the first of them is. False: it is not. */
export function closePaused(target: Target, paused: PausedDestinations): boolean {
  const names = [target.name, ...target.members.slice(0, 1).map(({ name }) => name)]
  const pause = names.map((name) => paused.get(name)).find((found) => found !== undefined)
  if (pause === undefined) return false
  target.down = new DeliveryError(pauseText(pause), concluded('TEMP', 'paused', { counts: false }))
  target.atRest = true
  target.isPaused = true
  return true
}

/** Is one of several paused? Then the message waits where it is. */
export function isPausedChain({ isPaused, members }: Target): boolean {
  return isPaused || members.some((member) => member.isPaused)
}

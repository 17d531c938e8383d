// How often the answer to a delivery may be lost (DESIGN 4.3, P2). The rule: a destination that shows what it has leaves no doubt,
// be the answer lost for the tenth time.
import type { DeliveryState } from '../../ledger/entry.ts'

/** After this many, another copy would be one too many. */
export const MOST_UNKNOWNS = 3
export const LOST_ANSWERS = `the answer to its delivery was lost ${MOST_UNKNOWNS} times; it may be there already`

/** Can the destination of this name show what it has? */
export type Shows = (destination: string) => boolean

interface Lossy {
  readonly destination: string
  readonly state: DeliveryState
  readonly unknowns: number
}

/** Was its answer lost once too often? It is not made again. */
export function isLost({ destination, state, unknowns }: Lossy, shows: Shows): boolean {
  return state !== 'done' && unknowns >= MOST_UNKNOWNS && !shows(destination)
}

/** Is a message to be held for that? Not while another destination lacks it for the time being (P4). */
export function isLostTooOften(deliveries: readonly Lossy[], shows: Shows): boolean {
  const isSettled = (one: Lossy): boolean => one.state === 'done' || one.state === 'refused' || isLost(one, shows)
  return deliveries.some((one) => isLost(one, shows)) && deliveries.every(isSettled)
}

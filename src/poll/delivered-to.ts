// How an account's record tells at which places mail of it was delivered, so that one that is gone is not made again (S045).
import type { AccountRecord } from '../ledger/ledger.ts'

const DELIVERED_TO = 'delivered to '

/** The fact's name for the destination called `name`; its value is the place. */
export function deliveredTo(name: string): string {
  return `${DELIVERED_TO}${name}`
}

/** All places that these facts tell. */
export function placesIn(facts: AccountRecord['facts']): readonly string[] {
  return Object.entries(facts).flatMap(([name, place]) => (name.startsWith(DELIVERED_TO) ? [place] : []))
}

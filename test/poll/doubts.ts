// Counts the messages that a kill would leave in doubt (S042).
import { setImmediate as turn } from 'node:timers/promises'
import type { DeliveryKey, Ledger, Settlement } from '../../src/ledger/ledger.ts'

const TURNS = 50

/** The ledger, slow to record what an answer says of a destination; and how many were handed over and not settled at once, in the
 *  order in which the ledger is asked. */
export function watched(): { readonly of: (ledger: Ledger) => Ledger; readonly most: () => number } {
  const open = new Set<string>()
  let most = 0
  const nameOf = ({ key, destination, recipient }: DeliveryKey): string =>
    JSON.stringify([key.uidl, key.copy, destination, recipient])
  const before: Partial<Record<string | symbol, (argument: unknown) => void>> = {
    handOver: (deliveries) => {
      for (const delivery of deliveries as readonly DeliveryKey[]) open.add(nameOf(delivery))
      most = Math.max(most, open.size)
    },
    settle: (settlement) => void open.delete(nameOf(settlement as Settlement)),
  }
  const of = (ledger: Ledger): Ledger =>
    new Proxy(ledger, {
      get(target, name) {
        const found: unknown = Reflect.get(target, name, target)
        if (typeof found !== 'function') return found
        return (...args: unknown[]): unknown => {
          before[name]?.(args[1])
          const make = (): unknown => Reflect.apply(found, target, args)
          return name === 'changeDestination' ? turns().then(make) : make()
        }
      },
    })
  return { of, most: () => most }
}

async function turns(): Promise<void> {
  for (let left = TURNS; left > 0; left--) await turn()
}

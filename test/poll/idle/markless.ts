// A ledger by which each poll goes the usual road.
import type { Ledger, Lease } from '../../../src/ledger/ledger.ts'

/** A ledger whose leases show no mark. */
export function markless(ledger: Ledger): Ledger {
  const without = <T extends Lease>(lease: T): T =>
    new Proxy(lease, {
      get: (target, name) => {
        if (name === 'record') return target.record === null ? null : { ...target.record, mark: null }
        const value: unknown = Reflect.get(target, name, target)
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
  return new Proxy(ledger, {
    get: (target, name) => {
      if (name === 'claim')
        return async (...asked: Parameters<Ledger['claim']>) => {
          const claimed = await target.claim(...asked)
          return claimed.lease === null ? claimed : { ...claimed, lease: without(claimed.lease) }
        }
      const value: unknown = Reflect.get(target, name, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

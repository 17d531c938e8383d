// Ledgers that cannot record what they are told, and leases that are lost.
import { PopfetchError } from '../../../src/errors.ts'
import { leaseLost } from '../../../src/ledger/lease.ts'
import type { Ledger } from '../../../src/ledger/ledger.ts'

function methods<T extends object>(
  of: T,
  changed: (name: string | symbol, method: (...given: never[]) => unknown) => unknown,
): T {
  return new Proxy(of, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target)
      if (typeof value !== 'function') return value
      return changed(name, (value as (...given: never[]) => unknown).bind(target))
    },
  })
}

export function withLease(ledger: Ledger, isLost: () => boolean): Ledger {
  return methods(ledger, (name, method) => {
    if (name !== 'claim') return method
    return async (...given: never[]) => {
      const claimed = (await method(...given)) as Awaited<ReturnType<Ledger['claim']>>
      if (claimed.lease === null) return claimed
      const { lease } = claimed
      const requireHeld = lease.requireHeld.bind(lease)
      lease.requireHeld = () => {
        if (isLost()) throw leaseLost('old-isp')
        requireHeld()
      }
      return claimed
    }
  })
}

/** Fails once, where that message is among what it is to record. */
export function failing(ledger: Ledger, change: 'begin' | 'settle', uidl: string): Ledger {
  let left = 1
  const isOf = (given: unknown): boolean => JSON.stringify(given ?? null).includes(`"uidl":"${uidl}"`) && left-- > 0
  const fail = (): never => {
    throw new PopfetchError('ERR_LEDGER', 'the disk is gone', { scope: 'process', retry: 'later' })
  }
  return methods(ledger, (name, method) => {
    const looksAt = change === 'begin' ? { begin: 1, settleAndBegin: 2 } : { settle: 1, settleAndBegin: 1 }
    const at = Object.entries(looksAt).find(([changed]) => changed === name)?.[1]
    if (at === undefined) return method
    return async (...given: never[]) => (isOf(given[at]) ? fail() : await method(...given))
  })
}

// A ledger that dies at a chosen change, which is what a kill leaves behind as far as the ledger is asked.
import { PopfetchError } from '../../src/errors.ts'
import type { Ledger } from '../../src/ledger/ledger.ts'

export interface Death {
  /** At the n-th change, from 1. */
  readonly change: number
  /** Was the change still made? Whoever asked for it does not learn of it either way. */
  readonly made: boolean
}

/** The same ledger until the n-th of `changes`; from then on it refuses everything. */
export function mortal(ledger: Ledger, { change, made }: Death, changes: readonly (keyof Ledger)[]): Ledger {
  const counted: ReadonlySet<string | symbol> = new Set(changes)
  let count = 0
  const isDead = (): boolean => count >= change
  const asked = async (act: () => unknown, counts: boolean): Promise<unknown> => {
    if (isDead()) throw dead()
    if (counts) count += 1
    if (isDead() && !made) throw dead()
    const result: unknown = await act()
    if (isDead()) throw dead()
    return result
  }
  return new Proxy(ledger, {
    get(target, name) {
      const found: unknown = Reflect.get(target, name, target)
      if (typeof found !== 'function') return found
      const act = (args: unknown[]) => (): unknown => Reflect.apply(found, target, args)
      // It only reads, and gives its comparison at once.
      if (name === 'compare') return (...args: unknown[]): unknown => act(args)()
      return (...args: unknown[]) => asked(act(args), counted.has(name))
    },
  })
}

function dead(): PopfetchError {
  return new PopfetchError('ERR_LEDGER', 'killed', { scope: 'process', retry: 'soon' })
}

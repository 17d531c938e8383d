// A destination that is not configured any more while messages wait for it.
import { concluded } from '../../deliver/answers/conclusions.ts'
import type { Destination } from '../../deliver/destination.ts'
import { DeliveryError } from '../../errors.ts'

export function goneError(name: string): DeliveryError {
  return new DeliveryError(
    `messages are waiting for the destination ${name}, which is no longer configured: put it back, or popfetch state rename --destination ${name} NEW`,
    { ...concluded('ACT', 'not configured'), retry: 'never' },
  )
}

/** In place of a destination that was taken out of the configuration while messages wait for it. */
export function gone(name: string): Destination {
  const refuse = (): Promise<never> => Promise.reject(goneError(name))
  return {
    description: name,
    recipients: [],
    spool: null,
    // A message that may have arrived there is not sent again when the destination is back.
    remembers: false,
    ready: refuse,
    probe: refuse,
    recall: refuse,
    census: () => Promise.resolve(null),
    deliver: refuse,
    [Symbol.asyncDispose]: () => Promise.resolve(),
  }
}

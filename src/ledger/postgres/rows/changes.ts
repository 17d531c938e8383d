// What changes carry for the functions of the database (schema/): the names of the fields are short, for there are thousands of them.
import type { FactChanges } from '../../account.ts'
import type { Heading, ReceivedFacts } from '../../../message.ts'
import type { Beginning, Settlement } from '../../ledger.ts'
import { deliveryStateNumber } from '../../stored.ts'
import { at, base64, base64OrNull } from './cells.ts'

/** `state.headers`. */
export type Keep = 'all' | 'open' | 'none'

export function headingOf(heading: Heading | undefined, keep: Keep): object {
  if (heading === undefined || keep === 'none') return {}
  return { s: base64OrNull(heading.from), j: base64OrNull(heading.subject), t: heading.dateMs }
}

/** Nothing where nothing new is known: the key is left out. */
export function receivedOf(received: ReceivedFacts | null, keep: Keep): object {
  if (received === null) return {}
  const { receivedBytes, digest, fingerprint, messageId, heading } = received
  const facts = { b: receivedBytes, g: base64(digest), f: base64(fingerprint), m: base64OrNull(messageId) }
  return { g: { ...facts, ...headingOf(heading, keep) } }
}

export function factsOf(changes: FactChanges): readonly object[] {
  return Object.entries(changes).map(([name, value]) => ({ k: base64(name), v: base64OrNull(value) }))
}

/** A message by its name in the records of destinations (nameOfMessage). A very long UIDL stands in a name as its SHA-256. */
export function absolved(name: string): object {
  const [account, copy, short] = JSON.parse(name) as [string, number, string]
  const isHash = /^[0-9a-f]{64}$/.test(short)
  return { a: base64(account), c: copy, u: Buffer.from(short, 'latin1').toString('base64'), h: isHash ? short : '' }
}

/** `machine`: where the attempts are made. */
export function begunOf({ key, listedBytes, deliveries }: Beginning, machine: string): object {
  const begun = deliveries.map(({ destination, recipient, intent }) => ({
    d: base64(destination),
    r: base64(recipient),
    i: base64(intent),
  }))
  return { ...at(key), b: listedBytes, d: begun, m: base64(machine) }
}

export function settledOf({ key, destination, recipient, outcome, received }: Settlement, keep: Keep): object {
  const done = outcome.state === 'done'
  return {
    ...at(key),
    d: base64(destination),
    r: base64(recipient),
    o: deliveryStateNumber(outcome.state),
    k: !done && outcome.counts !== false,
    w: done ? 0 : outcome.retryAfterMs,
    p: done ? base64(outcome.receipt) : null,
    e: done ? null : base64(outcome.error),
    n: done ? null : base64OrNull(outcome.conclusion),
    ...receivedOf(received, keep),
  }
}

// An attempt that a crash cut off, or whose answer was lost, is looked for at its destination before it is made again (DESIGN 4.3).
import { isLocal } from '../../config/destinations/destinations.ts'
import { concluded } from '../../deliver/answers/conclusions.ts'
import { display } from '../../display.ts'
import { DeliveryError } from '../../errors.ts'
import type { Delivery, EntryKey } from '../../ledger/ledger.ts'
import { originOf } from '../attempt.ts'
import type { PlannedFetch } from '../plan/entry.ts'
import type { Closed, Target } from '../run/destinations.ts'
import type { Visit } from '../visit.ts'
import { hiddenAt, shownBy } from './closed.ts'

/** Settles every attempt that a crash cut off and its destination has, listed or not. Called before messages are matched by
 *  their headers, which the ledger does not know of these yet. A destination that is down delays only its own messages. */
export async function recallInterrupted(visit: Visit): Promise<void> {
  const { account, run, destinations } = visit
  for await (const slice of run.ledger.records.list(account.name, 'open')) {
    for (const { key, deliveries } of slice) {
      for (const delivery of deliveries.filter(({ state }) => state === 'started' || state === 'unknown')) {
        const target = await destinations.open(delivery.destination, delivery.recipient)
        await destinations.ask()
        if (hiddenAt(target) === null) await recalled(key, delivery, target, visit)
      }
    }
  }
}

/** Did the cut-off attempt arrive after all? Then it is settled. Null: its destination cannot tell now. */
export async function recalled(
  { uidl, copy }: EntryKey,
  delivery: Delivery,
  target: Target,
  visit: Visit,
): Promise<boolean | null> {
  const { account, lease, run } = visit
  const { destination, recipient, intent } = delivery
  const attempt = { intent, recipient, origin: originOf(account, { uidl, copy }) }
  const answer = await shownBy(target, visit, async () => {
    return { receipt: await target.destination.recall(attempt, run.signal) }
  })
  if (answer === null) return null
  const { receipt } = answer
  if (receipt === null) return false
  const { received } = receipt
  await run.ledger.settle(lease, {
    key: { uidl, copy },
    destination,
    recipient,
    outcome: { state: 'done', receipt: receipt.text },
    received,
  })
  return true
}

/** What is not here may be where the attempt was made, where nobody but that machine can look (DESIGN 4.6). Null: that is not so. */
export function seenElsewhere({ destination, machine }: Delivery, { account, run }: Visit): Closed | null {
  const isHere = machine === null || machine === run.ledger.machine
  if (isHere || !isLocal(destination, run.configuration.destinations)) return null
  const name = display(machine)
  const what = `${destination}: the delivery was cut off on the machine ${name}, and only there can be seen whether the mail arrived`
  const text = `${what}: waiting for ${name}; if all machines see the same files, write shared: true; if ${name} does not come back: popfetch state retry --here ${account.name}`
  const error = new DeliveryError(text, concluded('TEMP', 'another machine', { counts: false }))
  return { destination, recipient: '', error, atRest: false, machine }
}

export async function settleUnknown(
  { uidl, copy }: PlannedFetch,
  { destination, recipient }: Delivery,
  { lease, run }: Visit,
): Promise<void> {
  await run.ledger.settle(lease, {
    key: { uidl, copy },
    destination,
    recipient,
    outcome: { state: 'unknown', error: 'interrupted before its answer was recorded', retryAfterMs: 0 },
    received: null,
  })
}

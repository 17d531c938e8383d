// A message that was found at a destination by its name alone is compared with the copy there before anything is deleted
// (DESIGN 4.3, S034, P130). One walk through a Maildir serves many messages (S049).
import { type Attempt, isReadable, type Recollection } from '../../deliver/destination.ts'
import type { Delivery, EntryKey } from '../../ledger/ledger.ts'
import type { Message, ReceivedFacts } from '../../message.ts'
import { originOf } from '../attempt.ts'
import type { Target } from '../run/destinations.ts'
import type { Visit } from '../visit.ts'
import { shownBy } from './closed.ts'

/** What the ledger says of them is held meanwhile. */
const REREAD_AT_ONCE = 10_000

/** What stands where a message was found. */
export interface Copy {
  readonly target: Target
  readonly recipient: string
  /** Null: it cannot be read as it was received. */
  readonly received: ReceivedFacts | null
}

export type ByName = EntryKey & { readonly deliveries: readonly Delivery[] }

/** Is the message delivered somewhere as far as only a name tells? */
export function isByName(known: { readonly digest: Buffer | null; readonly deliveries: readonly Delivery[] }): boolean {
  return known.digest === null && known.deliveries.some(({ state }) => state === 'done')
}

/** What stands where these messages are recorded as delivered, in slices. A destination that cannot show it is left out. */
export async function* copiesOf<T extends ByName>(
  messages: readonly T[],
  visit: Visit,
): AsyncGenerator<ReadonlyMap<T, readonly Copy[]>> {
  for (let at = 0; at < messages.length; at += REREAD_AT_ONCE)
    yield await reread(messages.slice(at, at + REREAD_AT_ONCE), visit)
}

async function reread<T extends ByName>(
  messages: readonly T[],
  visit: Visit,
): Promise<ReadonlyMap<T, readonly Copy[]>> {
  const { account, run, destinations } = visit
  const wanted = new Map<
    string,
    {
      readonly name: string
      readonly recipient: string
      readonly claims: { readonly message: T; readonly attempt: Attempt }[]
    }
  >()
  for (const message of messages) {
    const origin = originOf(account, message)
    for (const { destination, recipient, intent, state } of message.deliveries) {
      if (state !== 'done') continue
      const place = JSON.stringify([destination, run.destinations.placeFor(destination, account, recipient)])
      const there = wanted.get(place) ?? { name: destination, recipient, claims: [] }
      wanted.set(place, there)
      there.claims.push({ message, attempt: { intent, recipient, origin } })
    }
  }
  const found = new Map<T, Copy[]>()
  for (const { name, recipient: mailbox, claims: there } of wanted.values()) {
    const target = await destinations.open(name, mailbox)
    await destinations.ask()
    const { destination, down } = target
    const attempts = there.map(({ attempt }) => attempt)
    const look = async (): Promise<readonly (Recollection | null)[]> => {
      if (isReadable(destination)) return await destination.reread(attempts, run.signal)
      const found: (Recollection | null)[] = []
      for (const attempt of attempts) found.push(await destination.recall(attempt, run.signal))
      return found
    }
    const copies = down === null ? ((await shownBy(target, visit, look)) ?? []) : []
    there.forEach(({ message, attempt: { recipient } }, at) => {
      const all = found.get(message) ?? []
      found.set(message, all)
      all.push({ target, recipient, received: copies[at]?.received ?? null })
    })
  }
  return found
}

/** `same`: byte for byte. `other`: another message is there. `unclear`: neither is certain, and it is not to be deleted. */
export function compareCopy({ received }: Copy, { digest, fingerprint }: Message): 'same' | 'other' | 'unclear' {
  if (received === null) return 'unclear'
  if (received.digest.equals(digest)) return 'same'
  // Line ends that a server or a Maildir changed do not make it another one, so only its header tells.
  return received.fingerprint.equals(fingerprint) ? 'unclear' : 'other'
}

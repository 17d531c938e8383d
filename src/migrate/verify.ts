// Does a destination have what the server sent? Where it can be read again, as a Maildir, the digest of what was received is
// compared with what is there. From an IMAP folder that would bring every message over the network again. So each is looked for
// by name and length, and one in fifty is read. With --delete all are read. Of another mail server the accepted answer counts,
// which the ledger has. Changes nothing. One rule: what was not seen to be the same is not verified (S024, verified before
// deleted).
import type { Account } from '../config/schema.ts'
import { isReadable, type ReadableDestination, type Settled } from '../deliver/destination.ts'
import { asPopfetchError } from '../errors.ts'
import type { Ledger } from '../ledger/ledger.ts'
import type { MessageRecord } from '../ledger/records.ts'
import type { Destinations } from '../poll/run/destinations.ts'
import { originOf } from '../poll/attempt.ts'
import type { ListingEntry } from '../pop3/listing/listing.ts'
import type { SecondLook } from './second-look.ts'

/** Of messages that are as long as they were received, one of this many is read. */
const READ_ONE_OF = 50

export interface VerifyContext {
  readonly account: Account
  readonly destinations: Destinations
  readonly secondLook: SecondLook
  /** All are read, whatever that costs. */
  readonly whole: boolean
  readonly signal: AbortSignal
}

export interface Proof {
  readonly message: MessageRecord
  /** What is wrong; null: verified. */
  readonly flaw: string | null
  /** It was read again, and its digest compared. */
  readonly read: boolean
}

/** Those of the delivered entries that are verified, in their order, and what is wrong with the others. An entry of which only the
 *  file name tells is let through: poll/removal.ts compares it with the server's message before that is deleted. */
export async function provenEntries<T extends ListingEntry>(
  entries: readonly T[],
  { ledger, ...context }: VerifyContext & { readonly ledger: Ledger },
): Promise<{ readonly proven: readonly T[]; readonly flaws: readonly string[] }> {
  const proven = new Set<T>()
  const recorded: { readonly entry: T; readonly message: MessageRecord }[] = []
  for (const entry of entries) {
    const found = await ledger.records.find(context.account.name, entry.uidl)
    const message = found.find(({ key }) => key.copy === entry.copy)
    if (message?.digest === null) proven.add(entry)
    else if (message !== undefined) recorded.push({ entry, message })
  }
  const proofs = await verify(
    recorded.map(({ message }) => message),
    context,
  )
  const flaws: string[] = []
  recorded.forEach(({ entry, message }, at) => {
    const flaw = proofs[at]?.flaw ?? null
    if (flaw === null) proven.add(entry)
    else flaws.push(`${message.messageId ?? 'a message without a Message-ID'}: ${flaw}`)
  })
  return { proven: entries.filter((entry) => proven.has(entry)), flaws }
}

/** The destinations of an account, in words, and whether all of them can be read again. */
export async function placesOf(
  account: Account,
  opened: Destinations,
): Promise<{ readonly destinations: readonly string[]; readonly readAgain: boolean }> {
  const targets = await Promise.all(account.deliver.map((name) => opened.target(name, account)))
  return {
    destinations: targets.map(({ destination }) => destination.description),
    readAgain: targets.every(({ destination }) => isReadable(destination)),
  }
}

interface Claim {
  readonly message: MessageRecord
  readonly attempt: Settled
}

/** Of delivered messages, in their order. Rejects only when the signal is given. */
export async function verify(messages: readonly MessageRecord[], context: VerifyContext): Promise<readonly Proof[]> {
  const { account, signal } = context
  const claims = new Map<string, { readonly name: string; readonly mailbox: string | null; readonly list: Claim[] }>()
  const flaws = new Map<MessageRecord, string>()
  const read = new Set<MessageRecord>()
  for (const message of messages) {
    if (message.deliveries.length === 0) flaws.set(message, 'the ledger has no delivery of it')
    for (const { destination, recipient, intent, state, receipt } of message.deliveries) {
      if (state !== 'done' || receipt === null) flaws.set(message, `${destination} has not accepted it`)
      const { receivedBytes } = message
      const attempt = { intent, recipient, origin: originOf(account, message.key), receipt, receivedBytes }
      const mailbox = context.destinations.placeFor(destination, account, recipient)
      const place = JSON.stringify([destination, mailbox])
      const there = claims.get(place) ?? { name: destination, mailbox, list: [] }
      claims.set(place, there)
      there.list.push({ message, attempt })
    }
  }
  for (const { name, mailbox, list } of claims.values()) {
    for (const found of await lookedAt(name, mailbox, list, context)) {
      if (found.flaw !== null) flaws.set(found.message, flaws.get(found.message) ?? found.flaw)
      if (found.read) read.add(found.message)
    }
    signal.throwIfAborted()
  }
  return messages.map((message) => ({ message, flaw: flaws.get(message) ?? null, read: read.has(message) }))
}

async function lookedAt(
  name: string,
  mailbox: string | null,
  claims: readonly Claim[],
  { account, destinations, secondLook, whole, signal }: VerifyContext,
): Promise<readonly Proof[]> {
  try {
    const { destination, down } = await destinations.target(name, account, mailbox)
    if (down !== null) throw down
    if (!isReadable(destination)) return []
    const { gone, doubted } = whole ? { gone: [], doubted: claims } : await glanced(destination, claims, signal)
    const attempts = doubted.map(({ attempt }) => attempt)
    const found = attempts.length === 0 ? [] : await destination.reread(attempts, signal)
    const { description } = destination
    return [
      ...gone.map(({ message }) => ({ message, flaw: missingFrom(description), read: false })),
      ...doubted.map(({ message }, at) => {
        return { message, flaw: flawOf(message, found[at] ?? null, description, secondLook), read: true }
      }),
    ]
  } catch (error) {
    const { message: why } = asPopfetchError(error, 'destination')
    return claims.map(({ message }) => ({ message, flaw: `it could not be read again: ${why}`, read: false }))
  }
}

/** Which are not there, and which only reading can tell of. */
async function glanced(
  destination: ReadableDestination,
  claims: readonly Claim[],
  signal: AbortSignal,
): Promise<{ readonly gone: readonly Claim[]; readonly doubted: readonly Claim[] }> {
  const attempts = claims.map(({ attempt }) => attempt)
  const glances = await destination.glance?.(attempts, signal)
  if (glances === undefined) return { gone: [], doubted: claims }
  return {
    gone: claims.filter((_, at) => glances[at] === 'gone'),
    doubted: claims.filter((_, at) => glances[at] === 'other' || (glances[at] === 'same' && at % READ_ONE_OF === 0)),
  }
}

function missingFrom(description: string): string {
  return `it is no longer in ${description}`
}

type Found = { readonly text: string; readonly received: { readonly digest: Buffer } | null } | null

function flawOf(
  { key, digest }: MessageRecord,
  found: Found,
  description: string,
  secondLook: SecondLook,
): string | null {
  if (found === null) return missingFrom(description)
  const { text, received } = found
  if (received === null) return `${text} cannot be read, or does not begin as popfetch wrote it`
  const standing = received.digest
  if (digest?.equals(standing) === true || secondLook.isProven(key, standing)) return null
  secondLook.doubt(key, standing)
  if (digest === null) return `${text} is from before this ledger: only its name and size match`
  return `${text} is not byte for byte what the server sent`
}

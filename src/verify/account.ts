// One account: its messages in the ledger, held against the server's list and against what its destinations showed. Each message is
// counted once. What is missing goes before all else, and what differs before what agrees.
import { isLocal } from '../config/destinations/destinations.ts'
import type { Account } from '../config/schema.ts'
import { isReadable, type ReadableDestination, type Settled } from '../deliver/destination.ts'
import { display, grouped } from '../display.ts'
import { asPopfetchError, type PopfetchError } from '../errors.ts'
import type { DeliveryRecord, MessageRecord } from '../ledger/records.ts'
import { originOf } from '../poll/attempt.ts'
import { reportError } from '../poll/report.ts'
import { machineName } from '../poll/run/machine.ts'
import type { Claims } from './claims.ts'
import type { Places } from './places.ts'
import { type Amiss, MOST_LISTED, type Verdict, type VerifyRequest } from './report.ts'
import { listServer, type OnServer } from './server.ts'

export interface AccountContext extends VerifyRequest {
  readonly places: Places
  readonly claims: Claims
}

/** Messages that are read again in one go: a Maildir is walked for each, and their records take 4 MB. */
const READ_AT_ONCE = 2000

/** Rejects only with ERR_LEDGER, and on a bug of ours: what else goes wrong is in the verdict. */
export async function verifyAccount(account: Account, context: AccountContext): Promise<Verdict> {
  const counting = new Counting(account, context)
  let server: OnServer | null = null
  let error: PopfetchError | null = null
  try {
    server = await listServer(account, context)
  } catch (thrown) {
    error = asPopfetchError(thrown)
    if (error.code === 'ERR_LEDGER') throw error
  }
  await counting.ledger(server)
  if (server !== null) await counting.listing(server)
  return counting.verdict(error ?? (await context.places.errorOf(account)))
}

interface Claimed {
  readonly message: MessageRecord
  readonly delivery: DeliveryRecord
  readonly destination: ReadableDestination
}

/** One that is not byte for byte what came. `isAltered`: the fields on top are not as popfetch writes them, or a mail program has added
 *  its own, so the rest cannot be compared. */
interface Doubted extends Claimed {
  readonly isAltered: boolean
}

class Counting {
  readonly #account: Account
  readonly #context: AccountContext
  readonly #counts = {
    agree: 0,
    gone: 0,
    waiting: 0,
    refused: 0,
    held: 0,
    skipped: 0,
    missing: 0,
    differ: 0,
    moved: 0,
    read: 0,
  }
  readonly #missing: Amiss[] = []
  readonly #differ: Amiss[] = []
  readonly #unshown = new Set<string>()
  readonly #notes: string[] = []
  /** Deliveries of other machines, into files that this one does not see. */
  readonly #elsewhere = new Map<string, number>()
  #withoutDigest = 0
  #altered = 0

  constructor(account: Account, context: AccountContext) {
    this.#account = account
    this.#context = context
  }

  /** `server` null: it could not be asked, and what stands of its messages is not told. */
  async ledger(server: OnServer | null): Promise<void> {
    const { ledger, digest, signal } = this.#context
    let standing: MessageRecord[] = []
    for await (const slice of ledger.records.list(this.#account.name, 'all')) {
      signal.throwIfAborted()
      for (const message of slice) if (await this.#stands(message, server)) standing.push(message)
      if (standing.length < READ_AT_ONCE) continue
      await this.#settled(standing, server, digest)
      standing = []
    }
    await this.#settled(standing, server, digest)
  }

  async listing(server: OnServer): Promise<void> {
    const { ledger } = this.#context
    const known = (keys: Parameters<typeof ledger.known>[1]) => ledger.known(this.#account.name, keys)
    for await (const fresh of server.unknown(known)) this.#counts.waiting += fresh.length
    if (!server.tells)
      this.#notes.push(
        'the server gives no UIDL for some messages: which of them it still has only their headers could tell',
      )
  }

  verdict(error: PopfetchError | null): Verdict {
    const { digest, places } = this.#context
    const strange = places.strangeOf(this.#account.name)
    if (digest && this.#withoutDigest > 0)
      this.#notes.push(`of ${this.#withoutDigest} messages no digest is recorded, so they could not be compared`)
    if (this.#altered > 0)
      this.#notes.push(
        `${this.#altered} messages could not be compared: a mail program has added fields, or trace, label or the machine's name changed`,
      )
    for (const [machine, count] of this.#elsewhere) {
      const they = count === 1 ? '1 message was' : `${grouped(count)} messages were`
      const name = display(machine, 100)
      this.#notes.push(
        `${they} delivered on the machine ${name}, whose files are not seen from here: popfetch verify there looks at them; if all machines see the same files, write shared: true`,
      )
    }
    return {
      account: this.#account.name,
      ...this.#counts,
      unknown: strange.count,
      lists: { missing: this.#missing, unknown: strange.names, differ: this.#differ },
      unshown: [...this.#unshown],
      notes: this.#notes,
      error: error === null ? null : reportError(error),
    }
  }

  /** Whether it is delivered, and where it should be; everything else is counted here. */
  async #stands(message: MessageRecord, server: OnServer | null): Promise<boolean> {
    const { state, deliveries } = message
    const lost = await this.#lost(deliveries)
    if (lost !== null) {
      this.#counts.missing++
      add(this.#missing, message, lost)
      return false
    }
    if (state === 'delivered') return true
    if (state === 'held') this.#counts.held++
    else if (state === 'seen') this.#counts.skipped += server?.has(message) === true ? 1 : 0
    else if (deliveries.some((delivery) => delivery.state === 'refused')) this.#counts.refused++
    else this.#counts.waiting++
    return false
  }

  /** The destination that should have it and has not; null: there is none. */
  async #lost(deliveries: readonly DeliveryRecord[]): Promise<string | null> {
    const { places, claims } = this.#context
    let isMoved = false
    for (const { destination, recipient, state, intent, machine } of deliveries) {
      if (state !== 'done') continue
      const shown = await places.shownAt(destination, recipient, this.#account)
      // The verdict's error says that it could not be looked through.
      if (shown.some(({ error }) => error !== null)) continue
      if (shown.length === 0 || intent === '') {
        this.#unshown.add(display(destination))
        continue
      }
      const where = claims.stateOf(intent)
      if (where === 'missing' && machine !== null && this.#isElsewhere(destination, machine)) {
        this.#elsewhere.set(machine, (this.#elsewhere.get(machine) ?? 0) + 1)
        continue
      }
      if (where === 'missing') return shown.map((place) => place.destination.description).join(', ')
      isMoved ||= where === 'moved'
    }
    if (isMoved) this.#counts.moved++
    return null
  }

  /** Not seen here, it may well stand there (DESIGN 4.6). */
  #isElsewhere(destination: string, machine: string): boolean {
    const { configuration } = this.#context
    return machine !== machineName(configuration) && isLocal(destination, configuration.destinations)
  }

  async #settled(standing: readonly MessageRecord[], server: OnServer | null, digest: boolean): Promise<void> {
    const differing = digest ? await this.#differing(standing) : new Set<MessageRecord>()
    for (const message of standing) {
      if (differing.has(message)) this.#counts.differ++
      else if (server === null || server.has(message)) this.#counts.agree++
      else this.#counts.gone++
    }
  }

  /** Those that are not byte for byte what the server sent. */
  async #differing(standing: readonly MessageRecord[]): Promise<ReadonlySet<MessageRecord>> {
    const { signal } = this.#context
    const differing = new Set<MessageRecord>()
    const wanted = Map.groupBy(await this.#readable(standing), ({ destination }) => destination)
    for (const [destination, claimed] of wanted) {
      const first = await this.#doubted(destination, claimed, signal)
      // A mail program may have rewritten a file just then.
      const doubted = first.length === 0 ? [] : await this.#doubted(destination, first, signal)
      this.#counts.read += claimed.length
      for (const { message, isAltered } of doubted) {
        if (isAltered) {
          this.#altered++
          continue
        }
        if (!differing.has(message)) add(this.#differ, message, destination.description)
        differing.add(message)
      }
    }
    return differing
  }

  async #readable(standing: readonly MessageRecord[]): Promise<readonly Claimed[]> {
    const { places, claims } = this.#context
    const readable: Claimed[] = []
    for (const message of standing) {
      if (message.deliveries.length > 0 && message.digest === null) this.#withoutDigest++
      if (message.digest === null) continue
      for (const delivery of message.deliveries) {
        if (delivery.state !== 'done' || claims.stateOf(delivery.intent) !== 'found') continue
        for (const { destination } of await places.shownAt(delivery.destination, delivery.recipient, this.#account))
          if (isReadable(destination)) readable.push({ message, delivery, destination })
      }
    }
    return readable
  }

  /** A message that is in none of several places was found in another of them. */
  async #doubted(
    destination: ReadableDestination,
    claimed: readonly Claimed[],
    signal: AbortSignal,
  ): Promise<readonly Doubted[]> {
    const attempts = claimed.map(({ message, delivery: { intent, recipient, receipt } }): Settled => {
      const { key, receivedBytes } = message
      return { intent, recipient, origin: originOf(this.#account, key), receipt, receivedBytes }
    })
    const found = await destination.reread(attempts, signal).catch((error: unknown) => {
      const { message: why } = asPopfetchError(error, 'destination')
      this.#notes.push(`${claimed.length} messages could not be read again: ${why}`)
      return null
    })
    if (found === null) return []
    return claimed.flatMap((one, at) => {
      const there = found[at] ?? null
      if (there === null) return []
      const isSame = there.received === null ? null : one.message.digest?.equals(there.received.digest) === true
      return isSame === true ? [] : [{ ...one, isAltered: isSame === null }]
    })
  }
}

function add(list: Amiss[], { key: { uidl, copy }, from, subject }: MessageRecord, destination: string): void {
  if (list.length < MOST_LISTED) list.push({ uidl, copy, from, subject, destination })
}

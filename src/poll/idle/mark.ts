// The mark of a listing (ListingMark), as one poll takes it and leaves the next. It is made of everything by which a poll decides what it
// does with a mailbox whose messages are all settled or held. Where anything of it is another than when it was left, it means nothing.
import { hash } from 'node:crypto'
import about from '../../../package.json' with { type: 'json' }
import { showsWhatItHas } from '../../config/destinations/destinations.ts'
import type { Account, Configuration } from '../../config/schema.ts'
import type { AccountRecord, ListingMark } from '../../ledger/ledger.ts'
import { possibleNames } from '../route/route.ts'

const DAY_MS = 86_400_000

/** A look at the whole mailbox is due after so long in any case: it also forgets what has been gone for months. */
const LONGEST_MS = DAY_MS

interface Surroundings extends Pick<Configuration, 'destinations'> {
  readonly account: Account
  /** When the poll ended that left the mark: where somebody polled since, perhaps another version, it is another mark. */
  readonly lastPollMs: number | null
}

export class Mark {
  readonly #lastPollMs: number | null
  #before: ListingMark | null
  #print: string | null = null
  #dueMs: number | null = null
  #isFound = false

  /** As the poll finds it. */
  constructor({ mark, lastPollMs }: Pick<AccountRecord, 'mark' | 'lastPollMs'>) {
    this.#before = mark
    this.#lastPollMs = lastPollMs
  }

  /** Once: what follows the first session may find another mailbox. Tells whether a listing of a print is the one of the mark, which
   *  then stays; null: there is none that counts now. By a clock that was set back the last poll is to come (S030). */
  take(
    nowMs: number,
    { account, destinations }: Omit<Surroundings, 'lastPollMs'>,
  ): ((print: string) => boolean) | null {
    const before = this.#before
    const lastPollMs = this.#lastPollMs
    this.#before = null
    if (before === null || lastPollMs === null || before.dueMs === null) return null
    if (nowMs < lastPollMs || nowMs >= before.dueMs) return null
    return (print) => {
      this.#isFound = digestOf(print, { account, destinations, lastPollMs }).equals(before.digest)
      if (this.#isFound) this.#print = print
      if (this.#isFound) this.#dueMs = before.dueMs
      return this.#isFound
    }
  }

  /** Was it found to be that of the listing? */
  get isFound(): boolean {
    return this.#isFound
  }

  /** There was nothing to do with a listing of this print, and will not be before these times; null: never. */
  leave(print: string, nowMs: number, dueMs: readonly (number | null)[]): void {
    this.#print = print
    this.#dueMs = Math.min(nowMs + LONGEST_MS, ...dueMs.map((ms) => ms ?? Infinity))
  }

  /** For the ledger, at the end of the poll; null: the next one goes the usual road. */
  after(
    { error, undeleted }: { readonly error: Error | null; readonly undeleted: number },
    surroundings: Surroundings,
  ): ListingMark | null {
    if (this.#print === null || error !== null || undeleted > 0) return null
    return { digest: digestOf(this.#print, surroundings), dueMs: this.#dueMs }
  }
}

function digestOf(print: string, { account, destinations, lastPollMs }: Surroundings): Buffer {
  return hash('sha256', JSON.stringify([lastPollMs, configuredDigest(account, destinations), print]), 'buffer')
}

/** Of what is configured: the same objects from poll to poll, until a reload brings others. */
const digests = new WeakMap<
  Account,
  { readonly destinations: Configuration['destinations']; readonly digest: string }
>()

function configuredDigest(account: Account, destinations: Configuration['destinations']): string {
  const known = digests.get(account)
  if (known?.destinations === destinations) return known.digest
  // For a message that is held because its answers were lost it matters what its destinations are.
  const goes = possibleNames(account).map((name) => [name, showsWhatItHas(name, destinations)])
  // Secrets print as a mask.
  const digest = hash('sha256', JSON.stringify([about.version, account, goes]))
  digests.set(account, { destinations, digest })
  return digest
}

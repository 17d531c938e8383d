// A UIDL in which a secret stands is never recorded. The ledger knows its message under a stand-in, a digest that stays the
// same when the password changes. So a UIDL that the ledger does not know is looked up by its stand-in as well, if the ledger
// has any. What is known under the UIDL itself stays so, and costs nothing, until `maskRecorded` gives it a stand-in.
import { setImmediate as turn } from 'node:timers/promises'
import type { ComparedMessage, Comparison, EntryKey, Ledger, Lease } from '../../ledger/ledger.ts'
import type { Listing, ListingEntry } from '../../pop3/listing/listing.ts'
import { redact } from '../../redact.ts'
import { standInFor } from '../../redact/stand-in.ts'

/** Looked through in one turn of the event loop: about a millisecond. */
const CHARACTERS_AT_ONCE = 10_000

export interface Keyed {
  readonly entry: ListingEntry
  readonly known: ComparedMessage | null
}

/** Under which keys the ledger knows the entries of a listing, or will. */
export class StandIns {
  readonly #listing: Listing
  readonly #comparison: Comparison
  readonly #isNew: boolean
  #areThere: Promise<boolean> | null = null

  /** `isNew`: the ledger knows no message of the account. */
  constructor(listing: Listing, comparison: Comparison, isNew: boolean) {
    this.#listing = listing
    this.#comparison = comparison
    this.#isNew = isNew
  }

  /** Entries with a unique UIDL, and what is known of them, in their order. */
  async keyed(entries: readonly ListingEntry[]): Promise<readonly Keyed[]> {
    const known = this.#isNew ? [] : await this.#comparison.known(entries)
    const unknown = entries.filter((_, at) => (known[at] ?? null) === null)
    const found = new Map((await this.#masked(unknown)).map((keyed) => [keyed.entry.index, keyed]))
    return entries.map((entry, at) => found.get(entry.index) ?? { entry, known: known[at] ?? null })
  }

  async #masked(entries: readonly ListingEntry[]): Promise<readonly Keyed[]> {
    if (entries.length === 0) return []
    const secret = await secretsIn(entries.map(({ uidl }) => uidl))
    const mayBeThere = await this.#mayBeThere()
    const asked = entries.filter(({ uidl }) => mayBeThere || secret.has(uidl))
    const known = this.#isNew ? [] : await this.#comparison.known(asked.map(underStandIn))
    return asked.flatMap((entry, at) => {
      const message = known[at] ?? null
      return message === null && !secret.has(entry.uidl) ? [] : [{ entry: this.#renamed(entry), known: message }]
    })
  }

  /** The same for entries that share their UIDL with others: under which key they are, as copies are told apart later. */
  async shared(entries: readonly ListingEntry[]): Promise<readonly ListingEntry[]> {
    if (entries.length === 0) return []
    const uidls = new Set(entries.map(({ uidl }) => uidl))
    const secret = await secretsIn([...uidls])
    const mayBeThere = await this.#mayBeThere()
    const asked = [...uidls].filter((uidl) => mayBeThere || secret.has(uidl))
    const known = this.#isNew ? new Map() : await this.#comparison.copies(asked)
    const unknown = asked.filter((uidl) => !known.has(uidl))
    const there = this.#isNew ? new Map() : await this.#comparison.copies(unknown.map(standInFor))
    const masked = new Set(unknown.filter((uidl) => secret.has(uidl) || there.has(standInFor(uidl))))
    return entries.map((entry) => (masked.has(entry.uidl) ? this.#renamed(entry) : entry))
  }

  async #mayBeThere(): Promise<boolean> {
    this.#areThere ??= this.#isNew ? Promise.resolve(false) : this.#comparison.hasStandIns()
    return await this.#areThere
  }

  #renamed({ index }: ListingEntry): ListingEntry {
    this.#listing.standIn(index)
    return this.#listing.entry(index)
  }
}

function underStandIn({ uidl, copy }: EntryKey): EntryKey {
  return { uidl: standInFor(uidl), copy }
}

/** Gives a stand-in to a recorded UIDL that has a secret in it. An earlier version recorded it, another program did, or the
 *  password was another one then. Gives how many messages that were. Cut short, it is done again. */
export async function maskRecorded(comparison: Comparison, ledger: Ledger, lease: Lease): Promise<number> {
  let masked = 0
  for await (const keys of comparison.keys()) {
    const secret = await secretsIn(keys.map(({ uidl }) => uidl))
    if (secret.size === 0) continue
    const changes = keys
      .filter(({ uidl }) => secret.has(uidl))
      .map(({ uidl, copy }) => ({ from: { uidl, copy }, to: underStandIn({ uidl, copy }) }))
    const taken = await comparison.known(changes.map(({ to }) => to))
    const free = changes.filter((_, at) => (taken[at] ?? null) === null)
    await ledger.rekey(lease, free)
    masked += free.length
  }
  return masked
}

/** Does a secret stand in one of a listing's UIDLs? Makes no text for each. */
export async function isSecretIn(listing: Listing): Promise<boolean> {
  for (let from = 0; from < listing.length;) {
    const { text, to } = listing.textFrom(from, CHARACTERS_AT_ONCE)
    if (redact(text) !== text) return true
    from = to
    await turn()
  }
  return false
}

/** Those in which a secret stands. What begins with a NUL is no text of a server's. */
async function secretsIn(uidls: readonly string[]): Promise<ReadonlySet<string>> {
  const found = new Set<string>()
  let some: string[] = []
  let characters = 0
  const look = (): void => {
    // Nearly always no UIDL has a secret, and then one look is enough.
    const text = some.join(' ')
    if (redact(text) !== text) for (const uidl of some) if (redact(uidl) !== uidl) found.add(uidl)
    some = []
    characters = 0
  }
  for (const uidl of uidls) {
    if (uidl.startsWith('\0')) continue
    some.push(uidl)
    characters += uidl.length
    if (characters < CHARACTERS_AT_ONCE) continue
    look()
    await turn()
  }
  look()
  return found
}

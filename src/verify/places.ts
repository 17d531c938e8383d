// The places at which messages should stand: which there are, which of them can show what they have, and what they show.
import type { Account } from '../config/schema.ts'
import { isShowing, type Item, type ShowingDestination } from '../deliver/destination.ts'
import { asPopfetchError, type PopfetchError } from '../errors.ts'
import type { Destinations, Target } from '../poll/run/destinations.ts'
import { possibleNames } from '../poll/route/route.ts'
import type { Claims } from './claims.ts'
import { MOST_LISTED } from './report.ts'

/** Messages with several files are looked at by name, up to so many. */
const MOST_DOUBLED = 10_000

/** One that can show what it has. */
export interface Place {
  readonly destination: ShowingDestination
  /** The first account that is verified and delivers there: what nobody knows is told with it. */
  readonly account: string
  /** Why it could not be looked through; null: it was. */
  error: PopfetchError | null
}

/** What stands at places and nothing in the ledger stands for. */
export interface Strange {
  count: number
  readonly names: string[]
}

export class Places {
  readonly #signal: AbortSignal
  readonly #destinations: Destinations
  readonly #targets = new Map<string, Promise<readonly Target[]>>()
  readonly #places = new Map<string, Place>()
  readonly #strange = new Map<string, Strange>()
  /** By the names of destinations that cannot be opened. */
  readonly #unopened = new Map<string, PopfetchError>()

  constructor({ signal }: { readonly signal: AbortSignal }, destinations: Destinations) {
    this.#signal = signal
    this.#destinations = destinations
  }

  /** All places to which the account may deliver are looked through. */
  async expect(account: Account): Promise<void> {
    for (const name of possibleNames(account)) await this.shownAt(name, '', account)
  }

  /** The places of which one has the message; none: it cannot be shown. */
  async shownAt(name: string, recipient: string, account: Account): Promise<readonly Place[]> {
    const targets = await this.targets(name, recipient, account)
    const shown = targets.map((target) => this.#placeOf(target, account))
    return shown.some((place) => place === null) ? [] : shown.filter((place) => place !== null)
  }

  /** A destination, or the members of one that is several. */
  async targets(name: string, recipient: string, account: Account): Promise<readonly Target[]> {
    const mailbox = this.#destinations.placeFor(name, account, recipient)
    const key = JSON.stringify([name, mailbox, account.name])
    const open = async (): Promise<readonly Target[]> => {
      const target = await this.#destinations.target(name, account, mailbox)
      return target.members.length === 0 ? [target] : target.members
    }
    const opening =
      this.#targets.get(key) ??
      open().catch((error: unknown) => {
        this.#unopened.set(name, asPopfetchError(error, 'destination'))
        return []
      })
    this.#targets.set(key, opening)
    return await opening
  }

  /** Why a destination that this account delivers to could not be asked; null: all were. */
  async errorOf(account: Account): Promise<PopfetchError | null> {
    for (const name of possibleNames(account)) {
      const places = await this.shownAt(name, '', account)
      const error = this.#unopened.get(name) ?? places.find((place) => place.error !== null)?.error
      if (error !== undefined && error !== null) return error
    }
    return null
  }

  strangeOf(account: string): Strange {
    return this.#strange.get(account) ?? { count: 0, names: [] }
  }

  /** Strikes off the claims of all that stands there, and finds what nobody knows. Rejects with ERR_LEDGER. */
  async lookThrough(claims: Claims): Promise<void> {
    const doubled = new Map<string, Set<string>>()
    await this.#walk('here', (item) => {
      const claim = claims.intents.find(item.intent)
      if (claim === -1) return
      if (claims.found.has(claim) && doubled.size < MOST_DOUBLED) doubled.set(item.intent, new Set())
      claims.found.add(claim)
    })
    // After the walk: what has come meanwhile is known by now.
    const known = await claims.known()
    const unknown: { readonly place: Place; readonly item: Item }[] = []
    const more = new Map<Place, number>()
    await this.#walk('here', (item, place) => {
      const claim = claims.intents.find(item.intent)
      if (claim !== -1) {
        claims.found.add(claim)
        doubled.get(item.intent)?.add(item.text)
        return
      }
      if (claims.others.has(item.intent) || (item.key !== '' && known.has(item.key))) return
      if (unknown.length < MOST_LISTED) unknown.push({ place, item })
      else more.set(place, (more.get(place) ?? 0) + 1)
    })
    const since = unknown.length === 0 ? known : await claims.known()
    const owners = await claims.owners(new Set(unknown.map(({ item }) => item.key)))
    for (const { place, item } of unknown)
      if (item.key === '' || !since.has(item.key)) this.#add(owners.get(item.key) ?? place.account, item.text)
    for (const [{ account }, count] of more) this.#add(account, null, count)
    for (const [intent, names] of doubled) {
      const account = claims.accountOf(claims.intents.find(intent))
      for (const name of [...names].slice(1)) this.#add(account, name)
    }
    if (claims.isComplete) return
    await this.#walk('elsewhere', ({ intent }) => {
      const claim = claims.intents.find(intent)
      if (claim !== -1 && !claims.found.has(claim)) claims.moved.add(claim)
    })
  }

  #add(account: string, name: string | null, count = 1): void {
    const strange = this.#strange.get(account) ?? { count: 0, names: [] }
    this.#strange.set(account, strange)
    strange.count += count
    if (name !== null && strange.names.length < MOST_LISTED) strange.names.push(name)
  }

  async #walk(where: 'here' | 'elsewhere', each: (item: Item, place: Place) => void): Promise<void> {
    for (const place of this.#places.values()) {
      if (place.error !== null) continue
      try {
        for await (const slice of place.destination.items(where, this.#signal)) {
          this.#signal.throwIfAborted()
          for (const item of slice) each(item, place)
        }
      } catch (error) {
        if (where === 'here') place.error = asPopfetchError(error, 'destination')
      }
    }
  }

  /** Null: it cannot show what it has. */
  #placeOf({ destination, key, down }: Target, { name }: Account): Place | null {
    if (down !== null || !isShowing(destination)) return null
    const id = `${key}\0${destination.description}`
    const place = this.#places.get(id) ?? { destination, account: name, error: null }
    this.#places.set(id, place)
    return place
  }
}

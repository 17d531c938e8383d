// Which messages are at which destinations of an account, as far as those can show it. And what follows for a message that the
// ledger does not know. The one rule: only what a destination shows counts, and for that destination alone (S034).
import type { Account } from '../../config/schema.ts'
import { isReadable, type Origins, type Standing } from '../../deliver/destination.ts'
import type { AdoptedDelivery, Adoption } from '../../ledger/ledger.ts'
import { originOf } from '../attempt.ts'
import type { ListingEntry } from '../../pop3/listing/listing.ts'
import { possibleNames } from '../route/route.ts'
import { shownBy } from '../route/closed.ts'
import type { Target } from '../run/destinations.ts'
import type { Visit } from '../visit.ts'

/** Messages of the right name that stand there from too long ago, compared by their headers in one go. */
const COMPARED_AT_ONCE = 10_000

/** A look at one destination. */
export interface Look {
  readonly name: string
  readonly target: Target
  /** Which address or place a message goes to there, it says itself. */
  readonly dependent: boolean
  /** In the order of what was asked for; null: it cannot show what it has, or not now. */
  readonly list: readonly (Standing | null)[] | null
}

/** What is looked for: made one by one where it is needed, for there may be many, and mostly nothing stands anywhere. */
export interface Sought {
  readonly length: number
  at(index: number): ListingEntry | undefined
}

/** All destinations that the account may deliver to. A destination that is down delays only its own part. */
export async function lookAt(entries: Sought, visit: Visit): Promise<readonly Look[]> {
  const { account, run, destinations } = visit
  const origins = originsOf(entries, account)
  const names = possibleNames(account)
  const targets = await Promise.all(names.map((name) => destinations.open(name)))
  // One that cannot need not be there: no connection is made for mail that is not due.
  await destinations.ask(({ destination, hasNext }) => destination.remembers || hasNext)
  const looks: Look[] = []
  for (const [at, target] of targets.entries()) {
    const { down, destination } = target
    const name = names[at] ?? ''
    const dependent = run.destinations.dependsOnMailbox(name, account)
    const shown =
      down === null && !dependent
        ? await shownBy(target, visit, async () => await destination.census(origins, run.signal))
        : null
    looks.push({ name, target, dependent, list: shown === null ? null : await counted(shown, entries, target, visit) })
  }
  return looks
}

function originsOf(entries: Sought, account: Account): Origins {
  const { length } = entries
  return {
    length,
    map: (of) => {
      const all = []
      for (let at = 0; at < length; at++) {
        const entry = entries.at(at)
        if (entry === undefined) throw new RangeError('not one of those that are sought')
        all.push(of(originOf(account, entry)))
      }
      return all
    },
  }
}

/** Does one of them show a message? */
export function standsSomewhere(looks: readonly Look[]): boolean {
  return looks.some(({ list }) => list?.some((standing) => standing !== null))
}

/** Without those that are other messages, or may be. Null: it cannot be told now. */
async function counted(
  list: readonly (Standing | null)[],
  entries: Sought,
  target: Target,
  visit: Visit,
): Promise<readonly (Standing | null)[] | null> {
  const { account, run, history, looks } = visit
  const { destination } = target
  const certain = list.map((standing) => (standing !== null && history.counts(standing) === 'yes' ? standing : null))
  if (!isReadable(destination)) return certain
  const doubtful = list.flatMap((standing, at) => {
    const entry = standing === null ? undefined : entries.at(at)
    return entry !== undefined && standing !== null && history.counts(standing) === 'maybe'
      ? [{ at, entry, standing }]
      : []
  })
  for (let first = 0; first < doubtful.length; first += COMPARED_AT_ONCE) {
    const batch = doubtful.slice(first, first + COMPARED_AT_ONCE)
    const headers = await looks.headers(batch.map(({ entry }) => entry))
    const attempts = batch.map(({ entry, standing: { intent } }) => {
      return { intent, recipient: '', origin: originOf(account, entry) }
    })
    const copies = await shownBy(target, visit, async () => await destination.reread(attempts, run.signal))
    if (copies === null) return null
    for (const [index, { at, standing }] of batch.entries()) {
      const print = copies[index]?.received?.fingerprint
      if (print !== undefined && headers[index]?.fingerprint.equals(print) === true) certain[at] = standing
    }
  }
  return certain
}

/** The lists of destinations between which a message's header decides. */
export function routesOf({ deliver, route }: Account): readonly (readonly string[])[] {
  return [deliver, ...route.map((rule) => rule.deliver)]
}

/** What is to be recorded of an unknown entry, the `at`-th of those that were looked for; null: it stands nowhere. */
export function adoptionOf(
  { uidl, copy, sizeBytes }: ListingEntry,
  at: number,
  looks: readonly Look[],
  routes: readonly (readonly string[])[],
): Adoption | null {
  const found = new Map<string, Standing>()
  for (const { name, list } of looks) {
    const standing = list?.[at] ?? null
    if (standing !== null && plausible(sizeBytes, standing)) found.set(name, standing)
  }
  if (found.size === 0) return null
  const possible = routes.filter((names) => [...found.keys()].every((name) => names.includes(name)))
  const texts = new Set(possible.map((names) => [...names].sort().join('\n')))
  const complete = texts.size === 1 && !looks.some(({ name, dependent }) => dependent && possible[0]?.includes(name))
  const goesTo = complete ? (possible[0] ?? []) : [...found.keys()]
  const deliveries = looks.flatMap((look) =>
    goesTo.includes(look.name) ? deliveriesOf(look, found.get(look.name) ?? null) : [],
  )
  return { key: { uidl, copy }, listedBytes: sizeBytes, deliveries, complete }
}

function deliveriesOf({ name, target, list }: Look, standing: Standing | null): readonly AdoptedDelivery[] {
  if (standing !== null) {
    const { intent, text } = standing
    return [{ destination: name, recipient: '', state: 'done', intent, receipt: text }]
  }
  // A destination that shows all it has, and not this message, lacks it.
  const state = list !== null && target.destination.remembers ? 'pending' : 'unknown'
  return target.destination.recipients.map((recipient) => ({ destination: name, recipient, state }))
}

/** Line ends and the fields on top make up to a double, or less, of what the server announces (P101). */
function plausible(announced: number | null, { fileBytes }: Standing): boolean {
  if (announced === null || fileBytes === null) return true
  return announced >= fileBytes / 2 - 1024 && announced <= fileBytes * 2 + 1024
}

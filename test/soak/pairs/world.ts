// One world of the soak: accounts, their servers, destinations, and who delivers where. Everything in it follows from the seed
// and the number of the world.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Pop3Server } from '../../support/pop3-server.ts'
import { Chance } from './chance.ts'
import { shapeOf } from './letters.ts'
import { MAILBOX_HABITS, MailboxWorld, POISONS } from './mailboxes.ts'
import { IMAP_HABITS, ImapPlace } from './imap-place.ts'
import { CommandPlace, HopPlace, MaildirPlace, MboxPlace, type Place } from './places.ts'
import { SINK_HABITS } from './sinks.ts'
import type { Time } from './time.ts'

/** How an account's mail is delivered. */
export interface Route {
  readonly kind: 'all' | 'first-of'
  readonly places: readonly Place[]
}

export interface AccountWorld {
  readonly name: string
  readonly mailbox: MailboxWorld
  readonly route: Route
  readonly habit: string
  readonly maxSize: boolean
  /** Larger than `maxSize`. */
  readonly tooLarge: Set<number>
}

export type Mode = 'cron' | 'daemon'

export interface Wishes {
  readonly seed: number
  readonly number: number
  /** Instead of chance. */
  readonly mode: Mode | null
  readonly mailboxHabit: string | null
  readonly placeHabit: string | null
  readonly route: Route['kind'] | null
}

/** With these, what one of several destinations lacks is delivered to the others again: it is another message by its UIDL. */
const OF_ONE_PLACE: ReadonlySet<string> = new Set(['other UIDs', 'UIDL refused'])

const INTERVALS = ['5m', '15m', '30m'] as const

export class World implements AsyncDisposable {
  readonly directory: string
  readonly chance: Chance
  readonly mode: Mode
  readonly time: Time
  readonly places: readonly Place[]
  readonly accounts: readonly AccountWorld[]
  readonly habits: ReadonlyMap<string, string>
  /** Polls of all accounts that were due at one time. */
  round = 0
  isBad = true
  #letters: number

  private constructor(
    directory: string,
    chance: Chance,
    time: Time,
    facts: Pick<World, 'mode' | 'places' | 'accounts' | 'habits'> & { readonly first: number },
  ) {
    this.directory = directory
    this.chance = chance
    this.time = time
    this.mode = facts.mode
    this.places = facts.places
    this.accounts = facts.accounts
    this.habits = facts.habits
    this.#letters = facts.first
  }

  static async make({ seed, number, ...wishes }: Wishes, time: Time): Promise<World> {
    const chance = new Chance(seed, number)
    const directory = await mkdtemp(join(tmpdir(), 'popfetch-pairs-'))
    const places: Place[] = []
    const count = Math.max(chance.pick([1, 1, 2, 2, 3]), wishes.route === 'first-of' ? 2 : 1)
    for (let at = 0; at < count; at++) places.push(await placeOf(at, wishes.placeHabit, directory, chance, time))
    const habits = new Map(places.map(({ name, habits: known }) => [name, habitOf(known, wishes.placeHabit, chance)]))
    const accounts: AccountWorld[] = []
    for (let at = chance.pick([1, 1, 1, 2, 3]); at > 0; at--) {
      const name = `work${at}`
      const mailbox = new MailboxWorld(name, await Pop3Server.start(), time)
      const wanted = wishes.mailboxHabit ?? (chance.next() < 0.25 ? 'well' : chance.pick(Object.keys(MAILBOX_HABITS)))
      const route = routeOf(places, wishes.route, chance)
      const habit = route.places.length > 1 && OF_ONE_PLACE.has(wanted) ? 'well' : wanted
      const facts = { name, mailbox, habit, maxSize: chance.next() < 0.1, tooLarge: new Set<number>() }
      accounts.push({ ...facts, route })
    }
    const mode = wishes.mode ?? chance.pick(['cron', 'cron', 'daemon'] as const)
    const world = new World(directory, chance, time, { mode, places, accounts, habits, first: number * 10_000 })
    for (const account of accounts) world.post(account, 3 + chance.below(8))
    await world.#configure()
    return world
  }

  get name(): string {
    const habits = this.places.map(({ name, kind }) => `${name} (${kind}): ${this.habits.get(name)}`).join(', ')
    const accounts = this.accounts.map(({ name, habit, mailbox, route }) => {
      const { kind, places } = route
      return `${name}: ${habit}, ${mailbox.subjects.length} messages, ${kind} of ${places.map((place) => place.name).join(' ')}`
    })
    return `${this.mode}; ${accounts.join('; ')}; ${habits}`
  }

  get configuration(): string {
    return join(this.directory, 'config.json')
  }

  /** New mail. */
  post(account: AccountWorld, count: number): void {
    const { chance } = this
    for (let at = 0; at < count; at++) {
      const number = this.#letters++
      const shape = shapeOf(chance)
      const poison = chance.next() < 0.06 && account.mailbox.poisonous.size < 2 ? chance.pick(POISONS) : null
      account.mailbox.add(number, shape, poison)
      if (account.maxSize && shape === 'large') account.tooLarge.add(number)
      const [first] = account.route.places
      if (first?.sink && chance.next() < 0.06) first.sink.unwanted.add(number)
    }
  }

  /** The next round begins: all misbehave, or nobody does. */
  async begin(): Promise<void> {
    this.round++
    for (const place of this.places)
      await place.begin(this.round, this.isBad ? (this.habits.get(place.name) ?? null) : null)
    for (const { mailbox, habit } of this.accounts) mailbox.begin(this.round, this.isBad ? habit : null, this.chance)
  }

  /** Never delivered there, whatever the day. */
  isBadFor({ mailbox, route, tooLarge }: AccountWorld, subject: number): boolean {
    if (mailbox.poisonous.has(subject) || tooLarge.has(subject)) return true
    const refuses = ({ sink }: Place): boolean => sink?.unwanted.has(subject) === true
    return route.kind === 'all' ? route.places.some(refuses) : route.places.every(refuses)
  }

  async #configure(): Promise<void> {
    const accounts = this.accounts.map(({ name, mailbox: { server }, route: { kind, places }, maxSize }) => {
      const names = places.map((place) => place.name)
      const deliver = kind === 'first-of' ? { 'first-of': names } : names.length === 1 ? names[0] : names
      const usual = { host: server.host, port: server.port, tls: 'none', user: 'alice', password: 'secret' }
      const size = maxSize ? { maxSize: '500KB' } : {}
      const poll = this.chance.pick(INTERVALS)
      return [name, { ...usual, deliver, delete: 'after-delivery', first: 'all', poll, ...size }]
    })
    const configuration = {
      accounts: Object.fromEntries(accounts),
      destinations: Object.fromEntries(this.places.map((place) => [place.name, place.configuration])),
      state: 'state.db',
      log: { file: 'popfetch.log' },
    }
    await writeFile(this.configuration, JSON.stringify(configuration), { mode: 0o600 })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { mailbox } of this.accounts) await mailbox.server[Symbol.asyncDispose]()
    for (const place of this.places) await place.close()
    await rm(this.directory, { recursive: true, force: true })
  }
}

async function placeOf(
  at: number,
  habit: string | null,
  directory: string,
  chance: Chance,
  time: Time,
): Promise<Place> {
  const isOfHop = habit !== null && habit in SINK_HABITS && habit !== 'well'
  const isOfFolder = habit !== null && habit in IMAP_HABITS && habit !== 'well'
  const kind =
    isOfHop && at === 0
      ? 'smtp'
      : isOfFolder && at === 0
        ? 'imap'
        : chance.pick(['smtp', 'smtp', 'smtp', 'lmtp', 'maildir', 'maildir', 'imap', 'imap', 'mbox', 'command'])
  switch (kind) {
    case 'maildir':
      return new MaildirPlace(`inbox${at}`, directory, time)
    case 'mbox':
      return new MboxPlace(`mbox${at}`, directory, time)
    case 'imap':
      return await ImapPlace.start(`folder${at}`, time, chance.next() < 0.7)
    case 'command':
      return new CommandPlace(`agent${at}`, directory, time)
    default:
      return await HopPlace.start(`hop${at}`, chance, time, kind === 'lmtp')
  }
}

function habitOf(known: readonly string[], wish: string | null, chance: Chance): string {
  if (wish !== null) return known.includes(wish) ? wish : 'well'
  return chance.next() < 0.25 ? 'well' : chance.pick(known)
}

function routeOf(places: readonly Place[], wish: Route['kind'] | null, chance: Chance): Route {
  const first = chance.pick(places)
  const others = places.filter((place) => place !== first)
  const [second] = others
  if (second !== undefined && wish === 'first-of') return { kind: wish, places: [first, ...others] }
  if (second === undefined || chance.next() < 0.4) return { kind: 'all', places: [first] }
  if (chance.next() < 0.4) return { kind: 'first-of', places: [first, second] }
  return { kind: 'all', places: chance.next() < 0.5 ? [first, second] : [first, ...others] }
}

// The destinations of a run: opened at first use, shared by all accounts, closed at the end. What a kind of destination is
// opened with, its file in config/destinations/ says.
// A destination that is down stays so for this poll: nobody asks it again (D032, one cause refuses everything).
import { hostname } from 'node:os'
import path from 'node:path'
import { kindOf } from '../../config/destinations/destinations.ts'
import type { Account, Configuration, DestinationConfig } from '../../config/schema.ts'
import { signInsAtFirstUse } from '../../config/oauth/at-first-use.ts'
import type { OfClients } from '../../config/oauth/sign-ins.ts'
import { stateFolder } from '../../config/paths.ts'
import type { Rate } from '../../config/values/quantity.ts'
import { FIRST_OF } from '../../config/values/written.ts'
import { Arena } from '../../deliver/arena.ts'
import type { Destination } from '../../deliver/destination.ts'
import { firstOf } from '../../deliver/first-of.ts'
import { filledAddress, namesAccount, namesMailbox } from '../../deliver/placeholders.ts'
import { openDestination, partOf, placeOf } from '../../deliver/index.ts'
import { Reserve } from '../../deliver/disk/reserve.ts'
import { Slots } from '../../deliver/slots.ts'
import { sweepSpool } from '../../deliver/disk/spool-files.ts'
import type { SignIns } from '../../oauth/oauth.ts'
import { asPopfetchError, type PopfetchError } from '../../errors.ts'
import type { Ledger } from '../../ledger/ledger.ts'
import { placesIn } from '../delivered-to.ts'
import type { Pace } from '../rests/paces.ts'
import { gone, goneError } from './gone.ts'
import { secretMark } from '../rests/secret-mark.ts'

/** One destination as one account uses it. */
export interface Target {
  /** As in the configuration, and in the ledger. */
  readonly name: string
  readonly destination: Destination
  /** How many messages its place takes at most. */
  readonly rates: readonly Rate[]
  /** By which they are kept to; null: there is no limit. Of several as one: of the first. Set when it is opened for a poll. */
  pace: Pace | null
  /** Where it is, by which accounts and processes share what they find out (Doors). Of several as one: of the first. */
  readonly key: string
  /** The same for its folder, or its labels, there; `key` where it has none. */
  readonly part: string
  /** One delivery for each of these; see `Destinations.target` for `mailbox`. */
  readonly recipientsFor: (mailbox: string | null) => readonly string[]
  /** This many messages are offered at once at most, as it is now. A message that waits there for its turn cannot profit from
   *  the answers to others. */
  readonly atOnce: () => number
  /** The places of messages that it may have and the ledger does not know of (handing.ts): as many as go there at once. */
  readonly handOvers: Slots
  /** Another one takes what it refuses (D133). */
  readonly hasNext: boolean
  /** The members of a first-of, in their order. The first one's trouble stands here, not there. */
  readonly members: readonly Target[]
  /** 16 bits of its secret, as it is now; null: it has none. Rejects when it cannot be had. */
  readonly secretMark: () => Promise<number | null>
  /** It is a token that a command prints, perhaps a new one each time (N009). */
  readonly mintsTokens: boolean
  /** Why it cannot take mail now; null: it can, as far as we know. Set by whoever finds out. */
  down: PopfetchError | null
  /** It is down because it is left alone: it was not tried in this poll. */
  atRest: boolean
  /** It is down because a person paused it. */
  isPaused: boolean
  /** It was left alone, and takes one message alone. */
  probing: boolean
  /** The same for single recipients. */
  readonly recipients: Map<string, Closed>
  /** Messages of this size and larger find no room there in this poll. */
  fullFromBytes: number
  /** Messages that are being offered there. */
  offered: number
}

/** Why a destination or a recipient cannot take mail now. */
export interface Closed {
  readonly destination: string
  /** '': the destination as a whole. */
  readonly recipient: string
  readonly error: PopfetchError
  readonly atRest: boolean
  /** It has got as many as its `rate` allows: that is no trouble, and the message is not due. */
  readonly isSpent?: true
  /** A person paused it: no trouble either. */
  readonly isPaused?: true
  /** It takes mail, but this message waits for another machine: what that one began there only it can see. */
  readonly machine?: string
}

interface Opened {
  readonly destination: Destination
  readonly rates: readonly Rate[]
  readonly recipientsFor: Target['recipientsFor']
  readonly key: string
  readonly part: string
  readonly atOnce: () => number
  readonly handOvers: Slots
  readonly hasNext: boolean
  readonly members: readonly Target[]
  readonly secretMark: Target['secretMark']
  readonly mintsTokens: boolean
}

/** What of a configuration opens its destinations. */
export type OpenedBy = OfClients & Pick<Configuration, 'destinations'>

export class Destinations implements AsyncDisposable {
  readonly #configuration: OpenedBy
  readonly #env: NodeJS.ProcessEnv
  readonly #nowMs: () => number
  readonly #readOnly: boolean
  readonly #opened = new Map<string, Promise<Opened>>()
  /** Places that mail of any account was delivered to, as the ledger knew them when they were first asked for. */
  #known: Promise<ReadonlySet<string>> | null = null
  /** Those that mail was delivered to since. */
  readonly #deliveredTo = new Set<string>()
  readonly reserve = new Reserve()
  readonly arena = new Arena()
  /** Where spool files go: beside the ledger, never in /tmp (N031, world-writable spool). */
  readonly spoolDirectory: string

  /** `readOnly`: they are only looked at (DestinationContext). */
  constructor(configuration: OpenedBy, env: NodeJS.ProcessEnv, nowMs: () => number, readOnly = false) {
    this.#configuration = configuration
    this.#readOnly = readOnly
    this.spoolDirectory = path.join(stateFolder(configuration), 'spool')
    this.#env = env
    this.#nowMs = nowMs
  }

  /** Was mail of any account delivered to this place (S045)? Rejects with ERR_LEDGER. */
  async isKnown(place: string, ledger: Pick<Ledger, 'accounts'>): Promise<boolean> {
    if (this.#deliveredTo.has(place)) return true
    this.#known ??= knownPlaces(ledger)
    return (await this.#known).has(place)
  }

  /** Mail was delivered to this place. */
  delivered(place: string): void {
    this.#deliveredTo.add(place)
  }

  /** Removes what a killed run left in the spool. */
  sweep(): Promise<void> {
    return sweepSpool(this.spoolDirectory, this.#nowMs())
  }

  /** The destination called `name`, as `account` uses it. A name that is not configured any more, but that an earlier poll
   *  fixed a message to, gives a target that is down. `mailbox`: the address whose mail it is, by which some destinations have
   *  a place for each; null: it is not known. Rejects with an error of scope `destination`. */
  async target(name: string, account: Account, mailbox: string | null = null): Promise<Target> {
    const config = this.#configuration.destinations.get(name)
    if (config === undefined) return { ...targetOf(name, goneOf(name)), down: goneError(name) }
    const place = this.placeFor(name, account, mailbox)
    const key = [name, this.#texts(config).some(namesAccount) ? account.name : '', place ?? ''].join('\0')
    let opening = this.#opened.get(key)
    if (opening === undefined) {
      opening = this.#open(config, account, place)
      this.#opened.set(key, opening)
    }
    try {
      return targetOf(name, await opening)
    } catch (error) {
      this.#opened.delete(key)
      throw asPopfetchError(error, 'destination')
    }
  }

  /** The address by which the destination has a place of its own; null: it has one place for all. What is not known goes where
   *  the mail goes that says nothing. */
  placeFor(name: string, { recipient }: Account, mailbox: string | null): string | null {
    const config = this.#configuration.destinations.get(name)
    if (config === undefined || recipient === null || !this.#texts(config).some(namesMailbox)) return null
    if (recipient.kind === 'address') return recipient.address
    // Recipients of a server are filled in for each message: one place has them all.
    if (config.type !== FIRST_OF && kindOf(config).recipients(config) !== null) return null
    return mailbox === null || mailbox === '' ? recipient.otherwise : mailbox
  }

  /** The names of each first-of that has a member of one of these names. */
  groupsWith(names: readonly string[]): readonly string[] {
    return [...this.#configuration.destinations].flatMap(([group, config]) =>
      config.type === FIRST_OF && config.of.some((name) => names.includes(name)) ? [group] : [],
    )
  }

  /** Whether messages of one account may go there to different addresses or places. */
  dependsOnMailbox(name: string, { recipient }: Account): boolean {
    const config = this.#configuration.destinations.get(name)
    return recipient?.kind === 'header' && config !== undefined && this.#texts(config).some(namesMailbox)
  }

  async #open(config: DestinationConfig, account: Account, mailbox: string | null): Promise<Opened> {
    if (config.type === FIRST_OF) {
      const targets = await Promise.all(config.of.map((name) => this.target(name, account, mailbox)))
      const members = targets.map(({ name, destination, recipientsFor }) => {
        return { name, destination, recipient: recipientsFor(mailbox)[0] ?? '' }
      })
      const destination = firstOf(config.name, members)
      const recipientsFor = sameRecipients(mailbox, account, destination)
      const key = targets[0]?.key ?? `first-of ${config.name}`
      const part = targets[0]?.part ?? key
      // Its secret is the first one's, as its key is.
      const { secretMark: mark, mintsTokens } = targets[0] ?? NO_SECRET
      const hasNext = members.length > 1
      const { rates = [], atOnce = endless, handOvers = new Slots(Infinity) } = targets[0] ?? {}
      return {
        destination,
        recipientsFor,
        rates,
        key,
        part,
        atOnce,
        handOvers,
        hasNext,
        members: targets,
        secretMark: mark,
        mintsTokens,
      }
    }
    const context = {
      hostName: hostname(),
      nowMs: this.#nowMs,
      reserve: this.reserve,
      spoolDirectory: this.spoolDirectory,
      env: this.#env,
      ...(this.#readOnly ? { readOnly: true as const } : {}),
    }
    const signIns = signInsAtFirstUse(this.#configuration, this.#env)
    const opening = { account: account.name, mailbox, env: this.#env, signIns }
    const settings = await kindOf(config).settings(config, opening)
    const secret = secretOf(config, 'secret' in settings ? settings.secret : null, signIns)
    const mintsTokens = 'token' in config && config.token?.kind === 'command'
    const destination = await openDestination(settings, context)
    const to = kindOf(config).recipients(config) ?? []
    const recipientsFor =
      mailbox === null && to.some(namesMailbox)
        ? filledRecipients(to, account.name)
        : sameRecipients(mailbox, account, destination)
    const key = placeOf(settings)
    const mark = async (): Promise<number | null> => (secret === null ? null : secretMark(key, await secret()))
    const rates = this.#ratesOf(key)
    // One message is prepared while another one is sent.
    const concurrency = 'concurrency' in config ? config.concurrency : Infinity
    const usual = 2 * concurrency
    const atOnce = (): number => destination.atOnce ?? usual
    return {
      destination,
      recipientsFor,
      rates,
      key,
      part: partOf(settings),
      atOnce,
      handOvers: new Slots(destination.remembers ? Infinity : concurrency),
      hasNext: false,
      members: [],
      secretMark: mark,
      mintsTokens,
    }
  }

  /** One server and user has one pace, whatever the destinations are called. */
  #ratesOf(place: string): readonly Rate[] {
    return [...this.#configuration.destinations.values()].flatMap((config) => {
      const pace = config.type === FIRST_OF ? null : kindOf(config).pace(config)
      return pace?.place === place ? pace.rates : []
    })
  }

  /** The texts in which an account's name or a mailbox may stand. */
  #texts(config: DestinationConfig): readonly string[] {
    if (config.type !== FIRST_OF) return kindOf(config).accountTexts(config)
    return config.of.flatMap((name) => {
      const member = this.#configuration.destinations.get(name)
      return member === undefined ? [] : this.#texts(member)
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const opened = await Promise.allSettled(this.#opened.values())
    const closing = opened.flatMap((result) =>
      result.status === 'fulfilled' ? [result.value.destination[Symbol.asyncDispose]()] : [],
    )
    await Promise.allSettled(closing)
  }
}

const endless = (): number => Infinity

const NO_SECRET = { secretMark: () => Promise.resolve(null), mintsTokens: false }

/** By what a changed secret is noticed: of a sign-in, by which it is, and not by its token, which is renewed. */
function secretOf(
  config: DestinationConfig,
  secret: (() => Promise<string>) | null,
  signIns: SignIns,
): (() => Promise<string>) | null {
  const token = 'token' in config ? config.token : null
  if (token?.kind !== 'oauth' || !('user' in config)) return secret
  const user = config.user ?? ''
  return async () => (await signIns.mark(token.client, user)) ?? ''
}

/** The same for every message. The ledger names a place that an address has for itself by that address. */
function sameRecipients(
  mailbox: string | null,
  { recipient }: Account,
  destination: Destination,
): Target['recipientsFor'] {
  const all = mailbox !== null && recipient?.kind === 'header' ? [mailbox] : destination.recipients
  return () => all
}

/** Each message has its own. */
function filledRecipients(to: readonly string[], account: string): Target['recipientsFor'] {
  return (mailbox) => [...new Set(to.map((text) => filledAddress(text, { account, mailbox })))]
}

async function knownPlaces(ledger: Pick<Ledger, 'accounts'>): Promise<ReadonlySet<string>> {
  const accounts = await ledger.accounts()
  return new Set(accounts.flatMap(({ facts }) => placesIn(facts)))
}

function targetOf(name: string, opened: Opened): Target {
  const {
    destination,
    recipientsFor,
    rates,
    key,
    part,
    atOnce,
    handOvers,
    hasNext,
    members,
    secretMark: mark,
    mintsTokens,
  } = opened
  return {
    name,
    destination,
    recipientsFor,
    rates,
    key,
    part,
    atOnce,
    handOvers,
    hasNext,
    members: members.map((member, at) => ({
      ...member,
      hasNext: at < members.length - 1,
      ...(member.key.startsWith('gone ') ? { down: member.down } : fresh()),
    })),
    secretMark: mark,
    mintsTokens,
    ...fresh(),
  }
}

/** Nothing is known of it yet. */
function fresh() {
  return {
    down: null,
    atRest: false,
    isPaused: false,
    probing: false,
    pace: null,
    recipients: new Map<string, Closed>(),
    fullFromBytes: Infinity,
    offered: 0,
  }
}

function goneOf(name: string): Opened {
  return {
    destination: gone(name),
    recipientsFor: () => [],
    rates: [],
    key: `gone ${name}`,
    part: `gone ${name}`,
    atOnce: endless,
    handOvers: new Slots(Infinity),
    hasNext: false,
    members: [],
    ...NO_SECRET,
  }
}

// The destinations that one account uses in one session. Each is opened at its first use and asked once whether it can take
// mail, unless it is left alone. The answer is for all who use it. A destination that is down costs only itself (P4).
import type { Account } from '../../config/schema.ts'
import { asPopfetchError, type PopfetchError } from '../../errors.ts'
import { blankDestination } from '../../ledger/destination.ts'
import type { Rest } from '../../ledger/ledger.ts'
import type { Closed, Target } from '../run/destinations.ts'
import type { Entered, Place } from '../rests/doors.ts'
import type { PlannedFetch } from '../plan/entry.ts'
import type { Run } from '../run/run.ts'
import type { Tally } from '../tally.ts'
import { type Answer, answerOf } from '../rests/answer.ts'
import type { Permit } from '../rests/paces.ts'
import { closePaused, type PausedDestinations } from './paused.ts'
import { type Answered, isOfSecret, type RestEvent, type Step } from '../rests/rests.ts'
import { restError, spentBy } from './closed.ts'
import type { EnvelopeRefusals } from './envelope-refusals.ts'
import { foundAt, knownAt, type Offered, placeOf, placesOf, recipientsOf } from './places.ts'
import { possibleNames } from './route.ts'

interface AccountsPoll {
  readonly account: Account
  readonly run: Run
  readonly tally: Tally
  /** Why destinations take no mail that this poll asked, by key and recipient; filled here. */
  readonly found: Map<string, PopfetchError>
  readonly paused: PausedDestinations
  readonly envelopeRefusals: EnvelopeRefusals
  /** What earlier polls left, account/history.ts. */
  readonly history: {
    wasDeliveredTo(name: string, place: string): boolean
    deliveredTo(name: string, place: string): void
  }
}

export class AccountDestinations implements Disposable {
  readonly #account: Account
  readonly #history: AccountsPoll['history']
  readonly #run: Run
  readonly #tally: Tally
  readonly #opened = new Map<string, Target>()
  readonly #asked = new Map<Target, Promise<void>>()
  readonly #found: Map<string, PopfetchError>
  readonly #paused: PausedDestinations
  readonly envelopeRefusals: EnvelopeRefusals
  /** What this account finds out for all, by key. */
  readonly #claims = new Map<string, Disposable>()
  /** Room that was set aside, by delivery. */
  readonly #permits = new WeakMap<object, Permit>()
  #asking: Promise<void> = Promise.resolve()
  readonly #eagerSinceMs: number | null
  readonly #unwatch: (() => void)[] = []
  /** The sizes of the messages that are to be delivered in this session, and of those that came to their end. */
  readonly #expected: number[] = []
  readonly #ended: number[] = []

  constructor({ account, run, tally, history, found, paused, envelopeRefusals }: AccountsPoll) {
    this.#found = found
    this.#paused = paused
    this.envelopeRefusals = envelopeRefusals
    this.#account = account
    this.#history = history
    this.#run = run
    this.#tally = tally
    this.#eagerSinceMs = run.options.eager ? tally.startMs : null
  }

  /** Opens the destination called `name`, or gives it as it was opened before. `mailbox`: see Destinations.target. */
  async open(name: string, mailbox: string | null = null): Promise<Target> {
    const key = this.#keyOf(name, mailbox)
    const opened = this.#opened.get(key) ?? (await this.#run.destinations.target(name, this.#account, mailbox))
    // Another caller may have opened it meanwhile: what is found out about a destination is for all its users.
    const target = this.#opened.get(key) ?? opened
    this.#opened.set(key, target)
    if (this.envelopeRefusals.isOver(target)) target.fullFromBytes = 0
    for (const each of [target, ...target.members])
      if (each.rates.length > 0) each.pace ??= this.#run.paces.at(each.key, each.name, each.rates)
    return target
  }

  /** The destination called `name`, if it was opened. */
  opened(name: string, mailbox: string | null = null): Target | undefined {
    return this.#opened.get(this.#keyOf(name, mailbox))
  }

  #keyOf(name: string, mailbox: string | null): string {
    return `${name}\0${this.#run.destinations.placeFor(name, this.#account, mailbox) ?? ''}`
  }

  /** Those that were left alone, and take one message alone now. */
  get probing(): readonly Target[] {
    return [...this.#opened.values()].filter(({ probing, down }) => probing && down === null)
  }

  /** The same for destinations that are only asked after another one (first-of). */
  get probingNext(): readonly Target[] {
    const next = [...this.#opened.values()].flatMap(({ members }) => members.slice(1))
    return next.filter(({ probing, down }) => probing && down === null)
  }

  /** If this account has only messages that had a part in a rest, and one was just tried in vain, mail of other accounts goes
   *  first for a while. Such a destination stays closed. `openersOnly`: has it no others for that destination? */
  letOthersFirst(openersOnly: (key: string) => boolean): void {
    if (this.#eagerSinceMs !== null || this.#run.configuration.accounts.length < 2) return
    for (const target of [...this.probing, ...this.probingNext]) {
      const late = this.#run.doors.openersWait(target.key)
      if (late === null || !openersOnly(target.key)) continue
      this.#closeKnown(target, { key: target.key, recipient: late.recipient }, late.rest)
      this.#release(target)
    }
  }

  /** All that the account's configuration names, each asked whether it can take mail. */
  async configured(): Promise<readonly Target[]> {
    const targets = await Promise.all(possibleNames(this.#account).map((name) => this.open(name)))
    await this.ready()
    return targets
  }

  /** Asks those that were opened whether they can take mail. */
  async ready(): Promise<void> {
    await this.ask()
    for (const { down, name } of this.#opened.values())
      if (down !== null) this.#tally.note(`${name} is down: ${down.message}`)
  }

  /** Asks those that were opened (or those of them that are meant), each once in a session; a second caller waits for the same
   *  answer. */
  ask(isMeant: (target: Target) => boolean = () => true): Promise<void> {
    // Each after the other: who enters a door waits for nobody of this account.
    const asking = this.#asking.then(() => this.#ask(isMeant))
    this.#asking = asking.catch(() => undefined)
    return asking
  }

  async #ask(isMeant: (target: Target) => boolean): Promise<void> {
    // One after the other, because an account may wait for another's result. All use one order, or two would wait for each
    // other.
    const opened = [...this.#opened.values()].filter(isMeant)
    // The first of several is asked as all of them together.
    const meant = [...opened, ...opened.flatMap(({ members }) => members.slice(1))]
    const targets = meant.toSorted((a, b) => (a.key < b.key ? -1 : 1))
    for (const target of targets) if (!this.#asked.has(target)) await this.#enter(target)
    await Promise.all(
      targets.map(async (target) => {
        let answer = this.#asked.get(target)
        if (answer === undefined) {
          answer = this.#askOne(target)
          this.#asked.set(target, answer)
        }
        await answer
      }),
    )
  }

  /** Is it left alone? Then it is down; if it may be tried again, by this account alone. */
  async #enter(target: Target): Promise<void> {
    if (target.down !== null || closePaused(target, this.#paused)) return
    const place = { key: target.key, recipient: '' }
    await this.#look(target)
    let entered = await this.#at(place, target)
    const { doors, signal } = this.#run
    // Another account may find out that it takes no mail.
    for (const key of new Set([target.key, target.part]))
      this.#unwatch.push(doors.whenClosed(key, (closed, rest) => this.#closeKnown(target, closed, rest)))
    const [, ...others] = placesOf(target, recipientsOf(target))
    const doorOf = async (other: Place): Promise<Entered> => await this.#at(other, target)
    const probes = [entered, ...(await Promise.all(others.map(doorOf)))].some(({ door }) => door === 'probe')
    const finds = probes || (entered.door === 'open' && !doors.isKnown(place))
    let mayProbe = true
    if (finds && !this.#claims.has(target.key)) {
      const claim = await doors.claim(place, signal)
      if (claim !== null) this.#claims.set(target.key, claim)
      mayProbe = claim !== null
      entered = !mayProbe && entered.door === 'probe' ? { ...entered, door: 'rest' } : await this.#at(place, target)
    }
    for (const other of others) {
      const { door, rest } = await doorOf(other)
      if (rest !== null && (door === 'rest' || (door === 'probe' && !mayProbe))) this.#closeKnown(target, other, rest)
      else target.probing ||= door === 'probe'
    }
    if (entered.door === 'rest' && entered.rest !== null) this.#closeKnown(target, place, entered.rest)
    else target.probing ||= entered.door === 'probe'
    // Whoever waited for the same need not find it out once more, one account after the other.
    const isFound = entered.door === 'open' && doors.isKnown(place) && !target.probing
    if (target.down !== null || isFound) this.#release(target)
  }

  async #look(target: Target): Promise<void> {
    await target.pace?.look()
    return this.#run.doors.look(placesOf(target, recipientsOf(target)))
  }

  async #at(place: Place, target: Target): Promise<Entered> {
    const entered = this.#run.doors.at(place, this.#eagerSinceMs)
    const { rest } = entered
    if (entered.door !== 'rest' || rest === null || rest.secretMark === null) return entered
    const mark = await target.secretMark().catch(() => null)
    if (mark === null) return entered
    const looked = { kind: 'looked', secretMark: mark, mintsTokens: target.mintsTokens } as const
    await this.#note(target, place, looked, this.closings(target))
    return this.#run.doors.at(place, this.#eagerSinceMs)
  }

  /** Was mail delivered there before, of this account or another one (S045)? */
  async #hasMail({ name, key }: Target): Promise<boolean> {
    const { destinations, ledger } = this.#run
    return this.#history.wasDeliveredTo(name, key) || (await destinations.isKnown(key, ledger))
  }

  async #askOne(target: Target): Promise<void> {
    // No message goes there, so it need not be asked.
    if (target.pace?.isSpent === true) return this.#release(target)
    if (target.down !== null) return
    const since = this.closings(target)
    try {
      await target.destination.ready(this.#run.signal, await this.#hasMail(target))
      this.#run.doors.good({ key: target.key, recipient: '' })
      await this.#isReady(target, since)
      if (!target.probing) this.#release(target)
    } catch (thrown) {
      await this.failed(target, thrown, since)
    }
  }

  /** A look found the destination complete. In a first-of, another member may be the one that is ready. */
  async #isReady(target: Target, since: number): Promise<void> {
    if (!target.probing || target.members.length > 0) return
    const { doors } = this.#run
    const places = placesOf(target, recipientsOf(target))
    for (const place of placesOf(target, [])) await this.#note(target, place, { kind: 'ready' }, since)
    target.probing = places.some((place) => doors.at(place, this.#eagerSinceMs).door === 'probe')
  }

  /** A look at it failed: nothing goes there in this session. `since` is what `closings` gave before the look. Null: of several
   *  as one it is not known which of them failed, and nothing is recorded. Rejects where it is the poll that ends. */
  async failed(target: Target, thrown: unknown, since: number | null): Promise<void> {
    if (this.#run.signal.aborted) throw asPopfetchError(this.#run.signal.reason)
    const error = asPopfetchError(thrown, 'destination')
    target.down = error
    if (since === null) return
    await this.answered(target, '', { error, message: null, refusedBefore: false, since, bytes: 0 })
    this.#release(target)
  }

  /** Sets room aside for each of these deliveries whose destination has a `rate`. What is not used is given back when the result
   *  is disposed of. */
  reserve(deliveries: readonly { readonly target: Target }[]): Disposable {
    for (const delivery of deliveries) {
      const permit = delivery.target.pace?.reserve() ?? null
      if (permit !== null) this.#permits.set(delivery, permit)
    }
    return {
      [Symbol.dispose]: () => {
        for (const delivery of deliveries) this.#permits.get(delivery)?.[Symbol.dispose]()
      },
    }
  }

  /** Counts a delivery that begins. Not null: it may not, since `target` has got as many as its rate allows. `delivery`: for
   *  which room may have been set aside. Rejects with ERR_LEDGER. */
  async begin(target: Target, delivery: object | null): Promise<Closed | null> {
    const { pace, name } = target
    if (pace === null) return null
    const permit = (delivery === null ? undefined : this.#permits.get(delivery)) ?? pace.reserve()
    if (delivery !== null) this.#permits.delete(delivery)
    if (permit !== null && (await permit.use())) return null
    return spentBy(name, pace)
  }

  /** A message was taken. `since`: what `closings` gave when it was offered. */
  async taken(target: Target, recipient: string, since: number): Promise<void> {
    this.#history.deliveredTo(target.name, target.key)
    this.#tally.takenBy(target.name)
    this.#run.destinations.delivered(target.key)
    for (const place of placesOf(target, [knownAt(target, recipient)]))
      if (!this.#run.doors.isClean(place)) await this.#note(target, place, { kind: 'taken' }, since)
    if (!target.probing || since !== this.closings(target)) return
    target.probing = false
    this.#release(target)
  }

  /** The right to offer a message there, until it is disposed of; waits while enough are offered. */
  turn(target: Target, recipient: string): Promise<Disposable> {
    return this.#run.doors.turn({ key: target.key, recipient: knownAt(target, recipient) }, target.atOnce)
  }

  /** How often it was closed so far, or its folder there. */
  closings(target: Target): number {
    const { doors } = this.#run
    const { key, part } = target
    return doors.closings(target) + (part === key ? 0 : doors.closings({ key: part }))
  }

  /** `since`: what `closings` gave when that began of which the event tells. */
  #note(target: Target, place: Place, event: RestEvent, since: number) {
    const { doors } = this.#run
    const isLate = since !== this.closings(target)
    return doors.note(place, [target.name], event, isLate ? -1 : doors.closings(place))
  }

  /** These are to be delivered in this session. */
  expect(fetches: readonly PlannedFetch[]): void {
    for (const { known, sizeBytes } of fetches)
      if (sizeBytes !== null && isExpected(known)) this.#expected.push(sizeBytes)
  }

  /** One of them came to its end. */
  ended({ known, sizeBytes }: PlannedFetch): void {
    if (sizeBytes !== null && isExpected(known)) this.#ended.push(sizeBytes)
  }

  #smallerWaits(bytes: number): boolean {
    // Counted where it is asked, for hardly ever it is.
    const smaller = (sizes: readonly number[]): number => sizes.reduce((sum, size) => (size < bytes ? sum + 1 : sum), 0)
    return smaller(this.#expected) > smaller(this.#ended)
  }

  /** A destination that was asked, or got a message, failed: says whose the answer is, and lets nothing more through where it is
   *  the destination's. */
  async answered(
    target: Target,
    recipient: string,
    { error, message, refusedBefore, since, bytes }: Offered,
  ): Promise<Step> {
    const answer = answerOf(error)
    this.#countRefusal(target, answer)
    if (answer.conclusion === 'ROOM' && message !== null && this.#smallerWaits(bytes)) {
      // There may be room for a small message: then only the large ones wait.
      target.fullFromBytes = Math.min(target.fullFromBytes, bytes)
      return { record: blankDestination(target.key, knownAt(target, recipient)), speaksOf: 'message', absolved: [] }
    }
    const place = placeOf(target, recipient, answer)
    const { hasNext, mintsTokens } = target
    const secretMark = isOfSecret(answer.conclusion, answer) ? await target.secretMark().catch(() => null) : null
    const event: Answered = { kind: 'answered', answer, message, refusedBefore, hasNext, secretMark, mintsTokens }
    const step = await this.#note(target, place, event, since)
    if (step.absolved.length > 0) {
      this.#tally.absolve(step.absolved)
      // What it refused as a member of a first-of is recorded under the name of the first-of.
      const groups = this.#run.destinations.groupsWith(step.record.names)
      if (groups.length > 0) await this.#run.ledger.absolve(step.absolved, groups, null)
    }
    if (step.closed !== null) {
      this.#found.set(foundAt(place), error)
      this.#close(target, place.recipient, false, error)
      this.#release(target)
    } else if (target.probing && step.record.rest === null && step.speaksOf === 'message') {
      target.probing = false
      this.#release(target)
    }
    return step
  }

  /** It refused a message, which goes on to the next at once. */
  refused(target: Target, error: PopfetchError): void {
    this.#countRefusal(target, answerOf(error))
  }

  #countRefusal(target: Target, answer: Answer): void {
    this.envelopeRefusals.count(target, answer)
    if (this.envelopeRefusals.isOver(target)) target.fullFromBytes = 0
  }

  /** It is left alone because of what another account or poll found out, or this one with a message to another place there. */
  #closeKnown(target: Target, place: Place, rest: Rest): void {
    const found = this.#found.get(foundAt(place))
    this.#close(target, place.recipient, found === undefined, found ?? restError(target.name, rest, this.#run.nowMs()))
  }

  #close(target: Target, recipient: string, atRest: boolean, error: PopfetchError): void {
    // Another one of the same server.
    if (recipient !== '' && !recipientsOf(target).includes(recipient)) return
    const isOnly = recipient === '' || recipientsOf(target).length <= 1
    if (!isOnly) {
      if (!atRest || !target.recipients.has(recipient))
        target.recipients.set(recipient, { destination: target.name, recipient, error, atRest })
    } else if (target.down === null || (target.atRest && !atRest)) {
      target.down = error
      target.atRest = atRest
    }
  }

  #release({ key }: Target): void {
    this.#claims.get(key)?.[Symbol.dispose]()
    this.#claims.delete(key)
  }

  [Symbol.dispose](): void {
    for (const claim of this.#claims.values()) claim[Symbol.dispose]()
    this.#claims.clear()
    for (const unwatch of this.#unwatch) unwatch()
  }
}

/** One that the server did not give before may not come now either. */
function isExpected(known: PlannedFetch['known']): boolean {
  return known === null || known.receivedBytes !== null || known.reason === null
}

// What earlier polls of an account left for this one, and this one leaves for the next. Facts about the server, the clock by which
// messages age, the outcome. Written once, at the end.
import type { Account } from '../../config/schema.ts'
import { asPopfetchError, PopfetchError } from '../../errors.ts'
import type { Standing } from '../../deliver/destination.ts'
import type { AccountIdentity, AccountRecord, Lease, TakingOver } from '../../ledger/ledger.ts'
import type { Listing } from '../../pop3/listing/listing.ts'
import { type AgeClock, ageClock, clockFacts, jumpsOf, oldUpTo } from '../plan/age-clock.ts'
import { deliveredTo } from '../delivered-to.ts'
import { dayCounts } from './day.ts'
import { isPaused, nextHealth } from './backoff.ts'
import { afterLook, afterRefusal, refusedOf, secretMark, textOf } from '../rests/secret-mark.ts'
import { Workarounds } from '../sign-in/workarounds.ts'
import { newIntent } from '../attempt.ts'
import { DELETE, deleteText, MEANT_DELETE } from '../plan/changed-deletes.ts'
import type { Run } from '../run/run.ts'
import { RememberedCapabilities } from '../sign-in/remembered-capabilities.ts'
import { accountSecret } from '../sign-in/secret.ts'
import { KnownMailboxes } from '../route/known-mailboxes.ts'
import { Mark } from '../idle/mark.ts'
import { SizeWatch } from './sizes.ts'
import type { Tally } from '../tally.ts'
import { namesFact, unbegunFacts, WAITS_FOR_MACHINE, WAITS_FOR_PAUSED } from './unbegun.ts'
import { pollsFact } from './polls.ts'
import { machineName } from '../run/machine.ts'
import { waitingFacts } from './waiting.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS

/** A server that wants more than that between two sign-ins is left to the next poll (P155). */
const LONGEST_WAIT_S = 30

/** Read from the account's record when the poll begins. */
export class History {
  /** The account's record as it was before this session. */
  record: AccountRecord
  readonly sizes: SizeWatch
  readonly ages: AgeClock
  readonly workarounds: Workarounds
  readonly rememberedCapabilities: RememberedCapabilities
  readonly mailboxes: KnownMailboxes
  readonly mark: Mark
  signedInMs: number | null = null
  loginDelaySeconds: number | null = null
  readonly #account: Account
  readonly #lease: Lease
  readonly #run: Run
  readonly #facts: Record<string, string | null> = {}
  #secretMark: number | null = null
  /** Of the token that a command printed last; null: none. */
  #tokenMark: number | null = null
  #wholeListing = false
  #foundBefore: TakingOver['counts'] | null = null
  /** Read, and not used yet. */
  #unused: string | null = null

  /** Makes the account known to the ledger, if need be. `isStale`: since the lease was taken, something was recorded. */
  static async open(account: Account, lease: Lease, run: Run, isStale = false): Promise<History> {
    // Since the caller took its lease, other polls may have recorded something.
    const recorded = isStale || lease === run.restrictions.lease ? null : lease.record
    const history = new History(account, lease, recorded ?? (await run.ledger.admit(lease, identityOf(account))), run)
    // A kill must not make it forget that messages were first seen by a clock that was behind (S040).
    if (history.ages.isNew && !run.options.dryRun) await run.ledger.records.note(account.name, clockFacts(history.ages))
    return history
  }

  private constructor(account: Account, lease: Lease, record: AccountRecord, run: Run) {
    this.#account = account
    this.#lease = lease
    this.#run = run
    this.record = record
    this.mark = new Mark(record)
    this.sizes = new SizeWatch(record.facts['sizes'] !== 'hints')
    const { clock, clockBefore, clockJumps } = record.facts
    this.mailboxes = new KnownMailboxes(record.facts[MAILBOXES])
    this.workarounds = new Workarounds(record.facts, run.nowMs())
    this.rememberedCapabilities = new RememberedCapabilities(account, record.facts['capabilities'], run.nowMs())
    const jumps = jumpsOf(clockJumps)
    this.ages = ageClock({ lastMs: numberOf(clock), beforeMs: numberOf(clockBefore), jumps }, run.nowMs())
  }

  /** Messages first seen until so long before then are old enough for `delete` (age-clock.ts); null: none is. */
  get agedMs(): number | null {
    const { delete: policy } = this.#account
    if (policy.kind !== 'age') return this.ages.agedMs
    const untilMs = oldUpTo(this.ages, policy.ageMs)
    return untilMs === null ? null : untilMs + policy.ageMs
  }

  /** Is it a day since the message was first seen, by the clock of S040? */
  hasWaitedADay({ firstSeenMs }: { readonly firstSeenMs: number }): boolean {
    const nowMs = this.#run.nowMs()
    // The clock that two polls saw is behind by an hour or two.
    const upToMs = oldUpTo(this.ages, DAY_MS - 2 * HOUR_MS)
    return firstSeenMs <= nowMs - DAY_MS && upToMs !== null && firstSeenMs <= upToMs
  }

  /** The record as the last session left it. */
  async reread(): Promise<void> {
    this.record = await this.#run.ledger.admit(this.#lease, identityOf(this.#account))
  }

  /** Is the account to be left alone (DESIGN 5)? */
  async isPaused(): Promise<boolean> {
    const { record } = this
    if (this.#run.options.eager || !isPaused(record, this.#run.nowMs())) return false
    if (record.refusals === 0) return true
    if (this.#account.token?.kind === 'oauth') return !(await this.#isNewSignIn())
    // A refused password that was changed meanwhile is worth a try at once (N010).
    this.#unused = await this.#readSecret().catch(() => null)
    if (this.#unused === null) return true
    return this.#tokenMark === null
      ? this.#secretMark === record.secretMark
      : !(await this.#isNewToken(this.#tokenMark))
  }

  /** Has somebody signed in since the token was refused? Makes no request. */
  async #isNewSignIn(): Promise<boolean> {
    const signIn = await this.#signIn().catch(() => null)
    const { salt } = this.record.facts
    return signIn !== null && (salt === undefined || secretMark(salt, signIn) !== this.record.secretMark)
  }

  /** The id of the sign-in at the provider; null: there is none. */
  async #signIn(): Promise<string | null> {
    const { token, user } = this.#account
    if (token?.kind !== 'oauth') return null
    const { configuration, env } = this.#run
    const { signInsOf } = await import('../../config/oauth/sign-ins.ts')
    return await signInsOf(configuration, env).mark(token.client, user)
  }

  /** Is the token that the command prints now another one than was refused (N042)? */
  async #isNewToken(mark: number): Promise<boolean> {
    const before = refusedOf(this.record.facts[REFUSED_TOKEN])
    if (before === null) return false
    const { isNews, refused } = afterLook(before, mark, true)
    const fact = textOf(refused)
    if (!isNews && fact !== this.record.facts[REFUSED_TOKEN])
      await this.#run.ledger.records.note(this.#account.name, { [REFUSED_TOKEN]: fact })
    return isNews
  }

  /** The account's secret, read again each time; `refused`: another token than this one. Rejects with ERR_SECRET, ERR_AUTH. */
  async secret(refused: string | null = null): Promise<string> {
    const secret = this.#unused ?? (await this.#readSecret(refused))
    this.#unused = null
    return secret
  }

  async #readSecret(refused: string | null = null): Promise<string> {
    const secret = await accountSecret(this.#account, this.#run, refused)
    const salt = this.record.facts['salt'] ?? newIntent()
    this.#facts['salt'] = salt
    // Refused tokens of a command are counted together, whichever they are (N009).
    const isPrinted = this.#account.token?.kind === 'command'
    // A token that was renewed belongs to the same sign-in.
    this.#secretMark = secretMark(salt, isPrinted ? 'token' : ((await this.#signIn()) ?? secret))
    this.#tokenMark = isPrinted ? secretMark(salt, secret) : null
    return secret
  }

  /** Does the server want a longer pause before the next sign-in than this poll has (P155)? */
  get hasLongLoginDelay(): boolean {
    return (this.loginDelaySeconds ?? 0) > LONGEST_WAIT_S
  }

  /** No message is known: the ledger may be new because an older one was lost (DESIGN 4.3). */
  get mayBeLost(): boolean {
    return this.record.known === 0
  }

  /** Is the record being brought in step with what is at the destinations, or with new UIDLs? */
  get takingOver(): TakingOver | null {
    return this.record.takingOver
  }

  /** The record is taken over from now on, until `tookOver`: durable, so that a kill in between does not end it (S035). */
  async takeOver(why: TakingOver['why']): Promise<void> {
    if (this.takingOver !== null && (why !== 'new-ids' || this.takingOver.why === why)) return
    await this.#recordTakingOver({ why, sinceMs: this.#run.nowMs(), counts: { after: this.#afterMs } })
  }

  /** So much was found since this poll began. */
  async foundMore({ found, open }: { readonly found: number; readonly open: number }): Promise<void> {
    const state = this.takingOver
    if (state === null) return
    this.#foundBefore ??= state.counts
    const { found: foundBefore = 0, open: openBefore = 0 } = this.#foundBefore
    const counts = { ...state.counts, found: foundBefore + found, open: openBefore + open }
    await this.#recordTakingOver({ ...state, counts })
  }

  /** Ends the taking over. Gives how far it was; null: there was none. */
  async tookOver(): Promise<TakingOver | null> {
    const state = this.takingOver
    if (state !== null) await this.#recordTakingOver(null)
    return state
  }

  async #recordTakingOver(state: TakingOver | null): Promise<void> {
    await this.#run.ledger.takeOver(this.#lease, state)
    this.record = { ...this.record, takingOver: state }
  }

  /** Is this the message of that name in the listing, which the ledger does not know as delivered? Not if a person had it
   *  forgotten (amend.ts). `maybe`: it is older than the record, which was complete then. Its UIDL was used again, or the clock
   *  was behind when it was put there. */
  counts({ atMs }: Standing): 'yes' | 'maybe' | 'no' {
    const { forgotten } = this.record.facts
    if (forgotten !== undefined && (atMs === null || !(atMs > Number(forgotten)))) return 'no'
    if (this.mayBeLost || this.takingOver?.why === 'lost' || atMs === null) return 'yes'
    const afterMs = this.takingOver?.counts['after'] ?? this.#afterMs
    // If the clock was ahead then, that says nothing.
    return afterMs > this.#run.nowMs() || atMs >= afterMs - (afterMs % 1000) ? 'yes' : 'maybe'
  }

  /** Up to then the record was complete. */
  get #afterMs(): number {
    return numberOf(this.record.facts['looked']) ?? this.record.lastPollMs ?? 0
  }

  /** All destinations were looked through: the record is complete at the end of this poll, and of each one that follows. */
  looked(): void {
    this.#run.looked.add(this.#account.name)
  }

  /** Has the whole record been looked through for UIDLs in which a secret stands (compare/stand-ins.ts), with the password that
   *  is used now? Tokens change each hour; what comes with them is masked before it is recorded. */
  get areUidlsMasked(): boolean {
    return (this.#facts[MASKED] ?? this.record.facts[MASKED]) === this.#maskedWith
  }

  uidlsMasked(): void {
    this.#facts[MASKED] = this.#maskedWith
  }

  get #maskedWith(): string {
    return this.#account.token === null ? String(this.#secretMark) : 'token'
  }

  /** Throws when a server that gave UIDLs refuses them now: by their headers all its messages would be new (P084, P2). */
  refuseLostUidls({ hasUidls, length }: Listing): void {
    const { record } = this
    if (hasUidls) {
      if (length > 0) this.#facts['uidls'] = 'given'
    } else if (record.facts['uidls'] === 'given' && record.known > 0) {
      const text = 'the server refuses UIDL, which it answered before: try again later'
      throw new PopfetchError('ERR_POP3_REPLY', text, { scope: 'account', retry: 'soon' })
    }
  }

  /** Was mail of this account delivered to this destination, at this place (S045)? */
  wasDeliveredTo(name: string, place: string): boolean {
    return this.record.facts[deliveredTo(name)] === place
  }

  deliveredTo(name: string, place: string): void {
    if (!this.wasDeliveredTo(name, place)) this.#facts[deliveredTo(name)] = place
  }

  /** From which place of the listing on messages may be known by their UIDLs alone; null: none is (learn-headers.ts). */
  get headersFrom(): number | null {
    const fact = this.#facts[HEADERS_FROM]
    return fact === null ? null : numberOf(fact ?? this.record.facts[HEADERS_FROM])
  }

  /** The headers up to this place are remembered; null: all of them. */
  headersUpTo(place: number | null): void {
    this.#facts[HEADERS_FROM] = place === null ? null : String(place)
  }

  /** Does the server list a message with the same size each time? Until it was seen not to. */
  get sizesStay(): boolean {
    return this.record.facts[LISTED_SIZES] === undefined
  }

  /** A fact for the next poll; null: there is none any more. */
  remember(name: string, fact: string | null): void {
    if ((this.record.facts[name] ?? null) !== fact) this.#facts[name] = fact
  }

  sizesMove(): void {
    this.#facts[LISTED_SIZES] = 'move'
  }

  /** How many delivered messages the server still has: the next listing is compared with it (S020). */
  stillListed(messages: number): void {
    this.#facts['alive'] = String(messages)
  }

  /** How many messages the listing before this one had; null: none was recorded. */
  get listedBefore(): number | null {
    return numberOf(this.#facts['listed'] ?? this.record.facts['listed'])
  }

  /** A listing of this many messages, and whether it showed the whole mailbox. */
  listed(messages: number, isWhole: boolean): void {
    this.#facts['listed'] = String(messages)
    this.#wholeListing ||= isWhole
  }

  /** Did this poll's listing show the whole mailbox? */
  get sawAll(): boolean {
    return this.#wholeListing
  }

  /** See GuardView. */
  get lastAlive(): number | null {
    return numberOf(this.record.facts['alive'])
  }

  /** Records how the poll went. A ledger that fails now fails the poll, and costs nothing else. */
  async save(tally: Tally): Promise<void> {
    const { options, nowMs, ledger } = this.#run
    const { error } = tally
    if (options.dryRun || error?.code === 'ERR_ABORTED') return
    if (error === null) {
      const { checkpoints } = this.ages
      Object.assign(this.#facts, clockFacts(this.ages))
      const waiting = waitingFacts(tally.deferredSinceMs, checkpoints, nowMs())
      for (const [name, fact] of Object.entries(waiting)) this.remember(name, fact)
      this.#facts[DELETE] = deleteText(this.#account)
      if (this.record.facts[MEANT_DELETE] !== undefined) this.#facts[MEANT_DELETE] = null
      for (const fact of ['imported', 'restored']) if (this.record.facts[fact] !== undefined) this.#facts[fact] = null
      this.#facts['sizes'] = this.sizes.exact ? 'exact' : 'hints'
      this.remember(WAITS_FOR_PAUSED, namesFact(tally.pausedDestinations))
      this.remember(WAITS_FOR_MACHINE, namesFact(tally.machines))
    }
    Object.assign(this.#facts, unbegunFacts(tally, this.record.facts))
    if (this.#run.looked.has(this.#account.name)) this.#facts['looked'] = String(nowMs())
    const { signedInMs, loginDelaySeconds } = this
    if (this.mailboxes.fact !== null) this.#facts[MAILBOXES] = this.mailboxes.fact
    Object.assign(
      this.#facts,
      this.rememberedCapabilities.facts,
      this.workarounds.factsAfter(error?.code === 'ERR_TIMEOUT' || error?.code === 'ERR_CONNECT'),
    )
    if (error === null && this.record.facts[REFUSED_TOKEN] !== undefined) this.#facts[REFUSED_TOKEN] = null
    if (error?.code === 'ERR_AUTH' && this.#tokenMark !== null)
      this.#facts[REFUSED_TOKEN] = textOf(afterRefusal(refusedOf(this.record.facts[REFUSED_TOKEN]), this.#tokenMark))
    const { deliveries } = tally
    const end = { error, secretMark: this.#secretMark, signedInMs, loginDelaySeconds, deliveries }
    try {
      if (!this.mark.isFound) tally.undeleted = await ledger.records.undeleted(this.#account.name)
      const report = tally.report()
      Object.assign(this.#facts, pollsFact(this.record, report, nowMs()))
      if (ledger.spans === 'machines') this.remember(MACHINE, machineName(this.#run.configuration))
      const health = nextHealth(this.record, end, nowMs())
      if (health.failures === 0) this.#facts['failingSince'] = null
      else if (this.record.failures === 0) this.#facts['failingSince'] = String(nowMs())
      const recorded = ledger.finish(this.#lease, {
        identity: identityOf(this.#account),
        health,
        facts: this.#facts,
        wholeListing: this.#wholeListing,
        mark: this.mark.after(tally, {
          ...this.#run.configuration,
          account: this.#account,
          lastPollMs: health.lastPollMs,
        }),
        ...(this.mark.isFound ? { lasting: false } : {}),
        day: dayCounts(tally, { before: this.record, facts: this.#facts, failures: health.failures }, nowMs()),
      })
      this.#run.closes?.(report, health, recorded)
      await recorded
    } catch (failure) {
      tally.fail(asPopfetchError(failure))
    }
  }
}

function numberOf(fact: string | undefined): number | null {
  return fact === undefined ? null : Number(fact)
}

/** In AccountRecord.facts: which addresses have a place of their own (route/known-mailboxes.ts). */
const MAILBOXES = 'mailboxes'
/** In AccountRecord.facts: does the server list other sizes for the same messages (S039)? */
const LISTED_SIZES = 'listedSizes'
/** In AccountRecord.facts: how far the headers of messages that popfetch did not fetch are remembered. */
export const HEADERS_FROM = 'headersFrom'
/** In AccountRecord.facts: the machine that polled it last, where several may. */
export const MACHINE = 'machine'
/** In AccountRecord.facts: the mark of the secret with which UIDLs were looked through. */
const MASKED = 'maskedUidls'
/** In AccountRecord.facts: the marks of a token that was refused. */
const REFUSED_TOKEN = 'refusedToken'

function identityOf({ host, port, user }: Account): AccountIdentity {
  return { host, port, user }
}

// The metrics of Prometheus: what is counted at the end of each poll (counts.ts), and what is looked up when somebody asks. No secret
// and no message is in them, but the names of accounts and destinations are. Only names of the configuration are labels, so that
// there are never more series than it has names, whatever the ledger remembers. exposition.ts has the format.
import { withUnbegun } from '../../poll/account/unbegun.ts'
import { isStale } from '../../poll/rests/rests.ts'
import type { DestinationRecord } from '../../ledger/ledger.ts'
import type { Lacking, Unsettled } from '../../ledger/records.ts'
import type { AccountStatus, Planned, Status } from '../../status/status.ts'
import type { PollEnded } from '../schedule/scheduler.ts'
import { Counts } from './counts.ts'
import { type Family, familyText, Histogram, type Labels, type Sample } from './exposition.ts'
import { briefStatus, type Watched } from './watched.ts'

/** A turn of the event loop, a slow moment, too few places (`concurrency`, `perHost`) for this many accounts. */
const LATENESS_S = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300]

/** Counting looks at every message of the ledger. */
const COUNTED_EVERY_MS = 60_000

/** What was to happen to a message and has not. */
const UNSETTLED = ['waiting', 'refused', 'held', 'undeleted'] as const
const LACKED = ['waiting', 'refused'] as const
const SETTLED: Unsettled = { waiting: 0, refused: 0, held: 0, undeleted: 0 }

interface Counted {
  /** By account. */
  readonly unsettled: ReadonlyMap<string, Unsettled>
  /** By destination. */
  readonly lacking: ReadonlyMap<string, Lacking>
}

/** What was looked up for an answer, or for several. */
export interface Looked extends Counted {
  readonly status: Status
  readonly plan: readonly Planned[]
  /** The accounts of the plan. */
  readonly accounts: readonly AccountStatus[]
  readonly records: readonly DestinationRecord[]
}

export class Metrics {
  readonly #watched: Watched
  readonly #counts = new Counts()
  readonly #lateness = new Histogram(
    'popfetch_poll_lateness_seconds',
    'Delay of polls, compared with the plan',
    LATENESS_S,
  )
  #counted: { readonly atMs: number; readonly counts: Promise<Counted> } | null = null

  constructor(watched: Watched) {
    this.#watched = watched
  }

  /** Counts a poll. */
  ended({ report, lateMs }: Pick<PollEnded, 'report' | 'lateMs'>): void {
    this.#lateness.observe(lateMs / 1000)
    this.#counts.add(report)
  }

  /** An account that is polled no more. */
  forget(account: string): void {
    this.#counts.forget(account)
  }

  /** Rejects with ERR_LEDGER. */
  async look(): Promise<Looked> {
    const { ledger, plan, destinations } = this.#watched
    const status = await briefStatus(this.#watched)
    const counted = await this.#unsettled()
    const records = await ledger.destinations()
    const polled = new Set(plan.map(({ account }) => account))
    const accounts = status.accounts.filter(({ account }) => polled.has(account))
    this.#counts.keepDestinations(new Set(destinations))
    return { status, plan, accounts, records, ...counted }
  }

  /** All of them, piece by piece. */
  *text(looked: Looked): Generator<string> {
    const { version } = this.#watched.process
    const about = { version, node: process.versions.node }
    yield* familyText(gauge('build_info', 'Always 1: which version runs', [[about, 1]]))
    const memory = { name: 'process_resident_memory_bytes', help: 'Memory of the process', type: 'gauge' } as const
    yield* familyText({ ...memory, samples: [[{}, process.memoryUsage.rss()]] })
    for (const family of this.#ofAccounts(looked)) yield* familyText(family)
    for (const family of this.#ofDestinations(looked)) yield* familyText(family)
    const asked = '1: what the program of accountsFrom printed last was not taken, and the accounts before hold'
    yield* familyText(gauge('accounts_from_failing', asked, [[{}, looked.status.asked === null ? 0 : 1]]))
    for (const family of this.#ofHosts()) yield* familyText(family)
    yield this.#lateness.text()
  }

  #ofAccounts({ plan, accounts, unsettled }: Looked): readonly Family[] {
    const counts = this.#counts
    const outstanding = (status: AccountStatus): Unsettled =>
      withUnbegun(unsettled.get(status.account) ?? SETTLED, status.record)
    const own = (value: (status: AccountStatus) => number | null): Iterable<Sample> => samplesOf(accounts, value)
    return [
      counter('polls_total', 'Polls, by outcome', counts.polls()),
      counter('messages_total', 'Messages, by outcome', counts.messages()),
      counter('received_bytes_total', 'Bytes of messages received', counts.bytes()),
      counter('failures_total', 'Failed polls, by error code', counts.failures()),
      gauge('backlog_messages', 'Messages on the server at the last poll that are not delivered', counts.backlog()),
      gauge('poll_duration_seconds', 'Duration of the last successful poll', counts.seconds()),
      gauge(
        'last_poll_timestamp_seconds',
        'When the last poll ended',
        own(({ record }) => secondsOf(record?.lastPollMs)),
      ),
      gauge(
        'last_success_timestamp_seconds',
        'End of the last successful poll',
        own(({ record }) => secondsOf(record?.lastSuccessMs)),
      ),
      gauge(
        'next_poll_timestamp_seconds',
        'When the next poll is planned',
        samplesOf(plan, ({ nextPollMs }) => secondsOf(nextPollMs)),
      ),
      gauge(
        'account_overdue',
        '1: the account is overdue, or its poll hangs',
        samplesOf(plan, ({ overdue }) => (overdue ? 1 : 0)),
      ),
      gauge(
        'outstanding_messages',
        'Messages that are not delivered, or should have left the server and did not',
        byState(accounts, UNSETTLED, ({ account }) => ({ account }), outstanding),
      ),
      gauge(
        'oldest_waiting_message_timestamp_seconds',
        'Since when the oldest waiting message has waited',
        own(({ waitingSinceMs }) => secondsOf(waitingSinceMs)),
      ),
      gauge(
        'account_paused',
        '1: a person paused the account, or a destination that its mail waits for',
        own(({ pause }) => (pause === null ? 0 : 1)),
      ),
    ]
  }

  /** Every server that was polled. */
  #ofHosts(): readonly Family[] {
    const hosts = this.#watched.lateness?.all ?? []
    return [
      gauge(
        'host_lateness_seconds',
        'Delay of the last poll at a server, compared with the plan',
        hosts.map(([host, lateMs]) => [{ host }, lateMs / 1000]),
      ),
      gauge(
        'host_late_accounts',
        'Accounts of a server that are polled later than planned, poll after poll',
        hosts.map(([host, , accounts]) => [{ host }, accounts]),
      ),
    ]
  }

  /** Every destination of the configuration: what it lacks, and until when those are left alone that take no mail. */
  #ofDestinations({ lacking, records, status: { pauses } }: Looked): readonly Family[] {
    const { destinations } = this.#watched
    const paused = new Set(pauses.flatMap(({ kind, name }) => (kind === 'account' ? [] : [name])))
    const configured = new Set(destinations)
    const down = new Set<string>()
    const resting = new Map<string, number>()
    for (const { names, recipient, rest } of records) {
      if (rest === null || isStale(rest, Date.now())) continue
      for (const destination of names.filter((name) => configured.has(name))) {
        resting.set(destination, rest.untilMs / 1000)
        // A recipient alone does not stop the others.
        if (recipient === '') down.add(destination)
      }
    }
    const of = (value: (name: string) => number | null): readonly Sample[] =>
      destinations.flatMap((destination): readonly Sample[] => {
        const now = value(destination)
        return now === null ? [] : [[{ destination }, now]]
      })
    return [
      gauge(
        'destination_up',
        '1: it accepts mail, as far as is known; 0: it is paused because it does not',
        of((name) => (down.has(name) ? 0 : 1)),
      ),
      gauge(
        'destination_paused',
        '1: a person paused the destination',
        of((name) => (paused.has(name) ? 1 : 0)),
      ),
      gauge(
        'destination_outstanding_messages',
        'Messages that the destination does not have yet',
        byState(
          destinations,
          LACKED,
          (destination) => ({ destination }),
          (name) => lacking.get(name) ?? { waiting: 0, refused: 0 },
        ),
      ),
      gauge(
        'destination_oldest_waiting_message_timestamp_seconds',
        'When the oldest message that waits for the destination was first seen',
        of((name) => secondsOf(lacking.get(name)?.oldestMs)),
      ),
      counter(
        'destination_failures_total',
        'Polls in which a destination kept mail back, by error code',
        this.#counts.destinationFailures(),
      ),
      gauge(
        'destination_resting_until_timestamp_seconds',
        'Until when a destination that does not accept mail is paused',
        of((name) => resting.get(name) ?? null),
      ),
    ]
  }

  #unsettled(): Promise<Counted> {
    const nowMs = performance.now()
    if (this.#counted === null || nowMs - this.#counted.atMs > COUNTED_EVERY_MS) {
      const { records } = this.#watched.ledger
      const both = async (): Promise<Counted> => ({
        unsettled: await records.unsettled(),
        lacking: await records.lacking(),
      })
      this.#counted = { atMs: nowMs, counts: both() }
      this.#counted.counts.catch(() => (this.#counted = null))
    }
    return this.#counted.counts
  }
}

function counter(name: string, help: string, samples: Iterable<Sample>): Family {
  return { name: `popfetch_${name}`, help, type: 'counter', samples }
}

function gauge(name: string, help: string, samples: Iterable<Sample>): Family {
  return { name: `popfetch_${name}`, help, type: 'gauge', samples }
}

/** Null: it has no series. */
function* samplesOf<T extends { readonly account: string }>(
  all: readonly T[],
  value: (one: T) => number | null,
): Generator<Sample> {
  for (const one of all) {
    const now = value(one)
    if (now !== null) yield [{ account: one.account }, now]
  }
}

function* byState<T, S extends string>(
  all: readonly T[],
  states: readonly S[],
  labels: (one: T) => Labels,
  counts: (one: T) => Readonly<Record<S, number>>,
): Generator<Sample> {
  for (const one of all) {
    const now = counts(one)
    for (const state of states) yield [{ ...labels(one), state }, now[state]]
  }
}

function secondsOf(ms: number | null | undefined): number | null {
  return ms === null || ms === undefined ? null : ms / 1000
}

// The metrics of Prometheus: what is counted at the end of each poll, and what is looked up when somebody asks. The one door
// to prom-client. No secret and no message is in them, but the names of accounts and destinations are. Only names of the
// configuration are labels, so that there are never more series than it has names, whatever the ledger remembers.
import type { Counter, Gauge, Histogram, Registry } from 'prom-client'
import { withUnbegun } from '../../poll/account/unbegun.ts'
import { isStale } from '../../poll/rests/rests.ts'
import type { DestinationRecord } from '../../ledger/ledger.ts'
import type { Lacking, Unsettled } from '../../ledger/records.ts'
import type { Status } from '../../status/status.ts'
import type { PollEnded } from '../schedule/scheduler.ts'
import { briefStatus, type Watched } from './watched.ts'

/** A turn of the event loop, a slow moment, too few places (`concurrency`, `perHost`) for this many accounts. */
const LATENESS_S = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300]

/** Counting looks at every message of the ledger. */
const COUNTED_EVERY_MS = 60_000

/** What was to happen to a message and has not. */
const UNSETTLED = ['waiting', 'refused', 'held', 'undeleted'] as const
const LACKED = ['waiting', 'refused'] as const

const RESULTS = ['delivered', 'deferred', 'refused', 'held', 'possibleDuplicates', 'deleted'] as const

interface Instruments {
  readonly registry: Registry
  readonly memory: Gauge
  readonly polls: Counter<'account' | 'outcome'>
  readonly messages: Counter<'account' | 'result'>
  readonly bytes: Counter<'account'>
  readonly failures: Counter<'account' | 'code'>
  readonly backlog: Gauge<'account'>
  readonly duration: Gauge<'account'>
  readonly lastPoll: Gauge<'account'>
  readonly lastSuccess: Gauge<'account'>
  readonly nextPoll: Gauge<'account'>
  readonly overdue: Gauge<'account'>
  readonly outstanding: Gauge<'account' | 'state'>
  readonly oldestWaiting: Gauge<'account'>
  readonly accountPaused: Gauge<'account'>
  readonly resting: Gauge<'destination'>
  readonly destinationPaused: Gauge<'destination'>
  readonly lacked: Gauge<'destination' | 'state'>
  readonly oldestLacked: Gauge<'destination'>
  readonly destinationUp: Gauge<'destination'>
  readonly destinationFailures: Counter<'destination' | 'code'>
  readonly lateness: Histogram
  readonly askedFailing: Gauge
}

interface Counts {
  /** By account. */
  readonly unsettled: ReadonlyMap<string, Unsettled>
  /** By destination. */
  readonly lacking: ReadonlyMap<string, Lacking>
}

export class Metrics {
  readonly #watched: Watched
  readonly #instruments: Instruments
  #counted: { readonly atMs: number; readonly counts: Promise<Counts> } | null = null

  private constructor(watched: Watched, instruments: Instruments) {
    this.#watched = watched
    this.#instruments = instruments
  }

  static async create(watched: Watched): Promise<Metrics> {
    return new Metrics(watched, await makeInstruments(watched.process.version))
  }

  get contentType(): string {
    return this.#instruments.registry.contentType
  }

  /** Counts a poll. */
  ended({ report, lateMs }: Pick<PollEnded, 'report' | 'lateMs'>): void {
    const { account, outcome, error, listed, skipped, delivered, troubles } = report
    const { polls, messages, bytes, failures, backlog, duration } = this.#instruments
    polls.inc({ account, outcome })
    this.#instruments.lateness.observe(lateMs / 1000)
    for (const result of RESULTS)
      if (report[result] > 0) messages.inc({ account, result: snake(result) }, report[result])
    bytes.inc({ account }, report.bytes)
    if (error !== null && outcome === 'failed') failures.inc({ account, code: error.code })
    // A destination with several recipients that are in trouble kept mail back once.
    const kept = new Map(troubles.map((trouble) => [trouble.destination, trouble.error.code]))
    for (const [destination, code] of kept) this.#instruments.destinationFailures.inc({ destination, code })
    if (outcome !== 'ok' && outcome !== 'partial') return
    backlog.set({ account }, Math.max(0, listed - skipped - delivered))
    duration.set({ account }, report.durationMs / 1000)
  }

  /** An account that is polled no more. */
  forget(account: string): void {
    const { polls, messages, failures, outstanding } = this.#instruments
    const { bytes, backlog, duration, lastPoll, lastSuccess, nextPoll, overdue, accountPaused } = this.#instruments
    for (const outcome of ['ok', 'partial', 'failed', 'paused', 'busy']) polls.remove({ account, outcome })
    for (const result of RESULTS) messages.remove({ account, result: snake(result) })
    for (const state of UNSETTLED) outstanding.remove({ account, state })
    for (const each of [bytes, backlog, duration, lastPoll, lastSuccess, nextPoll, overdue, accountPaused])
      each.remove({ account })
    void failures.get().then(({ values }) => {
      for (const { labels } of values) if (labels.account === account) failures.remove(labels)
    })
  }

  #counts(): Promise<Counts> {
    const nowMs = performance.now()
    if (this.#counted === null || nowMs - this.#counted.atMs > COUNTED_EVERY_MS) {
      const { records } = this.#watched.ledger
      const both = async (): Promise<Counts> => ({
        unsettled: await records.unsettled(),
        lacking: await records.lacking(),
      })
      this.#counted = { atMs: nowMs, counts: both() }
      this.#counted.counts.catch(() => (this.#counted = null))
    }
    return this.#counted.counts
  }

  /** All of them as they are now. Rejects with ERR_LEDGER. */
  async text(): Promise<string> {
    const { ledger } = this.#watched
    const { registry, memory, nextPoll, overdue, lastPoll, lastSuccess, outstanding, oldestWaiting, accountPaused } =
      this.#instruments
    const status = await briefStatus(this.#watched)
    const { unsettled, lacking } = await this.#counts()
    const destinations = await ledger.destinations()
    // From here on nothing is waited for: two who ask at once get whole answers, and nothing of what is forgotten comes back.
    const { plan } = this.#watched
    const polled = new Set(plan.map(({ account }) => account))
    for (const planned of plan) {
      const { account, nextPollMs } = planned
      if (nextPollMs !== null) nextPoll.set({ account }, nextPollMs / 1000)
      overdue.set({ account }, planned.overdue ? 1 : 0)
    }
    oldestWaiting.reset()
    for (const { account, record, waitingSinceMs, pause } of status.accounts) {
      if (!polled.has(account)) continue
      const { lastPollMs = null, lastSuccessMs = null } = record ?? {}
      if (waitingSinceMs !== null) oldestWaiting.set({ account }, waitingSinceMs / 1000)
      if (lastPollMs !== null) lastPoll.set({ account }, lastPollMs / 1000)
      if (lastSuccessMs !== null) lastSuccess.set({ account }, lastSuccessMs / 1000)
      accountPaused.set({ account }, pause === null ? 0 : 1)
      const settled = { waiting: 0, refused: 0, held: 0, undeleted: 0 }
      const counts = withUnbegun(unsettled.get(account) ?? settled, record)
      for (const state of UNSETTLED) outstanding.set({ account, state }, counts[state])
    }
    this.#lookAtDestinations(lacking, destinations, status)
    this.#forgetDestinations()
    this.#instruments.askedFailing.set(status.asked === null ? 0 : 1)
    memory.set(process.memoryUsage.rss())
    return await registry.metrics()
  }

  /** Every destination of the configuration: what it lacks, and until when those are left alone that take no mail. */
  #lookAtDestinations(
    lacking: Counts['lacking'],
    records: readonly DestinationRecord[],
    { pauses }: Pick<Status, 'pauses'>,
  ): void {
    const { destinations } = this.#watched
    const { resting, destinationUp, destinationPaused, lacked, oldestLacked } = this.#instruments
    for (const each of [resting, destinationUp, destinationPaused, lacked, oldestLacked]) each.reset()
    const paused = new Set(pauses.flatMap(({ kind, name }) => (kind === 'account' ? [] : [name])))
    for (const destination of destinations) {
      destinationUp.set({ destination }, 1)
      destinationPaused.set({ destination }, paused.has(destination) ? 1 : 0)
      const counts = lacking.get(destination)
      for (const state of LACKED) lacked.set({ destination, state }, counts?.[state] ?? 0)
      const oldestMs = counts?.oldestMs ?? null
      if (oldestMs !== null) oldestLacked.set({ destination }, oldestMs / 1000)
    }
    const configured = new Set(destinations)
    for (const { names, recipient, rest } of records) {
      if (rest === null || isStale(rest, Date.now())) continue
      for (const destination of names.filter((name) => configured.has(name))) {
        resting.set({ destination }, rest.untilMs / 1000)
        // A recipient alone does not stop the others.
        if (recipient === '') destinationUp.set({ destination }, 0)
      }
    }
  }

  /** Whatever is counted of destinations that are no longer configured. */
  #forgetDestinations(): void {
    const { destinationFailures } = this.#instruments
    const configured = new Set<unknown>(this.#watched.destinations)
    void destinationFailures.get().then(({ values }) => {
      for (const { labels } of values) if (!configured.has(labels.destination)) destinationFailures.remove(labels)
    })
  }
}

function snake(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
}

async function makeInstruments(version: string): Promise<Instruments> {
  const { Counter, Gauge, Histogram, Registry } = await import('prom-client')
  const registry = new Registry()
  const registers = [registry]
  const counter = <L extends string>(name: string, help: string, labelNames: L[]) =>
    new Counter({ name: `popfetch_${name}`, help, labelNames, registers })
  const gaugeOf = <L extends string>(name: string, help: string, labelNames: L[]) =>
    new Gauge({ name: `popfetch_${name}`, help, labelNames, registers })
  const gauge = (name: string, help: string) => gaugeOf(name, help, ['account'])
  new Gauge({
    name: 'popfetch_build_info',
    help: 'Always 1: which version runs',
    labelNames: ['version', 'node'],
    registers,
  }).set({ version, node: process.versions.node }, 1)
  return {
    registry,
    memory: new Gauge({ name: 'process_resident_memory_bytes', help: 'Memory of the process', registers }),
    polls: counter('polls_total', 'Polls, by outcome', ['account', 'outcome']),
    messages: counter('messages_total', 'Messages, by outcome', ['account', 'result']),
    bytes: counter('received_bytes_total', 'Bytes of messages received', ['account']),
    failures: counter('failures_total', 'Failed polls, by error code', ['account', 'code']),
    backlog: gauge('backlog_messages', 'Messages on the server at the last poll that are not delivered'),
    duration: gauge('poll_duration_seconds', 'Duration of the last successful poll'),
    lastPoll: gauge('last_poll_timestamp_seconds', 'When the last poll ended'),
    lastSuccess: gauge('last_success_timestamp_seconds', 'End of the last successful poll'),
    nextPoll: gauge('next_poll_timestamp_seconds', 'When the next poll is planned'),
    overdue: gauge('account_overdue', '1: the account is overdue, or its poll hangs'),
    outstanding: gaugeOf(
      'outstanding_messages',
      'Messages that are not delivered, or should have left the server and did not',
      ['account', 'state'],
    ),
    oldestWaiting: gauge(
      'oldest_waiting_message_timestamp_seconds',
      'Since when the oldest waiting message has waited',
    ),
    accountPaused: gauge('account_paused', '1: a person paused the account, or a destination that its mail waits for'),
    destinationUp: gaugeOf(
      'destination_up',
      '1: it accepts mail, as far as is known; 0: it is paused because it does not',
      ['destination'],
    ),
    destinationPaused: gaugeOf('destination_paused', '1: a person paused the destination', ['destination']),
    lacked: gaugeOf('destination_outstanding_messages', 'Messages that the destination does not have yet', [
      'destination',
      'state',
    ]),
    oldestLacked: gaugeOf(
      'destination_oldest_waiting_message_timestamp_seconds',
      'When the oldest message that waits for the destination was first seen',
      ['destination'],
    ),
    destinationFailures: counter(
      'destination_failures_total',
      'Polls in which a destination kept mail back, by error code',
      ['destination', 'code'],
    ),
    resting: gaugeOf(
      'destination_resting_until_timestamp_seconds',
      'Until when a destination that does not accept mail is paused',
      ['destination'],
    ),
    askedFailing: new Gauge({
      name: 'popfetch_accounts_from_failing',
      help: '1: what the program of accountsFrom printed last was not taken, and the accounts before hold',
      registers,
    }),
    lateness: new Histogram({
      name: 'popfetch_poll_lateness_seconds',
      help: 'Delay of polls, compared with the plan',
      buckets: LATENESS_S,
      registers,
    }),
  }
}

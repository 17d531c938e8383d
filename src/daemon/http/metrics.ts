// The metrics of Prometheus: what is counted at the end of each poll, and what is looked up when somebody asks. The one door
// to prom-client. No secret and no message is in them, but the names of accounts are.
import type { Counter, Gauge, Histogram, Registry } from 'prom-client'
import { withUnbegun } from '../../poll/account/unbegun.ts'
import { waitingSinceMs } from '../../poll/account/waiting.ts'
import type { Unsettled } from '../../ledger/records.ts'
import type { PollEnded } from '../schedule/scheduler.ts'
import type { Watched } from './watched.ts'

/** A turn of the event loop, a slow moment, too few places (`concurrency`, `perHost`) for this many accounts. */
const LATENESS_S = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300]

/** Counting looks at every message of the ledger. */
const COUNTED_EVERY_MS = 60_000

/** What was to happen to a message and has not. */
const UNSETTLED = ['waiting', 'refused', 'held', 'undeleted'] as const

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
  readonly resting: Gauge<'destination'>
  readonly destinationUp: Gauge<'destination'>
  readonly destinationFailures: Counter<'destination' | 'code'>
  readonly lateness: Histogram
}

export class Metrics {
  readonly #watched: Watched
  readonly #instruments: Instruments
  #counted: { readonly atMs: number; readonly counts: Promise<ReadonlyMap<string, Unsettled>> } | null = null

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
    const {
      registry: _registry,
      memory: _memory,
      lateness: _lateness,
      polls,
      messages,
      failures,
      outstanding,
      resting: _resting,
      destinationUp: _destinationUp,
      destinationFailures: _destinationFailures,
      ...plain
    } = this.#instruments
    for (const outcome of ['ok', 'partial', 'failed', 'paused', 'busy']) polls.remove({ account, outcome })
    for (const result of RESULTS) messages.remove({ account, result: snake(result) })
    for (const state of UNSETTLED) outstanding.remove({ account, state })
    for (const instrument of Object.values(plain)) instrument.remove({ account })
    void failures.get().then(({ values }) => {
      for (const { labels } of values) if (labels.account === account) failures.remove(labels)
    })
  }

  #unsettled(): Promise<ReadonlyMap<string, Unsettled>> {
    const nowMs = performance.now()
    if (this.#counted === null || nowMs - this.#counted.atMs > COUNTED_EVERY_MS) {
      this.#counted = { atMs: nowMs, counts: this.#watched.ledger.records.unsettled() }
      this.#counted.counts.catch(() => (this.#counted = null))
    }
    return this.#counted.counts
  }

  /** All of them as they are now. Rejects with ERR_LEDGER. */
  async text(): Promise<string> {
    const { plan, ledger } = this.#watched
    const { registry, memory, nextPoll, overdue, lastPoll, lastSuccess, outstanding, oldestWaiting } = this.#instruments
    for (const planned of plan) {
      const { account, nextPollMs } = planned
      if (nextPollMs !== null) nextPoll.set({ account }, nextPollMs / 1000)
      overdue.set({ account }, planned.overdue ? 1 : 0)
    }
    const polled = new Set(plan.map(({ account }) => account))
    const records = new Map((await ledger.accounts()).map((record) => [record.name, record]))
    oldestWaiting.reset()
    for (const { name: account, lastPollMs, lastSuccessMs, facts } of records.values()) {
      if (!polled.has(account)) continue
      const waitsMs = waitingSinceMs({ facts })
      if (waitsMs !== null) oldestWaiting.set({ account }, waitsMs / 1000)
      if (lastPollMs !== null) lastPoll.set({ account }, lastPollMs / 1000)
      if (lastSuccessMs !== null) lastSuccess.set({ account }, lastSuccessMs / 1000)
    }
    const unsettled = await this.#unsettled()
    for (const account of polled) {
      const settled = { waiting: 0, refused: 0, held: 0, undeleted: 0 }
      const counts = withUnbegun(unsettled.get(account) ?? settled, records.get(account) ?? null)
      for (const state of UNSETTLED) outstanding.set({ account, state }, counts[state])
    }
    await this.#lookAtDestinations()
    memory.set(process.memoryUsage.rss())
    return await registry.metrics()
  }

  /** Every destination of the configuration, and until when those are left alone that take no mail. */
  async #lookAtDestinations(): Promise<void> {
    const { ledger, destinations } = this.#watched
    const { resting, destinationUp } = this.#instruments
    resting.reset()
    destinationUp.reset()
    for (const destination of destinations) destinationUp.set({ destination }, 1)
    for (const { names, recipient, rest } of await ledger.destinations()) {
      if (rest === null) continue
      for (const destination of names) {
        resting.set({ destination }, rest.untilMs / 1000)
        // A recipient alone does not stop the others.
        if (recipient === '' && destinations.includes(destination)) destinationUp.set({ destination }, 0)
      }
    }
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
  const gauge = (name: string, help: string) =>
    new Gauge({ name: `popfetch_${name}`, help, labelNames: ['account'], registers })
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
    outstanding: new Gauge({
      name: 'popfetch_outstanding_messages',
      help: 'Messages that are not delivered, or should have left the server and did not',
      labelNames: ['account', 'state'],
      registers,
    }),
    oldestWaiting: gauge(
      'oldest_waiting_message_timestamp_seconds',
      'Since when the oldest waiting message has waited',
    ),
    destinationUp: new Gauge({
      name: 'popfetch_destination_up',
      help: '1: it accepts mail, as far as is known; 0: it is paused because it does not',
      labelNames: ['destination'],
      registers,
    }),
    destinationFailures: counter(
      'destination_failures_total',
      'Polls in which a destination kept mail back, by error code',
      ['destination', 'code'],
    ),
    resting: new Gauge({
      name: 'popfetch_destination_resting_until_timestamp_seconds',
      help: 'Until when a destination that does not accept mail is paused',
      labelNames: ['destination'],
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

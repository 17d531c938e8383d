// The methods of Ledger on a schema of a PostgreSQL database. What they change is done by functions in the database (schema/), many
// changes a statement (writer.ts); what each method promises is in ledger.ts.
import type { Heading } from '../../message.ts'
import { DAYS_KEPT } from '../account.ts'
import type {
  Absence,
  AccountIdentity,
  AccountRecord,
  Adoption,
  Beginning,
  Claim,
  Claimed,
  Comparison,
  DeletionNote,
  DeliveryKey,
  DestinationRecord,
  EntryKey,
  Harm,
  KnownMessage,
  Lease,
  Ledger,
  PollEnd,
  ReceivedFacts,
  Settlement,
  ShownHeader,
  TakingOver,
  Told,
  Worker,
  WorkerCard,
} from '../ledger.ts'
import { DELIVERED, deliveryStateNumber, OPEN, uidlBytes } from '../stored.ts'
import type { Access } from './access.ts'
import { findKnown, PostgresComparison } from './comparison.ts'
import type { Line } from './connection/line.ts'
import { HeldLease, type Leases } from './leases.ts'
import { PostgresPauses } from './postgres-pauses.ts'
import { PostgresRecords } from './postgres-records.ts'
import { PostgresShared } from './postgres-shared.ts'
import { accountOf, accountsOf } from './rows/account.ts'
import { at, base64, base64OrNull, number, numberOrNull, text, toBytes } from './rows/cells.ts'
import { absolved, begunOf, factsOf, headingOf, receivedOf, settledOf } from './rows/changes.ts'
import { ACCOUNT } from './schema/lease-functions.ts'
import type { Wakes } from './wakes.ts'
import type { Writer } from './writer.ts'

/** Messages removed in one statement. */
const FORGOTTEN_AT_ONCE = 1000

export interface Parts {
  readonly place: string
  readonly access: Access
  readonly reader: Line
  readonly writer: Writer | null
  readonly leases: Leases | null
  readonly wakes: Wakes
  /** Of notifications. */
  readonly channel: string
  readonly machine: string
  /** `state.headers`. */
  readonly keep: 'all' | 'open' | 'none'
}

export class PostgresLedger implements Ledger {
  readonly place: string
  readonly spans = 'machines'
  readonly machine: string
  readonly records: PostgresRecords
  readonly pauses: PostgresPauses
  readonly #parts: Parts
  readonly #shared: PostgresShared

  constructor(parts: Parts) {
    this.#parts = parts
    this.place = parts.place
    this.machine = parts.machine
    this.records = new PostgresRecords(parts.access, parts.machine)
    this.pauses = new PostgresPauses(parts.access)
    this.#shared = new PostgresShared(parts.access)
  }

  get #access(): Access {
    return this.#parts.access
  }

  async lease(account: string): Promise<Lease | null> {
    return (await this.#leases().claim(account, null)).lease
  }

  /** Rejects, as every change does, where it was closed or opened to be read. */
  #leases(): Pick<Leases, 'claim'> {
    const { leases, access } = this.#parts
    if (leases !== null && !access.closed) return leases
    return { claim: () => access.write([]).then(() => ({ lease: null, why: 'held' })) }
  }

  async admit(lease: Lease, identity: AccountIdentity): Promise<AccountRecord> {
    if (lease instanceof HeldLease && lease.isFresh && lease.record !== null && !this.#access.closed) {
      lease.requireHeld()
      return lease.record
    }
    const { host, port, user } = identity
    await this.#access.change(lease, [['admit', { host: base64(host), port, user: base64(user) }]])
    const record = await this.account(lease.account)
    if (record === null) throw new Error('an account that was made known is not')
    return record
  }

  async account(name: string): Promise<AccountRecord | null> {
    const [row] = await this.#access.read(`SELECT ${ACCOUNT} FROM @.account c WHERE c.name = $1`, [toBytes(name)])
    return row === undefined ? null : accountOf(row)
  }

  async accounts(): Promise<readonly AccountRecord[]> {
    const rows = await this.#access.read(`SELECT ${ACCOUNT} FROM @.account c ORDER BY c.name`)
    return await accountsOf(rows)
  }

  known(account: string, keys: readonly EntryKey[]): Promise<readonly (KnownMessage | null)[]> {
    return findKnown(this.#access, account, keys)
  }

  compare(account: string): Comparison {
    return new PostgresComparison(account, this.#access)
  }

  async see(lease: Lease, seen: Parameters<Ledger['see']>[1]): Promise<void> {
    const items = seen.map(({ key, listedBytes, firstSeenMs, delivered = false }) => ({
      ...at(key),
      b: listedBytes,
      t: firstSeenMs ?? null,
      k: delivered,
    }))
    await this.#access.changeAll(lease, 'see', items)
  }

  async start(lease: Lease, seen: Parameters<Ledger['start']>[1]): Promise<void> {
    await this.see(lease, seen)
    await this.#access.change(lease, [['start', null]])
  }

  async begin(lease: Lease, batch: readonly Beginning[]): Promise<void> {
    await this.#access.changeAll(lease, 'begin', this.#begun(batch))
  }

  #begun(batch: readonly Beginning[]): readonly object[] {
    return batch.map((one) => begunOf(one, this.machine))
  }

  async settle(lease: Lease, settlement: Settlement): Promise<void> {
    await this.#access.change(lease, [['settle', [settledOf(settlement, this.#parts.keep)]]])
  }

  async settleAndBegin(lease: Lease, settlements: readonly Settlement[], batch: readonly Beginning[]): Promise<void> {
    const parts = [
      ['settle', settlements.map((settlement) => settledOf(settlement, this.#parts.keep))],
      ['begin', this.#begun(batch)],
    ] as const
    await this.#access.change(lease, parts, { items: settlements.length + batch.length })
  }

  async handOver(lease: Lease, deliveries: readonly DeliveryKey[]): Promise<void> {
    const items = deliveries.map(({ key, destination, recipient }) => ({
      ...at(key),
      d: base64(destination),
      r: base64(recipient),
    }))
    await this.#access.changeAll(lease, 'hand_over', items)
  }

  async absolve(messages: readonly string[], destinations: readonly string[], recipient: string | null): Promise<void> {
    const change = {
      messages: messages.map(absolved),
      destinations: destinations.map((name) => base64(name)),
      recipient: base64OrNull(recipient),
    }
    await this.#access.write([['absolve', change]])
  }

  async abandon(lease: Lease, keys: Parameters<Ledger['abandon']>[1]): Promise<void> {
    const items = keys.map(({ key, reason, counts }) => ({ ...at(key), e: base64OrNull(reason), k: counts }))
    await this.#access.changeAll(lease, 'abandon', items)
  }

  async hold(lease: Lease, held: Parameters<Ledger['hold']>[1]): Promise<void> {
    const items = held.map(({ key, listedBytes, reason }) => ({ ...at(key), b: listedBytes, e: base64(reason) }))
    await this.#access.changeAll(lease, 'hold', items)
  }

  async deleted(lease: Lease, keys: readonly EntryKey[]): Promise<void> {
    await this.#access.changeAll(lease, 'deleted', keys.map(at))
  }

  async noteDeletions(lease: Lease, notes: readonly DeletionNote[]): Promise<void> {
    const items = notes.map(({ key, pending }) => ({
      ...at(key),
      e: base64OrNull(pending?.reason),
      k: pending?.tried === true,
    }))
    await this.#access.changeAll(lease, 'note_deletion', items)
  }

  async noteHarm(lease: Lease, keys: readonly EntryKey[], command: Harm['command'] | null): Promise<void> {
    await this.#access.changeAll(
      lease,
      'note_harm',
      keys.map((key) => ({ ...at(key), h: command })),
    )
  }

  async noteHeading(lease: Lease, key: EntryKey, heading: Heading): Promise<void> {
    await this.#access.changeAll(lease, 'note_heading', [{ ...at(key), ...headingOf(heading, this.#parts.keep) }])
  }

  async noteHeaders(lease: Lease, headers: readonly ShownHeader[]): Promise<void> {
    // Of messages that are seen or delivered: their headings are kept where all are.
    const keep = this.#parts.keep === 'all' ? 'all' : 'none'
    const items = headers.map(({ key, listedBytes, fingerprint, messageId, heading }) => ({
      ...at(key),
      b: listedBytes,
      f: base64(fingerprint),
      m: base64OrNull(messageId),
      ...headingOf(heading, keep),
    }))
    await this.#access.changeAll(lease, 'note_header', items)
  }

  async returned(lease: Lease, keys: readonly EntryKey[]): Promise<void> {
    await this.#access.changeAll(lease, 'returned', keys.map(at))
  }

  async restartAges(lease: Lease, keys: readonly EntryKey[]): Promise<void> {
    await this.#access.changeAll(lease, 'restart_age', keys.map(at))
  }

  async adopt(lease: Lease, adoptions: readonly Adoption[]): Promise<void> {
    const items = adoptions.map(({ key, listedBytes, deliveries, complete }) => ({
      ...at(key),
      b: listedBytes,
      o: complete && deliveries.every(({ state }) => state === 'done') ? DELIVERED : OPEN,
      d: deliveries.map((delivery) => ({
        d: base64(delivery.destination),
        r: base64(delivery.recipient),
        o: deliveryStateNumber(delivery.state),
        i: base64(delivery.state === 'done' ? delivery.intent : ''),
        p: delivery.state === 'done' ? base64(delivery.receipt) : null,
      })),
    }))
    await this.#access.changeAll(lease, 'adopt', items)
  }

  async confirm(lease: Lease, key: EntryKey, received: ReceivedFacts | null): Promise<void> {
    await this.#access.changeAll(lease, 'confirm', [{ ...at(key), ...receivedOf(received, this.#parts.keep) }])
  }

  async rekey(lease: Lease, changes: Parameters<Ledger['rekey']>[1]): Promise<void> {
    const items = changes.map(({ from, to }) => ({ ...at(from), v: base64(uidlBytes(to.uidl)), w: to.copy }))
    await this.#access.changeAll(lease, 'rekey', items)
  }

  async forget(lease: Lease, { goneUntilMs, listings }: Absence, most: number): Promise<number> {
    let forgotten = 0
    while (forgotten < most) {
      const limit = Math.min(most - forgotten, FORGOTTEN_AT_ONCE)
      const change = { until: goneUntilMs, listings, most: limit }
      const removed = await this.#access.change(lease, [['forget_absent', change]], { items: limit })
      forgotten += removed
      if (removed < limit) break
    }
    return forgotten
  }

  async finish(lease: Lease, end: PollEnd): Promise<void> {
    const { identity, health, facts, wholeListing, mark, day, lasting = true } = end
    const change = {
      host: base64(identity.host),
      port: identity.port,
      user: base64(identity.user),
      lastPollMs: health.lastPollMs,
      lastSuccessMs: health.lastSuccessMs,
      failures: health.failures,
      refusals: health.refusals,
      secretMark: health.secretMark,
      pausedUntilMs: health.pausedUntilMs,
      error: health.error === null ? null : base64(JSON.stringify(health.error)),
      facts: factsOf(facts),
      wholeListing,
      mark: base64OrNull(mark?.digest),
      markDueMs: mark?.dueMs ?? null,
      ...(day === null
        ? {}
        : {
            day: {
              delivered: day.delivered,
              bytes: day.bytes,
              failures: day.failures,
              longest: day.longestWaitMs,
              kept: DAYS_KEPT,
            },
          }),
    }
    await this.#access.change(lease, [['finish', change]], { lasting })
  }

  async told(account: string, told: Told | null): Promise<void> {
    const change = { account: base64(account), state: base64OrNull(told?.state), at: told?.atMs ?? null }
    await this.#access.write([['told', change]])
  }

  async takeOver(lease: Lease, state: TakingOver | null): Promise<void> {
    const json = state === null ? null : base64(JSON.stringify(state))
    await this.#access.change(lease, [['take_over', { state: json }]])
  }

  destinations(): Promise<readonly DestinationRecord[]> {
    return this.#shared.destinations()
  }

  destination(key: string, recipient: string): Promise<DestinationRecord> {
    return this.#shared.destination(key, recipient)
  }

  changeDestination(
    key: string,
    recipient: string,
    change: (record: DestinationRecord) => DestinationRecord,
  ): Promise<DestinationRecord> {
    return this.#shared.changeDestination(key, recipient, change)
  }

  async renameDestination(from: string, to: string): Promise<number> {
    return await this.#access.write([['rename_destination', { from: base64(from), to: base64(to) }]])
  }

  memo(name: string): Promise<string | null> {
    return this.#shared.memo(name)
  }

  changeMemo(name: string, change: (text: string | null) => string | null): Promise<string | null> {
    return this.#shared.changeMemo(name, change)
  }

  async schedule(lease: Lease, delayMs: number | null): Promise<void> {
    const change = { delay: delayMs === null ? null : Math.round(delayMs) }
    await this.#access.change(lease, [['schedule', change]], { lasting: false })
  }

  async claim(account: string, claim: Claim): Promise<Claimed> {
    return await this.#leases().claim(account, claim)
  }

  async wake(accounts: readonly string[]): Promise<void> {
    const change = { accounts: accounts.map((name) => base64(name)), channel: this.#parts.channel }
    await this.#access.write([['wake', change]])
  }

  heed(listener: (woken: readonly string[]) => void): Disposable {
    return this.#parts.wakes.heed(listener)
  }

  async join(card: WorkerCard): Promise<void> {
    const { writer } = this.#parts
    if (writer === null || this.#access.closed) await this.#access.write([])
    else await writer.join(card)
  }

  async workers(): Promise<readonly Worker[]> {
    const rows = await this.#access.read(
      `SELECT w.id, w.name, w.machine, w.program, w.since_ms, floor(extract(epoch FROM w.renewed) * 1000)::bigint, l.account
       FROM @.worker w LEFT JOIN @.lease l ON l.worker = w.id
       WHERE (w.since_ms IS NOT NULL OR l.account IS NOT NULL) AND NOT @.is_dead_1(w.session_lock, w.renewed, w.alive_until)
       ORDER BY w.since_ms NULLS LAST, w.name, l.account`,
    )
    return [...Map.groupBy(rows, ([id]) => id).values()].map((held) => {
      const [, name, machine, version, sinceMs, lastSeenMs] = held[0] ?? []
      return {
        name: text(name),
        machine: text(machine),
        version: text(version),
        sinceMs: numberOrNull(sinceMs),
        lastSeenMs: number(lastSeenMs),
        holds: held.flatMap((row) => (row[6] === null ? [] : [text(row[6])])),
      }
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { access, writer, leases, reader, wakes } = this.#parts
    if (access.closed) return
    wakes.close()
    access.close()
    await writer?.close()
    leases?.loseAll()
    reader.close()
  }
}

// The ledger against a model in plain objects: any sequence of calls leaves both with the same knowledge.
import {
  array,
  assert,
  asyncProperty,
  boolean,
  constant,
  constantFrom,
  nat,
  oneof,
  option,
  record,
  stringMatching,
  subarray,
  type Arbitrary,
} from 'fast-check'
import { expect, test } from 'vitest'
import type { Beginning, Delivery, EntryKey, Outcome } from '../../../src/ledger/ledger.ts'
import type { Kind } from '../kind.ts'
import { key, leaseOf } from '../scene.ts'

type Settled = { -readonly [Part in keyof Delivery]: Delivery[Part] }

interface Remembered {
  state: 'open' | 'delivered' | 'seen' | 'held'
  attempts: number
  deletions: number
  reason: string | null
  deliveries: Map<string, Settled>
}

/** The contract of ledger.ts, as short as it can be said. */
class Model {
  readonly messages = new Map<string, Remembered>()
  readonly #machine: string | null

  constructor(machine: string | null) {
    this.#machine = machine
  }

  #at(entry: EntryKey, state: Remembered['state']): Remembered {
    const name = nameOf(entry)
    const found = this.messages.get(name) ?? { state, attempts: 0, deletions: 0, reason: null, deliveries: new Map() }
    this.messages.set(name, found)
    return found
  }

  see(entry: EntryKey): void {
    this.#at(entry, 'seen')
  }

  hold(entry: EntryKey, reason: string): void {
    Object.assign(this.#at(entry, 'held'), { state: 'held', reason })
  }

  begin({ key: entry, deliveries }: Beginning): void {
    const message = this.#at(entry, 'open')
    message.state = 'open'
    message.attempts++
    for (const { destination, recipient, intent } of deliveries) {
      const before = message.deliveries.get(`${destination} ${recipient}`)
      message.deliveries.set(`${destination} ${recipient}`, {
        destination,
        recipient,
        intent,
        state: 'started',
        attempts: (before?.attempts ?? 0) + 1,
        unknowns: before?.unknowns ?? 0,
        refusals: before?.refusals ?? 0,
        deferrals: before?.deferrals ?? 0,
        dueAfterMs: 0,
        handedOver: false,
        conclusion: before?.conclusion ?? null,
        error: before?.error ?? null,
        machine: this.#machine,
      })
    }
  }

  /** False when it was never begun. */
  settle(entry: EntryKey, target: string, outcome: Outcome): boolean {
    const message = this.messages.get(nameOf(entry))
    const delivery = message?.deliveries.get(target)
    if (message === undefined || delivery === undefined) return false
    message.attempts = 0
    delivery.state = outcome.state
    delivery.error = outcome.state === 'done' ? null : outcome.error
    delivery.dueAfterMs = outcome.state === 'done' ? 0 : outcome.retryAfterMs
    const counts = outcome.state !== 'done' && outcome.counts !== false
    if (counts && outcome.state === 'refused') delivery.refusals++
    if (counts && outcome.state === 'failed') delivery.deferrals++
    delivery.conclusion = outcome.state === 'done' ? null : (outcome.conclusion ?? delivery.conclusion)
    if (outcome.state === 'unknown') delivery.unknowns++
    if (outcome.state !== 'done') message.reason = outcome.error
    if (undone(message).length === 0) Object.assign(message, { state: 'delivered', reason: null })
    else if (message.state !== 'held') message.state = 'open'
    return true
  }

  /** False when it is not under way. */
  handOver(entry: EntryKey, target: string): boolean {
    const delivery = this.messages.get(nameOf(entry))?.deliveries.get(target)
    if (delivery?.state !== 'started') return false
    delivery.handedOver = true
    return true
  }

  abandon(entry: EntryKey, reason: string | null, counts: boolean): boolean {
    const message = this.messages.get(nameOf(entry))
    if (message === undefined) return false
    for (const delivery of message.deliveries.values())
      if (delivery.state === 'started' && !delivery.handedOver) delivery.state = 'pending'
    message.reason = reason ?? message.reason
    if (!counts && message.attempts > 0) message.attempts--
    return true
  }

  deleted(entry: EntryKey): boolean {
    const message = this.messages.get(nameOf(entry))
    if (message !== undefined) message.deletions++
    return message !== undefined
  }

  view(entry: EntryKey): unknown {
    const message = this.messages.get(nameOf(entry))
    if (message === undefined) return null
    const waiting = message.state === 'open' || message.state === 'held'
    const { state, attempts, deletions, reason } = message
    const deliveries = [...message.deliveries.values()]
      .toSorted((a, b) => (`${a.destination} ${a.recipient}` < `${b.destination} ${b.recipient}` ? -1 : 1))
      .map((settled) => ({ ...settled }))
    const due = Math.min(...undone(message).map((delivery) => delivery.dueAfterMs))
    const retryAfterMs = state === 'open' && Number.isFinite(due) ? due : 0
    return { state, attempts, deletions, reason, retryAfterMs, deliveries: waiting ? deliveries : [] }
  }

  counts(): { held: number; refused: number } {
    const all = [...this.messages.values()]
    return {
      held: all.filter((message) => message.state === 'held').length,
      refused: all.filter(
        (message) => message.state === 'open' && undone(message).some((delivery) => delivery.state === 'refused'),
      ).length,
    }
  }
}

function undone(message: Remembered): readonly Settled[] {
  return [...message.deliveries.values()].filter((delivery) => delivery.state !== 'done')
}

function nameOf(entry: EntryKey): string {
  return `${entry.copy} ${entry.uidl}`
}

const ENTRIES = [key('a'), key('b'), key('b', 1), key('\u00e9\0'), key('x'.repeat(1100))]
const TARGETS = ['inbox ', 'office a@example.net', 'office b@example.net']
const entry = constantFrom(...ENTRIES)
const word = constantFrom('550 no', 'cut', 'busy')
const outcome: Arbitrary<Outcome> = oneof(
  record({ state: constant('done' as const), receipt: word }),
  record({
    state: constantFrom('refused', 'failed', 'unknown'),
    error: word,
    retryAfterMs: nat(3),
    conclusion: constantFrom('TEMP', 'BAD'),
    counts: boolean(),
  }),
)
const action = oneof(
  {
    weight: 3,
    arbitrary: record({
      kind: constant('begin' as const),
      entry,
      targets: subarray(TARGETS, { minLength: 1 }),
      intent: stringMatching(/^[0-9a-f]{16}$/),
    }),
  },
  {
    weight: 5,
    arbitrary: record({ kind: constant('settle' as const), entry, target: constantFrom(...TARGETS), outcome }),
  },
  record({ kind: constant('handOver' as const), entry, target: constantFrom(...TARGETS) }),
  record({ kind: constant('abandon' as const), entry, reason: option(word), counts: boolean() }),
  record({ kind: constant('hold' as const), entry, reason: word }),
  record({ kind: constant('see' as const), entry }),
  record({ kind: constant('deleted' as const), entry }),
  record({ kind: constant('reopen' as const) }),
)

export function model(kind: Kind): void {
  test('any sequence of calls, many of them at once, leaves the knowledge that the contract says', async () => {
    await assert(
      asyncProperty(array(action, { maxLength: 40 }), array(boolean()), async (actions, waits) => {
        const place = await kind.place()
        let ledger = await place.open()
        const model = new Model(ledger.machine)
        try {
          let lease = await leaseOf(ledger, 'a')
          const pending: Promise<unknown>[] = []
          for (const [index, step] of actions.entries()) {
            switch (step.kind) {
              case 'begin': {
                const deliveries = step.targets.map((target) => {
                  const [destination = '', recipient = ''] = target.split(' ')
                  return { destination, recipient, intent: step.intent }
                })
                const one = { key: step.entry, listedBytes: 1, deliveries }
                model.begin(one)
                pending.push(ledger.begin(lease, [one]))
                break
              }
              case 'settle': {
                const [destination = '', recipient = ''] = step.target.split(' ')
                const allowed = model.settle(step.entry, step.target, step.outcome)
                const call = ledger.settle(lease, {
                  key: step.entry,
                  destination,
                  recipient,
                  outcome: step.outcome,
                  received: null,
                })
                pending.push(allowed ? call : expect(call).rejects.toMatchObject({ code: 'ERR_BUG' }))
                break
              }
              case 'handOver': {
                const [destination = '', recipient = ''] = step.target.split(' ')
                const allowed = model.handOver(step.entry, step.target)
                const call = ledger.handOver(lease, [{ key: step.entry, destination, recipient }])
                pending.push(allowed ? call : expect(call).rejects.toMatchObject({ code: 'ERR_BUG' }))
                break
              }
              case 'abandon': {
                const allowed = model.abandon(step.entry, step.reason, step.counts)
                const call = ledger.abandon(lease, [{ key: step.entry, reason: step.reason, counts: step.counts }])
                pending.push(allowed ? call : expect(call).rejects.toMatchObject({ code: 'ERR_BUG' }))
                break
              }
              case 'hold':
                model.hold(step.entry, step.reason)
                pending.push(ledger.hold(lease, [{ key: step.entry, listedBytes: null, reason: step.reason }]))
                break
              case 'see':
                model.see(step.entry)
                pending.push(ledger.start(lease, [{ key: step.entry, listedBytes: null }]))
                break
              case 'deleted': {
                const allowed = model.deleted(step.entry)
                const call = ledger.deleted(lease, [step.entry])
                pending.push(allowed ? call : expect(call).rejects.toMatchObject({ code: 'ERR_BUG' }))
                break
              }
              case 'reopen':
                await Promise.all(pending)
                await ledger[Symbol.asyncDispose]()
                ledger = await place.open()
                lease = await leaseOf(ledger, 'a')
                break
            }
            if (waits[index] === true) await Promise.all(pending)
          }
          await Promise.all(pending)
          const found = await ledger.known('a', ENTRIES)
          const seen = found.map(
            (message) =>
              message && {
                state: message.state,
                attempts: message.attempts,
                deletions: message.deletions,
                reason: message.reason,
                retryAfterMs: message.state === 'open' ? message.retryAfterMs : 0,
                deliveries: message.deliveries,
              },
          )
          expect(seen).toEqual(ENTRIES.map((each) => model.view(each)))
          const { held = 0, refused = 0 } = (await ledger.records.unsettled()).get('a') ?? {}
          expect({ held, refused }).toEqual(model.counts())
          expect((await ledger.accounts())[0]?.known).toBe(model.messages.size)
        } finally {
          await ledger[Symbol.asyncDispose]()
        }
      }),
      { numRuns: kind.sequences ?? 60 },
    )
  })
}

import { describe, expect, test } from 'vitest'
import type { Account } from '../../../src/config/schema.ts'
import type { AccountHealth } from '../../../src/ledger/ledger.ts'
import type { DeliveryRecord, MessageRecord } from '../../../src/ledger/records.ts'
import { forecast, type ForecastView, type AccountPresence } from '../../../src/poll/account/forecast.ts'

const message: MessageRecord = {
  key: { uidl: 'uid-1', copy: 0 },
  state: 'open',
  firstSeenMs: 1000,
  listedBytes: null,
  receivedBytes: null,
  messageId: null,
  from: null,
  subject: null,
  dateMs: null,
  fingerprint: null,
  digest: null,
  attempts: 0,
  retryAfterMs: 0,
  reason: null,
  deliveredMs: null,
  deletions: 0,
  deletedMs: null,
  goneSinceMs: null,
  deletion: null,
  harm: null,
  deliveries: [],
}
const delivery: DeliveryRecord = {
  destination: 'inbox',
  recipient: '',
  state: 'failed',
  intent: '',
  attempts: 1,
  unknowns: 0,
  refusals: 0,
  deferrals: 0,
  dueAfterMs: 0,
  handedOver: false,
  conclusion: null,
  error: null,
  settledMs: null,
  receipt: null,
}
const health: AccountHealth = {
  lastPollMs: null,
  lastSuccessMs: null,
  failures: 0,
  refusals: 0,
  secretMark: null,
  pausedUntilMs: 0,
  error: null,
}

function configured(policy: Account['delete']): AccountPresence {
  return { kind: 'configured', account: { name: 'a', delete: policy } as Account }
}

function told(facts: Partial<MessageRecord>, view: Partial<ForecastView> = {}): string {
  const presence = configured({ kind: 'never' })
  const usual = { presence, health, nowMs: 5000, at: (ms: number) => `T${ms}`, shows: () => false }
  return forecast({ message: { ...message, ...facts }, ...usual, ...view })
}

describe('what happens next to a message that is', () => {
  test.each([
    ['seen', { state: 'seen' }, 'nothing: it counts as seen'],
    ['held', { state: 'held' }, 'until popfetch state retry makes it due again'],
    ['delivered', { state: 'delivered' }, 'stays on the server (delete: never)'],
    ['gone', { state: 'delivered', goneSinceMs: 4000 }, 'unless the server lists it again: it has not since T4000'],
    ['open', { deliveries: [delivery] }, 'fetched at the next poll, for inbox'],
    [
      'open at one destination',
      {
        deliveries: [
          { ...delivery, state: 'done' },
          { ...delivery, destination: 'next', recipient: 'b@c' },
        ],
      },
      'fetched at the next poll, for next (b@c)',
    ],
    ['refused', { retryAfterMs: 9000, deliveries: [delivery] }, 'again at the first poll after T9000, for inbox'],
    ['refused, its pause over', { retryAfterMs: 4000, deliveries: [delivery] }, 'fetched at the next poll'],
    ['cut off', { deliveries: [{ ...delivery, state: 'started' }] }, 'whether it arrived at inbox'],
    ['begun too often', { attempts: 5 }, 'held at the next poll: it was begun 5 times'],
    ['unknown too often', { deliveries: [{ ...delivery, unknowns: 3 }] }, 'held at the next poll: the answer'],
  ] as const)('%s', (_, facts, text) => {
    expect(told(facts)).toContain(text)
  })

  test('unknown however often is fetched where the destination shows what it has', () => {
    const deliveries = [{ ...delivery, state: 'failed', unknowns: 9 }] as const
    expect(told({ deliveries }, { shows: (name) => name === 'inbox' })).toBe('fetched at the next poll, for inbox')
  })

  test('delivered depends on delete', () => {
    const delivered = { state: 'delivered' } as const
    expect(told(delivered, { presence: configured({ kind: 'after-delivery' }) })).toContain(
      'at the next poll that lists',
    )
    const aged = { presence: configured({ kind: 'age', ageMs: 7000 }) }
    expect(told(delivered, aged)).toContain('at the first poll after T8000')
    expect(told({ ...delivered, deletions: 2 }, aged)).toContain('deleted from the server again')
    expect(told(delivered, { presence: { kind: 'unclear' } })).toContain('cannot be read')
    const kept = { deletion: { wantedSinceMs: 4000, tried: 0, reason: 'kept' } }
    expect(told({ ...delivered, deletions: 6, ...kept }, aged)).toContain('again at the first poll after T86404000')
    expect(told({ ...delivered, deletions: 5 }, aged)).toContain('nothing, unless the server lists it again')
  })

  test('open waits for the end of a pause', () => {
    expect(told({}, { health: { ...health, pausedUntilMs: 6000 } })).toContain('paused until T6000')
    expect(told({}, { health: { ...health, pausedUntilMs: 4000 } })).not.toContain('paused')
  })

  test('of an account that is not configured: nothing', () => {
    expect(told({}, { presence: { kind: 'departed' } })).toBe('nothing: the account is not in the configuration')
  })
})

import { describe, expect, test } from 'vitest'
import type { Account } from '../../../src/config/schema.ts'
import type { AccountHealth, Pause, Rest } from '../../../src/ledger/ledger.ts'
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
  machine: null,
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
  const at = (ms: number): string => `T${ms}`
  const own = { destinations: [], sizesAreExact: true, accountPause: null, pauseOf: () => null }
  const usual = { presence, health, nowMs: 5000, at, shows: () => false, ...own }
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
    [
      'refused',
      { deliveries: [{ ...delivery, dueAfterMs: 9000 }] },
      'fetched again at the first poll after T9000, for inbox',
    ],
    ['refused, its pause over', { deliveries: [{ ...delivery, dueAfterMs: 4000 }] }, 'fetched at the next poll'],
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

  test('lost too often at one destination is fetched for the others, each in its time', () => {
    const lost = { ...delivery, destination: 'lossy', unknowns: 3 }
    const later = { ...delivery, destination: 'later', dueAfterMs: 9000 }
    expect(told({ deliveries: [lost, delivery] })).toBe('fetched at the next poll, for inbox')
    expect(told({ deliveries: [lost, later] })).toBe('fetched again at the first poll after T9000, for later')
    expect(told({ deliveries: [later, delivery] })).toBe(
      'fetched at the next poll, for inbox; again at the first poll after T9000, for later',
    )
    expect(told({ deliveries: [lost, { ...delivery, state: 'refused' }] })).toContain(
      'held at the next poll: the answer',
    )
  })

  test('open waits for a destination that is left alone, and only for that one', () => {
    const rest: Rest = {
      conclusion: 'BUSY',
      sinceMs: 4000,
      untilMs: 7000,
      step: 0,
      askedMs: 0,
      error: { code: 'ERR_DELIVERY', message: 'later' },
      exit: 75,
      openers: [],
      secretMark: null,
    }
    const next = { ...delivery, destination: 'next', recipient: 'b@c' }
    const at = (facts: Partial<Rest>, recipient = '') => ({
      destinations: [{ names: ['next'], recipient, rest: { ...rest, ...facts } }],
    })
    const one = { deliveries: [next] }
    const alone = 'fetched at the first poll after T7000, when the destination is no longer paused, for next (b@c)'
    expect(told(one, at({}))).toBe(alone)
    expect(told(one, at({}, 'b@c'))).toBe(alone)
    expect(told(one, at({}, 'else@c'))).toBe('fetched at the next poll, for next (b@c)')
    expect(told({ deliveries: [next, delivery] }, at({}))).toBe(
      'fetched at the first poll after T7000, when the destination is no longer paused, for next (b@c); at the next poll, for inbox',
    )
    const looked = 'fetched at the next poll at which the destination accepts mail again, for next (b@c)'
    expect(told(one, at({ conclusion: 'DOWN' }))).toBe(looked)
    expect(told(one, at({ conclusion: 'DOWN', askedMs: 2000 }))).toBe(alone)
    expect(told(one, at({ conclusion: 'ACT', untilMs: 4000 }))).toBe(looked)
    expect(told(one, at({ untilSignIn: true }))).toContain('after somebody has signed in there')
  })

  test('open waits for what a person paused', () => {
    const pause = { kind: 'destination', name: 'inbox', by: 'x', sinceMs: 4000, untilMs: 7000 } as Pause
    const pauseOf = (name: string): Pause | null => (name === 'inbox' ? pause : null)
    expect(told({ deliveries: [delivery] }, { pauseOf })).toBe(
      'fetched when the destination is no longer paused (until T7000), for inbox',
    )
    const endless = { ...pause, untilMs: null }
    expect(told({ deliveries: [delivery] }, { pauseOf: () => endless })).toContain('until popfetch resume inbox')
    const accountPause = { ...pause, kind: 'account', name: 'a' } as Pause
    expect(told({ deliveries: [delivery] }, { accountPause })).toBe(
      'fetched at the next poll, for inbox; the account is paused until T7000',
    )
  })

  test('ended too many sessions is asked for once a day', () => {
    const harm = { command: 'RETR', times: 5, lastMs: 4000 } as const
    expect(told({ harm, deliveries: [delivery] })).toBe(
      'fetched again at the first poll after T86404000: it ended its session 5 times',
    )
    expect(told({ harm: { ...harm, times: 4 }, deliveries: [delivery] })).toBe('fetched at the next poll, for inbox')
    const gone = { presence: configured({ kind: 'after-delivery' }) }
    expect(told({ state: 'delivered', harm: { ...harm, command: 'DELE' } }, gone)).toContain(
      'first poll after T86404000',
    )
  })

  test('held for its size is fetched once maxSize is larger', () => {
    const tooLarge = { state: 'held', listedBytes: 2000, reason: 'too large: 2000 bytes, maxSize is 1000' } as const
    const sized = (maxSizeBytes: number | null) => ({
      presence: { kind: 'configured', account: { maxSizeBytes } as Account } as const,
    })
    expect(told(tooLarge, sized(1000))).toContain('nothing: it is held')
    expect(told(tooLarge, sized(1500))).toContain('nothing: it is held')
    expect(told(tooLarge, sized(3000))).toContain('fetched at the next poll')
    expect(told(tooLarge, sized(null))).toContain('fetched at the next poll')
    expect(told({ ...tooLarge, reason: 'a loop' }, sized(null))).toContain('nothing: it is held')
  })

  test('delivered with another size than announced stays, where sizes were exact', () => {
    const short = { state: 'delivered', listedBytes: 9000, receivedBytes: 2000 } as const
    const gone = { presence: configured({ kind: 'after-delivery' }) }
    expect(told(short, gone)).toBe('nothing: it came with another size than announced, and stays on the server')
    expect(told(short, { ...gone, sizesAreExact: false })).toContain('deleted from the server')
    expect(told({ ...short, receivedBytes: 9000 }, gone)).toContain('deleted from the server')
  })

  test('delivered waits for the end of a pause, too', () => {
    const paused = { presence: configured({ kind: 'after-delivery' }), health: { ...health, pausedUntilMs: 6000 } }
    expect(told({ state: 'delivered' }, paused)).toContain('the account is paused until T6000')
  })

  test('of an account that is not configured: nothing', () => {
    expect(told({}, { presence: { kind: 'departed' } })).toBe('nothing: the account is not in the configuration')
  })
})

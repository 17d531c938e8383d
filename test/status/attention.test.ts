// What needs a person: each kind of trouble, with its reason and the command; the worst first; one reason is one entry.
import { expect, test } from 'vitest'
import { PopfetchError } from '../../src/errors.ts'
import type { Attention, Facts } from '../../src/status/status.ts'
import {
  failing,
  FORWARD_ERROR,
  HOUR,
  message,
  MINUTE,
  NOW,
  pauseOf,
  record,
  REFUSED_SIGN_IN,
  refusedMessage,
  resting,
  status,
  UNREACHABLE,
} from './scene.ts'

const behind = { code: 'ERR_DELIVERY', message: `forward: ${FORWARD_ERROR.message}`, retry: 'soon' } as const
const unsettled = { waiting: 0, refused: 0, held: 0, undeleted: 0 }
const late = { host: 'pop.example.net', accounts: 40, lateMs: 2 * HOUR, sinceMs: NOW - HOUR }
const planned = { account: 'work', polling: true, nextPollMs: null, overdue: true }
const signIn = { client: 'google', user: 'alice@gmail.com', accounts: ['gmail'], destinations: [], needsNobody: false }
const whose = { client: 'google', user: 'alice@gmail.com' }
const ended = {
  ...signIn,
  state: { ...whose, state: 'ended', sinceMs: null, untilMs: null, error: 'invalid_grant' },
} as const
const ending = {
  ...signIn,
  state: { ...whose, state: 'ends-soon', sinceMs: null, untilMs: NOW + HOUR, error: null },
} as const
const unusable = {
  ...signIn,
  state: new PopfetchError('ERR_AUTH', 'its mode is 0666', { scope: 'account', retry: 'never' }),
}

type Row = readonly [what: string, facts: Parameters<typeof status>[0], told: readonly Partial<Attention>[]]

const ROWS: readonly Row[] = [
  ['an account that is well', { records: [record('work')] }, []],
  ['one that was never polled', { records: [], configured: ['work'] }, []],
  ['one that is not configured any more', { records: [failing('work', UNREACHABLE)], configured: [] }, []],
  [
    'an account whose password is refused',
    { records: [failing('work', REFUSED_SIGN_IN, { pausedUntilMs: NOW + 14 * MINUTE })] },
    [
      {
        kind: 'account',
        weight: 'bad',
        names: ['work'],
        reason: 'paused for 14 min: signing in: -ERR no: change the password',
        sinceMs: NOW - HOUR,
        next: 'popfetch check work --verbose',
      },
    ],
  ],
  [
    'several that cannot reach their server are one',
    { records: ['a', 'b', 'c'].map((name) => failing(name, UNREACHABLE)) },
    [
      {
        kind: 'account',
        names: ['a', 'b', 'c'],
        reason: 'connecting: no route',
        next: 'popfetch check a b c --verbose',
      },
    ],
  ],
  [
    'twenty behind one destination are one',
    {
      records: Array.from({ length: 20 }, (_, at) => failing(`a${at}`, behind)),
      destinations: [resting('forward')],
    },
    [
      {
        kind: 'destination',
        weight: 'bad',
        names: ['forward'],
        reason: `paused for another 1 h (a0, a1, a2 and 17 others): ${FORWARD_ERROR.message}`,
        next: 'popfetch',
      },
    ],
  ],
  [
    'a recipient of a destination',
    { records: [record('work')], destinations: [{ ...resting('forward'), recipient: 'bob@example.org' }] },
    [{ names: ['forward (bob@example.org)'], next: 'popfetch check forward --verbose' }],
  ],
  [
    'a destination that waits for a sign-in',
    { records: [record('work')], destinations: [resting('gmail', { untilSignIn: true })] },
    [{ reason: expect.stringMatching(/^paused until somebody signs in: /), next: 'popfetch auth gmail' }],
  ],
  [
    'a sign-in that ended',
    { records: [record('gmail')], signIns: [ended] },
    [{ kind: 'sign-in', weight: 'bad', names: ['alice@gmail.com via google (gmail)'], next: 'popfetch auth gmail' }],
  ],
  [
    'one that ends soon',
    { records: [record('gmail')], signIns: [ending] },
    [{ kind: 'sign-in', weight: 'doubtful', next: 'popfetch auth gmail' }],
  ],
  [
    'one that cannot be used',
    { records: [record('gmail')], signIns: [unusable] },
    [{ kind: 'sign-in', weight: 'bad', reason: 'not usable: its mode is 0666' }],
  ],
  [
    'a poll that hangs',
    { records: [record('work')], daemon: { wanted: true, pid: 7, sinceMs: NOW - HOUR, accounts: [planned] } },
    [{ kind: 'overdue', weight: 'bad', names: ['work'], next: 'popfetch log work' }],
  ],
  [
    'a server with too few places for its accounts',
    {
      records: [record('work')],
      daemon: { wanted: true, pid: 7, sinceMs: NOW - HOUR, accounts: [], late: [late] },
    },
    [
      {
        kind: 'late',
        weight: 'doubtful',
        names: ['pop.example.net'],
        sinceMs: NOW - HOUR,
        next: 'popfetch config check',
      },
    ],
  ],
  [
    'a daemon that is gone',
    { records: [record('work')], daemon: { wanted: true, pid: null, sinceMs: null, accounts: [] } },
    [{ kind: 'daemon', weight: 'bad', next: 'popfetch --daemon' }],
  ],
  [
    'messages that are held and refused',
    {
      records: [record('work')],
      unsettled: new Map([['work', { ...unsettled, held: 1, refused: 7 }]]),
      messages: new Map([
        [
          'work',
          [
            message('a b', { from: 'Ada <ada@example.org>', subject: 'Holidays' }),
            ...['c', 'd', 'e'].map((uidl) => refusedMessage(uidl)),
            refusedMessage('f', { key: { uidl: 'f', copy: 1 }, reason: '550 never' }),
          ],
        ],
      ]),
    },
    [
      {
        kind: 'refused',
        reason: '3 messages, the first c: refused: 554 no',
        next: 'popfetch state list work --refused',
      },
      { kind: 'refused', reason: 'message f (copy 1): refused: 550 never (and 3 other messages)' },
      {
        kind: 'held',
        weight: 'doubtful',
        reason: 'message a\\x20b (from Ada <ada@example.org>, "Holidays"): held back: too large',
        next: 'popfetch state list work --held',
      },
    ],
  ],
  [
    'messages that should have left the server (P131, P134)',
    { records: [record('work')], unsettled: new Map([['work', { ...unsettled, undeleted: 2 }]]) },
    [
      {
        kind: 'undeleted',
        reason: '2 messages should have been deleted from the server but were not',
        next: 'popfetch work',
      },
    ],
  ],
  [
    'mail that waits for long though the account works (N041)',
    { records: [record('work', { facts: { deferredSince: String(NOW - 7 * HOUR) } })] },
    [{ kind: 'waiting', reason: 'mail has waited for 7 h', sinceMs: NOW - 7 * HOUR, next: 'popfetch state list work' }],
  ],
  [
    'mail that waits for long for what another machine began',
    { records: [record('work', { facts: { deferredSince: String(NOW - 7 * HOUR), waitsForMachine: '["nas"]' } })] },
    [
      {
        kind: 'waiting',
        reason: 'mail has waited for 7 h for the machine nas, where its delivery was cut off',
        next: 'popfetch state retry --here work',
      },
    ],
  ],
  [
    'mail that waits for a while',
    { records: [record('work', { facts: { deferredSince: String(NOW - 5 * HOUR) } })] },
    [],
  ],
  [
    'mail that waits for a rate',
    { records: [record('work', { facts: { waitsForRate: 'forward takes 500/d' } })] },
    [{ kind: 'waiting', reason: 'mail waits: forward takes 500/d' }],
  ],
  [
    'an account that a person paused, with all that is wrong with it but messages to be looked at',
    {
      records: [failing('work', UNREACHABLE, { lastSuccessMs: NOW - 50 * HOUR })],
      unsettled: new Map([['work', { ...unsettled, undeleted: 2, held: 1 }]]),
      pauses: [pauseOf('account', 'work', { untilMs: NOW + HOUR })],
    },
    [
      { kind: 'held', names: ['work'] },
      {
        kind: 'paused',
        weight: 'doubtful',
        names: ['work'],
        reason: 'paused for another 1 h, not polled: by ada@nas, 2 h ago',
        sinceMs: NOW - 2 * HOUR,
        next: 'popfetch resume work',
      },
    ],
  ],
  [
    'a destination that a person paused, and the account that waits for it and for nothing else',
    {
      records: [
        record('work', { lastSuccessMs: NOW - 50 * HOUR, facts: { waitsForPaused: '["forward"]' } }),
        failing('home', behind),
      ],
      destinations: [resting('forward')],
      pauses: [pauseOf('destination', 'forward')],
    },
    [{ kind: 'paused', names: ['forward'], reason: 'paused, gets no mail: by ada@nas, 2 h ago' }],
  ],
  [
    'twenty accounts paused at once are one',
    {
      records: [],
      pauses: Array.from({ length: 20 }, (_, at) => pauseOf('account', `a${at}`)),
    },
    [{ kind: 'paused', next: 'popfetch resume' }],
  ],
  [
    'two accounts paused at once are one',
    { records: [], pauses: ['a', 'b'].map((name) => pauseOf('account', name)) },
    [{ kind: 'paused', names: ['a', 'b'], next: 'popfetch resume a b' }],
  ],
  [
    'a destination of two names of which one is paused',
    {
      records: [],
      destinations: [{ ...resting('forward'), names: ['forward', 'office'] }],
      pauses: [pauseOf('destination', 'office')],
    },
    [{ kind: 'destination' }, { kind: 'paused', names: ['office'] }],
  ],
  [
    'an account that nobody polls any more',
    { records: [record('work', { lastPollMs: NOW - 50 * HOUR, lastSuccessMs: NOW - 50 * HOUR })] },
    [{ kind: 'silent', weight: 'doubtful', next: 'popfetch work' }],
  ],
  [
    'polls that were missed while the ledger could not be used',
    {
      records: [record('work')],
      missed: [{ machine: 'm1', sinceMs: NOW - 2 * HOUR, untilMs: NOW - HOUR, polls: 9000, accounts: 3000 }],
    },
    [
      {
        kind: 'missed',
        weight: 'doubtful',
        names: ['popfetch'],
        reason: 'the ledger could not be used for 1 h: 3,000 accounts were not polled, 9,000 polls in all',
        sinceMs: NOW - 2 * HOUR,
        next: 'popfetch log',
      },
    ],
  ],
  [
    'what a program printed of accounts, which was not taken',
    {
      records: [record('work')],
      asked: { sinceMs: NOW - HOUR, message: 'accountsFrom: its program printed no account', retry: 'soon' },
    },
    [
      {
        kind: 'panel',
        weight: 'bad',
        names: ['accountsFrom'],
        reason: 'its program printed no account',
        sinceMs: NOW - HOUR,
        next: 'popfetch config check',
      },
    ],
  ],
]

test.each(ROWS)('%s', (_, facts, told) => {
  const { attention } = status(facts)
  expect(attention).toHaveLength(told.length)
  expect(attention).toMatchObject(told)
})

test('all together are in the order of their weight, what is bad first', () => {
  const facts: Partial<Facts> = {
    signIns: [ending],
    destinations: [resting('forward')],
    unsettled: new Map([['b', { ...unsettled, undeleted: 1, held: 2 }]]),
  }
  const { attention } = status({ records: [failing('a', UNREACHABLE), record('b')], ...facts })
  expect(attention.map(({ kind, weight }) => `${weight} ${kind}`)).toEqual([
    'bad destination',
    'bad account',
    'doubtful sign-in',
    'doubtful held',
    'doubtful undeleted',
  ])
})

test('what strangers wrote is safe to print', () => {
  const evil = '\u202e</td><script>alert(1)</script>\u0007\n'
  const { attention } = status({
    records: [record('work'), failing(evil, UNREACHABLE)],
    unsettled: new Map([['work', { ...unsettled, held: 1 }]]),
    messages: new Map([['work', [message('x\u001b', { from: evil, subject: evil, reason: evil })]]]),
    destinations: [resting(evil, { error: { code: 'ERR_DELIVERY', message: evil } })],
  })
  expect(attention.length).toBeGreaterThan(2)
  for (const { reason, names, next } of attention)
    expect([reason, ...names, next].join('')).not.toMatch(/[\p{Cc}\p{Cf}]/u)
})

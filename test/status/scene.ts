// Facts from which a status is made, quiet ones but for what a test says.
import type { AccountRecord, DestinationRecord, Pause, Rest } from '../../src/ledger/ledger.ts'
import { blankRecord } from '../../src/ledger/account.ts'
import { blankDestination } from '../../src/ledger/destination.ts'
import type { MessageRecord } from '../../src/ledger/records.ts'
import { type Facts, NO_DAEMON, type Status, statusOf } from '../../src/status/status.ts'

export const NOW = 1.8e12
export const MINUTE = 60_000
export const HOUR = 60 * MINUTE

export const REFUSED_SIGN_IN = {
  code: 'ERR_AUTH',
  message: 'signing in: -ERR no: change the password',
  retry: 'later',
} as const
export const UNREACHABLE = { code: 'ERR_CONNECT', message: 'connecting: no route', retry: 'soon' } as const
export const FORWARD_ERROR = { code: 'ERR_DELIVERY', message: 'RCPT TO <bob@example.org> was rejected: "451 later"' }

/** One that is well. */
export function record(name: string, facts: Partial<AccountRecord> = {}): AccountRecord {
  const blank = blankRecord(name, { host: 'pop.example.net', port: 995, user: 'alice' })
  const well = { started: true, known: 12, lastPollMs: NOW - 3 * MINUTE, lastSuccessMs: NOW - 3 * MINUTE }
  return { ...blank, ...well, ...facts }
}

export function failing(
  name: string,
  error: AccountRecord['error'],
  facts: Partial<AccountRecord> = {},
): AccountRecord {
  return record(name, { failures: 3, error, facts: { failingSince: String(NOW - HOUR) }, ...facts })
}

export function resting(name: string, rest: Partial<Rest> = {}): DestinationRecord {
  const usual: Rest = {
    conclusion: 'BUSY',
    sinceMs: NOW - HOUR,
    untilMs: NOW + HOUR,
    step: 0,
    askedMs: 0,
    error: FORWARD_ERROR,
    exit: 75,
    openers: [],
    secretMark: null,
  }
  return { ...blankDestination(`smtp ${name}`, ''), names: [name], rest: { ...usual, ...rest } }
}

export function pauseOf(kind: Pause['kind'], name: string, facts: Partial<Pause> = {}): Pause {
  return { kind, name, by: 'ada@nas', sinceMs: NOW - 2 * HOUR, untilMs: null, ...facts }
}

export function message(uidl: string, facts: Partial<MessageRecord> = {}): MessageRecord {
  return {
    key: { uidl, copy: 0 },
    state: 'held',
    firstSeenMs: NOW - 2 * HOUR,
    listedBytes: 1000,
    receivedBytes: null,
    messageId: null,
    from: null,
    subject: null,
    dateMs: null,
    fingerprint: null,
    digest: null,
    attempts: 0,
    retryAfterMs: 0,
    reason: 'too large',
    deliveredMs: null,
    deletions: 0,
    deletedMs: null,
    goneSinceMs: null,
    deletion: null,
    harm: null,
    deliveries: [],
    ...facts,
  }
}

export function refusedMessage(uidl: string, facts: Partial<MessageRecord> = {}): MessageRecord {
  const delivery = {
    destination: 'forward',
    recipient: '',
    state: 'refused',
    intent: '',
    unknowns: 0,
    dueAfterMs: 0,
    refusals: 1,
    deferrals: 0,
    handedOver: false,
    conclusion: 'BAD',
    error: '554 no',
    machine: null,
    attempts: 1,
    settledMs: null,
    receipt: null,
  } as unknown as MessageRecord['deliveries'][number]
  return message(uidl, { state: 'open', reason: '554 no', deliveries: [delivery], ...facts })
}

export function factsOf(facts: Partial<Facts> & { readonly records: readonly AccountRecord[] }): Facts {
  return {
    nowMs: NOW,
    configured: facts.records.map(({ name }) => name),
    unsettled: new Map(),
    messages: new Map(),
    destinations: [],
    pauses: [],
    signIns: [],
    daemon: NO_DAEMON,
    ...facts,
  }
}

export function status(facts: Parameters<typeof factsOf>[0]): Status {
  return statusOf(factsOf(facts))
}

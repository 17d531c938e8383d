// A ledger with messages of every kind, and the truth about it, for tests that damage its file.
import { copyFileSync, existsSync } from 'node:fs'
import type { Ledger } from '../../../src/ledger/ledger.ts'
import type { MessageRecord } from '../../../src/ledger/records.ts'
import { openLedger } from '../../../src/ledger/sqlite/open.ts'
import { beginning, key, leaseOf, pollEnd } from '../scene.ts'

export type Truth = ReadonlyMap<string, ReadonlyMap<string, MessageRecord>>

/** By account, then by UIDL and copy. */
export async function truthOf(ledger: Ledger): Promise<Truth> {
  const all = new Map<string, Map<string, MessageRecord>>()
  for (const { name } of await ledger.accounts()) {
    const messages = new Map<string, MessageRecord>()
    for await (const slice of ledger.records.list(name, 'all'))
      for (const message of slice) messages.set(`${message.key.uidl} ${message.key.copy}`, message)
    all.set(name, messages)
  }
  return all
}

const RECEIVED = (at: number) => ({
  receivedBytes: 4000 + at,
  digest: Buffer.alloc(32, at % 251),
  fingerprint: Buffer.alloc(32, (at * 7) % 251),
  messageId: `<${at}@example.org>`,
  heading: { from: `Ada ${at} <ada@example.org>`, subject: `letter ${at}`, dateMs: 1.7e12 + at },
})

/** Makes it at `path`; `counts` messages for each account. Gives the truth. `whileOpen`: called before it is closed, so that its log
 *  still has the last changes. */
export async function makeSample(
  path: string,
  counts: Readonly<Record<string, number>>,
  whileOpen: () => void = () => {},
): Promise<Truth> {
  const ledger = await openLedger(path)
  try {
    for (const [name, count] of Object.entries(counts)) await fill(ledger, name, count)
    await ledger.changeMemo('notices', () => JSON.stringify({ long: 'x'.repeat(20_000) }))
    await ledger.pauses.begin([{ kind: 'account', name: 'nobody' }], 'ada@nas', null)
    const truth = await truthOf(ledger)
    whileOpen()
    return truth
  } finally {
    await ledger[Symbol.asyncDispose]()
  }
}

async function fill(ledger: Ledger, name: string, count: number): Promise<void> {
  await using lease = await leaseOf(ledger, name)
  await ledger.start(lease, [
    { key: key(`${name}-skipped`), listedBytes: 10 },
    { key: key(`${name}-imported`), listedBytes: 10, delivered: true },
  ])
  for (let first = 0; first < count; first += 100) {
    const numbers = Array.from({ length: Math.min(100, count - first) }, (_, at) => first + at)
    // Short numbers, as many servers give them, and long names.
    const uidlOf = (at: number): string => (name === 'home' ? String(at + 1) : `${name}-${at}-${'u'.repeat(at % 40)}`)
    const targets = (at: number): readonly string[] => (at % 3 === 0 ? ['inbox', 'forward bob@example.org'] : ['inbox'])
    await ledger.begin(
      lease,
      numbers.map((at) => beginning(key(uidlOf(at)), targets(at), at.toString(16).padStart(16, '0'))),
    )
    await Promise.all(
      numbers.flatMap((at) =>
        targets(at).map((target, place) => {
          const [destination = '', recipient = ''] = target.split(' ')
          const outcome =
            at % 17 === 5 && place === targets(at).length - 1
              ? ({ state: at % 2 === 0 ? 'refused' : 'failed', error: '550 no', retryAfterMs: 0 } as const)
              : ({ state: 'done', receipt: `${destination} has ${at}` } as const)
          return ledger.settle(lease, { key: key(uidlOf(at)), destination, recipient, outcome, received: RECEIVED(at) })
        }),
      ),
    )
    await ledger.hold(
      lease,
      numbers
        .filter((at) => at % 50 === 7)
        .map((at) => ({ key: key(`${uidlOf(at)}h`), listedBytes: 5, reason: 'too large: 5 bytes, maxSize is 4' })),
    )
    await ledger.deleted(
      lease,
      numbers.filter((at) => at % 5 === 1 && at % 17 !== 5).map((at) => key(uidlOf(at))),
    )
  }
  // What a poll that was killed leaves: begun, handed over, known for the harm that it did, and never settled.
  const cutOff = [0, 1, 2, 3].map((at) => key(`${name}-cut-${at}`))
  await ledger.begin(
    lease,
    cutOff.map((each, at) => beginning(each, ['inbox', 'forward bob@example.org'], `c${at}`.padStart(16, '0'))),
  )
  await ledger.handOver(
    lease,
    cutOff.slice(2).map((each) => ({ key: each, destination: 'forward', recipient: 'bob@example.org' })),
  )
  await ledger.noteHarm(lease, [key(`${name}-harm`)], 'RETR')
  // Given up before it came, and one that was only looked at.
  await ledger.begin(lease, [
    beginning(key(`${name}-left`), ['inbox'], 'left'.padStart(16, '0')),
    beginning(key(`${name}-looked`), [], ''),
  ])
  await ledger.abandon(lease, [{ key: key(`${name}-left`), reason: null, counts: false }])
  await ledger.finish(
    lease,
    pollEnd({
      facts: { uidls: 'given', alive: String(count) },
      day: { delivered: count, bytes: 1, failures: 0, longestWaitMs: 0 },
    }),
  )
}

/** The file, and its log if there is one. */
export function copyLedger(from: string, to: string): void {
  for (const suffix of ['', '-wal']) if (existsSync(from + suffix)) copyFileSync(from + suffix, to + suffix)
}

// What is measured: mail that waits, the way to it, where it goes, and who takes part unless --peers says otherwise (a
// client that needs minutes for a case does not by default). DESIGN.md's list of cases; the names are for --only.

export interface Waiting {
  /** One mailbox of this name, or `mailboxes` of them: name-0, name-1 … */
  readonly name: string
  readonly mailboxes: number
  readonly messages: number
  readonly sizeBytes: number
}

export interface Case {
  readonly name: string
  readonly title: string
  readonly waiting: Waiting
  readonly roundTripMs: number
  readonly tls: boolean
  readonly destination: 'memory' | 'disk' | 'smtp'
  /** `second`: the first poll is preparation, the poll after it is what counts. */
  readonly measured: 'first' | 'second'
  readonly peers: readonly string[]
}

const small: Waiting = { name: 'small', mailboxes: 1, messages: 5_000, sizeBytes: 4_096 }
const plain = { roundTripMs: 0, tls: false, destination: 'memory', measured: 'first' } as const

export const cases: readonly Case[] = [
  { ...plain, name: 'small', title: '5000 × 4 kB, loopback, to memory', waiting: small, peers: ['mpop', 'fdm'] },
  {
    ...plain,
    name: 'disk',
    title: '5000 × 4 kB, loopback, to disk',
    waiting: small,
    destination: 'disk',
    peers: ['mpop'],
  },
  { ...plain, name: 'tls', title: '5000 × 4 kB, loopback, TLS, to memory', waiting: small, tls: true, peers: ['mpop'] },
  {
    ...plain,
    name: 'far',
    title: '1000 × 4 kB over a round trip of 50 ms',
    waiting: { name: 'far', mailboxes: 1, messages: 1_000, sizeBytes: 4_096 },
    roundTripMs: 50,
    peers: ['mpop'],
  },
  {
    ...plain,
    name: 'many',
    title: '40 mailboxes × 50 × 4 kB over a round trip of 50 ms',
    waiting: { name: 'many', mailboxes: 40, messages: 50, sizeBytes: 4_096 },
    roundTripMs: 50,
    peers: ['mpop', 'mpops-at-once', 'fdm'],
  },
  {
    ...plain,
    name: 'large',
    title: '12 × 25 MB, loopback, to memory',
    waiting: { name: 'large', mailboxes: 1, messages: 12, sizeBytes: 25_000_000 },
    peers: ['mpop', 'fdm'],
  },
  {
    ...plain,
    name: 'known',
    title: 'a poll of 50000 known messages',
    waiting: { name: 'known', mailboxes: 1, messages: 50_000, sizeBytes: 600 },
    measured: 'second',
    peers: ['mpop'],
  },
  {
    ...plain,
    name: 'forward',
    title: '5000 × 4 kB, loopback, to smtp-sink',
    waiting: small,
    destination: 'smtp',
    peers: ['fdm'],
  },
  {
    ...plain,
    name: 'idle',
    title: 'a poll of one account without new mail',
    waiting: { name: 'idle', mailboxes: 1, messages: 10, sizeBytes: 600 },
    measured: 'second',
    peers: ['mpop', 'fdm', 'fetchmail'],
  },
  {
    ...plain,
    name: 'huge',
    title: 'one message of 1 GB, to memory',
    waiting: { name: 'huge', mailboxes: 1, messages: 1, sizeBytes: 1_000_000_000 },
    peers: ['mpop'],
  },
]

export function mailboxNames(waiting: Waiting): readonly string[] {
  if (waiting.mailboxes === 1) return [waiting.name]
  return Array.from({ length: waiting.mailboxes }, (_, index) => `${waiting.name}-${index}`)
}

export function totalMessages(waiting: Waiting): number {
  return waiting.mailboxes * waiting.messages
}

// The work that is measured, with the targets for it. What waits on the server, how far away it is, where it goes, and the
// target for the figures. Also who takes part unless --peers says otherwise; a client that needs minutes for a case does not.
// Targets hold for medians of five runs on a machine of two processors. The names are for --only.
import type { Target } from './target.ts'

export interface Waiting {
  /** One mailbox of this name, or `mailboxes` of them: name-0, name-1 … */
  readonly name: string
  readonly mailboxes: number
  readonly messages: number
  readonly sizeBytes: number
}

/** What every case has, also those that are not about mail in Dovecot. */
export interface Trial {
  readonly name: string
  readonly title: string
  /** The contender that the table tells speeds against. */
  readonly reference: string
  readonly targets: readonly Target[]
}

export interface Case extends Trial {
  readonly waiting: Waiting
  readonly roundTripMs: number
  readonly tls: boolean
  /** `ext4`: a file system of its own. */
  readonly destination: 'memory' | 'disk' | 'ext4' | 'smtp' | 'imap'
  /** Each sync of a file or directory takes so much longer. */
  readonly slowSyncUs: number
  /** Not null: what is told is what these messages cost beyond those of `waiting`. */
  readonly beyond: Waiting | null
  /** `second`: the first poll is preparation, the poll after it is what counts. */
  readonly measured: 'first' | 'second'
  readonly peers: readonly string[]
}

export const EMPTY_NODE = 'node -e 0'
/** The contenders whose exchanges with the server are counted: a poll of an account that is new, and polls after that. */
export const FIRST_POLL = 'popfetch, first poll'
export const LATER_POLL = 'popfetch, later polls'

const own = { of: 'popfetch', against: null, stretch: null } as const

function memory(target: number): Target {
  return { ...own, quantity: 'peakMegabytes', target }
}

function against(quantity: 'rate' | 'time', peer: string, target: number, stretch: number | null): Target {
  return { of: 'popfetch', quantity, against: peer, target, stretch }
}

function overNode(of: string, target: number, stretch: number): Target {
  return { of, quantity: 'extraMs', against: EMPTY_NODE, target, stretch }
}

const small: Waiting = { name: 'small', mailboxes: 1, messages: 5_000, sizeBytes: 4_096 }
const far: Waiting = { name: 'far', mailboxes: 1, messages: 1_000, sizeBytes: 4_096 }
const plain = {
  waiting: small,
  beyond: null,
  roundTripMs: 0,
  slowSyncUs: 0,
  tls: false,
  destination: 'memory',
  measured: 'first',
  reference: 'mpop',
  peers: ['mpop'],
} as const

/** `hugeGigabytes`: the size of the message of the case `huge`. */
export function mailCases(hugeGigabytes: number): readonly Case[] {
  return [
    {
      ...plain,
      name: 'small',
      title: '5000 × 4 kB, loopback, to memory',
      peers: ['mpop', 'fdm'],
      targets: [against('rate', 'mpop', 0.55, 0.65)],
    },
    {
      ...plain,
      name: 'marginal',
      title: '15000 × 4 kB beyond the first 5000, loopback, to memory',
      beyond: { ...small, name: 'twenty', messages: 20_000 },
      targets: [against('time', 'mpop', 1.6, 1.35)],
    },
    {
      ...plain,
      name: 'hundred-thousand',
      title: '100000 × 4 kB, loopback, to memory',
      waiting: { ...small, name: 'hundred', messages: 100_000 },
      targets: [{ ...own, quantity: 'microsecondsEach', target: 65, stretch: 50 }, memory(150)],
    },
    {
      ...plain,
      name: 'disk',
      title: '5000 × 4 kB, loopback, to disk',
      destination: 'disk',
      targets: [against('rate', 'mpop', 1, 1.3)],
    },
    {
      ...plain,
      name: 'ext4',
      title: '5000 × 4 kB, loopback, to a fresh ext4 on a loop device',
      destination: 'ext4',
      targets: [against('rate', 'mpop', 1.2, 1.6)],
    },
    {
      ...plain,
      name: 'slow-disk',
      title: '5000 × 4 kB, loopback, each sync 0.5 ms longer',
      destination: 'ext4',
      slowSyncUs: 500,
      targets: [against('rate', 'mpop', 3, null)],
    },
    {
      ...plain,
      name: 'slower-disk',
      title: '1000 × 4 kB, loopback, each sync 5 ms longer',
      waiting: far,
      destination: 'ext4',
      slowSyncUs: 5_000,
      targets: [against('rate', 'mpop', 8, null)],
    },
    {
      ...plain,
      name: 'tls',
      title: '5000 × 4 kB, loopback, TLS, to memory',
      tls: true,
      targets: [against('rate', 'mpop', 0.65, 0.75)],
    },
    {
      ...plain,
      name: 'far',
      title: '1000 × 4 kB over a round trip of 50 ms',
      waiting: far,
      roundTripMs: 50,
      targets: [against('time', 'mpop', 0.65, 0.58)],
    },
    {
      ...plain,
      name: 'far-5000',
      title: '5000 × 4 kB over a round trip of 50 ms',
      roundTripMs: 50,
      targets: [against('time', 'mpop', 0.4, 0.35)],
    },
    {
      ...plain,
      name: 'many',
      title: '40 mailboxes × 50 × 4 kB over a round trip of 50 ms',
      waiting: { name: 'many', mailboxes: 40, messages: 50, sizeBytes: 4_096 },
      roundTripMs: 50,
      reference: 'mpops-at-once',
      peers: ['mpops-at-once', 'fdm'],
      targets: [against('time', 'mpops-at-once', 0.95, 0.8), memory(150)],
    },
    {
      ...plain,
      name: 'large',
      title: '12 × 25 MB, loopback, to memory',
      waiting: { name: 'large', mailboxes: 1, messages: 12, sizeBytes: 25_000_000 },
      peers: ['mpop', 'fdm'],
      targets: [against('rate', 'mpop', 0.95, 1.1), memory(120)],
    },
    {
      ...plain,
      name: 'huge',
      title: `one message of ${hugeGigabytes} GB, to memory`,
      waiting: { name: 'huge', mailboxes: 1, messages: 1, sizeBytes: hugeGigabytes * 1e9 },
      targets: [memory(150)],
    },
    {
      ...plain,
      name: 'known',
      title: 'a poll of 50000 known messages',
      waiting: { name: 'known', mailboxes: 1, messages: 50_000, sizeBytes: 600 },
      measured: 'second',
      targets: [against('rate', 'mpop', 0.75, 0.9)],
    },
    {
      ...plain,
      name: 'idle',
      title: 'a poll of one account without new mail',
      waiting: { name: 'idle', mailboxes: 1, messages: 10, sizeBytes: 600 },
      measured: 'second',
      peers: ['mpop', 'fdm', 'fetchmail'],
      targets: [
        overNode('popfetch', 45, 30),
        // The server's capabilities are remembered from the poll before.
        { ...own, of: LATER_POLL, quantity: 'exchanges', target: 3 },
        { ...own, of: FIRST_POLL, quantity: 'exchanges', target: 4 },
      ],
    },
    {
      ...plain,
      name: 'forward',
      title: '5000 × 4 kB, loopback, to smtp-sink',
      destination: 'smtp',
      reference: 'fdm',
      peers: ['fdm'],
      targets: [{ ...own, quantity: 'messagesPerSecond', target: 4_000, stretch: 5_000 }],
    },
    {
      ...plain,
      name: 'imap',
      title: '5000 × 4 kB, loopback, into a folder of the same Dovecot over IMAP',
      destination: 'imap',
      reference: 'fdm',
      peers: ['fdm'],
      targets: [{ ...own, quantity: 'messagesPerSecond', target: 500, stretch: 1_000 }, memory(150)],
    },
  ]
}

export const startUp: Trial = {
  name: 'start',
  title: 'start-up',
  reference: EMPTY_NODE,
  targets: [overNode('popfetch --version', 15, 10), overNode('popfetch --help', 80, 50)],
}

export const accounts: Trial = {
  name: 'accounts',
  title: 'the first poll of 1000 accounts with two messages each',
  reference: '',
  targets: [memory(150)],
}

export const million: Trial = {
  name: 'million',
  title: 'a mailbox of 1000000 messages, nothing new',
  reference: '',
  targets: [
    { ...own, quantity: 'seconds', target: 5, stretch: 3 },
    memory(250),
    { ...own, quantity: 'standstillMs', target: 100 },
  ],
}

export function mailboxNames(waiting: Waiting): readonly string[] {
  if (waiting.mailboxes === 1) return [waiting.name]
  return Array.from({ length: waiting.mailboxes }, (_, index) => `${waiting.name}-${index}`)
}

export function totalMessages(waiting: Waiting): number {
  return waiting.mailboxes * waiting.messages
}

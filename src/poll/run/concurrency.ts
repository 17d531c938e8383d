// How many accounts are polled at once, in all and at one host, and that never two of them share a mailbox. The only door
// to p-queue. Its `timeout` is not used: it frees the slot while the task runs on. Accounts end by their own limits.
import { setTimeout as wait } from 'node:timers/promises'
import PQueue from 'p-queue'
import type { Account, Configuration } from '../../config/schema.ts'
import { isLoopback } from '../../config/values/host.ts'
import type { Use } from '../../ledger/ledger.ts'

/** Providers limit connections from one address, often to 10 or 20 (N008). */
const PER_HOST = 8

/** So long after another process left no room it is asked again; longer from time to time. */
const FIRST_LULL_MS = 500
const LONGEST_LULL_MS = 4000
/** Ten minutes. */
const MOST_TRIES = 150

export type Limits = Pick<Configuration, 'concurrency' | 'perHost'>

/** `now`: ahead of all that wait, because a person asked. */
export type Urgency = 'now' | 'usual'

type MailboxKeys = Pick<Account, 'host' | 'port' | 'user'>

export class Concurrency {
  readonly #overall: PQueue
  readonly #hosts = new Map<string, PQueue>()
  /** Two accounts of one mailbox are not polled at once (P152). For each mailbox: the last of them that waits or runs. */
  readonly #mailboxes = new Map<string, Promise<unknown>>()
  #perHost: number | null

  constructor({ concurrency, perHost }: Limits) {
    this.#overall = new PQueue({ concurrency })
    this.#perHost = perHost
  }

  /** Does `work` as soon as the limits allow; settles as it does. Where `isCrowded` says of what came of it that other processes leave
   *  no room, it is done again and again, and its place at the host kept, for some minutes. */
  async run<T>(
    account: MailboxKeys,
    work: () => Promise<T>,
    urgency: Urgency = 'usual',
    isCrowded: (result: T) => boolean = () => false,
  ): Promise<T> {
    const mailbox = mailboxOf(account)
    const queued = (): Promise<T> => this.#queued(account, work, urgency, isCrowded)
    const mine = this.#mailboxes.get(mailbox)?.then(queued, queued) ?? queued()
    this.#mailboxes.set(mailbox, mine)
    try {
      return await mine
    } finally {
      if (this.#mailboxes.get(mailbox) === mine) this.#mailboxes.delete(mailbox)
    }
  }

  async #queued<T>(
    { host }: MailboxKeys,
    work: () => Promise<T>,
    urgency: Urgency,
    isCrowded: (result: T) => boolean,
  ): Promise<T> {
    const order = { priority: urgency === 'now' ? 1 : 0 }
    const queuedOverall = async (): Promise<T> => {
      for (let lullMs = FIRST_LULL_MS, tries = 1; ; tries++) {
        const result = await this.#overall.add(work, order)
        if (!isCrowded(result) || tries === MOST_TRIES) return result
        await wait(lullMs * (0.5 + Math.random()), undefined, { ref: false })
        lullMs = Math.min(lullMs * 2, LONGEST_LULL_MS)
      }
    }
    const limit = this.#limitOf(host)
    if (limit === null) return await queuedOverall()
    const queue = this.#hosts.get(host) ?? new PQueue({ concurrency: limit })
    this.#hosts.set(host, queue)
    return await queue.add(queuedOverall, order)
  }

  /** What a poll of this account takes a share of, over all processes of a ledger. */
  sharesOf(account: MailboxKeys): readonly Use[] {
    const mailbox = { key: `mailbox ${mailboxOf(account)}`, most: 1 }
    const most = this.#limitOf(account.host)
    return most === null ? [mailbox] : [mailbox, { key: `host ${account.host.toLowerCase()}`, most }]
  }

  /** Sets new limits for what begins from now on. Hosts that are not polled now are forgotten. */
  limit({ concurrency, perHost }: Limits): void {
    this.#overall.concurrency = concurrency
    this.#perHost = perHost
    for (const [host, queue] of this.#hosts) {
      if (queue.size + queue.pending === 0) this.#hosts.delete(host)
      else queue.concurrency = this.#limitOf(host) ?? Infinity
    }
  }

  #limitOf(host: string): number | null {
    return this.#perHost ?? (isLoopback(host) ? null : PER_HOST)
  }
}

function mailboxOf({ host, port, user }: MailboxKeys): string {
  return `${host}\0${port}\0${user}`
}

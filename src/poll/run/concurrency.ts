// How many accounts are polled at once, in all and at one host, and that never two of them share a mailbox. The only door
// to p-queue. Its `timeout` is not used: it frees the slot while the task runs on. Accounts end by their own limits.
import PQueue from 'p-queue'
import type { Account, Configuration } from '../../config/schema.ts'
import { isLoopback } from '../../config/values/host.ts'

/** Providers limit connections from one address, often to 10 or 20 (N008). */
const PER_HOST = 8

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

  /** Does `work` as soon as the limits allow; settles as it does. */
  async run<T>(account: MailboxKeys, work: () => Promise<T>, urgency: Urgency = 'usual'): Promise<T> {
    const mailbox = `${account.host}\0${account.port}\0${account.user}`
    const queued = (): Promise<T> => this.#queued(account, work, urgency)
    const mine = this.#mailboxes.get(mailbox)?.then(queued, queued) ?? queued()
    this.#mailboxes.set(mailbox, mine)
    try {
      return await mine
    } finally {
      if (this.#mailboxes.get(mailbox) === mine) this.#mailboxes.delete(mailbox)
    }
  }

  async #queued<T>({ host }: MailboxKeys, work: () => Promise<T>, urgency: Urgency): Promise<T> {
    const order = { priority: urgency === 'now' ? 1 : 0 }
    const queuedOverall = (): Promise<T> => this.#overall.add(work, order)
    const limit = this.#limitOf(host)
    if (limit === null) return await queuedOverall()
    const queue = this.#hosts.get(host) ?? new PQueue({ concurrency: limit })
    this.#hosts.set(host, queue)
    return await queue.add(queuedOverall, order)
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

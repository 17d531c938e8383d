// How much may be under way: messages of one account, and bytes of all accounts together. The limits do not grow with a
// message, a mailbox, the number of accounts, or anything that a server says (P5). Counts only; knows no messages.

/** Bytes of messages in memory, over all accounts of the process. A message holds its share from before its RETR until it
 *  is delivered. A large one goes to a file, and counts as the memory it may take (spool.ts). The announced size is only a
 *  guess: what comes beyond it is taken from the budget too, or the account stops reading. */
export class MemoryBudget {
  readonly #totalBytes: number
  #freeBytes: number
  readonly #waiting: { readonly bytes: number; readonly resolve: () => void }[] = []
  /** Messages that are larger than announced and wait for room, in the order of asking. */
  readonly #growing = new Map<object, { bytes: number; readonly room: PromiseWithResolvers<void> }>()
  /** The one message that may exceed the limits, so that some message always gets finished. */
  #overdrawn: object | null = null

  constructor(totalBytes: number) {
    this.#totalBytes = totalBytes
    this.#freeBytes = totalBytes
  }

  /** Sets `bytes` aside at once, to be given back, as long as half of all stays free for others. False: they would not. */
  lend(bytes: number): boolean {
    if (this.#growing.size > 0 || this.#freeBytes - bytes < this.#totalBytes / 2) return false
    this.#freeBytes -= bytes
    return true
  }

  /** Resolves when `bytes` were set aside for the caller, in the order of asking. */
  async take(bytes: number): Promise<void> {
    if (this.#waiting.length === 0 && this.#growing.size === 0 && bytes <= this.#freeBytes) {
      this.#freeBytes -= bytes
      return
    }
    await new Promise<void>((resolve) => void this.#waiting.push({ bytes, resolve }))
  }

  /** Takes `bytes` more for a message that is coming already; served before messages that are yet to be asked for. */
  grow(message: object, bytes: number): Promise<void> | undefined {
    const before = this.#growing.get(message)
    if (before !== undefined) {
      // One entry for each message: with two, one half could be served while the message still waits for the other.
      before.bytes += bytes
      return before.room.promise
    }
    if (this.#mayGrow(message, bytes)) return this.#let(message, bytes)
    const room = Promise.withResolvers<void>()
    this.#growing.set(message, { bytes, room })
    return room.promise
  }

  /** Gives `bytes` back. */
  give(bytes: number): void {
    this.#freeBytes += bytes
    this.#serve()
  }

  /** The message is delivered or given up: gives back all `bytes` that it asked for. */
  leave(message: object, bytes: number): void {
    const growing = this.#growing.get(message)
    this.#growing.delete(message)
    growing?.room.resolve()
    if (this.#overdrawn === message) this.#overdrawn = null
    this.give(bytes - (growing?.bytes ?? 0))
  }

  #mayGrow(message: object, bytes: number): boolean {
    return bytes <= this.#freeBytes || this.#overdrawn === null || this.#overdrawn === message
  }

  #let(message: object, bytes: number): undefined {
    this.#freeBytes -= bytes
    if (this.#freeBytes < 0) this.#overdrawn = message
  }

  #serve(): void {
    for (const [message, { bytes, room }] of this.#growing) {
      if (!this.#mayGrow(message, bytes)) return
      this.#growing.delete(message)
      this.#let(message, bytes)
      room.resolve()
    }
    for (let next = this.#waiting[0]; next !== undefined && next.bytes <= this.#freeBytes; next = this.#waiting[0]) {
      this.#waiting.shift()
      this.#freeBytes -= next.bytes
      next.resolve()
    }
  }
}

/** Enough to keep a line of 1 Gbit/s and 50 ms busy for all accounts together; small beside the 150 MB of DESIGN 11. */
export const MEMORY_BUDGET_BYTES = 32 << 20

/** How many messages of one account may be under way, by where they go. A destination that lags behind then stops further
 *  RETRs. To a Maildir: a little more than commands may be on the wire, which over a long line is worth half the time; the
 *  budget holds their bytes, and a Maildir opens 64 files at once. Elsewhere: with more, forwarding takes more than 150 MB. */
export const UNDER_WAY = { toMaildir: 400, elsewhere: 100 } as const

/** So many are asked for together at least, where there were as many as may be. */
const TOGETHER = 16

/** The most memory that one message takes: beyond it the spool goes to a file. */
const MOST_BYTES = 1 << 20
/** For a message whose size is not known. */
const GUESS_BYTES = 64 << 10

export class Window {
  readonly #budget: MemoryBudget
  #messages = 0
  /** Who waits for fewer messages than `below`. */
  #waiting: { readonly below: number; readonly resolve: () => void } | null = null

  constructor(budget: MemoryBudget) {
    this.#budget = budget
  }

  /** Resolves when one more message may be asked for: when fewer than `most` are under way. Once there were as many, it waits for
   *  room for several, so that they are asked for together: by one write, for which the server wakes up once. */
  async enter(announcedBytes: number | null, most: number = UNDER_WAY.elsewhere): Promise<Share> {
    if (this.#messages >= most) {
      const below = Math.max(1, most - TOGETHER + 1)
      await new Promise<void>((resolve) => (this.#waiting = { below, resolve }))
    }
    this.#messages++
    const bytes = Math.min(announcedBytes ?? GUESS_BYTES, MOST_BYTES)
    await this.#budget.take(bytes)
    return this.#share(bytes)
  }

  /** For a message that was asked for already: it takes its memory as it comes, and reading stops while there is none. */
  enterAtOnce(): Share {
    this.#messages++
    return this.#share(0)
  }

  #share(bytes: number): Share {
    return new Share(this.#budget, bytes, () => {
      this.#messages--
      const waiting = this.#waiting
      if (waiting === null || this.#messages >= waiting.below) return
      this.#waiting = null
      waiting.resolve()
    })
  }
}

/** What one message takes of the window and the budget, from before its RETR until it is delivered or given up. */
export class Share {
  readonly #budget: MemoryBudget
  readonly #left: () => void
  #bytes: number

  constructor(budget: MemoryBudget, bytes: number, left: () => void) {
    this.#budget = budget
    this.#bytes = bytes
    this.#left = left
  }

  /** `bytes` of the message came so far. A promise: they are more than announced and there is no room; stop reading until
   *  then. */
  received(bytes: number): Promise<void> | undefined {
    const more = Math.min(bytes, MOST_BYTES) - this.#bytes
    if (more <= 0) return undefined
    this.#bytes += more
    return this.#budget.grow(this, more)
  }

  /** No more comes: gives back what was announced beyond `bytes`. */
  ended(bytes: number): void {
    const over = this.#bytes - bytes
    if (over <= 0) return
    this.#bytes = bytes
    this.#budget.give(over)
  }

  leave(): void {
    this.#budget.leave(this, this.#bytes)
    this.#left()
  }
}

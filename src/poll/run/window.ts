// How much may be under way: messages of one account, and bytes of all accounts together (P5: limits that do not grow
// with the size of a message, a mailbox or the number of accounts, nor with what a server says). Knows no message, only counts.

/** Bytes of messages in memory, over all accounts of the process. A message holds its share from before its RETR until it
 *  is delivered; larger ones go to a file and count as what they may hold in memory (spool.ts). What a server announced is
 *  only a guess: what comes beyond it is taken from here too, or the account's reading waits. */
export class MemoryBudget {
  #freeBytes: number
  readonly #waiting: { readonly bytes: number; readonly resolve: () => void }[] = []
  /** Messages that are larger than announced and wait for room, in the order of asking. */
  readonly #growing = new Map<object, { bytes: number; readonly room: PromiseWithResolvers<void> }>()
  /** The one message that may take more than there is, so that some message always comes to an end. */
  #overdrawn: object | null = null

  constructor(totalBytes: number) {
    this.#freeBytes = totalBytes
  }

  /** Resolves when `bytes` were set aside for the caller, in the order of asking. */
  async take(bytes: number): Promise<void> {
    if (this.#waiting.length === 0 && this.#growing.size === 0 && bytes <= this.#freeBytes) {
      this.#freeBytes -= bytes
      return
    }
    await new Promise<void>((resolve) => void this.#waiting.push({ bytes, resolve }))
  }

  /** `bytes` more for a message that is there already; before all that is yet to be asked for. */
  grow(message: object, bytes: number): Promise<void> | undefined {
    const before = this.#growing.get(message)
    if (before !== undefined) {
      // One entry for each: who waits twice could be let on for one half, and stay where it is for the other.
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

  /** It is done with, and gives back all of the `bytes` that were asked for. */
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

/** 32 MiB: enough to keep a 50 ms line of 1 Gbit/s busy for all accounts together, small beside 150 MB. */
export const MEMORY_BUDGET_BYTES = 32 << 20

/** As many as commands may be on the wire; a destination that lags then stops the asking. Bounds open files too, and with
 *  more of them under way forwarding takes more than 150 MB. */
const MESSAGES_UNDER_WAY = 100

/** What a message may hold in memory at most: past it the spool goes to a file. */
const MOST_BYTES = 1 << 20
/** For a message whose size is not known. */
const GUESS_BYTES = 64 << 10

export class Window {
  readonly #budget: MemoryBudget
  #messages = 0
  #room: (() => void) | null = null

  constructor(budget: MemoryBudget) {
    this.#budget = budget
  }

  /** Resolves when one more message may be asked for. */
  async enter(announcedBytes: number | null): Promise<Share> {
    while (this.#messages >= MESSAGES_UNDER_WAY) await new Promise<void>((resolve) => (this.#room = resolve))
    this.#messages++
    const bytes = Math.min(announcedBytes ?? GUESS_BYTES, MOST_BYTES)
    await this.#budget.take(bytes)
    return new Share(this.#budget, bytes, () => {
      this.#messages--
      this.#room?.()
      this.#room = null
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

  /** So many bytes of it came so far. A promise: more than was announced, and there is no room: stop reading until then. */
  received(bytes: number): Promise<void> | undefined {
    const more = Math.min(bytes, MOST_BYTES) - this.#bytes
    if (more <= 0) return undefined
    this.#bytes += more
    return this.#budget.grow(this, more)
  }

  /** No more comes: what was announced beyond these is given back. */
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

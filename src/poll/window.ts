// How much may be under way: messages of one account, and bytes of all accounts together (P5: limits that do not grow
// with the size of a message, a mailbox or the number of accounts). Knows no message, only counts.

/** Bytes of messages in memory, over all accounts of the process. A message holds its share from before its RETR until it
 *  is delivered; larger ones go to a file and count as what they may hold in memory (spool.ts). */
export class MemoryBudget {
  #freeBytes: number
  readonly #waiting: { readonly bytes: number; readonly resolve: () => void }[] = []

  constructor(totalBytes: number) {
    this.#freeBytes = totalBytes
  }

  /** Resolves when `bytes` were set aside for the caller, in the order of asking. */
  take(bytes: number): Promise<void> | undefined {
    if (this.#waiting.length === 0 && bytes <= this.#freeBytes) {
      this.#freeBytes -= bytes
      return undefined
    }
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#waiting.push({ bytes, resolve })
    return promise
  }

  /** Gives `bytes` back. */
  give(bytes: number): void {
    this.#freeBytes += bytes
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

  /** Resolves when one more message may be asked for. The returned function gives its place back, once it is done with. */
  async enter(announcedBytes: number | null): Promise<() => void> {
    while (this.#messages >= MESSAGES_UNDER_WAY) await new Promise<void>((resolve) => (this.#room = resolve))
    this.#messages++
    const bytes = Math.min(announcedBytes ?? GUESS_BYTES, MOST_BYTES)
    await this.#budget.take(bytes)
    return () => {
      this.#messages--
      this.#budget.give(bytes)
      this.#room?.()
      this.#room = null
    }
  }
}

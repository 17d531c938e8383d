// Deliveries that wait for the same place, and which of them go together. While a command is on its way the others gather, and
// what has gathered goes with the next one (IMAP's MULTIAPPEND). The server opens its folder, and syncs it, once for all of them.
// Knows no protocol. The rule: the number grows while all goes well, and after any failure messages go one by one.

/** The poll has a hundred under way: two commands of this many, and those that gather for the next. */
const MOST = 32
/** A larger message goes by itself. */
const SMALL_BYTES = 64 * 1024
/** What one command takes is in memory once more. */
const MOST_BYTES = 256 * 1024

interface Waiting<Item, Result> {
  readonly item: Item
  readonly bytes: number
  readonly signal: AbortSignal
  readonly resolve: (result: Result) => void
  readonly reject: (error: unknown) => void
  readonly stopped: () => void
}

export type Outcome<Result> = { readonly result: Result } | { readonly error: unknown }

export class Together<Item, Result> {
  readonly #commands: number
  readonly #work: (items: readonly Item[], signal: AbortSignal) => Promise<readonly Outcome<Result>[]>
  readonly #waiting = new Set<Waiting<Item, Result>>()
  #underWay = 0
  #most = 1

  /** `commands` at once; `work` gives the outcomes in the order of the items, and never rejects. */
  constructor(
    commands: number,
    work: (items: readonly Item[], signal: AbortSignal) => Promise<readonly Outcome<Result>[]>,
  ) {
    this.#commands = commands
    this.#work = work
  }

  /** This many items are of use at once: those under way, and those that gather meanwhile. */
  get atOnce(): number {
    return Math.max(2 * this.#commands, (this.#commands + 1) * this.#most)
  }

  /** `count` went together, and were taken. */
  went(count: number): void {
    this.#most = Math.max(this.#most, Math.min(MOST, 2 * count))
  }

  /** One by one from now on, until some were taken again. */
  alone(): void {
    this.#most = 1
  }

  /** Resolves with the outcome of the item. Rejects with the signal's reason when it is aborted before its turn. */
  async add(item: Item, bytes: number, signal: AbortSignal): Promise<Result> {
    signal.throwIfAborted()
    const { promise, resolve, reject } = Promise.withResolvers<Result>()
    const stopped = (): void => {
      this.#waiting.delete(waiting)
      reject(signal.reason instanceof Error ? signal.reason : new Error('stopped'))
    }
    const waiting = { item, bytes, signal, resolve, reject, stopped }
    signal.addEventListener('abort', stopped, { once: true })
    this.#waiting.add(waiting)
    this.#start()
    return await promise
  }

  #start(): void {
    while (this.#underWay < this.#commands && this.#waiting.size > 0) {
      this.#underWay++
      void this.#run(this.#next())
    }
  }

  /** In their order. */
  #next(): readonly Waiting<Item, Result>[] {
    const next: Waiting<Item, Result>[] = []
    let bytes = 0
    for (const waiting of this.#waiting) {
      bytes += waiting.bytes
      const [first = waiting] = next
      const isLarge = first.bytes > SMALL_BYTES || waiting.bytes > SMALL_BYTES || bytes > MOST_BYTES
      if (next.length > 0 && (isLarge || waiting.signal !== first.signal)) break
      this.#waiting.delete(waiting)
      waiting.signal.removeEventListener('abort', waiting.stopped)
      next.push(waiting)
      if (next.length >= this.#most) break
    }
    return next
  }

  async #run(together: readonly Waiting<Item, Result>[]): Promise<void> {
    const [first] = together
    if (first !== undefined) {
      const items = together.map(({ item }) => item)
      const outcomes = await this.#work(items, first.signal).catch((error: unknown) => items.map(() => ({ error })))
      for (const [at, { resolve, reject }] of together.entries()) {
        const outcome = outcomes[at] ?? { error: new Error('no outcome') }
        if ('result' in outcome) resolve(outcome.result)
        else reject(outcome.error)
      }
    }
    this.#underWay--
    this.#start()
  }
}

/** One after the other. */
export async function settled<Item, Result>(
  items: readonly Item[],
  work: (item: Item, at: number) => Promise<Result>,
): Promise<readonly Outcome<Result>[]> {
  const outcomes: Outcome<Result>[] = []
  for (const [at, item] of items.entries()) {
    outcomes.push(
      await work(item, at).then(
        (result) => ({ result }),
        (error: unknown) => ({ error }),
      ),
    )
  }
  return outcomes
}

// The batches of the lane take turns. One fills with what comes from the server; one is delivered, and settled; with a third one, the
// next is delivered at the same time. An empty one fills as soon as the one before is full, or due. The filling batch takes what comes
// until it is full. If it is full and no other batch is empty, reading stops: no more than these batches is in memory (P5).
//
//   filling → ready, in order → taken by the lane: delivered, settled → empty → filling …
import type { Batch } from './batch.ts'

/** Where the bytes come from. */
export interface Reading {
  /** Nothing more comes until the function that it gives is called. */
  pause(): () => void
  /** What came already, and what comes next, goes there. */
  goOn(memory: Buffer): void
}

export class Turns {
  readonly #reading: Reading
  readonly #count: number
  #filling: Batch
  readonly #empty: Batch[]
  /** To be delivered, the first one first. */
  readonly #ready: Batch[] = []
  /** The filling batch, full or not, is to be delivered as soon as another one is empty. */
  #isDue = false
  /** Reading was stopped, because the filling batch is full and no other one is empty; this reads on. Null: it was not stopped. */
  #resume: (() => void) | null = null
  /** Nothing more comes into any of them. */
  #isOver = false
  /** Why no further one is to be delivered; null: there is no reason. */
  #failure: { readonly error: unknown } | null = null
  /** Lets `next` look again. */
  #wake: (() => void) | null = null

  /** Two batches at least. */
  constructor(batches: readonly [Batch, ...Batch[]], reading: Reading) {
    this.#count = batches.length
    ;[this.#filling, ...this.#empty] = batches
    this.#reading = reading
  }

  get filling(): Batch {
    return this.#filling
  }

  /** Can one be delivered while the one before it is delivered or settled? */
  get hasThird(): boolean {
    return this.#count > 2
  }

  /** Is the filling batch full, and no other one empty? */
  get isStopped(): boolean {
    return this.#resume !== null
  }

  /** The filling batch is full. Gives the one that fills now; null: none is empty yet, and nothing is read until then. */
  full(): Batch | null {
    if (this.#change()) return this.#filling
    this.#resume = this.#reading.pause()
    return null
  }

  /** The filling batch is to be delivered with what it has. */
  due(): void {
    this.#isDue = true
    this.#changeIfDue()
  }

  /** `batch` is settled and empty: it may fill again. */
  emptied(batch: Batch): void {
    this.#empty.push(batch)
    this.#changeIfDue()
    this.look()
  }

  /** Nothing more comes; what came is to be delivered. */
  over(): void {
    this.#isOver = true
    const resume = this.#resume
    this.#resume = null
    resume?.()
    this.#changeIfDue()
    this.look()
  }

  /** `next` rejects with `error`, the first of several. */
  fail(error: unknown): void {
    this.#failure ??= { error }
    this.look()
  }

  /** The next one to deliver; null: there is none, and there will be none. `mayCome`: is the answer to anything that was asked for due? */
  async next(mayCome: () => boolean): Promise<Batch | null> {
    for (;;) {
      if (this.#failure !== null) throw this.#failure.error
      const ready = this.#ready.shift()
      if (ready !== undefined) return ready
      if (!mayCome()) {
        // Not while one is delivered: when that is settled, others are begun and asked for.
        if (this.#filling.count === 0 && this.#empty.length === this.#count - 1) return null
        if (!this.#isDue) {
          this.due()
          continue
        }
      }
      await new Promise<void>((resolve) => (this.#wake = resolve))
    }
  }

  /** Lets whoever waits for `next` see what has changed. */
  look(): void {
    this.#wake?.()
    this.#wake = null
  }

  /** Nobody reads any of them any more. */
  leave(): void {
    for (const batch of [this.#filling, ...this.#empty]) batch.leave()
  }

  /** What filled is to be delivered, and an empty one fills. False: none is empty, or nothing filled. */
  #change(): boolean {
    const next = this.#filling.count === 0 ? undefined : this.#empty.pop()
    if (next === undefined) return false
    this.#ready.push(this.#filling)
    this.#filling = next
    this.#isDue = false
    this.look()
    return true
  }

  /** The same, if it is time for it. What comes next goes into the batch that fills then. */
  #changeIfDue(): void {
    if (!this.isStopped && !this.#isDue && !this.#isOver) return
    if (!this.#change()) return
    const resume = this.#resume
    this.#resume = null
    // Messages that came already may fill that batch at once, and stop the reading again.
    if (!this.#isOver) this.#reading.goOn(this.#filling.memory)
    resume?.()
  }
}

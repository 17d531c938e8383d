// The other thread that works on files (thread.ts), one for the process, while the event loop reads, hashes and records. Where many small
// messages come, half of the work is calls to the disk. It is asked for in time, for it takes some 30 ms to come. If it is gone before an
// order, the volley does that work itself. If it ends during an order, the volley fails: for now while it writes, not known while it links.
// The one rule: a link that was ordered and not confirmed may be there.
import type { Worker } from 'node:worker_threads'
import { crlfModule } from './crlf-block.ts'
import { type Done, type Linking, type Start, work, type Writing } from './thread.ts'

/** It ends after this time without work: a daemon is not to keep its memory. */
const IDLE_MS = 10_000
/** Of its heap, which holds names only. */
const MOST_YOUNG_MB = 1
const MOST_OLD_MB = 16

type Order = Omit<Writing, 'id'> | Omit<Linking, 'id'>

export class Hands implements AsyncDisposable {
  readonly #worker: Worker
  readonly #waiting = new Map<number, PromiseWithResolvers<Done['each']>>()
  readonly #ready = Promise.withResolvers<void>()
  readonly #ended: () => void
  #last = 0
  #isReady = false
  #isOver = false
  #timer: NodeJS.Timeout | null = null

  /** `ended` is called when it takes no more orders. Throws where no such thread can be. */
  constructor(ended: () => void) {
    this.#ended = ended
    const crlf = crlfModule()
    if (crlf === null) throw new Error('no WebAssembly here')
    const start: Start = { crlf }
    // Only here: it takes a millisecond to load.
    const threads = process.getBuiltinModule('node:worker_threads')
    this.#worker = new threads.Worker(`(${work.toString()})()`, {
      eval: true,
      name: 'files',
      workerData: start,
      env: {},
      execArgv: [],
      resourceLimits: { maxYoungGenerationSizeMb: MOST_YOUNG_MB, maxOldGenerationSizeMb: MOST_OLD_MB },
    })
    // Whoever waits for an answer has a time limit, and its timer keeps the process alive.
    this.#worker.unref()
    this.#worker.on('message', (done: Done) => this.#came(done))
    this.#worker.on('error', (error) => this.#over(error))
    this.#worker.on('exit', () => this.#over(new Error('the thread that writes files has ended')))
    this.#ready.promise.catch(() => {})
  }

  /** Takes orders? */
  get isReady(): boolean {
    return this.#isReady && !this.#isOver
  }

  /** Is an answer of it due? */
  get isBusy(): boolean {
    return !this.#isOver && (!this.#isReady || this.#waiting.size > 0)
  }

  /** Resolves when it takes orders. Rejects when it never will. */
  ready(): Promise<void> {
    return this.#ready.promise
  }

  /** Rejects when it ended before it answered. */
  async do(order: Order): Promise<Done['each']> {
    if (this.#isOver) throw new Error('the thread that writes files has ended')
    const id = ++this.#last
    const answer = Promise.withResolvers<Done['each']>()
    this.#waiting.set(id, answer)
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has none
    this.#worker.postMessage({ ...order, id })
    return await answer.promise
  }

  /** It takes no further orders. What it is at goes on, and is answered if it comes to an end. */
  leave(): void {
    this.#isReady = false
    this.#ended()
  }

  #came({ id, each }: Done): void {
    if (id === 0) {
      this.#isReady = true
      this.#ready.resolve()
    }
    this.#waiting.get(id)?.resolve(each)
    this.#waiting.delete(id)
    if (this.#waiting.size > 0) return
    this.#timer ??= setTimeout(() => void this[Symbol.asyncDispose](), IDLE_MS).unref()
  }

  /** Ends it, whatever it is at. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.leave()
    await this.#worker.terminate()
  }

  #over(error: unknown): void {
    this.#isOver = true
    this.#ended()
    this.#ready.reject(error)
    for (const { reject } of this.#waiting.values()) reject(error)
    this.#waiting.clear()
    if (this.#timer !== null) clearTimeout(this.#timer)
  }
}

let hands: Hands | null = null

/** Sees to it that there is such a thread soon; resolves when there is one, or none can be. Never rejects. */
export async function expectHands(): Promise<void> {
  try {
    if (hands === null) {
      const made = new Hands(() => {
        if (hands === made) hands = null
      })
      hands = made
    }
    await hands.ready()
  } catch {
    // No thread can be made here: volleys do without.
  }
}

/** Null: there is none, and none is expected. */
export function expectedHands(): Hands | null {
  return hands
}

// The messages that wait for one mbox: whatever waits when the one before is done goes in under one lock and one fsync.
// One rule: one batch at a time, and nobody waits behind one that hangs.
import type { Message } from '../../message.ts'
import type { DeliveryError } from '../../errors.ts'
import { NoAnswer, within } from '../disk/time-limit.ts'
import { lostRights } from '../right.ts'
import { append, type Letter } from './append.ts'
import type { MboxRoom } from './context.ts'
import { openMboxFile } from './file.ts'

/** At most this many messages under one lock: other programs want it too. */
const BATCH = 100
/** Slower than this no working disk or server is. */
const LEAST_BYTES_PER_MS = 1000
const DISPOSE_LIMIT_MS = 5000

interface Waiting extends Letter {
  readonly settle: PromiseWithResolvers<void>
  state: 'waiting' | 'under way' | 'over'
}

/** Disposing of it waits for what is under way, though not for long. */
export class MboxQueue implements AsyncDisposable {
  readonly #room: MboxRoom
  readonly #end = new AbortController()
  #waiting: Waiting[] = []
  #work: Promise<void> | null = null
  /** Given up because it hangs. Until it ends, nothing else is begun. */
  #hung: Promise<unknown> | null = null

  constructor(room: MboxRoom) {
    this.#room = room
  }

  /** Resolves when the message is in the mbox durably. Rejects with DeliveryError. */
  async add(message: Message, prefix: Letter['prefix'], signal: AbortSignal, right?: Letter['right']): Promise<void> {
    const letter: Waiting = { message, prefix, right, settle: Promise.withResolvers<void>(), state: 'waiting' }
    const onAbort = (): void => {
      const verdict = letter.state === 'waiting' ? 'temporary' : 'unknown'
      letter.state = 'over'
      letter.settle.reject(this.#room.failure(signal.reason, { verdict, scope: 'message' }))
    }
    signal.addEventListener('abort', onAbort)
    if (signal.aborted) onAbort()
    else this.#waiting.push(letter)
    this.#work ??= this.#untilEmpty().finally(() => {
      this.#work = null
    })
    try {
      await letter.settle.promise
    } finally {
      signal.removeEventListener('abort', onAbort)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end.abort(new Error('popfetch is ending'))
    if (this.#work === null) return
    // What hangs was given up by its caller; it is not waited for.
    await within(this.#work, Math.min(this.#room.options.limitMs, DISPOSE_LIMIT_MS)).catch(() => {})
  }

  /** What came in one turn of the loop goes in one batch. */
  async #untilEmpty(): Promise<void> {
    await Promise.resolve()
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0, BATCH).filter(({ state }) => state === 'waiting')
      if (batch.length > 0) await this.#batch(batch)
    }
  }

  async #batch(batch: readonly Waiting[]): Promise<void> {
    for (const letter of batch) letter.state = 'under way'
    const progress = { appending: false, abandoned: false }
    try {
      if (this.#hung !== null) throw new NoAnswer('an earlier delivery still hangs')
      const { limitMs, lockLimitMs } = this.#room.options
      const bytes = batch.reduce((sum, { message }) => sum + message.sizeBytes, 0)
      const work = this.#append(batch, progress)
      const results = await within(work, limitMs + lockLimitMs + bytes / LEAST_BYTES_PER_MS).catch((error: unknown) => {
        progress.abandoned = true
        if (error instanceof NoAnswer) this.#mind(work)
        throw error
      })
      for (const [at, { settle }] of batch.entries()) {
        const failure = results[at] ?? null
        if (failure === null) settle.resolve()
        else settle.reject(failure)
      }
    } catch (error) {
      const verdict = progress.appending ? 'unknown' : 'temporary'
      for (const { settle } of batch) settle.reject(this.#room.failure(error, { verdict }))
    } finally {
      for (const letter of batch) letter.state = 'over'
    }
  }

  async #append(batch: readonly Waiting[], progress: { appending: boolean; readonly abandoned: boolean }) {
    await using lock = await this.#room.lock(this.#end.signal)
    const fd = await openMboxFile(this.#room.options)
    if (progress.abandoned) {
      // It was said that nothing is there.
      await this.#room.fileSystem.close(fd)
      throw new NoAnswer('too late')
    }
    // Whoever took over waits for the lock that we have.
    const lost = lostRights(batch)
    const letters = batch.filter((letter) => !lost.has(letter))
    progress.appending = letters.length > 0
    let appended: readonly (DeliveryError | null)[] = []
    if (letters.length === 0) await this.#room.fileSystem.close(fd)
    else appended = await append(letters, fd, lock, this.#room.options)
    const results = new Map(letters.map((letter, at) => [letter, appended[at] ?? null]))
    return batch.map((letter) => {
      const refused = { verdict: 'temporary', scope: 'message' } as const
      return lost.has(letter) ? this.#room.failure(lost.get(letter), refused) : (results.get(letter) ?? null)
    })
  }

  #mind(work: Promise<unknown>): void {
    const hung = work
      .catch(() => {})
      .finally(() => {
        if (this.#hung === hung) this.#hung = null
      })
    this.#hung = hung
  }
}

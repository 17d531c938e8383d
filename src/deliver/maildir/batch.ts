// Deliveries to one Maildir, in batches: messages that arrive during one batch make up the next. The small calls of a batch run
// on the event loop. The fsyncs of its files run off it, all at once. One fsync of new/ is shared (D003). Here too: the time
// limit of each file, with one timer and one listener for all of them. One rule: the event loop is given back every 64 files or
// 1 MiB, so that mail keeps arriving meanwhile.
import { setImmediate as turn } from 'node:timers/promises'
import { syncDirectory } from '../disk/filesystem.ts'
import { NoAnswer } from '../disk/time-limit.ts'
import { lostRights } from '../right.ts'
import type { MaildirFile, OpenMaildir } from './file.ts'

/** This many descriptors are open at once. They take the event loop about 2 ms. */
const BATCH_FILES = 64
const TURN_BYTES = 1 << 20

export class MaildirBatches {
  readonly #maildir: OpenMaildir
  #waiting: MaildirFile[] = []
  #running: Promise<void> | null = null

  constructor(maildir: OpenMaildir) {
    this.#maildir = maildir
  }

  /** `file.receipt` says what becomes of the file. */
  add(file: MaildirFile): void {
    // Abandoned files would pile up behind a batch that hangs, poll after poll.
    if (this.#waiting[0]?.dropped === true) this.#waiting = this.#waiting.filter(({ dropped }) => !dropped)
    this.#waiting.push(file)
    this.#running ??= this.#run()
  }

  /** Resolves when nothing is under way. */
  async idle(): Promise<void> {
    await this.#running
  }

  async #run(): Promise<void> {
    await turn()
    while (this.#waiting.length > 0) {
      await this.#deliver(this.#waiting.splice(0, BATCH_FILES))
      await turn()
    }
    this.#running = null
  }

  /** The steps do not reject: each file reports its own failure. */
  async #deliver(batch: readonly MaildirFile[]): Promise<void> {
    const { fileSystem, folders } = this.#maildir
    for (const [at, part] of inTurns(batch).entries()) {
      if (at > 0) await turn()
      await Promise.all(part.map((file) => file.write()))
    }
    await Promise.all(batch.map((file) => file.sync()))
    // The last moment: all of them are in tmp/ now, where whoever took over removes them.
    for (const [{ file }, why] of lostRights(batch.map((each) => ({ file: each, right: each.parcel.right }))))
      file.abandon(why, 'message')
    await Promise.all(batch.map((file) => file.publish()))
    const visible = batch.filter((file) => file.visible)
    if (visible.length === 0) return
    try {
      await syncDirectory(fileSystem, folders.new)
    } catch (error) {
      await Promise.all(visible.map((file) => file.withdraw(error)))
      return
    }
    for (const file of visible) file.confirm()
  }
}

/** The files that each turn of the event loop writes. */
function inTurns(batch: readonly MaildirFile[]): readonly (readonly MaildirFile[])[] {
  const turns: MaildirFile[][] = []
  let bytes = Infinity
  for (const file of batch) {
    if (bytes >= TURN_BYTES) {
      turns.push([])
      bytes = 0
    }
    turns.at(-1)?.push(file)
    bytes += file.loopBytes
  }
  return turns
}

interface Watched {
  readonly dueMs: number
  readonly limitMs: number
  readonly signal: AbortSignal
}

export class MaildirLimits {
  readonly #watched = new Map<MaildirFile, Watched>()
  #timer: NodeJS.Timeout | null = null
  #wakeMs = 0
  /** The signals that are listened to. Deliveries that run at the same time nearly always share one. */
  readonly #signals = new Map<AbortSignal, () => void>()

  /** Abandons the file after `limitMs`, or when the signal is aborted, unless it is released before. */
  watch(file: MaildirFile, limitMs: number, signal: AbortSignal): void {
    this.#watched.set(file, { dueMs: performance.now() + limitMs, limitMs, signal })
    this.#wake(limitMs)
    if (signal.aborted) return file.abandon(signal.reason, 'message')
    if (this.#signals.has(signal)) return
    const onAbort = (): void => this.#aborted(signal)
    this.#signals.set(signal, onAbort)
    signal.addEventListener('abort', onAbort)
  }

  release(file: MaildirFile): void {
    this.#watched.delete(file)
    if (this.#watched.size > 0) return
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
    for (const [signal, onAbort] of this.#signals) signal.removeEventListener('abort', onAbort)
    this.#signals.clear()
  }

  #aborted(signal: AbortSignal): void {
    for (const [file, watched] of this.#watched) if (watched.signal === signal) file.abandon(signal.reason, 'message')
  }

  #late(): void {
    this.#timer = null
    const nowMs = performance.now()
    let nextMs = Infinity
    for (const [file, { dueMs, limitMs }] of this.#watched) {
      // Timers may fire up to a millisecond early.
      if (dueMs > nowMs + 1) nextMs = Math.min(nextMs, dueMs - nowMs)
      else file.abandon(new NoAnswer(`no answer within ${Math.round(limitMs / 1000)} s`), 'destination')
    }
    if (nextMs < Infinity) this.#wake(nextMs)
  }

  /** Sees to it that the limits are checked after this time at the latest. */
  #wake(afterMs: number): void {
    const dueMs = performance.now() + afterMs
    if (this.#timer !== null && this.#wakeMs <= dueMs) return
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#wakeMs = dueMs
    this.#timer = setTimeout(() => this.#late(), afterMs)
  }
}

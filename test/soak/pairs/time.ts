// The time of the soak. A clock that stands still during a poll, jumps from poll to poll, and goes on in steps where a peer has
// fallen silent. So a soak of weeks takes minutes, and a limit of ten minutes a moment.
import { createRequire, syncBuiltinESMExports } from 'node:module'
import type { setTimeout as sleepOfNode } from 'node:timers/promises'
import type { Clock } from '../../../src/daemon/schedule/clock.ts'

type Sleep = typeof sleepOfNode

/** A shorter wait is of the real clock: it is about turns of the event loop. */
const SHORTEST_MS = 500
/** So long, really, nothing is heard of any peer before time goes on. */
const STILL_MS = 20
/** The same where no peer has said that it is silent: what it does not hear, it does not answer. */
const LONG_STILL_MS = 250
/** Where time else stands still, looks are counted and not milliseconds: on a busy machine each takes longer. */
const STILL_LOOKS = 6
const LOOK_MS = 5
const STEP_MS = 5000
/** Many steps in a row in which nothing happens become longer ones. */
const STEPS_AT_FIRST = 20
/** Really: what takes longer does not end. */
const HANG_MS = 60_000

const real = { setTimeout: globalThis.setTimeout, clearTimeout: globalThis.clearTimeout, nowMs: Date.now }

interface Timer {
  readonly atMs: number
  readonly act: () => void
  /** Somebody sleeps: nobody else will wake him. */
  readonly isSleep: boolean
}

/** A poll that does not end: the worst finding. */
export class Hang extends Error {
  override readonly name = 'Hang'
}

export class Time implements Clock {
  /** Long ago: files are made by the real clock, and must never look old. */
  #ms = Date.UTC(2020, 0, 1, 12)
  readonly #timers = new Set<Timer>()
  #heardMs = real.nowMs()
  #looks = 0
  #silent = 0

  /** From now on it is everybody's time in this process, and there is no other one, until the function that it returns is
   *  called. */
  install(): () => void {
    Date.now = this.nowMs
    performance.now = () => this.#ms
    const handles = new WeakMap<object, () => void>()
    const later = (act: (...args: unknown[]) => void, delayMs = 0, ...args: unknown[]) => {
      if (delayMs < SHORTEST_MS) return real.setTimeout(act, delayMs, ...args)
      const handle = real.setTimeout(() => {}, 0)
      handles.set(
        handle,
        this.#add(delayMs, () => act(...args), false),
      )
      return Object.assign(handle, { refresh: () => handle })
    }
    const off = (handle: NodeJS.Timeout): void => {
      if (typeof handle === 'object' && handle !== null) handles.get(handle)?.()
      real.clearTimeout(handle)
    }
    Object.assign(globalThis, { setTimeout: later, clearTimeout: off })
    const promises = createRequire(import.meta.url)('node:timers/promises') as { setTimeout: Sleep }
    const before = promises.setTimeout
    promises.setTimeout = (async <T>(delayMs = 0, value?: T, options: { signal?: AbortSignal } = {}) => {
      if (delayMs < SHORTEST_MS) return await before(delayMs, value, options)
      return await this.#sleep(delayMs, value, options.signal)
    }) as Sleep
    syncBuiltinESMExports()
    return () => {
      Date.now = real.nowMs
      // What stood before it is its prototype's.
      Reflect.deleteProperty(performance, 'now')
      Object.assign(globalThis, { setTimeout: real.setTimeout, clearTimeout: real.clearTimeout })
      promises.setTimeout = before
      syncBuiltinESMExports()
    }
  }

  readonly nowMs = (): number => Math.floor(this.#ms)
  readonly elapsedMs = (): number => this.#ms
  readonly after = (delayMs: number, act: () => void): (() => void) => this.#add(delayMs, act, false)

  /** A peer gave a sign of life. */
  heard(): void {
    this.#heardMs = real.nowMs()
    this.#looks = 0
    this.#silent = 0
  }

  /** A peer will not answer: time goes on until it is given up. The function that it returns ends that. */
  silence(): () => void {
    return this.#add(Infinity, () => {}, true)
  }

  pass(ms: number): void {
    this.#moveTo(this.#ms + ms)
  }

  /** On to the next thing that was planned. False: there is none within `limitMs`. */
  next(limitMs: number): boolean {
    const next = Math.min(...[...this.#timers].map(({ atMs }) => atMs))
    if (next > this.#ms + limitMs) return false
    this.#moveTo(Math.max(this.#ms, next))
    return true
  }

  /** Waits for `work`, and lets time pass where a peer is silent or we sleep, or, after longer, where nobody has said so.
   *  `standsStill`: not there. Rejects with Hang. */
  async during<T>(work: Promise<T>, { standsStill = false } = {}): Promise<T> {
    const state = { isOver: false }
    const watched = work.finally(() => (state.isOver = true))
    watched.catch(() => {})
    const beganMs = real.nowMs()
    this.heard()
    while (!state.isOver) {
      await Promise.race([watched.catch(() => {}), new Promise((next) => real.setTimeout(next, LOOK_MS))])
      if (state.isOver) break
      if (real.nowMs() - beganMs > HANG_MS) throw new Hang(`a poll that does not end: ${this.#pending()}`)
      const isSilent = [...this.#timers].some(({ isSleep }) => isSleep)
      if (standsStill && (!isSilent || ++this.#looks < STILL_LOOKS)) continue
      if (!standsStill && real.nowMs() - this.#heardMs < (isSilent ? STILL_MS : LONG_STILL_MS)) continue
      this.#silent++
      this.#heardMs = real.nowMs()
      this.#looks = 0
      this.pass(STEP_MS * (this.#silent > STEPS_AT_FIRST ? 12 : 1))
    }
    return await watched
  }

  #pending(): string {
    const waits = [...this.#timers].map(({ atMs }) => Math.round((atMs - this.#ms) / 1000))
    return `waits in s: ${waits.join(', ')}; resources: ${process.getActiveResourcesInfo().join(', ')}`
  }

  #add(delayMs: number, act: () => void, isSleep: boolean): () => void {
    const timer = { atMs: this.#ms + delayMs, act, isSleep }
    this.#timers.add(timer)
    return () => void this.#timers.delete(timer)
  }

  #moveTo(ms: number): void {
    for (;;) {
      const due = [...this.#timers].filter(({ atMs }) => atMs <= ms).sort((a, b) => a.atMs - b.atMs)[0]
      if (due === undefined) break
      this.#ms = Math.max(this.#ms, due.atMs)
      this.#timers.delete(due)
      due.act()
    }
    this.#ms = Math.max(this.#ms, ms)
  }

  #sleep<T>(delayMs: number, value: T, signal: AbortSignal | undefined): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>()
    const off = this.#add(delayMs, () => resolve(value), true)
    const stop = (): void => {
      off()
      reject(new DOMException('The operation was aborted', 'AbortError'))
    }
    signal?.addEventListener('abort', stop, { once: true })
    if (signal?.aborted === true) stop()
    return promise
  }
}

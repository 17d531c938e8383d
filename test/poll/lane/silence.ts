// Time that passes while a server is silent and the disk is idle, and not otherwise: nothing else comes too late, and no test waits. Like
// ../patience.ts, for polls whose clock is not the real one anyway.
import { setImmediate as turn } from 'node:timers/promises'
import { vi } from 'vitest'
import type { Scene } from '../scene.ts'

/** A part of the 60 s after which a silent server is given up. */
const STEP_MS = 5000

export class Silence {
  readonly #scene: Scene
  readonly #silent = new Set<number>()

  constructor(scene: Scene) {
    this.#scene = scene
  }

  /** The session says nothing, until it is closed or what this returns is called. */
  begin(session: number): () => void {
    this.#silent.add(session)
    return () => void this.#silent.delete(session)
  }

  async wait<T>(poll: () => Promise<T>): Promise<T> {
    vi.useFakeTimers({ toFake: ['Date', 'setTimeout', 'clearTimeout', 'performance', 'hrtime'], now: Date.now() })
    try {
      const state = { isSettled: false }
      const polled = poll().finally(() => (state.isSettled = true))
      // oxlint-disable-next-line eslint/no-unmodified-loop-condition
      while (!state.isSettled) {
        for (const { session } of this.#scene.server.journal.of('close')) this.#silent.delete(session)
        const isBusy = process.getActiveResourcesInfo().some((resource) => resource.startsWith('FSReq'))
        if (this.#silent.size > 0 && !isBusy) vi.advanceTimersByTime(STEP_MS)
        await turn()
      }
      return await polled
    } finally {
      vi.useFakeTimers({ toFake: ['Date'], now: Date.now() })
    }
  }
}

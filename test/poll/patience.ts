// Polls of servers that hang. Time passes only while one does and the disk is idle, so that no test waits and nothing else
// comes too late.
import { setImmediate as turn } from 'node:timers/promises'
import { vi } from 'vitest'
import type { Action } from '../support/faults.ts'
import type { Pop3Server, ServedSession } from '../support/pop3-server.ts'

/** A part of the 60 s after which a silent server is given up. */
const STEP_MS = 5000

/** Which sessions of a server hang. */
export class Patience {
  readonly #server: Pop3Server
  readonly #hanging = new Set<number>()

  constructor(server: Pop3Server) {
    this.#server = server
  }

  /** The session was answered so, and may hang now. */
  note(action: Action, { id }: ServedSession): void {
    const last = typeof action === 'object' && 'next' in action ? action.next : action
    if (last === 'stall') this.#hanging.add(id)
  }

  async wait<T>(poll: () => Promise<T>): Promise<T> {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance', 'hrtime'] })
    try {
      const state = { isSettled: false }
      const polled = poll().finally(() => (state.isSettled = true))
      // oxlint-disable-next-line eslint/no-unmodified-loop-condition
      while (!state.isSettled) {
        for (const { session } of this.#server.journal.of('close')) this.#hanging.delete(session)
        if (this.#hanging.size > 0 && !isDiskBusy()) vi.advanceTimersByTime(STEP_MS)
        await turn()
      }
      return await polled
    } finally {
      vi.useRealTimers()
    }
  }
}

function isDiskBusy(): boolean {
  return process.getActiveResourcesInfo().some((resource) => resource.startsWith('FSReq'))
}

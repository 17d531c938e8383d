// Work that may be long, in pieces. A caller that waits gets it at once. The daemon, while it reads a new configuration, does
// it with pauses for its other work.
import { setImmediate as turn } from 'node:timers/promises'

/** What is nothing beside the 20 ms that a connection may wait. */
const PIECE_MS = 8

/** Without a pause. */
export function atOnce<T>(work: Generator<void, T>): T {
  for (;;) {
    const step = work.next()
    if (step.done === true) return step.value
  }
}

/** Lets others have their turn after each few milliseconds. */
export async function inTurns<T>(work: Generator<void, T>): Promise<T> {
  for (;;) {
    const untilMs = performance.now() + PIECE_MS
    do {
      const step = work.next()
      if (step.done === true) return step.value
    } while (performance.now() < untilMs)
    await turn()
  }
}

// SIGINT and SIGTERM: the first lets the run stop cleanly within ten seconds, the second ends it at once. A process that
// is killed loses nothing either; a clean stop only avoids doing again what was in flight.
import { PopfetchError } from '../errors.ts'
import { EXIT_SIGNAL } from '../status/exit.ts'

/** From the first signal to the end of the process, even when something hangs (DESIGN 5). */
const GRACE_MS = 10_000
const NUMBERS = { SIGINT: 2, SIGTERM: 15 } as const

export interface Interruptions {
  readonly signal: AbortSignal
  /** 128 + the number of the signal that came, or null. */
  readonly code: () => number | null
}

/** Listens until the process ends. `exit` does not return: `process.exit`. */
export function watchInterruptions(exit: (code: number) => void): Interruptions {
  const controller = new AbortController()
  let code: number | null = null
  for (const [name, number] of Object.entries(NUMBERS)) {
    process.on(name, () => {
      if (code !== null) exit(code)
      code = EXIT_SIGNAL + number
      controller.abort(new PopfetchError('ERR_ABORTED', `stopped by ${name}`, { scope: 'process', retry: 'soon' }))
      setTimeout(exit, GRACE_MS, code).unref()
    })
  }
  return { signal: controller.signal, code: () => code }
}

// Sign-ins and client secrets that end soon, told once, days ahead.
import { signInsOf } from '../config/oauth/sign-ins.ts'
import type { Configuration } from '../config/schema.ts'
import type { Log } from '../log.ts'

const EVERY_MS = 3_600_000

export class Endings {
  readonly #log: Log
  readonly #env: NodeJS.ProcessEnv
  /** When they were looked for last. */
  #lookedMs = Number.NEGATIVE_INFINITY

  constructor(log: Log, env: NodeJS.ProcessEnv) {
    this.#log = log
    this.#env = env
  }

  /** At most once an hour, by the clock of the day: a machine that sleeps most of it hears in time. Never rejects. */
  async look(configuration: Configuration): Promise<void> {
    const nowMs = Date.now()
    if (configuration.oauth.size === 0 || Math.abs(nowMs - this.#lookedMs) < EVERY_MS) return
    this.#lookedMs = nowMs
    const lines = await signInsOf(configuration, this.#env)
      .endings()
      .catch(() => [])
    for (const line of lines) this.#log.warn(line)
  }
}

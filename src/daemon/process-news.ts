// Whether popfetch itself works, as people are told of it (notify/process.ts): it does by this configuration, it cannot use the ledger,
// it cannot read a new configuration. One notice after the other, and nobody waits for it.
import { keepWhoIsTold } from '../config/daemon/told.ts'
import type { Configuration } from '../config/schema.ts'
import { PopfetchError } from '../errors.ts'
import type { Log } from '../log.ts'
import type { AccountReport } from '../poll/report.ts'
import { isOfProcess, tellProcess } from './notify/process.ts'

interface Around {
  /** In effect now. */
  readonly configuration: () => Configuration
  readonly log: Log
  readonly env: NodeJS.ProcessEnv
  readonly nowMs: () => number
  readonly signal: AbortSignal
}

export class ProcessNews {
  readonly #around: Around
  /** What is over was told before. */
  #telling: Promise<void> = Promise.resolve()
  /** A poll could not use the ledger, and none could since. */
  #toldOfLedger = false

  constructor(around: Around) {
    this.#around = around
  }

  /** Beside the mail: one poll that cannot use the ledger may be one of a full disk. */
  ended({ error, outcome }: AccountReport): void {
    if (error?.code === 'ERR_LEDGER') {
      this.#toldOfLedger = true
      this.#tell(new PopfetchError('ERR_LEDGER', error.message, { scope: 'process', retry: error.retry }))
    } else if (this.#toldOfLedger && (outcome === 'ok' || outcome === 'partial')) {
      this.#toldOfLedger = false
      this.#tell(null)
    }
  }

  /** It works by the configuration in effect: who is told by it hears of one that cannot be read. */
  works(): void {
    const { configuration, log, env } = this.#around
    this.#tell(null)
    keepWhoIsTold(configuration(), env).catch((error: unknown) =>
      log.warn('who is to be told could not be kept', { error: String(error) }),
    )
  }

  /** A reload failed: those are told whom the old configuration names. */
  failed(error: PopfetchError): void {
    if (isOfProcess(error)) this.#tell(error)
  }

  /** `error` null: it works. */
  #tell(error: PopfetchError | null): void {
    const { configuration, log, env, nowMs, signal } = this.#around
    const context = { configuration: configuration(), log, env, nowMs: nowMs(), signal }
    const before = this.#telling
    this.#telling = (async () => {
      await before
      await tellProcess(error, context)
    })()
  }
}

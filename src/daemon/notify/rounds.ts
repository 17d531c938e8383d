// When the daemon looks whether somebody is to be told: soon after polls, and each minute; `ping` every five minutes.
// One round at a time: what happens meanwhile is for the next one.
import { notifiersOf } from '../../config/daemon/notify.ts'
import type { Configuration } from '../../config/schema.ts'
import type { AccountReport } from '../../poll/report.ts'
import type { Status } from '../../status/status.ts'
import { type NotifyContext, notifyRound } from './notify.ts'

const PING_EVERY_MS = 5 * 60_000
/** Polls that end together are told together. */
const SOON_MS = 1000
/** Of polls that no round has looked at. */
const MOST_REPORTS = 1000

export interface RoundsContext extends NotifyContext {
  configuration(): Configuration
  /** Rejects with ERR_LEDGER. */
  status(): Promise<Status>
}

export class Rounds implements AsyncDisposable {
  readonly #context: RoundsContext
  #reports: AccountReport[] = []
  #running: Promise<void> | null = null
  #isWanted = false
  #soon: NodeJS.Timeout | null = null
  #pingedMs = -Infinity

  constructor(context: RoundsContext) {
    this.#context = context
  }

  /** A poll ended. */
  ended(report: AccountReport): void {
    if (notifiersOf(this.#context.configuration()).length === 0) return
    if (this.#reports.length < MOST_REPORTS) this.#reports.push(report)
    this.#soon ??= setTimeout(() => void this.look(), SOON_MS).unref()
  }

  /** Never rejects. */
  async look(): Promise<void> {
    if (this.#soon !== null) clearTimeout(this.#soon)
    this.#soon = null
    this.#isWanted = true
    this.#running ??= this.#run().finally(() => (this.#running = null))
    await this.#running
  }

  async #run(): Promise<void> {
    while (this.#isWanted && !this.#context.signal.aborted) {
      this.#isWanted = false
      await this.#round()
    }
  }

  async #round(): Promise<void> {
    const { log } = this.#context
    const configuration = this.#context.configuration()
    if (notifiersOf(configuration).length === 0) return
    const status = await this.#context.status().catch((error: unknown) => {
      log.warn('cannot check which notices are due', { error: String(error) })
      return null
    })
    if (status === null) return
    const reports = this.#reports.splice(0)
    const nowMs = performance.now()
    const pings = isPolled(status) && nowMs - this.#pingedMs >= PING_EVERY_MS
    if (pings) this.#pingedMs = nowMs
    await notifyRound({ configuration, status, reports, pings }, this.#context)
  }

  /** Ends the round under way at the signal. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#soon !== null) clearTimeout(this.#soon)
    await this.#running
  }
}

/** Before the first polls nobody knows whether all is well. What a person paused, and what this process does not poll, is not waited
 *  for: a watchdog would bark for as long as that lasts. */
function isPolled({ accounts, daemon }: Status): boolean {
  const polled = new Set(daemon.accounts.map(({ account }) => account))
  return accounts.every(({ account, record, pause }) => record !== null || pause !== null || !polled.has(account))
}

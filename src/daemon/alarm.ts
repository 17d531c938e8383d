// Runs the program `onProblem` when an account has failed, or a message of it has waited, for long. Once, and once more when that
// is over. The ledger keeps that it was told, so that a process that is started again does not tell it again.
import { localStamp } from '../display.ts'
import type { AccountRecord, Ledger } from '../ledger/ledger.ts'
import type { Log } from '../log.ts'
import { machinesWaitedFor } from '../poll/account/unbegun.ts'
import { waitingSinceMs } from '../poll/account/waiting.ts'

/** Since when the account fails, and when that was told: milliseconds, in AccountRecord.facts. */
const TROUBLE = 'troubleSince'
const TOLD = 'troubleTold'

export interface AlarmSettings {
  readonly alertAfterMs: number
}

interface AlarmContext {
  readonly ledger: Pick<Ledger, 'accounts' | 'records'>
  readonly log: Log
  readonly nowMs: () => number
}

export class Alarm {
  readonly #context: AlarmContext
  #looking: Promise<void> | null = null

  constructor(context: AlarmContext) {
    this.#context = context
  }

  /** Looks at the accounts in `polled`; `hangs` are those whose poll does not end. Called every minute; while one look is still
   *  under way, another call waits for that one. Never rejects. */
  async look(settings: AlarmSettings, polled: ReadonlySet<string>, hangs: ReadonlySet<string>): Promise<void> {
    this.#looking ??= this.#look(settings, polled, hangs)
      .catch((error: unknown) =>
        this.#context.log.warn('cannot look for accounts in trouble', { error: String(error) }),
      )
      .finally(() => {
        this.#looking = null
      })
    await this.#looking
  }

  async #look(settings: AlarmSettings, polled: ReadonlySet<string>, hangs: ReadonlySet<string>): Promise<void> {
    for (const record of await this.#context.ledger.accounts()) {
      if (!polled.has(record.name)) continue
      if (record.failures > 0 || hangs.has(record.name)) await this.#inTrouble(record, settings)
      else if (this.#waitsLong(record, settings)) await this.#tellOnce(record, waitingSinceMs(record))
      else if (record.facts[TROUBLE] !== undefined) await this.#recovered(record)
    }
  }

  async #inTrouble(record: AccountRecord, settings: AlarmSettings): Promise<void> {
    const { ledger, nowMs } = this.#context
    const now = nowMs()
    const written = record.facts[TROUBLE]
    // Counted from the first failure, not from the last success: a laptop that was closed for a night is no trouble.
    // In the future: by a clock that was ahead then.
    const isKnown = written !== undefined && Number(written) <= now
    const sinceMs = isKnown ? Number(written) : now
    if (!isKnown) await ledger.records.note(record.name, { [TROUBLE]: String(now) })
    if (now - sinceMs >= settings.alertAfterMs) await this.#tellOnce(record, null)
  }

  /** Has a message waited for long, though the account works (N041)? */
  #waitsLong(record: AccountRecord, { alertAfterMs }: AlarmSettings): boolean {
    const sinceMs = waitingSinceMs(record)
    return sinceMs !== null && this.#context.nowMs() - sinceMs >= alertAfterMs
  }

  /** `waitsSinceMs`: a message has waited since then; null: the account fails. */
  async #tellOnce(record: AccountRecord, waitsSinceMs: number | null): Promise<void> {
    if (record.facts[TOLD] !== undefined) return
    this.#tell('problem', record, waitsSinceMs)
    const now = String(this.#context.nowMs())
    await this.#context.ledger.records.note(record.name, { [TROUBLE]: record.facts[TROUBLE] ?? now, [TOLD]: now })
  }

  async #recovered(record: AccountRecord): Promise<void> {
    if (record.facts[TOLD] !== undefined) this.#tell('recovery', record)
    await this.#context.ledger.records.note(record.name, { [TROUBLE]: null, [TOLD]: null })
  }

  #tell(event: 'problem' | 'recovery', record: AccountRecord, waitsSinceMs: number | null = null): void {
    const { name: account, lastSuccessMs } = record
    const { log } = this.#context
    const since = waitsSinceMs === null ? '' : localStamp(waitsSinceMs)
    const machine = machinesWaitedFor(record).join(', ')
    if (waitsSinceMs !== null)
      log.error('mail has been waiting for a long time', { account, since, ...(machine === '' ? {} : { machine }) })
    else if (event === 'problem')
      log.error('no success for a long time', { account, lastSuccess: isoOf(lastSuccessMs) })
    else log.info('success again', { account })
  }
}

function isoOf(timeMs: number | null): string {
  return timeMs === null ? '' : new Date(timeMs).toISOString()
}

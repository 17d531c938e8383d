// One poll as the plan sees it: whether it must be due, who asked for it, and when the next one is. The poller asks for that while it
// has the account.
import type { AccountHealth, AccountRecord } from '../../ledger/ledger.ts'
import type { Planning } from '../../poll/poller.ts'
import type { AccountReport } from '../../poll/report.ts'
import type { Appointment, Asker, Moment } from './appointment.ts'

interface Surroundings {
  readonly moment: () => Moment
  /** From 0 to 1. */
  readonly random: () => number
  /** What is recorded of the account now; null: nothing, or it cannot be read. */
  readonly health: () => Promise<AccountHealth | null>
  /** A place is asked for. */
  readonly asks: () => void
  /** The poll begins. */
  readonly begins: () => void
}

export class PlannedPoll implements Planning {
  readonly #appointment: Appointment
  readonly #around: Surroundings
  /** Those whom this poll answers; null: it did not begin. */
  askers: readonly Asker[] | null = null
  /** What the poll left, and how long until the next one; null: it never came to its end. */
  end: { readonly health: AccountHealth | null; readonly waitMs: number } | null = null

  constructor(appointment: Appointment, around: Surroundings) {
    this.#appointment = appointment
    this.#around = around
  }

  dueWithinMs(): number | null {
    const { askers, anyway, longestMs } = this.#appointment
    this.#around.asks()
    return askers.length > 0 || anyway ? null : longestMs
  }

  begins(woken: boolean, record: AccountRecord | null): boolean {
    // Also those who came while it waited for a place.
    this.askers = this.#appointment.askers.splice(0)
    this.#around.begins()
    // What came before is answered by this poll.
    if (woken) this.#appointment.wokenMeanwhile = false
    this.#appointment.begin(record, this.#around.moment())
    return woken || this.askers.some((asker) => asker.eager)
  }

  async dueAgainMs(report: AccountReport, recorded: AccountHealth | null): Promise<number> {
    const { moment, random, health } = this.#around
    // A poll that threw has recorded nothing.
    const left = this.#appointment.bug === null ? (recorded ?? (await health())) : null
    const waitMs = this.#appointment.waitMs(report, left, moment().nowMs, random())
    this.end = { health: left, waitMs }
    return waitMs
  }
}

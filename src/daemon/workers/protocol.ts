// What a daemon and its own processes say to each other (`--workers`), over the channel that Node opens between them. Both are of one
// version, so nothing is checked.
import type { AccountHealth } from '../../ledger/ledger.ts'
import type { LogFacts } from '../../log.ts'
import type { AccountReport, ReportedError } from '../../poll/report.ts'

/** From the daemon. */
export type Order =
  | { readonly kind: 'ping' }
  /** The daemon has taken over another configuration. */
  | { readonly kind: 'reload' }
  /** These were woken. */
  | { readonly kind: 'wake'; readonly accounts: readonly string[] }
  /** To end well, within nine seconds. */
  | { readonly kind: 'stop' }

/** From one of its processes. */
export type Word =
  | { readonly kind: 'up' }
  | { readonly kind: 'failed'; readonly error: ReportedError }
  | {
      readonly kind: 'log'
      readonly level: 'debug' | 'info' | 'warn' | 'error'
      readonly text: string
      readonly facts: LogFacts
    }
  | {
      readonly kind: 'ended'
      readonly account: string
      readonly report: AccountReport
      readonly health: AccountHealth | null
      readonly lateMs: number
      readonly waitMs: number
      /** The stack of an error that no promise caught; null: none. */
      readonly thrown: string | null
    }
  /** The answer to `ping`: which accounts it polls, and which of them hang. */
  | { readonly kind: 'alive'; readonly polling: readonly string[]; readonly overdue: readonly string[] }

/** One end of the channel. */
export interface Channel<Said, Heard> {
  /** Lost where the other end is gone. */
  say(message: Said): void
  /** What comes is given to `hear` from now on; `gone` is called once, when nothing more can come. */
  listen(hear: (message: Heard) => void, gone: (how: string) => void): void
}

/** A process as the daemon that started it sees it. `gone` is told how it ended. */
export interface OwnProcess extends Channel<Order, Word> {
  readonly pid: number
  /** At once, also where it is stopped. */
  kill(): void
}

// The progress of a migration: lines that are redrawn on a terminal; without one, with --verbose, a line every 15 s.
import type { Log } from '../../../log.ts'
import type { MigrationObserver } from '../../../migrate/report.ts'
import type { Progress } from '../../../poll/report.ts'
import type { Output } from '../../output.ts'
import { advanced, type AtWork, type ProgressScreen, progressText, withScreen } from '../../terminal/progress-screen.ts'
import type { Surroundings } from '../../surroundings.ts'

const TELL_MS = 15_000

interface Wanted {
  readonly quiet: boolean
  readonly verbose: boolean
}

export class MigrationScreen implements MigrationObserver {
  readonly #screen: ProgressScreen | null
  readonly #output: Output
  readonly #log: Log
  readonly #verbose: boolean
  readonly #nowMs: () => number
  readonly #atWork = new Map<string, { readonly work: AtWork; readonly toldMs: number }>()

  private constructor(screen: ProgressScreen | null, verbose: boolean, log: Log, { output, nowMs }: Surroundings) {
    this.#screen = screen
    this.#output = output
    this.#log = log
    this.#verbose = verbose
    this.#nowMs = nowMs
  }

  /** Runs `work` with an observer that shows its progress. */
  static async during<T>(
    { quiet, verbose }: Wanted,
    surroundings: Surroundings,
    log: Log,
    work: (observer: MigrationObserver) => Promise<T>,
  ): Promise<T> {
    return await withScreen({ quiet }, surroundings, (screen) =>
      work(new MigrationScreen(screen, verbose, log, surroundings)),
    )
  }

  progress(account: string, progress: Progress, errors: number): void {
    this.#screen?.progress(account, progress, errors)
    if (this.#screen !== null || !this.#verbose) return
    const nowMs = this.#nowMs()
    const before = this.#atWork.get(account)
    const work = advanced(before?.work, progress, nowMs, errors)
    const toldMs = before?.toldMs ?? nowMs
    const due = progress.stage === 'fetching' && nowMs - toldMs >= TELL_MS
    this.#atWork.set(account, { work, toldMs: due ? nowMs : toldMs })
    if (due) this.#output.note(`${account}: ${progressText(work, nowMs)}`)
  }

  pause(account: string, what: string): void {
    this.#screen?.pause(account, what)
  }

  note(account: string, text: string): void {
    this.#log.debug(text, { account })
    if (this.#verbose) this.#output.note(`${account}: ${text}`)
  }
}

// Progress on a terminal: one line per account at work, redrawn in place. log-update's only door. It is loaded only
// when a run lasts longer than a moment. Lines that are printed meanwhile stay above the progress lines.
import type { createLogUpdate } from 'log-update'
import { display, grouped } from '../../display.ts'
import type { Log } from '../../log.ts'
import type { Observer, Progress } from '../../poll/report.ts'
import type { Screen } from '../output.ts'
import { counted, duration, size } from '../../status/words/amounts.ts'
import type { Surroundings, Terminal } from '../surroundings.ts'
import { cellsOf, padded, shortened, shortenedInside } from './width.ts'

const REDRAW_MS = 100
/** A poll that ends sooner draws nothing. */
const PATIENCE_MS = 300
/** A finishing account that has reported nothing for this long is taken off the screen. */
const GONE_MS = 1500
/** How much of an account's name is shown, as there is room. */
const SHORTEST_NAME = 10
const LONGEST_NAME = 40
/** Before this much time a rate is a guess. */
const RATE_AFTER_MS = 1000

/** Runs `work` with an observer that draws, narrates and logs, as the command line asks. */
export async function withObserver<T>(
  wanted: { readonly quiet: boolean; readonly verbose: boolean },
  surroundings: Surroundings,
  log: Log,
  work: (observer: Observer) => Promise<T>,
): Promise<T> {
  return await withScreen(wanted, surroundings, (screen) =>
    work({
      progress: (account, progress) => screen?.progress(account, progress),
      note(account, text) {
        log.debug(text, { account })
        if (wanted.verbose) surroundings.output.note(`${account}: ${text}`)
      },
    }),
  )
}

/** Runs `work` with a screen; null: nothing is to be drawn (no terminal, one that cannot redraw, `--quiet`). */
export async function withScreen<T>(
  { quiet }: { readonly quiet: boolean },
  { terminal, output, env, nowMs }: Surroundings,
  work: (screen: ProgressScreen | null) => Promise<T>,
): Promise<T> {
  const draws = terminal !== null && env['TERM'] !== 'dumb' && !quiet
  using screen = draws ? new ProgressScreen(terminal, nowMs) : null
  output.screen = screen
  try {
    return await work(screen)
  } finally {
    output.screen = null
  }
}

export interface AtWork {
  readonly progress: Progress
  readonly heardMs: number
  /** When the first message was asked for, and how many bytes had come by then; null: not yet. */
  readonly fetching: { readonly sinceMs: number; readonly bytes: number } | null
  /** Messages that failed and sessions that were lost; absent: nobody counts them. */
  readonly errors?: number
  /** What the account waits for, shown instead of its progress; absent: nothing. */
  readonly pause?: string
}

/** The state of an account after `progress`, from the state before. */
export function advanced(before: AtWork | undefined, progress: Progress, nowMs: number, errors = 0): AtWork {
  const earlier = before?.fetching ?? null
  const begins = earlier === null && progress.stage === 'fetching'
  const fetching = begins ? { sinceMs: nowMs, bytes: progress.bytes } : earlier
  return { progress, heardMs: nowMs, fetching, errors }
}

export class ProgressScreen implements Screen, Disposable {
  readonly #terminal: Terminal
  readonly #nowMs: () => number
  readonly #atWork = new Map<string, AtWork>()
  readonly #beganMs: number
  readonly #timer: NodeJS.Timeout
  #update: ReturnType<typeof createLogUpdate> | null = null
  #loading = false
  #disposed = false

  constructor(terminal: Terminal, nowMs: () => number) {
    this.#terminal = terminal
    this.#nowMs = nowMs
    this.#beganMs = nowMs()
    this.#timer = setInterval(() => void this.draw(), REDRAW_MS).unref()
  }

  progress(account: string, progress: Progress, errors = 0): void {
    if (progress.stage === 'done') this.#atWork.delete(account)
    else this.#atWork.set(account, advanced(this.#atWork.get(account), progress, this.#nowMs(), errors))
  }

  /** Shows what the account waits for, until its next progress. */
  pause(account: string, what: string): void {
    const nowMs = this.#nowMs()
    const progress: Progress = { stage: 'connecting', messages: 0, totalMessages: 0, bytes: 0, totalBytes: 0 }
    const before = this.#atWork.get(account) ?? { progress, fetching: null }
    this.#atWork.set(account, { ...before, heardMs: nowMs, pause: what })
  }

  persist(line: string): void {
    if (this.#update === null) this.#terminal.write(`${line}\n`)
    else this.#update.persist(line)
  }

  clear(): void {
    this.#update?.clear()
  }

  /** Redraws. The timer calls it; a test calls it itself. */
  async draw(): Promise<void> {
    const nowMs = this.#nowMs()
    for (const [account, { progress, heardMs, pause }] of this.#atWork) {
      const finished = progress.stage === 'finishing' && pause === undefined
      if (finished && nowMs - heardMs > GONE_MS) this.#atWork.delete(account)
    }
    if (this.#loading || nowMs - this.#beganMs < PATIENCE_MS) return
    if (this.#update === null) {
      if (this.#atWork.size === 0) return
      this.#loading = true
      const logUpdate = await import('log-update')
      this.#loading = false
      if (this.#disposed) return
      // The cursor stays: to hide it, log-update installs signal handlers that end the process instead of ours.
      this.#update = logUpdate.createLogUpdate(this.#terminal, { showCursor: true })
    }
    this.#update(
      progressLines(this.#atWork, nowMs, positive(this.#terminal.columns, 80), positive(this.#terminal.rows, 24)).join(
        '\n',
      ),
    )
  }

  [Symbol.dispose](): void {
    this.#disposed = true
    clearInterval(this.#timer)
    this.#update?.clear()
    this.#update?.done()
    this.#update = null
  }
}

/** The lines as they stand at `nowMs`, each within `columns`, all of them within `rows`. */
export function progressLines(
  atWork: ReadonlyMap<string, AtWork>,
  nowMs: number,
  columns: number,
  rows: number,
): string[] {
  const most = Math.max(1, rows - 2)
  const shown = atWork.size > most ? most - 1 : atWork.size
  const entries = [...atWork].slice(0, Math.max(0, shown))
  const texts = entries.map(([, work]) => progressText(work, nowMs))
  const room = columns - 1 - '  '.length - Math.max(0, ...texts.map(cellsOf))
  const longest = Math.max(0, ...entries.map(([account]) => account.length))
  const width = Math.min(longest, Math.max(SHORTEST_NAME, Math.min(LONGEST_NAME, room)))
  const lines = entries.map(([account], at) => `${padded(shortenedInside(account, width), width)}  ${texts[at] ?? ''}`)
  if (shown < atWork.size) lines.push(`and ${grouped(atWork.size - shown)} more at work`)
  return lines.map((line) => shortened(line, Math.max(1, columns - 1)))
}

/** How far an account is, without its name. */
export function progressText({ progress, fetching, errors = 0, pause }: AtWork, nowMs: number): string {
  const failures = errors === 0 ? '' : `  ${counted(errors, 'error')}`
  if (pause !== undefined) return display(pause)
  const { stage, messages, totalMessages, bytes, totalBytes } = progress
  if (stage !== 'fetching' || fetching === null) return `${stage}${failures}`
  const counts = `${grouped(messages)}/${grouped(totalMessages)} messages  ${totalBytes > 0 ? `${size(bytes)} of ${size(totalBytes)}` : size(bytes)}`
  const elapsedMs = nowMs - fetching.sinceMs
  const perMs = elapsedMs > 0 ? (bytes - fetching.bytes) / elapsedMs : 0
  if (elapsedMs < RATE_AFTER_MS || perMs <= 0) return `${counts}${failures}`
  // Announced sizes are hints (P101, wrong sizes): when more came than was announced, no time is foretold.
  const leftMs = (totalBytes - bytes) / perMs
  const left = leftMs > 0 ? `  ${duration(Math.max(1000, leftMs)).replace(/\.\d+ s$/, ' s')} left` : ''
  return `${counts}  ${size(Math.ceil(perMs * 1000))}/s${left}${failures}`
}

/** Some terminals report 0 columns. */
function positive(told: number | undefined, usual: number): number {
  return told === undefined || told <= 0 ? usual : told
}

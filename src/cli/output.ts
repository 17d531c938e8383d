// Standard streams. Everything popfetch prints goes through here: secrets are masked (N019), control characters escaped
// (N027). A reader that went away (N003, EPIPE) or reads slowly (N004) never holds up the mail.
// Answers go to standard output; problems, notes and progress to standard error.
import { setImmediate as turn } from 'node:timers/promises'
import { display } from '../display.ts'
import type { LogForm } from '../log.ts'
import { redact } from '../redact.ts'
import { errnoOf, type PopfetchError } from '../errors.ts'
import { reportError } from '../poll/report.ts'
import { wrappedLine } from './terminal/wrapped.ts'

export interface TextStream {
  readonly isTTY?: boolean
  readonly columns?: number
  readonly rows?: number
  readonly writableLength: number
  write(text: string, done?: (error?: Error | null) => void): boolean
  on(event: 'error', listener: (error: Error) => void): unknown
}

/** Where printed lines go while progress lines stand at the bottom of the terminal. */
export interface Screen {
  persist(line: string): void
  /** Takes the progress lines away until they are drawn again. */
  clear(): void
}

/** A line may hold a path and a server's answer; nothing sensible is longer. */
const LINE_LIMIT = 4000
/** This much may wait for a slow reader before lines are dropped: notes early, problems late. */
const NOTE_QUEUE_BYTES = 1024 * 1024
const LINE_QUEUE_BYTES = 16 * 1024 * 1024
/** An answer longer than this waits for its reader. */
const ANSWER_QUEUE_BYTES = 256 * 1024
/** How long the program waits at its end for a reader that takes nothing, such as a pager that nobody scrolls. */
const READER_IDLE_MS = 600_000

/** `bad`: something is wrong. `doubtful`: something may be. */
export type Tone = 'plain' | 'bad' | 'doubtful'
const TONES = { bad: '\u001b[31m', doubtful: '\u001b[33m' } as const

export class Output {
  readonly #stdout: TextStream
  readonly #stderr: TextStream
  readonly #told: number | null
  #dropped = 0
  #readerGone = false
  /** Why the answer is not whole; null: it is, or nobody wanted more of it. */
  #lost: string | null = null
  #colours = false
  screen: Screen | null = null

  /** `columns`: what a person said of the terminal, by COLUMNS; null: nothing, and the terminal itself is asked. */
  constructor(stdout: TextStream, stderr: TextStream, columns: number | null = null) {
    this.#stdout = stdout
    this.#stderr = stderr
    this.#told = columns
    // Without a listener an EPIPE would be an uncaught exception.
    stdout.on('error', (error) => {
      this.#readerGone = true
      const errno = errnoOf(error) ?? 'EPIPE'
      // A reader that has seen enough, and a terminal that was closed, miss nothing.
      if (this.#stdout.isTTY !== true && errno !== 'EPIPE' && errno !== 'ECONNRESET') this.#lost = errno
    })
    stderr.on('error', () => {})
  }

  /** Why what was answered is not all there (a full disk, a quota), as the system calls it; null: it is. True when `drained` has
   *  resolved. */
  get lost(): string | null {
    return this.#lost
  }

  /** From now on `answer` uses colours, if it is shown on a terminal that takes them (https://no-color.org). */
  allowColours(env: NodeJS.ProcessEnv): void {
    this.#colours = this.#stdout.isTTY === true && !env['NO_COLOR'] && env['TERM'] !== 'dumb'
  }

  /** How wide an answer may be; Infinity: nobody looks at it on a terminal, and a line is never broken. */
  get columns(): number {
    return this.#columnsOf(this.#stdout)
  }

  /** Lines of the answer to a question, on standard output, as they are: whoever copies one from the terminal has it whole. */
  answer(text: string, tone: Tone = 'plain'): void {
    this.#answer(printable(text), tone)
  }

  /** The same for sentences and tables: on a terminal, what is longer than a line is broken between words. */
  prose(text: string, tone: Tone = 'plain'): void {
    this.#answer(broken(printable(text), this.columns), tone)
  }

  #answer(lines: string, tone: Tone): void {
    // On one terminal the answer would be in the middle of the progress lines.
    if (this.#stdout.isTTY === true) this.screen?.clear()
    this.#stdout.write(this.#colours && tone !== 'plain' ? `${TONES[tone]}${lines}\u001b[0m\n` : `${lines}\n`)
  }

  /** The one place where a secret is printed: it is what was asked for. */
  secret(text: string): void {
    this.#stdout.write(`${text}\n`)
  }

  /** A file as it is, for whoever redirects it: the caller has seen to it that nothing in it acts on a terminal. */
  file(text: string): void {
    this.#stdout.write(text)
  }

  /** For long answers: waits until the reader has caught up. False: the reader is gone, and nothing more need be printed. */
  async caughtUp(): Promise<boolean> {
    if (this.#stdout.writableLength > ANSWER_QUEUE_BYTES) await drained(this.#stdout)
    return !this.#readerGone
  }

  /** The one object of `--json`: ASCII only, so that nothing in it can act on a terminal. */
  object(value: object): void {
    this.#stdout.write(jsonLine(value))
  }

  /** A line for people on standard error: a summary, a problem, a warning. On a terminal it is broken between words. */
  say(text: string): void {
    this.#line(broken(printable(text), this.#columnsOf(this.#stderr)), LINE_QUEUE_BYTES)
  }

  /** A line on standard error that somebody will copy: it is never broken. */
  sayWhole(text: string): void {
    this.#line(printable(text), LINE_QUEUE_BYTES)
  }

  /** Narration on standard error: dropped when nobody reads it. On a terminal it is broken between words. */
  note(text: string): void {
    this.#line(broken(printable(text), this.#columnsOf(this.#stderr)), NOTE_QUEUE_BYTES)
  }

  /** The same for a line that a program reads. */
  noteWhole(text: string): void {
    this.#line(printable(text), NOTE_QUEUE_BYTES)
  }

  /** Lines of a log, in a form. */
  logged(form: LogForm): (line: string) => void {
    return (line) => (form === 'json' ? this.noteWhole(line) : this.note(line))
  }

  problem(text: string): void {
    this.say(`popfetch: ${text}`)
  }

  /** For a command that could not start: the problem, and with `--json` the object that says so. */
  failure(error: PopfetchError, options: { readonly json: boolean }): void {
    this.problem(error.message)
    if (options.json) this.object({ ok: false, accounts: [], error: reportError(error) })
  }

  /** Some terminals report 0 columns. */
  #columnsOf({ isTTY, columns = 80 }: TextStream): number {
    if (isTTY !== true) return Infinity
    return this.#told ?? (columns > 0 ? columns : 80)
  }

  #line(text: string, limitBytes: number): void {
    if (this.#stderr.writableLength > limitBytes) {
      this.#dropped++
      return
    }
    const lines = this.#lostLines() + text
    if (this.screen === null) this.#stderr.write(`${lines}\n`)
    else this.screen.persist(lines)
  }

  #lostLines(): string {
    const lost = this.#dropped
    this.#dropped = 0
    return lost === 0 ? '' : `popfetch: ${lost} lines were dropped: nobody read them\n`
  }

  /** Before the process ends at once: the prompt of the shell is not to be behind a progress line. */
  leave(): void {
    this.screen?.clear()
    this.screen = null
  }

  /** Resolves when all is written, or when the reader is gone or has taken nothing for ten minutes. */
  async drained(): Promise<void> {
    const lost = this.#lostLines()
    if (lost !== '') this.#stderr.write(lost)
    await Promise.all([drained(this.#stdout), drained(this.#stderr)])
    // What a file refuses is told in the next turn.
    await turn()
  }
}

/** One object as a line of JSON, redacted, ASCII only. */
export function jsonLine(value: object): string {
  const redacted = JSON.stringify(value, (_key, item: unknown) => (typeof item === 'string' ? redact(item) : item))
  const ascii = redacted.replace(/[^\x20-\x7e]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`)
  return `${ascii}\n`
}

function printable(text: string): string {
  return text
    .split('\n')
    .map((line) => display(line, LINE_LIMIT))
    .join('\n')
}

function broken(lines: string, columns: number): string {
  if (columns === Infinity) return lines
  return lines
    .split('\n')
    .flatMap((line) => wrappedLine(line, columns))
    .join('\n')
}

async function drained(stream: TextStream): Promise<void> {
  let left = stream.writableLength
  if (left === 0) return
  const { promise, resolve } = Promise.withResolvers<void>()
  // Called once everything before it is written, or with the error that ended the stream.
  stream.write('', () => resolve())
  const watch = setInterval(() => {
    if (stream.writableLength >= left) resolve()
    left = stream.writableLength
  }, READER_IDLE_MS)
  await promise
  clearInterval(watch)
}

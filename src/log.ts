// The log: lines to a file for those who look later, or handed to somebody who prints them; silent without either. Lines are
// JSON, or text for people. pino's only door. A log never affects mail. Lines wait in a bounded queue, and are dropped and
// counted when the disk or a reader does not keep up. A file that cannot be written is given up quietly (N003, N004). Secrets
// in every text are masked here. By default it holds accounts, sizes and codes; headers and addresses only from `debug` on
// (N030).
import { fstatSync } from 'node:fs'
import { rename } from 'node:fs/promises'
import type { LoggerOptions, pino as pinoDoor } from 'pino'
import { display, localTime } from './display.ts'
import { errnoOf } from './errors.ts'
import { openOutput, ourUid } from './own-file.ts'

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error'

/** What belongs to a line of the log, by name. */
export type LogFacts = Readonly<Record<string, string | number | boolean | null>>

/** Takes one line of a session: C what we sent, S what the server sent, with secret arguments hidden already. */
export type WireTrace = (direction: 'C' | 'S', text: string) => void

/** Calls return at once and never throw. Foreign text in `text` and `facts` need not be escaped. */
export interface Log extends AsyncDisposable {
  /** The wire trace of one account's session; null unless the level is `trace`: then nothing need be prepared for it. */
  wire(account: string): WireTrace | null
  debug(text: string, facts?: LogFacts): void
  info(text: string, facts?: LogFacts): void
  warn(text: string, facts?: LogFacts): void
  error(text: string, facts?: LogFacts): void
}

/** Longer than any sentence of ours; a line of the wire trace may be as long as the protocol lets it be. */
const TEXT_LIMIT = 2000
/** Written at once when there is so much, or a second later. */
const WRITE_BYTES = 4096
const WRITE_DELAY_MS = 1000
/** About 10,000 lines: minutes of `debug`, and little beside 150 MB. */
const QUEUE_BYTES = 2 * 1024 * 1024
/** How long the end of the program waits for a slow disk. */
const CLOSE_LIMIT_MS = 2000

const nothing = (): void => {}

export const silentLog: Log = {
  wire: () => null,
  debug: nothing,
  info: nothing,
  warn: nothing,
  error: nothing,
  [Symbol.asyncDispose]: () => Promise.resolve(),
}

/** A log whose file may be moved away under it. */
export interface FileLog extends Log {
  /** Goes on in `file` as it is now, made if need be, at `level`. Rejects with the system's error when it cannot be opened;
   *  then everything stays as it was. */
  reopen(file: string, level: LogLevel): Promise<void>
}

/** `json`: one object a line, with `time`, `level` (its name) and `msg`. `text`: `2026-11-24 12:34:56 account: text`. */
export type LogForm = 'json' | 'text'

export interface LogFileOptions {
  readonly form: LogForm
  /** When the file is longer, it is renamed to `.1`, in the place of an older one, and begun again. Infinity: never. */
  readonly turnAtBytes: number
}

const AS_JSON: LogFileOptions = { form: 'json', turnAtBytes: Infinity }

/** Opens `file` to append, made 0600. Rejects with ForeignFile where another user has put it, with the system's error when it
 *  cannot be opened; later errors are swallowed. Disposing waits, at most two seconds, until what was logged is written. */
export async function openLog(file: string, level: LogLevel, options = AS_JSON): Promise<FileLog> {
  const log = new Turning(file, options, await openLines(file, level, options))
  return {
    ...forwarding((at, text, facts) => log.write(at, text, facts)),
    wire: (account) =>
      log.level === 'trace' ? (direction, text) => log.write('trace', `${direction}: ${text}`, { account }) : null,
    reopen: (newFile, newLevel) => log.reopen(newFile, newLevel),
    [Symbol.asyncDispose]: () => log.close(),
  }
}

/** A log whose file is replaced while it goes on, by a reload or because it is long. Nothing is lost between. */
class Turning {
  #file: string
  readonly #options: LogFileOptions
  #out: Lines
  /** The last change of file; each begins when the one before it has ended. */
  #changed: Promise<void> = Promise.resolve()
  #turning = false

  constructor(file: string, options: LogFileOptions, out: Lines) {
    this.#file = file
    this.#options = options
    this.#out = out
  }

  get level(): LogLevel {
    return this.#out.level
  }

  write(at: LogLevel, text: string, facts: LogFacts): void {
    this.#out.write(at, text, facts)
    this.#turnIfLong()
  }

  #turnIfLong(): void {
    if (this.#turning || this.#out.bytes <= this.#options.turnAtBytes) return
    this.#turning = true
    this.#changed = this.#changed.then(() => this.#turn())
  }

  reopen(file: string, level: LogLevel): Promise<void> {
    const reopened = this.#changed.then(() => this.#goOn(file, level))
    this.#changed = reopened.catch(nothing)
    return reopened
  }

  async close(): Promise<void> {
    await this.#changed
    await this.#out.close()
  }

  async #turn(): Promise<void> {
    try {
      // Lines that come meanwhile go to the old file, under its new name.
      await rename(this.#file, `${this.#file}.1`).catch((error: unknown) => {
        if (errnoOf(error) !== 'ENOENT') throw error
      })
      await this.#goOn(this.#file, this.#out.level)
    } catch {
      // It goes on where it is; tried again after as much has been written.
      this.#out.bytes = 0
    }
    this.#turning = false
    this.#turnIfLong()
  }

  async #goOn(file: string, level: LogLevel): Promise<void> {
    const before = this.#out
    this.#out = await openLines(file, level, this.#options)
    this.#file = file
    await before.close()
  }
}

/** Lines for `print`, which neither blocks nor throws. `nowMs` dates those for people. */
export async function printedLog(
  print: (line: string) => void,
  level: LogLevel,
  form: LogForm,
  nowMs: () => number = Date.now,
): Promise<Log> {
  const { pino } = await import('pino')
  const lines = pino(jsonLines(pino, level), { write: (line: string) => print(line.trimEnd()) })
  const write: Write = (at, text, facts) => {
    if (!lines.isLevelEnabled(at)) return
    if (form === 'json') lines[at](safeFacts(facts), safe(text))
    else print(textLine(at, text, facts, nowMs()))
  }
  return {
    ...forwarding(write),
    wire: (account) =>
      level === 'trace' ? (direction, text) => write('trace', `${direction}: ${text}`, { account }) : null,
    [Symbol.asyncDispose]: () => Promise.resolve(),
  }
}

/** Where an embedding program wants lines: `console` is one. Texts and facts are safe to print when they come. */
export interface Logger {
  debug?(text: string, facts: LogFacts): unknown
  info?(text: string, facts: LogFacts): unknown
  warn?(text: string, facts: LogFacts): unknown
  error?(text: string, facts: LogFacts): unknown
}

/** A log that hands each line on. What the logger throws, or rejects with, is lost: a log never changes what happens to mail. */
export function handedLog(logger: Logger): Log {
  const write: Write = (at, text, facts) => {
    if (at === 'trace') return
    try {
      const given = logger[at]?.(safe(text), safeFacts(facts))
      if (given instanceof Promise) given.catch(nothing)
    } catch {
      // Lost.
    }
  }
  return { ...forwarding(write), wire: () => null, [Symbol.asyncDispose]: () => Promise.resolve() }
}

/** Everything to both of them. */
export function bothLogs(one: Log, other: Log): Log {
  return {
    ...forwarding((at, text, facts) => {
      if (at === 'trace') return
      one[at](text, facts)
      other[at](text, facts)
    }),
    wire(account) {
      const [first, second] = [one.wire(account), other.wire(account)]
      if (first === null || second === null) return first ?? second
      return (direction, text) => {
        first(direction, text)
        second(direction, text)
      }
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([one[Symbol.asyncDispose](), other[Symbol.asyncDispose]()])
    },
  }
}

type Write = (at: LogLevel, text: string, facts: LogFacts) => void

function forwarding(write: Write): Pick<Log, 'debug' | 'info' | 'warn' | 'error'> {
  const writer =
    (at: LogLevel) =>
    (text: string, facts: LogFacts = {}): void =>
      write(at, text, facts)
  return { debug: writer('debug'), info: writer('info'), warn: writer('warn'), error: writer('error') }
}

interface Lines {
  readonly level: LogLevel
  readonly write: Write
  /** How long the file is, with what waits to be written. */
  bytes: number
  close(): Promise<void>
}

async function openLines(file: string, level: LogLevel, { form }: LogFileOptions): Promise<Lines> {
  const { pino } = await import('pino')
  const fd = await openOutput(file, 'append', { uid: ourUid() })
  const queue = pino.destination({ dest: fd, sync: false, minLength: WRITE_BYTES, maxLength: QUEUE_BYTES })
  let dropped = 0
  queue.on('error', nothing)
  queue.on('drop', () => dropped++)
  const put = (line: string): void => {
    opened.bytes += Buffer.byteLength(line)
    queue.write(line)
  }
  const lines = pino(jsonLines(pino, level), { write: put })

  let writing: NodeJS.Timeout | null = null
  const line: Write = (at, text, facts) => {
    if (form === 'text') put(`${textLine(at, text, facts, Date.now())}\n`)
    else lines[at](safeFacts(facts), safe(text))
  }
  const write: Write = (at, text, facts) => {
    if (!lines.isLevelEnabled(at)) return
    line(at, text, facts)
    if (dropped > 0) {
      const lost = dropped
      dropped = 0
      line('warn', 'log lines were dropped: the log could not be written fast enough', { lost })
    }
    writing ??= setTimeout(() => {
      writing = null
      queue.flush()
    }, WRITE_DELAY_MS).unref()
  }

  const stats = fstatSync(fd)
  const opened: Lines = {
    level,
    write,
    bytes: stats.isFile() ? stats.size : 0,
    async close() {
      if (writing !== null) clearTimeout(writing)
      const closed = Promise.withResolvers<void>()
      const limit = setTimeout(closed.resolve, CLOSE_LIMIT_MS)
      queue.once('close', closed.resolve)
      queue.once('error', closed.resolve)
      queue.end()
      await closed.promise
      clearTimeout(limit)
    },
  }
  return opened
}

/** Level names in place of pino's numbers. */
function jsonLines({ stdTimeFunctions }: typeof pinoDoor, level: LogLevel): LoggerOptions {
  const timestamp = stdTimeFunctions.isoTime
  return { level, base: { pid: process.pid }, timestamp, formatters: { level: (name) => ({ level: name }) } }
}

/** A line for people, in local time: `2026-11-24 12:34:56 work: text (delivered 2)`. What is not the account's name stands
 *  behind, if it says anything. Secrets are masked, what could act on a terminal is escaped. */
export function textLine(at: LogLevel, text: string, facts: LogFacts, ms: number): string {
  const { account, ...others } = facts
  const mark = at === 'warn' ? 'warning: ' : at === 'error' ? 'error: ' : ''
  const told = Object.entries(safeFacts(others)).filter(([, value]) => value !== null && value !== 0 && value !== '')
  const behind = told.length === 0 ? '' : ` (${told.map(([name, value]) => `${name} ${value}`).join(', ')})`
  const of = account === undefined || account === null ? '' : `${safe(String(account))}: `
  return `${localTime(ms)} ${mark}${of}${safe(text)}${behind}`
}

function safe(text: string): string {
  return display(text, TEXT_LIMIT)
}

function safeFacts(facts: LogFacts): LogFacts {
  return Object.fromEntries(
    Object.entries(facts).map(([name, value]) => [name, typeof value === 'string' ? safe(value) : value]),
  )
}

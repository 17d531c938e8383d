// The log: JSON lines to a file for those who look later, or lines handed to somebody who prints them; silent without
// either. pino's only door.
// A log never changes what happens to mail: lines wait in a bounded queue, are dropped (and counted) when the disk or a
// reader does not keep up, and a file that cannot be written is given up quietly (N003, N004). Secrets in every text are masked
// here. By default it holds accounts, sizes and codes; headers and addresses only from `debug` on (N030).
import { display } from './display.ts'
import { openOutput, ourUid } from './own-file.ts'

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error'

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

/** Opens `file` to append, made 0600. Rejects with ForeignFile where another user has put it, with the system's error when it
 *  cannot be opened; later errors are swallowed. Disposing waits, at most two seconds, until what was logged is written. */
export async function openLog(file: string, level: LogLevel): Promise<FileLog> {
  let out = await openLines(file, level)
  return {
    ...forwarding((at, text, facts) => out.write(at, text, facts)),
    wire: (account) =>
      out.level === 'trace' ? (direction, text) => out.write('trace', `${direction}: ${text}`, { account }) : null,
    async reopen(newFile, newLevel) {
      const before = out
      out = await openLines(newFile, newLevel)
      await before.close()
    },
    [Symbol.asyncDispose]: () => out.close(),
  }
}

/** `json`: as in a file. `plain`: `12:34:56 account: text`, for a person at a terminal. */
export type LineForm = 'json' | 'plain'

/** Lines for `print`, which neither blocks nor throws. `nowMs` dates the plain ones. */
export async function printedLog(
  print: (line: string) => void,
  level: LogLevel,
  form: LineForm,
  nowMs: () => number = Date.now,
): Promise<Log> {
  const { pino } = await import('pino')
  const lines = pino(
    { level, base: { pid: process.pid }, timestamp: pino.stdTimeFunctions.isoTime },
    { write: (line: string) => print(line.trimEnd()) },
  )
  const write: Write = (at, text, facts) => {
    if (!lines.isLevelEnabled(at)) return
    if (form === 'json') lines[at](safeFacts(facts), safe(text))
    else print(plainLine(at, text, facts, nowMs()))
  }
  return {
    ...forwarding(write),
    wire: (account) =>
      level === 'trace' ? (direction, text) => write('trace', `${direction}: ${text}`, { account }) : null,
    [Symbol.asyncDispose]: () => Promise.resolve(),
  }
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
  close(): Promise<void>
}

async function openLines(file: string, level: LogLevel): Promise<Lines> {
  const { pino } = await import('pino')
  const fd = await openOutput(file, 'append', { uid: ourUid() })
  const queue = pino.destination({ dest: fd, sync: false, minLength: WRITE_BYTES, maxLength: QUEUE_BYTES })
  let dropped = 0
  queue.on('error', nothing)
  queue.on('drop', () => dropped++)
  const lines = pino({ level, base: { pid: process.pid }, timestamp: pino.stdTimeFunctions.isoTime }, queue)

  let writing: NodeJS.Timeout | null = null
  const write = (at: LogLevel, text: string, facts: LogFacts): void => {
    if (!lines.isLevelEnabled(at)) return
    lines[at](safeFacts(facts), safe(text))
    if (dropped > 0) {
      const lost = dropped
      dropped = 0
      lines.warn({ lost }, 'log lines were dropped: the log could not be written fast enough')
    }
    writing ??= setTimeout(() => {
      writing = null
      queue.flush()
    }, WRITE_DELAY_MS).unref()
  }

  return {
    level,
    write,
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
}

/** `12:34:56 work: text (2 delivered)`: what is not the account's name stands behind, if it says anything. */
function plainLine(at: LogLevel, text: string, facts: LogFacts, nowMs: number): string {
  const { account, ...others } = facts
  const time = new Date(nowMs).toTimeString().slice(0, 8)
  const mark = at === 'warn' ? 'warning: ' : at === 'error' ? 'error: ' : ''
  const told = Object.entries(safeFacts(others)).filter(([, value]) => value !== null && value !== 0 && value !== '')
  const behind = told.length === 0 ? '' : ` (${told.map(([name, value]) => `${name} ${value}`).join(', ')})`
  return `${time} ${mark}${account === undefined || account === null ? '' : `${account}: `}${safe(text)}${behind}`
}

function safe(text: string): string {
  return display(text, TEXT_LIMIT)
}

function safeFacts(facts: LogFacts): LogFacts {
  return Object.fromEntries(
    Object.entries(facts).map(([name, value]) => [name, typeof value === 'string' ? safe(value) : value]),
  )
}

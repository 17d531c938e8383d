// The log: JSON lines to a file, for those who look later; silent without one. pino's only door.
// A log never changes what happens to mail: lines wait in a bounded queue, are dropped (and counted) when the disk or a
// reader does not keep up, and a file that cannot be written is given up quietly (N003, N004). Every text is redacted
// here. By default it holds accounts, sizes and codes; headers and addresses only from `debug` on (N030).
import { constants, openSync } from 'node:fs'

import { display } from './display.ts'
import { redact } from './redact.ts'

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

/** Opens `file` to append, made 0600. Rejects with the system's error when it cannot be opened; later errors are swallowed.
 *  Disposing waits, at most two seconds, until what was logged is written. */
export async function openLog(file: string, level: LogLevel): Promise<Log> {
  const { pino } = await import('pino')
  // O_NONBLOCK: a named pipe without a reader fails here, one whose reader stopped fills our queue, not a thread.
  const { O_APPEND, O_CREAT, O_NONBLOCK, O_NOCTTY, O_WRONLY } = constants
  const fd = openSync(file, O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK | O_NOCTTY, 0o600)
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
  const writer =
    (at: LogLevel) =>
    (text: string, facts: LogFacts = {}): void =>
      write(at, text, facts)

  return {
    wire: (account) =>
      level === 'trace' ? (direction, text) => write('trace', `${direction}: ${text}`, { account }) : null,
    debug: writer('debug'),
    info: writer('info'),
    warn: writer('warn'),
    error: writer('error'),
    async [Symbol.asyncDispose]() {
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

function safe(text: string): string {
  return display(redact(text), TEXT_LIMIT)
}

function safeFacts(facts: LogFacts): LogFacts {
  return Object.fromEntries(
    Object.entries(facts).map(([name, value]) => [name, typeof value === 'string' ? safe(value) : value]),
  )
}

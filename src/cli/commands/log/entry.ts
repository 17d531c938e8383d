// One line of a log, read back. The file is ours, but what is in it came over the network, and another program may have
// written to it. A line that is none of ours is shown as it is, escaped.
import { textLine, type LogFacts, type LogLevel } from '../../../log.ts'
import { display } from '../../../display.ts'
import { LEVELS } from '../../common-options.ts'

export interface LogEntry {
  readonly level: LogLevel | null
  readonly account: string | null
  /** Null: it has no time. */
  readonly atMs: number | null
  /** For people. */
  readonly text: string
  /** For programs: the line as it is, if it is an object. */
  readonly object: object
}

/** Longer than any line of ours but those of the wire trace. */
const LINE_LIMIT = 4000

/** Linear in the line. Never throws. */
export function readEntry(line: string): LogEntry {
  const fields = fieldsOf(line)
  if (fields === null) return plainEntry(line, { msg: line })
  const { time, level, msg, pid: _, ...facts } = fields
  const named = levelOf(level)
  const atMs = typeof time === 'string' ? timeOf(time) : null
  if (named === null || atMs === null || typeof msg !== 'string') return plainEntry(line, fields)
  const { account } = facts
  const text = textLine(named, msg, simple(facts), atMs)
  return { level: named, account: typeof account === 'string' ? account : null, atMs, text, object: fields }
}

const TEXT_LINE = /^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) (warning: |error: )?(?:([A-Za-z0-9._-]{1,128}): )?/

/** A line with `log.format: text` has its time and account in front; any other is shown without either. */
function plainEntry(line: string, object: object): LogEntry {
  const [, time, mark, account] = TEXT_LINE.exec(line) ?? []
  const level = mark === 'error: ' ? 'error' : mark === 'warning: ' ? 'warn' : 'info'
  const text = display(line, LINE_LIMIT)
  if (time === undefined) return { level: null, account: null, atMs: null, text, object }
  return { level, account: account ?? null, atMs: timeOf(time.replace(' ', 'T')), text, object }
}

function fieldsOf(line: string): Record<string, unknown> | null {
  if (!line.startsWith('{')) return null
  try {
    return JSON.parse(line) as Record<string, unknown>
  } catch {
    return null
  }
}

/** Older logs have pino's number in place of the name. */
function levelOf(level: unknown): LogLevel | null {
  const numbered = typeof level === 'number' ? LEVELS[level / 10 - 1] : undefined
  return numbered ?? LEVELS.find((name) => name === level) ?? null
}

function timeOf(text: string): number | null {
  const ms = Date.parse(text)
  return Number.isNaN(ms) ? null : ms
}

function simple(facts: Record<string, unknown>): LogFacts {
  return Object.fromEntries(
    Object.entries(facts).flatMap(([name, value]) =>
      value === null || ['string', 'number', 'boolean'].includes(typeof value)
        ? [[display(name, 100), value as string | number | boolean | null]]
        : [],
    ),
  )
}

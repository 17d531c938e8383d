// What became of a run, in words: summaries, problems, the plan of a dry run, the answers of `check`. Pure; counts and
// outcomes come from poll/report.ts, printing is output.ts.
import { display } from '../../display.ts'
import type { AccountReport, CheckReport, MessageProblem, PlannedMessage } from '../../poll/report.ts'

/** More than this many messages of one account are counted, not listed. */
const LISTED_PROBLEMS = 10
/** A report keeps so many problems at most. */
const KEPT_PROBLEMS = 100

const KINDS: Readonly<Record<MessageProblem['kind'], string>> = {
  deferred: 'deferred',
  refused: 'refused',
  held: 'held back',
  possibleDuplicate: 'possibly delivered twice',
  short: 'shorter than announced',
  undeletable: 'not deleted',
}

/** `48213` → `48.2 kB`. Decimal, as providers and the configuration count. */
export function size(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`
  const units = ['kB', 'MB', 'GB', 'TB']
  let value = bytes / 1000
  let unit = 0
  // 999.95 would be printed as 1000.0.
  while (value >= 999.95 && unit < units.length - 1) {
    value /= 1000
    unit++
  }
  return `${value.toFixed(1)} ${units[unit] ?? ''}`
}

/** `412` → `412 ms`, `75000` → `1 min 15 s`. */
export function duration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`
  const seconds = ms / 1000
  if (seconds < 59.95) return `${seconds.toFixed(1)} s`
  const whole = Math.round(seconds)
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`
}

export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}

/** One line for a terminal. */
export function summaryLine(report: AccountReport): string {
  const { account, outcome, error } = report
  if (outcome === 'busy') return `${account}: busy, another popfetch is at work on it`
  if (outcome === 'paused') return `${account}: not tried: ${error?.message ?? 'paused'}`
  const counts = [
    report.delivered > 0 ? `${counted(report.delivered, 'message')} delivered (${size(report.bytes)})` : '',
    report.deferred > 0 ? `${report.deferred} deferred` : '',
    report.refused > 0 ? `${report.refused} refused` : '',
    report.held > 0 ? `${report.held} held back` : '',
    report.possibleDuplicates > 0 ? `${report.possibleDuplicates} possibly delivered twice` : '',
    report.deleted > 0 ? `${report.deleted} deleted from the server` : '',
  ].filter((part) => part !== '')
  const took = `, ${duration(report.durationMs)}`
  if (outcome === 'failed')
    return `${account}: failed${counts.length === 0 ? '' : ` after ${counts.join(', ')}`}${took}`
  if (counts.length === 0) return `${account}: nothing new, ${counted(report.listed, 'message')} on the server${took}`
  return `${account}: ${counts.join(', ')}${took}`
}

export interface Told {
  /** The account's failure, and what was deferred because of it: they last, and are told when they begin. */
  readonly lasting: boolean
}

/** One line per problem, without the program's name. */
export function problemLines(report: AccountReport, { lasting }: Told): string[] {
  const { account, error, outcome } = report
  const lines: string[] = []
  if (error !== null && lasting && error.code !== 'ERR_ABORTED') {
    lines.push(`${account}: ${outcome === 'paused' ? 'not tried: ' : ''}${error.message}`)
  }
  const problems = report.problems.filter((problem) => lasting || problem.kind !== 'deferred')
  // What cannot mend itself comes first: a hundred deferred messages must not hide the one that was refused.
  const ordered = [
    ...problems.filter((problem) => problem.kind !== 'deferred'),
    ...problems.filter((problem) => problem.kind === 'deferred'),
  ]
  for (const problem of ordered.slice(0, LISTED_PROBLEMS)) {
    lines.push(`${account}: message ${display(problem.uidl, 70)}: ${KINDS[problem.kind]}: ${problem.reason}`)
  }
  const rest = ordered.length - LISTED_PROBLEMS
  if (rest > 0) {
    const more = report.problems.length >= KEPT_PROBLEMS ? ' at least' : ''
    lines.push(`${account}: and${more} ${counted(rest, 'other message')}, see --json for the counts`)
  }
  return lines
}

/** The answer of `--dry-run` for one account: a heading and a table of what differs. */
export function planLines(report: AccountReport): string[] {
  const { account, plan, error } = report
  if (error !== null) return [`${account}: ${error.message}`]
  if (report.outcome === 'busy') return [summaryLine(report)]
  const heading = `${account}: ${counted(report.listed, 'message')} on the server, ${report.new} new`
  if (plan.length === 0) return [`${heading}: nothing to do`]
  return [heading, ...planRows(plan)]
}

/** The table alone. */
export function planRows(plan: readonly PlannedMessage[]): string[] {
  const rows = plan.map((planned) => [
    planned.action,
    sizeCell(planned),
    display(planned.uidl, 70),
    planned.destinations.join(', '),
  ])
  const widths = [0, 1, 2].map((column) => Math.max(0, ...rows.map((row) => row[column]?.length ?? 0)))
  const [action = 0, bytes = 0, uidl = 0] = widths
  return rows.map(([first = '', second = '', third = '', last = '']) =>
    `  ${first.padEnd(action)}  ${second.padStart(bytes)}  ${third.padEnd(uidl)}  ${last === '' ? '' : `to ${last}`}`.trimEnd(),
  )
}

function sizeCell(planned: PlannedMessage): string {
  return planned.sizeBytes === null ? '-' : size(planned.sizeBytes)
}

/** The answer of `check` for one account; `verbose`: with all that was learnt, and what to do. */
export function checkLines(report: CheckReport, verbose: boolean): string[] {
  const { account, findings, advice, outcome, waitingBytes } = report
  const heading = `${account}: ${checkVerdict(report)}`
  if (!verbose) return [heading]
  const width = Math.max('likely'.length, ...findings.map(({ name }) => name.length))
  const line = (name: string, text: string): string => `  ${name.padEnd(width)}  ${text}`.trimEnd()
  return [
    waitingBytes === 0 ? heading : `${heading} (${size(waitingBytes)})`,
    ...findings.map(({ name, value }) => line(name, value)),
    ...advice.flatMap(({ cause, next }, at) => [
      line(outcome === 'ok' ? 'soon' : at === 0 ? 'likely' : 'or', cause),
      line('next', next),
    ]),
  ]
}

function checkVerdict(report: CheckReport): string {
  if (report.outcome === 'busy') return 'busy, another popfetch is at work on it'
  if (report.error !== null || report.outcome === 'failed')
    return `failed: ${report.error?.message ?? 'no reason given'}`
  return `${counted(report.waiting, 'message')} waiting, ${report.new} new`
}

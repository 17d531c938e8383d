// What a poll says: its summary, its problems, and the plan of a dry run. Pure.
import { display, grouped } from '../../../display.ts'
import type { AccountReport, MessageProblem, PlannedMessage } from '../../../poll/report.ts'
import { faceText } from '../../../status/words/face.ts'
import { counted, duration, size } from '../../../status/words/amounts.ts'
import { tableLines } from '../../terminal/table.ts'
import { exitCodeOfReport } from '../../../status/exit.ts'
import { DEFERRED, ownError, troubleOf, UNDELETED } from './quiet.ts'

/** More than this many messages of one account are counted, not listed. */
const LISTED_PROBLEMS = 10
/** A report has this many problems at most. */
const KEPT_PROBLEMS = 100

const KINDS: Readonly<Record<MessageProblem['kind'], string>> = {
  deferred: 'waiting',
  refused: 'refused',
  held: 'held back',
  possibleDuplicate: 'possibly delivered twice',
  short: 'shorter than announced',
  undeletable: 'not deleted',
}

/** More than this many messages with one reason are one line. */
const NAMED_ALIKE = 2

/** One line for a terminal. */
export function summaryLine(report: AccountReport): string {
  const { account, outcome, error } = report
  if (outcome === 'busy') return `${account}: busy: another popfetch is polling it`
  if (outcome === 'paused') return `${account}: not tried: ${error?.message ?? report.pausedBy ?? 'paused'}`
  const counts = [
    report.delivered > 0
      ? `${counted(report.delivered, 'message')} delivered${whereTo(report)} (${size(report.bytes)})`
      : '',
    report.deferred > 0 ? `${grouped(report.deferred)} waiting${byRates(report)}` : '',
    report.refused > 0 ? `${grouped(report.refused)} refused` : '',
    report.held > 0 ? `${grouped(report.held)} held back` : '',
    report.possibleDuplicates > 0 ? `${report.possibleDuplicates} possibly delivered twice` : '',
    report.deleted > 0 ? `${grouped(report.deleted)} deleted from the server` : '',
    report.undeleted > 0 ? `${report.undeleted} that should have been deleted but were not` : '',
  ].filter((part) => part !== '')
  const took = `, ${duration(report.durationMs)}`
  if (outcome === 'failed' && error?.code === 'ERR_ABORTED')
    return `${account}: interrupted${counts.length === 0 ? '' : ` after ${counts.join(', ')}`}${took}`
  if (outcome === 'failed')
    return `${account}: failed${counts.length === 0 ? '' : ` after ${counts.join(', ')}`}${took}`
  if (counts.length === 0) return `${account}: nothing new, ${counted(report.listed, 'message')} on the server${took}`
  return `${account}: ${counts.join(', ')}${took}`
}

/** Names of destinations that a line has room for. */
const MOST_PLACES = 3

function whereTo({ deliveredTo = [] }: AccountReport): string {
  if (deliveredTo.length === 0) return ''
  const shown = deliveredTo.slice(0, MOST_PLACES).map((name) => display(name, 40))
  const more = deliveredTo.length - shown.length
  return ` to ${[...shown, ...(more > 0 ? [`${more} more`] : [])].join(', ')}`
}

/** One line for all accounts of a poll; null: there is only one, and its line says it. */
export function totalLine(reports: readonly AccountReport[]): string | null {
  if (reports.length < 2) return null
  const sum = (of: (report: AccountReport) => number): number => reports.reduce((all, report) => all + of(report), 0)
  const having = (of: (report: AccountReport) => boolean): number => reports.filter(of).length
  const isAborted = ({ error }: AccountReport): boolean => error?.code === 'ERR_ABORTED'
  const [delivered, deferred] = [sum((report) => report.delivered), sum((report) => report.deferred)]
  const parts = [
    delivered > 0
      ? `${counted(delivered, 'message')} delivered (${size(sum((report) => report.bytes))})`
      : 'nothing new',
    deferred > 0 ? `${grouped(deferred)} waiting` : '',
    ...(['refused', 'held', 'deleted', 'undeleted'] as const).map((key) => {
      const count = sum((report) => report[key])
      return count > 0 ? `${grouped(count)} ${TOTALS[key]}` : ''
    }),
    countOf(
      having((report) => report.outcome === 'failed' && !isAborted(report)),
      'failed',
    ),
    countOf(having(isAborted), 'interrupted'),
    countOf(
      having(({ outcome }) => outcome === 'paused'),
      'not tried',
    ),
    countOf(
      having(({ outcome }) => outcome === 'busy'),
      'busy',
    ),
  ]
  return `${counted(reports.length, 'account')}: ${parts.filter((part) => part !== '').join(', ')}`
}

const TOTALS = {
  refused: 'refused',
  held: 'held back',
  deleted: 'deleted from the server',
  undeleted: 'with messages that should have been deleted but were not',
} as const

function countOf(accounts: number, what: string): string {
  return accounts === 0 ? '' : `${counted(accounts, 'account')} ${what}`
}

function byRates({ deferred, deferredByRates }: AccountReport): string {
  if (deferredByRates === 0) return ''
  return deferredByRates === deferred ? ' because of a rate' : `, ${deferredByRates} of them because of a rate`
}

/**
 * One line per problem, without the program's name. `words`: the lasting troubles that are to be told (quiet.ts); null: all of
 * them. What happened in this poll is told anyway.
 */
export function problemLines(report: AccountReport, words: readonly string[] | null): string[] {
  const { account, outcome, troubles, undeleted } = report
  const isTold = (word: string): boolean => words === null || words.includes(word)
  const lines: string[] = []
  const notTried = outcome === 'paused' ? 'not tried: ' : ''
  const error = ownError(report)
  if (error !== null && isTold(`exit ${exitCodeOfReport(report)}`) && error.code !== 'ERR_ABORTED')
    lines.push(`${account}: ${notTried}${error.message}`)
  // One cause may keep back the mail of several destinations, or recipients.
  const causes = troubles.filter((trouble) => isTold(troubleOf(trouble))).map((trouble) => trouble.error.message)
  for (const message of new Set(causes)) lines.push(`${account}: ${notTried}${message}`)
  if (undeleted > 0 && outcome !== 'ok' && isTold(UNDELETED))
    lines.push(
      `${account}: ${counted(undeleted, 'message')} should have been deleted from the server but were not: see popfetch status`,
    )
  const problems = report.problems.filter((problem) => isTold(DEFERRED) || problem.kind !== 'deferred')
  // Deferred messages come last: a hundred of them must not hide one that was refused.
  const ordered = [
    ...problems.filter((problem) => problem.kind !== 'deferred'),
    ...problems.filter((problem) => problem.kind === 'deferred'),
  ]
  const alike = [
    ...Map.groupBy(ordered, ({ kind, reason, recipient = '' }) => JSON.stringify([kind, reason, recipient])).values(),
  ]
  const told = alike.flatMap((problems): readonly Told[] =>
    problems.length > NAMED_ALIKE ? [{ problems }] : problems.map((problem) => ({ problems: [problem] })),
  )
  for (const each of told.slice(0, LISTED_PROBLEMS)) lines.push(`${account}: ${toldText(each)}`)
  const rest = told.slice(LISTED_PROBLEMS).flatMap((each) => each.problems).length
  if (rest > 0) {
    const more = report.problems.length >= KEPT_PROBLEMS ? ' at least' : ''
    lines.push(`${account}: and${more} ${counted(rest, 'other message')}: --json has the counts`)
  }
  return lines
}

interface Told {
  /** All of one kind and reason. */
  readonly problems: readonly MessageProblem[]
}

function toldText({ problems }: Told): string {
  const [first] = problems
  if (first === undefined) return ''
  const what = `${KINDS[first.kind]}: ${first.reason}`
  if (problems.length > 1) return `${counted(problems.length, 'message')}, the first ${named(first)}: ${what}`
  return `message ${named(first)}: ${what}`
}

function named({ uidl, from = null, subject = null, destination, recipient = '' }: MessageProblem): string {
  const about = faceText({ from, subject })
  const to =
    destination === undefined ? '' : ` to ${recipient === '' ? destination : `${destination} for ${recipient}`}`
  return `${display(uidl, 70)}${about === '' ? '' : ` (${from === null ? '' : 'from '}${about})`}${to}`
}

/** The answer of `--dry-run` for one account: a heading and a table of what differs. */
export function planLines(report: AccountReport): string[] {
  const { account, plan, error } = report
  if (error !== null) return [`${account}: ${error.message}`]
  const isTried = report.listed > 0 || report.plan.length > 0
  if (report.outcome === 'busy' || (report.outcome === 'paused' && !isTried)) return [summaryLine(report)]
  const heading = `${account}: ${counted(report.listed, 'message')} on the server, ${grouped(report.new)} to fetch`
  if (plan.length === 0) return [`${heading}: nothing to do`]
  return [heading, ...planRows(plan)]
}

/** The table of a plan, without the heading. */
export function planRows(plan: readonly PlannedMessage[]): string[] {
  const rows = plan.map(({ action, sizeBytes, uidl, destinations }) => [
    action,
    sizeBytes === null ? '-' : size(sizeBytes),
    display(uidl, 70),
    destinations.length === 0 ? '' : `to ${destinations.join(', ')}`,
  ])
  return tableLines(rows, new Set([1])).map((line) => `  ${line}`)
}

// The outcome of a migration, in words that a person can act on, and as the object of `--json` and `--report`. Pure.
import { display, grouped } from '../../../display.ts'
import { onceText } from '../../../errors.ts'
import type { MigrationReport, Unmoved } from '../../../migrate/report.ts'
import { duration, size } from '../../../status/words/amounts.ts'
import { planRows } from '../poll/text.ts'

/** Beyond this number the messages of an account are counted, not listed; the file of --report lists more. */
const LISTED = 20

const KINDS: Readonly<Record<Unmoved['kind'], string>> = {
  unverified: 'not verified',
  open: 'not delivered',
  refused: 'refused',
  held: 'held back',
  left: 'not fetched',
}

/** `home` is shown as `~`. `again`: the command that goes on, or tries again. */
export interface Wording {
  readonly home: string | null
  readonly again: string
}

/** The answer for one account: the verdict, and a line for each message that is not there. After an interruption there may be very many
 *  of those: they are only counted. */
export function verdictLines(report: MigrationReport, { home, again }: Wording): string[] {
  const { account, outcome, error, unmoved, unmovedCount } = report
  if (outcome === 'busy') return [`${account}: another popfetch is polling it: try again later, or popfetch stop`]
  if (outcome === 'interrupted')
    return [
      `${account}: interrupted: ${verdict(report, home)}`,
      unmovedCount === 0
        ? '  the server was not asked for more'
        : `  ${messagesText(unmovedCount)} to fetch or to verify`,
      `To go on: ${again}`,
    ]
  const lines = [`${account}: ${verdict(report, home)}`]
  if (outcome === 'failed' && error !== null) lines.push(`${account}: stopped early: ${onceText(error.message)}`)
  for (const message of unmoved.slice(0, LISTED)) lines.push(`  ${unmovedText(message)}`)
  const rest = unmovedCount - Math.min(LISTED, unmoved.length)
  if (rest > 0) lines.push(`  and ${grouped(rest)} ${unmoved.length === 0 ? 'messages' : 'others'}`)
  if (report.undeleted > 0) lines.push(`  the server still has ${grouped(report.undeleted)} that it was told to delete`)
  if (outcome !== 'ok') lines.push(`To try again: ${again}`)
  return lines
}

function verdict(report: MigrationReport, home: string | null): string {
  const { messages, verified, bytes, durationMs, outcome, readAgain } = report
  if (messages === 0 && (report.error !== null || outcome === 'interrupted')) return 'nothing moved yet'
  const places = report.destinations.map((place) => placeText(place, home)).join(' and ')
  const amount = `${grouped(verified)} of ${messagesText(messages)}`
  const there = readAgain ? `are in ${places}` : `were accepted by ${places}`
  const proof = readAgain && outcome !== 'interrupted' ? proofText(report) : ''
  const stopped = outcome === 'interrupted' ? ' so far' : ''
  const rest = [
    ...counts(report.deleted, 'deleted from the server'),
    ...counts(report.earlier, 'fetched before'),
    ...counts(report.older, 'older'),
    ...counts(report.beyondLimit, 'left for later'),
    ...counts(report.gone, 'gone from the server before they could be fetched'),
    ...counts(report.possibleDuplicates, 'possibly delivered twice'),
  ]
  const others = rest.length === 0 ? '' : `; ${rest.join(', ')}`
  return `${amount} ${there}${stopped}${proof} (${size(bytes)}, ${duration(durationMs)})${others}`
}

function proofText({ verified, read }: MigrationReport): string {
  return read < verified ? `, verified by name and length, ${grouped(read)} of them read again` : ', verified'
}

function counts(count: number, what: string): readonly string[] {
  return count === 0 ? [] : [`${grouped(count)} ${what}`]
}

/** "maildir /home/ada/Mail" → "~/Mail". */
function placeText(description: string, home: string | null): string {
  const path = /^(?:maildir|mbox) (\/.*)$/s.exec(description)?.[1]
  if (path === undefined) return display(description)
  return display(home !== null && path.startsWith(`${home}/`) ? `~${path.slice(home.length)}` : path)
}

function unmovedText({ uidl, messageId, kind, reason }: Unmoved): string {
  const id = messageId === null ? '' : ` ${display(messageId, 100)}`
  return `message ${display(uidl, 70)}${id}: ${KINDS[kind]}: ${onceText(reason)}`
}

/** One line for all accounts of `--every`. */
export function verdictOfAll(reports: readonly MigrationReport[]): string {
  const sum = (of: (report: MigrationReport) => number): number => reports.reduce((all, report) => all + of(report), 0)
  const whole = reports.filter(({ outcome }) => outcome === 'ok').length
  const messages = `${grouped(sum(({ verified }) => verified))} of ${messagesText(sum((report) => report.messages))}`
  const bytes = size(sum((report) => report.bytes))
  return `all: ${grouped(whole)} of ${grouped(reports.length)} accounts are moved, ${messages} (${bytes})`
}

/** The answer of `--dry-run` for one account. */
export function plannedLines(report: MigrationReport): string[] {
  const { account, error, messages, bytes, earlier, older, plan } = report
  if (error !== null) return [`${account}: ${onceText(error.message)}`]
  const rest = [...counts(earlier, 'were moved before'), ...counts(older, 'are older')]
  const others = rest.length === 0 ? '' : `; ${rest.join(', ')}`
  return [`${account}: ${messagesText(messages)} would be moved (${size(bytes)})${others}`, ...planRows(plan)]
}

export function verdictJson(report: MigrationReport, dryRun: boolean): object {
  const { plan, ...verdictOf } = report
  const { error, unmoved } = report
  const once = {
    ...verdictOf,
    error: error === null ? null : { ...error, message: onceText(error.message) },
    unmoved: unmoved.map((message) => ({ ...message, reason: onceText(message.reason) })),
  }
  return dryRun ? { ...once, plan } : once
}

function messagesText(count: number): string {
  return `${grouped(count)} message${count === 1 ? '' : 's'}`
}

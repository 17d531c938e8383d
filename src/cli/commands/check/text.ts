// The answer of `check` in words. Pure.
import type { DestinationReport } from '../../../poll/check/destinations.ts'
import type { ServerReport } from '../../../poll/check/server.ts'
import type { Advice, CheckReport, Finding } from '../../../poll/report.ts'
import { WITH_ARTICLE } from '../../../deliver/network/place-words.ts'
import { grouped } from '../../../display.ts'
import { counted, size } from '../../../status/words/amounts.ts'

/** The answer for one account; `verbose`: with all that was found out, and what to do. */
export function checkLines(report: CheckReport, verbose: boolean): string[] {
  const { account, findings, advice, outcome, waitingBytes } = report
  const heading = `${account}: ${verdict(report)}`
  if (!verbose) return [heading]
  return [
    waitingBytes === 0 ? heading : `${heading} (${size(waitingBytes)})`,
    ...columns(findings, advice, outcome === 'ok' ? 'soon' : 'likely'),
  ]
}

/** The answer for one destination. Warnings are told in any case: they speak of mail that will not arrive as it should. */
export function destinationLines(report: DestinationReport, verbose: boolean): string[] {
  const { destination, description, error, outcome, findings, warnings, places, advice } = report
  const where = description === '' || description === destination ? '' : ` (${description})`
  const many = places > 1 ? `, ${places} places` : ''
  const heading =
    outcome === 'ok'
      ? `${destination}: accepts mail${where}${many}`
      : `${destination}: failed: ${error?.message ?? 'no reason given'}`
  return [
    heading,
    ...warnings.map((warning) => `  warning: ${warning}`),
    ...(verbose ? columns(findings, advice, 'likely') : []),
  ]
}

/** The answer for a server without an account. */
export function serverLines({ server, protocol, error, findings, advice }: ServerReport): string[] {
  const what = protocol === null ? null : `${WITH_ARTICLE[protocol]} server`
  const heading =
    what === null || findings.length === 0
      ? `${server}: not a mail server: ${error?.message ?? 'nothing answers'}`
      : `${server}: ${what}${error === null ? '' : `, but ${error.message}`}`
  return [heading, ...columns(findings, advice, error === null ? 'use' : 'likely')]
}

function columns(findings: readonly Finding[], advice: readonly Advice[], first: string): string[] {
  const width = Math.max('likely'.length, ...findings.map(({ name }) => name.length))
  const line = (name: string, text: string): string => `  ${name.padEnd(width)}  ${text}`.trimEnd()
  return [
    ...findings.map(({ name, value }) => line(name, value)),
    ...advice.flatMap(({ cause, next }, at) => [
      line(first !== 'likely' || at === 0 ? first : 'or', cause),
      line('next', next),
    ]),
  ]
}

function verdict(report: CheckReport): string {
  if (report.outcome === 'busy') return 'busy: another popfetch is polling it'
  if (report.error !== null || report.outcome === 'failed')
    return `failed: ${report.error?.message ?? 'no reason given'}`
  return `${counted(report.waiting, 'message')} on the server, ${grouped(report.new)} to fetch`
}

// The answer of `check` in words. Pure.
import type { CheckReport } from '../../../poll/report.ts'
import { counted, size } from '../../terminal/amounts.ts'

/** The answer for one account; `verbose`: with all that was found out, and what to do. */
export function checkLines(report: CheckReport, verbose: boolean): string[] {
  const { account, findings, advice, outcome, waitingBytes } = report
  const heading = `${account}: ${verdict(report)}`
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

function verdict(report: CheckReport): string {
  if (report.outcome === 'busy') return 'busy: another popfetch is polling it'
  if (report.error !== null || report.outcome === 'failed')
    return `failed: ${report.error?.message ?? 'no reason given'}`
  return `${counted(report.waiting, 'message')} waiting, ${report.new} new`
}

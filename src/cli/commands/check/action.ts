// `popfetch check [account...]`: signs in to every account and tells how many messages wait. It changes nothing. The
// answer is on standard output, failures too.
import { type CheckReport, toldError } from '../../../poll/report.ts'
import { exitCodeOfReports, EXIT_OK } from '../../exit.ts'
import type { CheckInvocation } from './options.ts'
import { withObserver } from '../../terminal/progress-screen.ts'
import { openRun } from '../../open/configured.ts'
import { checkLines } from './text.ts'
import type { Surroundings } from '../../surroundings.ts'

/** Resolves to 0 whether or not mail waits. Rejects only before the first account was tried. */
export async function run(invocation: CheckInvocation, surroundings: Surroundings): Promise<number> {
  const { output, rooms, signal, env } = surroundings
  await using run = await openRun(invocation, surroundings)
  const { checkAll } = await rooms.poll()
  const reports = await withObserver(invocation, surroundings, run.log, (observer) =>
    checkAll(
      {
        configuration: run.configuration,
        accounts: run.accounts,
        ledger: run.ledger,
        // A person asks now, so back-off is not obeyed.
        options: {
          dryRun: true,
          limit: null,
          all: false,
          acceptNewIds: false,
          markSeen: false,
          yes: false,
          eager: true,
        },
        observer,
        log: run.log,
        env,
        signal,
      },
      { thorough: invocation.verbose },
    ),
  )
  const code = surroundings.interruption() ?? exitCodeOfReports(reports)
  if (invocation.json) {
    output.object({ ok: code === EXIT_OK, accounts: reports.map((report) => jsonOf(report, invocation.verbose)) })
  } else {
    const texts = reports.map((report) => checkLines(report, invocation.verbose).join('\n'))
    output.answer(texts.join(invocation.verbose ? '\n\n' : '\n'))
  }
  return code
}

function jsonOf(report: CheckReport, verbose: boolean): object {
  return {
    account: report.account,
    outcome: report.outcome,
    waiting: report.waiting,
    new: report.new,
    bytes: report.waitingBytes,
    durationMs: report.durationMs,
    error: toldError(report.error),
    ...(verbose ? { findings: report.findings, advice: report.advice } : {}),
  }
}

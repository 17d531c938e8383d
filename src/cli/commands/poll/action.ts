// `popfetch [account...]`: polls once and tells the outcome. How much it prints depends on where it prints (DESIGN 2, Output).
// A terminal gets progress and a summary, cron only what is worth a mail, `--json` one object.
import { unlink } from 'node:fs/promises'
import { keptTelling } from '../../../config/paths.ts'
import { nearest } from '../../../config/values/nearest.ts'
import { PopfetchError } from '../../../errors.ts'
import type { Ledger, Told } from '../../../ledger/ledger.ts'
import type { Log } from '../../../log.ts'
import { isTidyDue } from '../../../poll/account/tidy-due.ts'
import { copyLedger } from '../../../poll/run/daily-copy.ts'
import { type AccountReport, reportError, toldError } from '../../../poll/report.ts'
import { tellTrouble } from '../../../status/asked-trouble.ts'
import { exitCodeOfError, exitCodeOfReport, exitCodeOfReports, EXIT_OK, mostSerious } from '../../../status/exit.ts'
import type { DaemonInvocation } from '../daemon/options.ts'
import type { PollInvocation } from './options.ts'
import { withObserver } from '../../terminal/progress-screen.ts'
import { counted } from '../../../status/words/amounts.ts'
import { DEFERRED, saysNothing, toldAfter, troubleOf, troublesOf, worthTelling } from './quiet.ts'
import { unknownAccount } from '../../command-errors.ts'
import { type Commands, DEFAULT_COMMAND } from '../../command.ts'
import { openRun, type OpenedRun } from '../../open/configured.ts'
import { pollByDaemon } from './by-daemon.ts'
import { planLines, problemLines, summaryLine, totalLine } from './text.ts'
import type { Surroundings } from '../../surroundings.ts'

/** With `--daemon` it is the daemon's action. Else it rejects only before the first account was tried. */
export async function run(
  invocation: PollInvocation | DaemonInvocation,
  surroundings: Surroundings,
  commands: Commands,
): Promise<number> {
  const words = Object.keys(commands).filter((name) => name !== DEFAULT_COMMAND)
  try {
    if (!invocation.daemon) return await poll(invocation, surroundings, words)
    const daemon = await import('../daemon/action.ts')
    return await daemon.run(invocation, surroundings)
  } catch (error) {
    if (invocation.daemon || !invocation.dryRun) await tellFailure(error, invocation, surroundings)
    throw error
  }
}

/** Somebody may want to be told that popfetch itself cannot work. */
async function tellFailure(
  error: unknown,
  invocation: PollInvocation | DaemonInvocation,
  surroundings: Surroundings,
): Promise<void> {
  if (error instanceof PopfetchError && error.code === 'ERR_USAGE') return
  const told = await import('./notify.ts')
  await told.tellFailure(error, invocation, surroundings)
}

/** Without a configuration a word is more likely a command than an account. */
function asMistypedCommand(error: unknown, { accounts }: PollInvocation, commands: readonly string[]): unknown {
  if (!(error instanceof PopfetchError) || error.code !== 'ERR_CONFIG') return error
  const [name = ''] = accounts
  return nearest(name, commands) === null ? error : unknownAccount(name, [], { commands })
}

async function poll(
  invocation: PollInvocation,
  surroundings: Surroundings,
  commands: readonly string[],
): Promise<number> {
  const { output, person, rooms, signal, env } = surroundings
  await using run = await openRun(invocation, surroundings, {
    commands,
    purpose: invocation.dryRun ? 'look' : 'poll',
    yes: invocation.yes,
  }).catch((error: unknown) => {
    throw asMistypedCommand(error, invocation, commands)
  })
  const { pollAll } = await rooms.poll()
  // Without a terminal and --verbose, a lasting failure is told once (N034, noise).
  const quietly = !person && !invocation.verbose && !invocation.dryRun && !answersGuard(invocation)
  const told = quietly ? await toldBefore(run.ledger) : null
  const eager = person || invocation.accounts.length > 0
  const byDaemon = await pollByDaemon(invocation, run, eager, surroundings)
  // A person reads results as they come; what is read by machines, or mailed, keeps the order of the configuration.
  const early = new Set<string>()
  const ledger = new LedgerTrouble()
  const tellEarly = (report: AccountReport): void => {
    if (surroundings.terminal === null || invocation.json) return
    early.add(report.account)
    tell(report, told, invocation, surroundings, ledger)
  }
  const reports =
    byDaemon ??
    (await withObserver(invocation, surroundings, run.log, (observer) =>
      pollAll(
        {
          configuration: run.configuration,
          accounts: run.accounts,
          ledger: run.ledger,
          options: {
            dryRun: invocation.dryRun,
            limit: invocation.limit,
            all: invocation.all,
            acceptNewIds: invocation.acceptNewIds,
            markSeen: invocation.markSeen,
            yes: invocation.yes,
            eager,
          },
          observer,
          log: run.log,
          env,
          signal,
        },
        tellEarly,
      ),
    ))
  const { trouble } = run.configuration
  const code =
    surroundings.interruption() ??
    mostSerious([exitCodeOfReports(reports), ...(trouble === null ? [] : [exitCodeOfError(trouble)])])
  for (const report of reports) if (!early.has(report.account)) tell(report, told, invocation, surroundings, ledger)
  if (ledger.more > 0) output.problem(`and ${counted(ledger.more, 'other account')}: for the same reason`)
  const total = totalLine(reports)
  if (total !== null && surroundings.terminal !== null && !invocation.quiet && !invocation.json && !invocation.dryRun)
    output.say(total)
  if (!invocation.dryRun && !invocation.quiet) await tellEndings(run, surroundings)
  // Also where no program is asked any more: what was told of one is over.
  if (!invocation.dryRun)
    await tellTrouble(
      trouble,
      { ...run, nowMs: surroundings.nowMs() },
      { always: told === null, tell: (message) => output.problem(message) },
    )
  if (invocation.json) {
    output.object({
      ok: code === EXIT_OK,
      accounts: reports.map((report) => jsonOf(report, invocation.dryRun)),
      ...(trouble === null ? {} : { error: toldError(reportError(trouble)) }),
    })
  }
  const logged = new LedgerTrouble()
  for (const report of reports) {
    const isRepeated = report.error !== null && logged.isRepeated(report, report.error.message)
    logReport(run.log, report, isRepeated ? [] : told === null ? null : wordsToTell(report, told, surroundings.nowMs()))
  }
  if (told !== null) await rememberTold(run, reports, told, surroundings.nowMs())
  // The daemon tells of its own polls.
  if (
    byDaemon === null &&
    !invocation.dryRun &&
    run.configuration.notify.length + (run.configuration.daemon.onProblem?.length ?? 0) > 0
  ) {
    const { notifyOf } = await import('./notify.ts')
    await notifyOf(reports, run, surroundings)
  } else if (byDaemon === null && !invocation.dryRun) {
    // Whoever an earlier configuration named.
    await unlink(keptTelling(run.configuration)).catch(() => {})
  }
  if (byDaemon === null && !invocation.dryRun && !signal.aborted) {
    await copyLedger(run.configuration, run)
    const nowMs = surroundings.nowMs()
    if (await isTidyDue(run.configuration, run.ledger, nowMs)) {
      const { tidyLedger } = await import('../../../poll/account/tidy.ts')
      await tidyLedger(run.configuration, { ...run, nowMs, signal })
    }
  }
  if (code === EXIT_OK && byDaemon === null && !invocation.dryRun) surroundings.host.keepCode()
  return code
}

/** What a person says once, to go past a guard: how that went is told, whatever was told before. */
function answersGuard({ acceptNewIds, markSeen, yes }: PollInvocation): boolean {
  return acceptNewIds || markSeen || yes
}

/** Sign-ins and client secrets that end soon: told once, and no failure. */
async function tellEndings({ configuration, log }: OpenedRun, { output, env }: Surroundings): Promise<void> {
  if (configuration.oauth.size === 0) return
  try {
    const { signInsOf } = await import('../../../config/oauth/sign-ins.ts')
    for (const line of await signInsOf(configuration, env).endings()) output.problem(`warning: ${line}`)
  } catch (error) {
    // The accounts themselves tell what is wrong with their sign-ins.
    log.warn('cannot check which sign-ins end soon', { error: String(error) })
  }
}

/** A ledger that cannot be used is told once, not once for each account. */
class LedgerTrouble {
  readonly #told = new Set<string>()
  /** Accounts for which it was not said. */
  more = 0

  isRepeated({ error }: AccountReport, line: string): boolean {
    if (error?.ofLedger !== true || !line.endsWith(error.message)) return false
    const isNew = !this.#told.has(error.message)
    this.#told.add(error.message)
    if (!isNew) this.more++
    return !isNew
  }
}

type ToldByAccount = ReadonlyMap<string, Told | null>

async function toldBefore(ledger: Ledger): Promise<ToldByAccount> {
  return new Map((await ledger.accounts()).map((record) => [record.name, record.told]))
}

function tell(
  report: AccountReport,
  told: ToldByAccount | null,
  invocation: PollInvocation,
  { output, terminal, nowMs }: Surroundings,
  ledger: LedgerTrouble,
): void {
  if (invocation.dryRun && !invocation.json) {
    output.prose(planLines(report).join('\n'))
    return
  }
  if (terminal !== null && !invocation.quiet && !invocation.json) output.say(summaryLine(report))
  const words = told === null ? null : wordsToTell(report, told, nowMs())
  for (const line of problemLines(report, words)) if (!ledger.isRepeated(report, line)) output.problem(line)
}

/** The lasting troubles that were not told before, or not for a day. */
function wordsToTell(report: AccountReport, told: ToldByAccount, nowMs: number): readonly string[] {
  const before = told.get(report.account) ?? null
  return saysNothing(report) && before !== null ? [] : worthTelling(before, troublesOf(report), nowMs)
}

async function rememberTold(
  run: OpenedRun,
  reports: readonly AccountReport[],
  told: ToldByAccount,
  nowMs: number,
): Promise<void> {
  // Together: a database that is away is waited for once.
  const recorded = await Promise.allSettled(
    reports.map(async (report) => {
      const before = told.get(report.account) ?? null
      const after = toldAfter(before, report, nowMs)
      if (after === before) return
      if (after === null) run.log.info('works again', { account: report.account })
      await run.ledger.told(report.account, after)
    }),
  )
  const failures = recorded.flatMap((one) => (one.status === 'rejected' ? [one.reason as unknown] : []))
  // At worst the failures are told twice.
  if (failures.length > 0)
    run.log.warn('what was told could not be recorded', { accounts: failures.length, error: String(failures[0]) })
}

/** What lasts is logged as it is told: when it begins, and once a day (N043). `words`: see worthTelling; null: all is told. */
function logReport(log: Log, report: AccountReport, words: readonly string[] | null): void {
  const {
    error,
    problems,
    troubles,
    deferredThemselves: _own,
    deferredByRates: _rates,
    plan: _plan,
    deliveredTo: _places,
    ...counts
  } = report
  const { account } = counts
  const isTold = (word: string): boolean => words === null || words.includes(word)
  const facts = { ...counts, error: error?.code ?? null }
  const blamed = troubles.find((trouble) => trouble.error.message === error?.message)
  const isNews = isTold(blamed === undefined ? `exit ${exitCodeOfReport(report)}` : troubleOf(blamed))
  if (error !== null && isNews) log.error(error.message, facts)
  else log.info('polled', facts)
  for (const trouble of troubles) {
    const { destination, recipient, error: why } = trouble
    if (trouble !== blamed && isTold(troubleOf(trouble))) log.warn(why.message, { account, destination, recipient })
  }
  for (const { uidl, kind, reason, again = false } of problems)
    if (!again || isTold(DEFERRED)) log.warn(reason, { account, kind, uidl })
}

/** Names and order are those of DESIGN; only a dry run has `plan`. */
function jsonOf(report: AccountReport, dryRun: boolean): object {
  return {
    account: report.account,
    outcome: report.outcome,
    listed: report.listed,
    new: report.new,
    delivered: report.delivered,
    deferred: report.deferred,
    refused: report.refused,
    held: report.held,
    possibleDuplicates: report.possibleDuplicates,
    deleted: report.deleted,
    undeleted: report.undeleted,
    skipped: report.skipped,
    bytes: report.bytes,
    durationMs: report.durationMs,
    error: toldError(report.error),
    ...(dryRun ? { plan: report.plan } : {}),
  }
}

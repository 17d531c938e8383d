// `popfetch check [name...]`: signs in to accounts, tries destinations, and says what is wrong with each, as it comes. It fetches,
// marks and deletes nothing. Answers are on standard output, failures too. A name that is neither, with a dot or a colon, is a
// server, which needs no configuration.
import type { Account, Configuration } from '../../../config/schema.ts'
import { FIRST_OF } from '../../../config/values/written.ts'
import type { PopfetchError } from '../../../errors.ts'
import { display } from '../../../display.ts'
import { asPopfetchError } from '../../../errors.ts'
import type { DestinationReport } from '../../../poll/check/destinations.ts'
import type { ServerReport } from '../../../poll/check/server.ts'
import { type CheckReport, toldError } from '../../../poll/report.ts'
import type { RunRequest } from '../../../poll/run/run.ts'
import { disabledAccount, unknownAccount } from '../../command-errors.ts'
import { exitCodeOfReports, EXIT_OK } from '../../../status/exit.ts'
import { openRecords, readConfiguration, tellWarnings } from '../../open/configured.ts'
import type { Surroundings } from '../../surroundings.ts'
import { withObserver } from '../../terminal/progress-screen.ts'
import type { CheckInvocation } from './options.ts'
import { checkLines, destinationLines, serverLines } from './text.ts'

/** Resolves to 0 whether or not mail waits. Rejects only before the first account was tried. */
export async function run(invocation: CheckInvocation, surroundings: Surroundings): Promise<number> {
  const { output, signal } = surroundings
  const asked = await askedFor(invocation, surroundings)
  const { verbose, json } = invocation
  let count = 0
  const tell = (lines: readonly string[]): void => {
    if (json) return
    output.prose([...(verbose && count > 0 ? [''] : []), ...lines].join('\n'))
    count += 1
  }
  /** Whoever pressed Ctrl-C knows why the others failed. */
  const tellOf = (name: string, { error }: Pick<CheckReport, 'error'>, lines: readonly string[]): void =>
    tell(signal.aborted && error !== null ? [`${display(name)}: interrupted`] : lines)
  const servers = await checkedServers(asked.servers, surroundings, (report) =>
    tellOf(report.server, report, serverLines(report)),
  )
  const { accounts, destinations } =
    asked.configured === null
      ? { accounts: [], destinations: [] }
      : await checked(asked.configured, invocation, surroundings, {
          account: (report) => tellOf(report.account, report, checkLines(report, verbose)),
          destination: (report) => tellOf(report.destination, report, destinationLines(report, verbose)),
        })
  const code = surroundings.interruption() ?? exitCodeOfReports([...accounts, ...destinations, ...servers])
  if (json) {
    output.object({
      ok: code === EXIT_OK,
      accounts: accounts.map((report) => jsonOf(report, verbose)),
      destinations: destinations.map((report) => destinationJson(report, verbose)),
      ...(servers.length === 0 ? {} : { servers: servers.map(serverJson) }),
    })
  }
  return code
}

interface Configured {
  readonly configuration: Configuration
  readonly accounts: readonly Account[]
  readonly destinations: readonly string[]
}

interface Asked {
  /** Null: only servers were named. */
  readonly configured: Configured | null
  readonly servers: readonly string[]
}

const LOOKS_LIKE_SERVER = /[.:]/

/** What the names mean. Rejects with ERR_USAGE for one that means nothing, and with the configuration's error where it is needed. */
async function askedFor({ names, ...options }: CheckInvocation, surroundings: Surroundings): Promise<Asked> {
  const read = await readConfiguration(options, surroundings).catch((error: unknown) => asPopfetchError(error))
  if (isError(read)) {
    if (names.length === 0 || !names.every((name) => LOOKS_LIKE_SERVER.test(name))) throw read
    return { configured: null, servers: names }
  }
  tellWarnings(read.warnings, options, surroundings)
  const { destinationsOf, membersOf } = await import('../../../poll/check/destinations.ts')
  const accountNames = read.accounts.map(({ name }) => name)
  const isKnown = (name: string): boolean => accountNames.includes(name) || read.destinations.has(name)
  const resting = read.disabled.find(({ name }) => names.includes(name) && !isKnown(name))
  if (resting !== undefined) throw disabledAccount(resting.name)
  const servers = names.filter((name) => !isKnown(name) && LOOKS_LIKE_SERVER.test(name))
  const unknown = names.find((name) => !isKnown(name) && !servers.includes(name))
  if (unknown !== undefined) {
    const known = [...accountNames, ...[...read.destinations.keys()].filter((name) => !accountNames.includes(name))]
    throw unknownAccount(unknown, known, { kind: 'account or destination', what: 'the accounts and destinations are' })
  }
  if (names.length > 0 && servers.length === names.length) return { configured: null, servers }
  const accounts = names.length === 0 ? read.accounts : read.accounts.filter(({ name }) => names.includes(name))
  const named = names.filter((name) => read.destinations.has(name)).flatMap((name) => membersOf(name, read))
  // Without names, those that no account delivers to as well.
  const wanted = new Set([...destinationsOf(accounts, read), ...named, ...(names.length === 0 ? all(read) : [])])
  return { configured: { configuration: read, accounts, destinations: [...wanted] }, servers }
}

function all(configuration: Configuration): readonly string[] {
  return [...configuration.destinations].flatMap(([name, { type }]) => (type === FIRST_OF ? [] : [name]))
}

function isError(read: Configuration | PopfetchError): read is PopfetchError {
  return read instanceof Error
}

async function checked(
  { configuration, accounts, destinations }: Configured,
  invocation: CheckInvocation,
  surroundings: Surroundings,
  told: { account: (report: CheckReport) => void; destination: (report: DestinationReport) => void },
) {
  const { rooms, signal, env } = surroundings
  await using records = await openRecords(configuration, invocation, surroundings)
  const { checkAll } = await rooms.poll()
  const { checkDestinations } = await rooms.trials()
  return await withObserver(invocation, surroundings, records.log, async (observer) => {
    const request: RunRequest = {
      configuration,
      accounts,
      ledger: records.ledger,
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
      log: records.log,
      env,
      signal,
    }
    const [reports, tried] = await Promise.all([
      checkAll(request, { thorough: invocation.verbose, told: told.account }),
      checkDestinations(request, destinations, told.destination),
    ])
    return { accounts: reports, destinations: tried }
  })
}

async function checkedServers(
  servers: readonly string[],
  surroundings: Surroundings,
  told: (report: ServerReport) => void,
): Promise<readonly ServerReport[]> {
  if (servers.length === 0) return []
  const { serverReports } = await import('./servers.ts')
  return await serverReports(servers, surroundings, told)
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

function destinationJson(report: DestinationReport, verbose: boolean): object {
  const { destination, outcome, error, warnings, findings, advice, durationMs } = report
  return {
    destination,
    ok: outcome === 'ok',
    error: toldError(error),
    ...(verbose ? { warnings, findings, advice, durationMs } : {}),
  }
}

function serverJson({ server, protocol, outcome, error, findings, advice }: ServerReport): object {
  return { server, protocol, ok: outcome === 'ok', error: toldError(error), findings, advice }
}

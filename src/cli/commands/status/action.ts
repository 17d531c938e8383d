// `popfetch status [account...]`: the state of the accounts, from the ledger. Asks no server and changes nothing. It works
// while a poll runs, and when only the path of the ledger can be read from the configuration.
import { toldError } from '../../../poll/report.ts'
import { display } from '../../../display.ts'
import { recipientOf } from '../../../poll/account/forecast.ts'
import type { Outline } from '../../../config/outline.ts'
import type { StatusAnswer } from '../../../daemon/control/protocol.ts'
import { asPopfetchError } from '../../../errors.ts'
import type { AccountRecord, Ledger } from '../../../ledger/ledger.ts'
import type { MessageRecord, Unsettled } from '../../../ledger/records.ts'
import { isPaused } from '../../../poll/account/backoff.ts'
import { withUnbegun } from '../../../poll/account/unbegun.ts'
import { EXIT_OK } from '../../exit.ts'
import type { StatusInvocation } from './options.ts'
import { openToRead, outlineOf } from '../../open/read-ledger.ts'
import { iso, stamp } from '../../terminal/moment.ts'
import { type Listed, listedJson, listLines, troubled } from '../../terminal/sign-in-lines.ts'
import { askRunning } from '../../open/ask-daemon.ts'
import { statusLines, type AccountStatus } from './text.ts'
import type { Surroundings } from '../../surroundings.ts'
import { unknownAccount } from '../../command-errors.ts'

/** This many refused and held messages of an account are shown; `state list` has all. */
const SHOWN_TROUBLES = 5

const SETTLED: Unsettled = { waiting: 0, refused: 0, held: 0, undeleted: 0 }

/** Resolves to 0 even when accounts fail: the question was answered. */
export async function run(invocation: StatusInvocation, surroundings: Surroundings): Promise<number> {
  const { output, env, nowMs } = surroundings
  const outline = await outlineOf(invocation, surroundings)
  const running = await runningAt(outline, surroundings)
  await using ledger = await openToRead(outline, surroundings)
  const accounts = await statusOf(invocation.accounts, outline, ledger, running, nowMs())
  if (invocation.json) {
    const daemon = { running: running !== null, pid: running?.pid ?? null, since: iso(running?.sinceMs ?? null) }
    const resting = await restsOf(ledger)
    const signIns = await signInsOf(outline, surroundings)
    output.object({
      ok: true,
      accounts: accounts.map((status) => jsonOf(status, resting, nowMs())),
      daemon,
      destinations: resting,
      signIns: signIns.map(listedJson),
    })
    return EXIT_OK
  }
  output.allowColours(env)
  for (const { text, tone } of statusLines(accounts, nowMs())) output.answer(text, tone)
  for (const { destination, until, error } of await restsOf(ledger))
    output.answer(`${destination} is left alone until ${until}: ${display(error.message, 1000)}`)
  for (const line of listLines(troubled(await signInsOf(outline, surroundings)))) output.answer(line)
  if (running !== null) output.answer(`daemon running since ${stamp(running.sinceMs)} (pid ${running.pid})`)
  return EXIT_OK
}

/** How the sign-ins by OAuth stand; none where the configuration cannot be read. */
async function signInsOf({ configuration }: Outline, { env }: Surroundings): Promise<readonly Listed[]> {
  if (configuration === null || configuration.oauth.size === 0) return []
  const { listedSignIns } = await import('../../open/sign-ins.ts')
  return await listedSignIns(configuration, env)
}

/** The answer of the background process; null: none runs, or it does not answer, which is told as a warning. */
async function runningAt({ statePath }: Outline, surroundings: Surroundings): Promise<StatusAnswer | null> {
  try {
    return await askRunning(statePath, { verb: 'status' }, surroundings)
  } catch (error) {
    if (surroundings.signal.aborted) throw error
    surroundings.output.problem(`warning: ${asPopfetchError(error, 'process').message}`)
    return null
  }
}

/** The accounts named, or all: first those of the configuration in its order, then those that only the ledger knows. */
async function statusOf(
  named: readonly string[],
  { accounts: configured }: Outline,
  ledger: Ledger,
  running: StatusAnswer | null,
  nowMs: number,
): Promise<readonly AccountStatus[]> {
  const records = new Map((await ledger.accounts()).map((record) => [record.name, record]))
  const names = [...new Set([...(configured ?? []), ...records.keys()])]
  const unknown = named.find((name) => !names.includes(name))
  if (unknown !== undefined) throw unknownAccount(unknown, names)
  const unsettled = await ledger.records.unsettled()
  const isConfigured = new Set(configured ?? names)
  const plans = new Map(running?.accounts.map((planned) => [planned.account, planned]))
  const statuses: AccountStatus[] = []
  for (const account of names) {
    if (named.length > 0 && !named.includes(account)) continue
    const record = records.get(account) ?? null
    const counts = withUnbegun(unsettled.get(account) ?? SETTLED, record)
    statuses.push({
      account,
      record,
      configured: isConfigured.has(account),
      unsettled: counts,
      troubles: counts.refused + counts.held === 0 ? [] : await troublesOf(account, ledger),
      planned: plans.get(account) ?? null,
      pausedUntilMs: record !== null && isPaused(record, nowMs) ? record.pausedUntilMs : null,
    })
  }
  return statuses
}

async function troublesOf(account: string, ledger: Ledger): Promise<readonly MessageRecord[]> {
  const found: MessageRecord[] = []
  for (const selection of ['refused', 'held'] as const) {
    for await (const slice of ledger.records.list(account, selection)) {
      found.push(...slice.slice(0, SHOWN_TROUBLES - found.length))
      if (found.length >= SHOWN_TROUBLES) return found
    }
  }
  return found
}

interface Resting {
  readonly destination: string
  readonly until: string | null
  readonly error: { readonly code: string; readonly message: string }
}

/** The destinations and recipients that are left alone, by their names in the configuration. */
async function restsOf(ledger: Ledger): Promise<readonly Resting[]> {
  return (await ledger.destinations()).flatMap(({ names, recipient, rest, key }) => {
    if (rest === null) return []
    const name = names.length === 0 ? key : names.join(', ')
    return [
      {
        destination: recipientOf(name, recipient),
        until: rest.untilSignIn === true ? null : iso(rest.untilMs),
        error: rest.error,
      },
    ]
  })
}

/** Names and order are those of DESIGN. `nextPoll` comes from the daemon, or is the end of a pause. */
function jsonOf(
  { account, record, unsettled, planned, pausedUntilMs }: AccountStatus,
  resting: readonly Resting[],
  nowMs: number,
): object {
  const { lastPollMs = null, lastSuccessMs = null, failures = 0, error = null }: Partial<AccountRecord> = record ?? {}
  return {
    account,
    lastPoll: iso(lastPollMs),
    lastSuccess: iso(lastSuccessMs),
    // While an account is paused, its next poll in the daemon only looks whether the password was changed.
    nextPoll: iso(pausedUntilMs ?? planned?.nextPollMs ?? null),
    outcome: outcomeOf(record, unsettled, pausedUntilMs, culpritOf(error, resting), nowMs),
    since: iso(Number(record?.facts['failingSince'] ?? 0)),
    pausedUntil: iso(pausedUntilMs),
    because: becauseOf(account, error, resting),
    next: nextOf(account, unsettled, error),
    waiting: unsettled.waiting,
    undeleted: unsettled.undeleted,
    held: unsettled.held,
    refused: unsettled.refused,
    failures,
    error: toldError(error),
  }
}

/** How it stands: as its next poll would say, if nothing new came. Null: it was never polled. */
function outcomeOf(
  record: AccountRecord | null,
  { waiting, undeleted }: Unsettled,
  pausedUntilMs: number | null,
  culprit: Resting | null,
  nowMs: number,
) {
  if (record === null || record.lastPollMs === null) return null
  if (pausedUntilMs !== null || Date.parse(culprit?.until ?? '') > nowMs) return 'paused'
  if (record.failures > 0) return 'failed'
  return waiting + undeleted > 0 ? 'partial' : 'ok'
}

/** The destination whose error it is, as long as it is left alone. */
function culpritOf(error: AccountRecord['error'], resting: readonly Resting[]): Resting | null {
  if (error?.code !== 'ERR_DELIVERY') return null
  return resting.find(({ error: { message } }) => error.message.includes(message)) ?? null
}

/** What stands in the way; null: nothing does. */
function becauseOf(account: string, error: AccountRecord['error'], resting: readonly Resting[]) {
  if (error === null) return null
  if (error.code === 'ERR_DELIVERY') {
    return { kind: 'destination', name: (culpritOf(error, resting) ?? resting[0])?.destination ?? null }
  }
  if (error.code === 'ERR_LEDGER') return { kind: 'ledger', name: null }
  return { kind: OF_ACCOUNT.has(error.code) ? 'account' : 'server', name: account }
}

const OF_ACCOUNT: ReadonlySet<string> = new Set(['ERR_AUTH', 'ERR_SECRET', 'ERR_CONFIG', 'ERR_MECHANISM'])

/** The command that goes on; null: none is needed. */
function nextOf(account: string, { refused, held }: Unsettled, error: AccountRecord['error']): string | null {
  if (error !== null) return `popfetch check ${account}`
  if (refused > 0) return `popfetch state list ${account} --refused`
  return held > 0 ? `popfetch state list ${account} --held` : null
}

// `popfetch status [account...]`: the state of the accounts, from the ledger. Asks no server and changes nothing. It works
// while a poll runs, and when only the path of the ledger can be read from the configuration.
import { toldError } from '../../../poll/report.ts'
import type { Outline } from '../../../config/outline.ts'
import type { StatusAnswer } from '../../../daemon/control/protocol.ts'
import { asPopfetchError } from '../../../errors.ts'
import type { AccountRecord, Ledger } from '../../../ledger/ledger.ts'
import type { MessageRecord, Unsettled } from '../../../ledger/records.ts'
import { isPaused } from '../../../poll/account/backoff.ts'
import { EXIT_OK } from '../../exit.ts'
import type { StatusInvocation } from './options.ts'
import { openToRead, outlineOf } from '../../open/read-ledger.ts'
import { iso, stamp } from '../../terminal/moment.ts'
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
    output.object({ ok: true, accounts: accounts.map(jsonOf), daemon })
    return EXIT_OK
  }
  output.allowColours(env)
  for (const { text, tone } of statusLines(accounts, nowMs())) output.answer(text, tone)
  if (running !== null)
    output.answer(`polled in the background by process ${running.pid} since ${stamp(running.sinceMs)}`)
  return EXIT_OK
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
    const counts = unsettled.get(account) ?? SETTLED
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

/** Names and order are those of DESIGN. `nextPoll` comes from the daemon, or is the end of a pause. */
function jsonOf({ account, record, unsettled, planned, pausedUntilMs }: AccountStatus): object {
  const { lastPollMs = null, lastSuccessMs = null, failures = 0, error = null }: Partial<AccountRecord> = record ?? {}
  return {
    account,
    lastPoll: iso(lastPollMs),
    lastSuccess: iso(lastSuccessMs),
    // While an account is paused, its next poll in the daemon only looks whether the password was changed.
    nextPoll: iso(pausedUntilMs ?? planned?.nextPollMs ?? null),
    held: unsettled.held,
    refused: unsettled.refused,
    failures,
    error: toldError(error),
  }
}

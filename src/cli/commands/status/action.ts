// `popfetch status [account...]`: how everything stands, from the ledger. Asks no server and changes nothing. It works while a
// poll runs, and when only the path of the ledger can be read from the configuration. What it says is status/status.ts.
import { hostname } from 'node:os'
import type { Outline } from '../../../config/outline.ts'
import type { StatusAnswer } from '../../../daemon/control/protocol.ts'
import { asPopfetchError, PopfetchError } from '../../../errors.ts'
import { machineName } from '../../../poll/run/machine.ts'
import { EXIT_OK, exitCodeOfError } from '../../../status/exit.ts'
import { readFacts } from '../../../status/facts.ts'
import { healthOf, healthText, selfOf } from '../../../status/health.ts'
import { statusJson } from '../../../status/json.ts'
import type { Listed } from '../../../status/sign-in-lines.ts'
import { nextOfLedger } from '../../../status/next.ts'
import { type Facts, only, type Status, statusOf } from '../../../status/status.ts'
import { isDaemonWanted } from '../../../status/remembered/wanted-daemon.ts'
import { unknownAccount } from '../../command-errors.ts'
import { askRunning, strangerInPlace } from '../../open/ask-daemon.ts'
import { openToRead, outlineOf } from '../../open/read-ledger.ts'
import type { Surroundings } from '../../surroundings.ts'
import type { Check, StatusInvocation } from './options.ts'
import { nextText, pollLines, statusLines, whyLines } from './text.ts'

/** Resolves to 0 even when accounts fail: the question was answered. With `--check` the code is the answer. */
export async function run(invocation: StatusInvocation, surroundings: Surroundings): Promise<number> {
  try {
    return await tellStatus(invocation, surroundings)
  } catch (error) {
    const next = error instanceof PopfetchError ? nextOfLedger(error) : null
    if (!(error instanceof PopfetchError) || next === null) throw error
    surroundings.output.failure(error, invocation)
    surroundings.output.sayWhole(nextText(next))
    return exitCodeOfError(error)
  }
}

async function tellStatus(invocation: StatusInvocation, surroundings: Surroundings): Promise<number> {
  const { output, env, nowMs } = surroundings
  const outline = await outlineOf(invocation, surroundings)
  const running = await runningAt(outline, surroundings)
  await using ledger = await openToRead(outline, surroundings)
  const machine = outline.configuration === null ? hostname() : machineName(outline.configuration)
  const read = await readFacts(ledger, {
    nowMs: nowMs(),
    configured: outline.accounts,
    disabled: outline.disabled,
    ...(outline.configuration === null ? {} : { destinationNames: [...outline.configuration.destinations.keys()] }),
    signIns: invocation.check === null ? await signInsOf(outline, surroundings) : [],
    daemon: {
      wanted: await isDaemonWanted(ledger, machine),
      pid: running?.pid ?? null,
      sinceMs: running?.sinceMs ?? null,
      version: running?.version ?? null,
      accounts: running?.accounts ?? [],
      late: running?.late ?? [],
    },
  })
  // Where no program is asked any more, the next poll forgets what was told of it.
  const asksNobody = outline.configuration !== null && outline.configuration.accountsFrom === null
  const facts = asksNobody ? { ...read, asked: null } : read
  const status = chosen(statusOf(facts), facts, invocation)
  if (invocation.check !== null) return tellHealth(status, invocation.check, invocation, surroundings)
  if (invocation.json) {
    output.object(statusJson(status, { polls: invocation.accounts.length > 0 }))
    return EXIT_OK
  }
  output.allowColours(env)
  const named = invocation.accounts.length > 0 ? [...whyLines(status), ...pollLines(status)] : []
  const isWhole = invocation.every || invocation.accounts.length > 0
  for (const { text, tone } of [...statusLines(status, output.columns, { isWhole }), ...named]) output.prose(text, tone)
  return EXIT_OK
}

/** The accounts named, or all. */
function chosen(status: Status, { configured }: Facts, { accounts }: StatusInvocation): Status {
  if (accounts.length === 0) return status
  const names = status.accounts.map(({ account }) => account)
  const unknown = accounts.find((name) => !names.includes(name))
  if (unknown !== undefined) throw unknownAccount(unknown, [...new Set([...(configured ?? []), ...names])])
  return only(status, accounts)
}

function tellHealth(
  status: Status,
  check: NonNullable<Check>,
  { json }: StatusInvocation,
  { output }: Surroundings,
): number {
  const health = check.of === 'self' ? selfOf(status) : healthOf(status, check)
  if (json) output.object({ ok: health.code === EXIT_OK, accounts: [], troubles: health.troubles })
  else output.answer(healthText(health))
  return health.code
}

/** How the sign-ins by OAuth stand; none where the configuration cannot be read. */
async function signInsOf({ configuration }: Outline, { env }: Surroundings): Promise<readonly Listed[]> {
  if (configuration === null || configuration.oauth.size === 0) return []
  const { listedSignIns } = await import('../../../status/sign-ins.ts')
  return await listedSignIns(configuration, env)
}

/** The answer of the daemon; null: none runs, or it does not answer, which is told as a warning. */
async function runningAt({ statePath }: Outline, surroundings: Surroundings): Promise<StatusAnswer | null> {
  try {
    const answer = await askRunning(statePath, { verb: 'status' }, surroundings)
    const stranger = answer === null ? await strangerInPlace(statePath, surroundings) : null
    if (stranger !== null) surroundings.output.problem(`warning: ${stranger}`)
    return answer
  } catch (error) {
    if (surroundings.signal.aborted) throw error
    surroundings.output.problem(`warning: ${asPopfetchError(error, 'process').message}`)
    return null
  }
}

// `popfetch verify [account...]`: what server, ledger and destinations have, and what is amiss. The comparison is in verify/; this
// opens what it needs, all of it to be read, and prints.
import { display } from '../../../display.ts'
import { openConfiguredLog, readConfiguration, selected, tellWarnings } from '../../open/configured.ts'
import { exitCodeOfError, EXIT_OK, EXIT_TEMPORARY, mostSerious } from '../../../status/exit.ts'
import { isAmiss, type Verdict } from '../../../verify/report.ts'
import type { Surroundings } from '../../surroundings.ts'
import type { VerifyInvocation } from './options.ts'
import { adviceLines, verdictJson, verdictLines } from './text.ts'

/** Resolves to 0 when nothing is amiss. Rejects with ERR_USAGE, ERR_CONFIG or ERR_LEDGER. */
export async function run(invocation: VerifyInvocation, surroundings: Surroundings): Promise<number> {
  const { output, env, signal, nowMs, rooms } = surroundings
  const { json, digest } = invocation
  const configuration = await readConfiguration(invocation, surroundings)
  const accounts = selected(configuration, invocation.accounts)
  tellWarnings(configuration.warnings, invocation, surroundings)
  await using log = await openConfiguredLog(configuration, invocation, surroundings)
  const { openLedger } = await rooms.ledger()
  await using ledger = await openLedger(configuration, { env, readOnly: true })
  const { verifyAll } = await import('../../../verify/verify.ts')
  const tell = (verdict: Verdict): void => {
    if (json) return
    if (signal.aborted && verdict.error !== null) output.prose(`${display(verdict.account)}: interrupted`)
    else for (const line of verdictLines(verdict, { digest })) output.prose(line)
  }
  const verdicts = await verifyAll({ configuration, accounts, ledger, digest, log, env, signal, nowMs }, tell)
  const code = surroundings.interruption() ?? mostSerious(verdicts.flatMap(codesOf))
  if (json) output.object({ ok: code === EXIT_OK, accounts: verdicts.map(verdictJson) })
  else for (const line of adviceLines(verdicts)) output.prose(line)
  return code
}

function codesOf(verdict: Verdict): readonly number[] {
  return [
    ...(verdict.error === null ? [] : [exitCodeOfError(verdict.error)]),
    ...(isAmiss(verdict) ? [EXIT_TEMPORARY] : []),
  ]
}

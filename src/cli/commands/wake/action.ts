// `popfetch wake [account...]`: the daemon polls now, and those of other machines that share the ledger. The outcome is not waited for.
import type { Outline } from '../../../config/outline.ts'
import { EXIT_OK } from '../../../status/exit.ts'
import { acknowledge, askRunning, noDaemon } from '../../open/ask-daemon.ts'
import { outlineOf, requireAccount } from '../../open/read-ledger.ts'
import type { Surroundings } from '../../surroundings.ts'
import { counted } from '../../../status/words/amounts.ts'
import type { WakeInvocation } from './options.ts'

/** Rejects with ERR_NO_DAEMON when none runs, on this machine or another. */
export async function run(invocation: WakeInvocation, surroundings: Surroundings): Promise<number> {
  const outline = await outlineOf(invocation, surroundings)
  const request = { verb: 'wake', accounts: invocation.accounts, eager: true, wait: false, mark: null } as const
  const answer = await askRunning(outline.statePath, request, surroundings)
  const accounts = answer?.accounts ?? (await wakeOthers(invocation.accounts, outline, surroundings))
  acknowledge(`polling ${counted(accounts.length, 'account')} now`, { woken: accounts }, invocation, surroundings)
  return EXIT_OK
}

/** No daemon runs here: those of other machines learn it from the ledger, within five seconds. */
async function wakeOthers(
  named: readonly string[],
  outline: Outline,
  { rooms, env }: Surroundings,
): Promise<readonly string[]> {
  if (outline.postgres === null) throw noDaemon()
  const { openLedger } = await rooms.ledger()
  await using ledger = await openLedger(outline, { env })
  const workers = await ledger.workers()
  if (workers.every(({ sinceMs }) => sinceMs === null)) throw noDaemon()
  for (const name of named) await requireAccount(name, outline, ledger)
  const known = (await ledger.accounts()).map(({ name }) => name)
  const accounts = named.length > 0 ? named : (outline.accounts ?? known)
  await ledger.wake(accounts)
  return accounts
}

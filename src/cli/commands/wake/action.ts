// `popfetch wake [account...]`: the daemon polls now. The outcome is not waited for.
import { EXIT_OK } from '../../../status/exit.ts'
import { acknowledge, askRequired } from '../../open/ask-daemon.ts'
import { outlineOf } from '../../open/read-ledger.ts'
import type { Surroundings } from '../../surroundings.ts'
import { counted } from '../../../status/words/amounts.ts'
import type { WakeInvocation } from './options.ts'

/** Rejects with ERR_NO_DAEMON. */
export async function run(invocation: WakeInvocation, surroundings: Surroundings): Promise<number> {
  const { statePath } = await outlineOf(invocation, surroundings)
  const request = { verb: 'wake', accounts: invocation.accounts, eager: true, wait: false, mark: null } as const
  const { accounts } = await askRequired(statePath, request, surroundings)
  acknowledge(`polling ${counted(accounts.length, 'account')} now`, { woken: accounts }, invocation, surroundings)
  return EXIT_OK
}

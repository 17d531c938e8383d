// `popfetch reload`: the daemon reads its configuration again. An invalid one changes nothing.
import type { ReloadInvocation } from './options.ts'
import { EXIT_OK } from '../../../status/exit.ts'
import { acknowledge, askRequired } from '../../open/ask-daemon.ts'
import { outlineOf } from '../../open/read-ledger.ts'
import type { Surroundings } from '../../surroundings.ts'

/** Rejects with ERR_NO_DAEMON, or with the ERR_CONFIG or ERR_DELETE_GUARD of the process. */
export async function run(invocation: ReloadInvocation, surroundings: Surroundings): Promise<number> {
  const { statePath } = await outlineOf(invocation, surroundings)
  const { changes } = await askRequired(statePath, { verb: 'reload', yes: invocation.yes }, surroundings)
  const text = changes.length === 0 ? 'reloaded: nothing changed' : `reloaded:\n${changes.join('\n')}`
  acknowledge(text, { changes }, invocation, surroundings)
  return EXIT_OK
}

// `popfetch pause [name...]`: records in the ledger what is to be left alone. Asks no server and no daemon: whoever polls reads it.
import { hostname, userInfo } from 'node:os'
import { pauseJson } from '../../../status/json.ts'
import { EXIT_OK } from '../../../status/exit.ts'
import { display, localStamp } from '../../../display.ts'
import { meantBy } from '../../open/pausable.ts'
import { outlineOf } from '../../open/read-ledger.ts'
import type { Surroundings } from '../../surroundings.ts'
import type { PauseInvocation } from './options.ts'

/** Rejects with ERR_USAGE for a name that means nothing; nothing is changed then. */
export async function run(invocation: PauseInvocation, surroundings: Surroundings): Promise<number> {
  const { output, rooms, env } = surroundings
  const outline = await outlineOf(invocation, surroundings)
  const { openLedger } = await rooms.ledger()
  await using ledger = await openLedger(outline, { env })
  const wanted = await meantBy(invocation.names, outline, ledger)
  const pauses = await ledger.pauses.begin(wanted, `${userName(env)}@${hostname()}`, invocation.forMs)
  if (invocation.json) output.object({ ok: true, accounts: [], paused: pauses.map(pauseJson) })
  else
    for (const { kind, name, untilMs } of pauses) {
      const what = kind === 'account' ? 'not polled' : 'gets no mail'
      const until = untilMs === null ? `popfetch resume ${display(name)}` : localStamp(untilMs)
      output.prose(`${display(name)}: paused, ${what} until ${until}`)
    }
  return EXIT_OK
}

/** For people. A user without an entry has a number. */
function userName(env: NodeJS.ProcessEnv): string {
  try {
    return userInfo().username
  } catch {
    return env['USER'] ?? String(process.getuid?.() ?? 'somebody')
  }
}

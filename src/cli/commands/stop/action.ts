// `popfetch stop`: ends the daemon, and waits until it has ended. That none runs is no failure.
import type { CommonOptions } from '../../common-options.ts'
import { EXIT_OK } from '../../../status/exit.ts'
import { acknowledge, askRunning } from '../../open/ask-daemon.ts'
import { outlineOf } from '../../open/read-ledger.ts'
import type { Surroundings } from '../../surroundings.ts'

export async function run(invocation: CommonOptions, surroundings: Surroundings): Promise<number> {
  const { statePath } = await outlineOf(invocation, surroundings)
  const stopped = await askRunning(statePath, { verb: 'stop' }, surroundings)
  const text = stopped === null ? 'no daemon was running' : `stopped (process ${stopped.pid})`
  acknowledge(text, { stopped: stopped?.pid ?? null }, invocation, surroundings)
  return EXIT_OK
}

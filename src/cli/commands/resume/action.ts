// `popfetch resume [name...]`: ends pauses, in the ledger.
import { display } from '../../../display.ts'
import { EXIT_OK } from '../../../status/exit.ts'
import { pauseJson } from '../../../status/json.ts'
import { meantBy } from '../../open/pausable.ts'
import { outlineOf } from '../../open/read-ledger.ts'
import type { Surroundings } from '../../surroundings.ts'
import type { ResumeInvocation } from './options.ts'

/** Rejects with ERR_USAGE for a name that means nothing; nothing is changed then. What is not paused is no error. */
export async function run({ names, ...options }: ResumeInvocation, surroundings: Surroundings): Promise<number> {
  const { output, rooms, env } = surroundings
  const outline = await outlineOf(options, surroundings)
  const { openLedger } = await rooms.ledger()
  await using ledger = await openLedger(outline, { env })
  const wanted = names.length === 0 ? await ledger.pauses.all() : await meantBy(names, outline, ledger)
  const ended = await ledger.pauses.end(wanted)
  if (options.json) output.object({ ok: true, accounts: [], resumed: ended.map(pauseJson) })
  else {
    for (const { name } of ended) output.answer(`${display(name)}: resumed`)
    const resumed = new Set(ended.map(({ name }) => name))
    for (const name of names) if (!resumed.has(name)) output.answer(`${display(name)}: was not paused`)
    if (names.length === 0 && ended.length === 0) output.answer('nothing is paused')
  }
  return EXIT_OK
}

// The end of `init`: what was written, and what to do now. Also `--cron` and `--systemd` alone.
import { findConfiguration, IN_ENVIRONMENT } from '../../../config/paths.ts'
import { stateWord } from '../../../config/state/place.ts'
import { display } from '../../../display.ts'
import { refuseInEnvironment } from '../../open/new-file.ts'
import { cronLine, systemdUnit } from '../../open/schedule-lines.ts'
import { EXIT_OK } from '../../../status/exit.ts'
import type { Surroundings } from '../../surroundings.ts'
import type { InitInvocation } from './options.ts'

export interface Written {
  readonly file: string
  readonly account: string
  /** Where typed passwords are kept. */
  readonly secrets: readonly string[]
  /** What the first poll takes; null: it was not asked. */
  readonly first: string | null
  /** The text before is kept there; null: the file is new. */
  readonly before: string | null
  /** A variable of the environment has the password: cron has none. */
  readonly byEnvironment: string | null
}

export function sayNext(written: Written, invocation: InitInvocation, surroundings: Surroundings): void {
  const { output, env } = surroundings
  const { file, account, secrets, first, before, byEnvironment } = written
  const shown = (path: string): string => display(homely(path, env), 4096)
  const remembered = first === null ? '' : `The first poll will fetch ${first}. `
  const kept = before === null ? '' : `, and kept the previous version as ${shown(before)}`
  output.say(`${remembered}Wrote ${shown(file)}${kept}. Run "popfetch" to fetch, or "popfetch --dry-run" to preview.`)
  for (const secret of secrets) output.say(`The password is kept in ${shown(secret)}, readable only by you.`)
  if (account === '') return
  const own = invocation.config ?? invocation.output
  const place = { configurationFile: file, state: stateOf(invocation, surroundings) }
  output.say('')
  const line = `popfetch${own === null ? '' : ` --config ${shown(file)}`}`
  output.sayWhole(`  ${line} --dry-run    what the first poll would do`)
  output.sayWhole(`  ${line}              fetch now`)
  output.say('Every five minutes by cron (crontab -e):')
  output.sayWhole(`  ${cronLine(place, surroundings)}`)
  output.say('Or in the background: popfetch --daemon; under systemd: popfetch init --systemd')
  if (byEnvironment !== null)
    output.say(`Cron and systemd do not know ${byEnvironment}, which has the password: use a file for them.`)
}

/** `--cron` and `--systemd`: the line, the unit, and nothing else. */
export async function printSchedule(invocation: InitInvocation, surroundings: Surroundings): Promise<number> {
  const { env, cwd, output } = surroundings
  const named = invocation.config ?? invocation.output
  const configurationFile = await findConfiguration(named, env, cwd)
  if (configurationFile === IN_ENVIRONMENT) refuseInEnvironment(env)
  const place = { configurationFile, state: stateOf(invocation, surroundings) }
  const cron = invocation.cron ? cronLine(place, surroundings) : null
  const systemd = invocation.systemd ? systemdUnit(place, surroundings).trimEnd() : null
  if (invocation.json) output.object({ ok: true, cron, systemd })
  else for (const text of [cron, systemd]) if (text !== null) output.answer(text)
  return EXIT_OK
}

function stateOf({ state }: InitInvocation, { cwd, env }: Surroundings): string | null {
  return state === null ? null : stateWord(state, cwd, env)
}

/** As a person writes it. */
export function homely(path: string, env: NodeJS.ProcessEnv): string {
  const home = env['HOME']
  return home !== undefined && home !== '' && path.startsWith(`${home}/`) ? `~${path.slice(home.length)}` : path
}

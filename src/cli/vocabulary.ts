// Every command and option there is, loaded: yargs and completion need them all.
import type { Commands, LoadedCommand } from './command.ts'
import { COMMON } from './common-options.ts'
import type { OptionTable } from './option.ts'

export interface Vocabulary {
  readonly commands: ReadonlyMap<string, LoadedCommand>
  /** Where two commands have an option of the same name, the first describes it. */
  readonly options: OptionTable
}

export async function loadVocabulary(table: Commands): Promise<Vocabulary> {
  const loaded = Object.entries(table).map(async ([name, listed]) => [name, await listed.load()] as const)
  const commands = new Map(await Promise.all(loaded))
  const groups = [...commands.values()].flatMap((command) => command.options)
  const options: Record<string, OptionTable[string]> = { ...COMMON }
  for (const [name, option] of groups.flatMap((group) => Object.entries(group.options))) options[name] ??= option
  return { commands, options }
}

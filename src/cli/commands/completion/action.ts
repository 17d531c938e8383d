// `popfetch completion bash|zsh|fish`: a script for the shell, made from the table of commands. For the names of accounts
// the script asks `popfetch completion accounts`.
import { DEFAULT_COMMAND, type Commands, type LoadedCommand } from '../../command.ts'
import { COMMON } from '../../common-options.ts'
import { EXIT_OK } from '../../../status/exit.ts'
import type { Option, OptionTable } from '../../option.ts'
import type { Surroundings } from '../../surroundings.ts'
import { usageError } from '../../command-errors.ts'
import { loadVocabulary } from '../../vocabulary.ts'
import { SHELLS, type CompletionInvocation } from './options.ts'
import { bash, fish, zsh, type CompletedOption, type Completions } from './scripts.ts'

const SCRIPTS = { bash, zsh, fish } as const

/** Rejects with ERR_USAGE when the shell is not named and cannot be told. */
export async function run(
  invocation: CompletionInvocation,
  surroundings: Surroundings,
  commands: Commands,
): Promise<number> {
  if (invocation.json) throw usageError('completion prints a script: it has no --json')
  const shell = invocation.shell ?? shellOf(surroundings.env['SHELL'])
  if (shell === null) throw usageError(`completion needs one of ${SHELLS.join(', ')}`)
  if (shell === 'accounts' || shell === 'destinations') await printNames(shell, invocation, surroundings)
  else surroundings.output.answer(SCRIPTS[shell](await completions(commands)))
  return EXIT_OK
}

function shellOf(program: string | undefined): (typeof SHELLS)[number] | null {
  const name = program?.split('/').at(-1)
  return SHELLS.find((shell) => shell === name) ?? null
}

async function completions(table: Commands): Promise<Completions> {
  const { commands, options } = await loadVocabulary(table)
  const named = [...commands].filter(([name]) => name !== DEFAULT_COMMAND)
  return {
    commands: named.map(([name, { describe }]) => ({ name, describe })),
    all: completed(options),
    common: completed(COMMON),
    // Without a command it is a poll.
    poll: ownOptions(commands.get(DEFAULT_COMMAND)),
    follows: named.map(([name, loaded]) => {
      const { words, accounts, destinations = null } = loaded.completes
      return { command: name, words, accounts, destinations, options: ownOptions(loaded) }
    }),
  }
}

function ownOptions(loaded: LoadedCommand | undefined): readonly CompletedOption[] {
  return (loaded?.options ?? []).flatMap((group) => completed(group.options))
}

function completed(options: OptionTable): readonly CompletedOption[] {
  return Object.entries(options).map(([name, option]) => {
    return { name, describe: option.describe, takes: takenBy(option) }
  })
}

function takenBy(option: Option): CompletedOption['takes'] {
  switch (option.kind) {
    case 'flag':
      return null
    case 'file':
      return 'file'
    case 'choice':
      return option.words
    case 'text':
    case 'number':
      return 'word'
  }
}

/** An error would only disturb the person who presses the tabulator key: a wrong configuration has no names. */
async function printNames(
  kind: 'accounts' | 'destinations',
  invocation: CompletionInvocation,
  surroundings: Surroundings,
): Promise<void> {
  const { env, cwd, uid, output } = surroundings
  const { outlineConfiguration } = await import('../../../config/outline.ts')
  const options = { file: invocation.config, state: invocation.state, env, cwd, uid }
  const outline = await outlineConfiguration(options).catch(() => null)
  const destinations = [...(outline?.configuration?.destinations ?? [])].flatMap(([name, { type }]) =>
    // One that was written in place is called by its URL, and nobody types that.
    type === 'first-of' || name.includes(':') ? [] : [name],
  )
  for (const name of kind === 'accounts' ? (outline?.accounts ?? []) : destinations) output.answer(name)
}

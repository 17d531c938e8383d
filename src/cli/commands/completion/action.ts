// `popfetch completion bash|zsh|fish`: a script for the shell, made from the tables of grammar.ts. For the names of accounts it
// asks `popfetch completion accounts`.
import { SHELLS } from '../names.ts'
import { EXIT_OK } from '../../exit.ts'
import { bash, fish, zsh, type Vocabulary } from './scripts.ts'
import { ALL, COMMANDS } from '../commands.ts'
import { TOOLS } from '../import/options.ts'
import type { CompletionInvocation } from '../../command.ts'
import { LEVELS } from '../../poll-options.ts'
import { OPERATIONS } from '../state/options.ts'
import type { Surroundings } from '../../surroundings.ts'
import { usageError } from '../../usage.ts'

const SCRIPTS = { bash, zsh, fish } as const

const FILES: readonly string[] = ['config', 'state', 'log-file', 'output', 'record', 'report', 'password-file']

const VOCABULARY: Vocabulary = {
  commands: COMMANDS,
  options: Object.entries(ALL).map(([name, option]) => ({
    name,
    describe: option.describe,
    takes: option.type === 'boolean' ? null : FILES.includes(name) ? 'file' : name === 'log-level' ? 'level' : 'word',
  })),
  levels: LEVELS,
  follows: [
    { command: 'config', words: ['check', 'show', 'schema'], accounts: false },
    { command: 'state', words: OPERATIONS, accounts: true },
    { command: 'import', words: TOOLS, accounts: false },
    { command: 'completion', words: SHELLS, accounts: false },
  ],
}

/** Resolves to the exit code 0; rejects with ERR_USAGE when the shell is not named and cannot be told. */
export async function completionCommand(invocation: CompletionInvocation, surroundings: Surroundings): Promise<number> {
  const shell = invocation.shell ?? shellOf(surroundings.env['SHELL'])
  if (shell === null) throw usageError(`completion needs one of ${SHELLS.join(', ')}`)
  if (shell === 'accounts') await printAccounts(invocation, surroundings)
  else surroundings.output.answer(SCRIPTS[shell](VOCABULARY))
  return EXIT_OK
}

function shellOf(program: string | undefined): (typeof SHELLS)[number] | null {
  const name = program?.split('/').at(-1)
  return SHELLS.find((shell) => shell === name) ?? null
}

/** Whoever presses the tabulator key wants no error: a configuration that cannot be read has no names. */
async function printAccounts(invocation: CompletionInvocation, surroundings: Surroundings): Promise<void> {
  const { env, cwd, uid, output } = surroundings
  const { outlineConfiguration } = await import('../../../config/outline.ts')
  const options = { file: invocation.config, state: invocation.state, env, cwd, uid }
  const outline = await outlineConfiguration(options).catch(() => null)
  for (const name of outline?.accounts ?? []) output.answer(name)
}

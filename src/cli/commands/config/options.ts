// What `popfetch config` may be told: one of its actions.
import type { Command } from '../../command.ts'
import type { CommonOptions } from '../../common-options.ts'
import { oneOf } from '../../option.ts'
import { usageError } from '../../command-errors.ts'

const ACTIONS = ['check', 'show', 'schema', 'reference'] as const

interface ConfigRequest {
  readonly action: (typeof ACTIONS)[number]
  /** What `reference` is asked about; null: every key. */
  readonly key: string | null
}

export type ConfigInvocation = CommonOptions & ConfigRequest

export const command: Command<ConfigRequest> = {
  usage: '[action] [key]',
  describe: 'Check the configuration, show what is in effect, print its JSON Schema, or explain its keys',
  options: [],
  examples: [
    ['popfetch config check', 'Find mistakes, with file, line and what was expected'],
    ['popfetch config show', 'Show the effective configuration, secrets masked'],
    ['popfetch config reference poll', 'Explain a key: its values, its default, what it does'],
    ['popfetch config schema', 'Print the JSON Schema of the file, for editors'],
  ],
  notes: '',
  completes: { words: ACTIONS, accounts: false },
  request({ words: [word, key = null] }) {
    if (word === undefined) throw usageError(`config needs one of ${ACTIONS.join(', ')}`)
    const action = oneOf(ACTIONS, 'config ACTION', word)
    if (key !== null && action !== 'reference') throw usageError(`unknown argument: ${key}`)
    return { action, key }
  },
}

// What `popfetch config` may be told: one of its actions.
import type { Command } from '../../command.ts'
import type { CommonOptions } from '../../common-options.ts'
import { oneOf } from '../../option.ts'
import { usageError } from '../../command-errors.ts'

const ACTIONS = ['check', 'show', 'schema'] as const

interface ConfigRequest {
  readonly action: (typeof ACTIONS)[number]
}

export type ConfigInvocation = CommonOptions & ConfigRequest

export const command: Command<ConfigRequest> = {
  usage: '[action]',
  describe: 'check: validate the configuration; show: print the effective one; schema: print its JSON Schema',
  options: [],
  examples: [
    ['popfetch config check', 'every problem, with file, line and what was expected'],
    ['popfetch config show', 'all values in force, secrets masked'],
  ],
  notes: '',
  completes: { words: ACTIONS, accounts: false },
  request({ words: [action] }) {
    if (action === undefined) throw usageError(`config needs one of ${ACTIONS.join(', ')}`)
    return { action: oneOf(ACTIONS, 'config ACTION', action) }
  },
}

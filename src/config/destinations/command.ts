// A program that takes each message on its standard input. How it is run is in deliver/command/.
// The one rule: of its words only the first is shown anywhere, and no value of `env`: the others may hold a secret.
import { display } from '../../display.ts'
import { formatDuration } from '../values/quantity.ts'
import { commandName } from '../values/secret.ts'
import { type Kind, plain } from './kind.ts'
import type { CommandKeys } from './schemas/command.ts'

export const command: Kind<CommandKeys> = {
  ...plain,
  usualName: 'agent',
  // No URL: the arguments may hold a secret. Two that differ in them alone have to be named.
  canonicalUrl: ({ run }) => `command:${commandName(run.slice(0, 1)).slice(1, -1)}`,
  // A value may be a secret, as an argument may.
  show: ({ timeoutMs, env, ...keys }) => ({
    ...keys,
    run: [commandName(keys.run)],
    env: Object.fromEntries(Object.keys(env).map((name) => [name, '(set)'])),
    timeout: formatDuration(timeoutMs),
  }),
  settings: (config) => ({ ...config, description: `command ${display(config.run[0] ?? '')}` }),
}

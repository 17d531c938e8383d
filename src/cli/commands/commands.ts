// The table of commands: a line each. Both readers of argv, help and completion know commands by it alone.
//
// A new command is one folder beside this file and one line below:
//   NAME/options.ts  exports `command`, a Command (cli/command.ts): words, options, help, and the check of what was given
//                    (out of `given.words` and `given.options(TABLE)`, into the request of the action)
//   NAME/action.ts   exports `run`, an Action: does what was requested, and resolves to the exit code
// options.ts also has the type of the request. It imports no room but the ground and `config/values`: help loads it for
// every command. action.ts imports what it needs. What several actions need is in cli/open/ and cli/terminal/.
// Two words are no commands: `--help` (and a later `help`) and `--version` are answered by arguments/with-yargs.ts.
// An account cannot have the name of a command: a new one is also reserved in config/assemble.ts (a test compares).
import { command, DEFAULT_COMMAND, type Commands } from '../command.ts'

export const COMMANDS = {
  poll: command([() => import('./poll/options.ts'), () => import('./poll/action.ts')]),
  auth: command([() => import('./auth/options.ts'), () => import('./auth/action.ts')]),
  check: command([() => import('./check/options.ts'), () => import('./check/action.ts')]),
  migrate: command([() => import('./migrate/options.ts'), () => import('./migrate/action.ts')]),
  import: command([() => import('./import/options.ts'), () => import('./import/action.ts')]),
  init: command([() => import('./init/options.ts'), () => import('./init/action.ts')]),
  status: command([() => import('./status/options.ts'), () => import('./status/action.ts')]),
  state: command([() => import('./state/options.ts'), () => import('./state/action.ts')]),
  verify: command([() => import('./verify/options.ts'), () => import('./verify/action.ts')]),
  shell: command([() => import('./shell/options.ts'), () => import('./shell/action.ts')]),
  log: command([() => import('./log/options.ts'), () => import('./log/action.ts')]),
  stop: command([() => import('./stop/options.ts'), () => import('./stop/action.ts')]),
  reload: command([() => import('./reload/options.ts'), () => import('./reload/action.ts')]),
  wake: command([() => import('./wake/options.ts'), () => import('./wake/action.ts')]),
  pause: command([() => import('./pause/options.ts'), () => import('./pause/action.ts')]),
  resume: command([() => import('./resume/options.ts'), () => import('./resume/action.ts')]),
  config: command([() => import('./config/options.ts'), () => import('./config/action.ts')]),
  completion: command([() => import('./completion/options.ts'), () => import('./completion/action.ts')]),
  uninstall: command([() => import('./uninstall/options.ts'), () => import('./uninstall/action.ts')]),
} as const satisfies Commands

/** The names that are words of a command line. */
export const COMMAND_WORDS: readonly string[] = Object.keys(COMMANDS).filter((name) => name !== DEFAULT_COMMAND)

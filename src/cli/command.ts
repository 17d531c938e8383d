// The contract of a command, in two halves: `options.ts` of its folder exports a `Command`, which says what its command line
// may hold and turns words into a request. `action.ts` exports an `Action`, which does what was requested. `command` ties the
// two for the table of commands (commands/commands.ts, which also tells how to add one).
import { COMMON, commonOptions, type CommonOptions } from './common-options.ts'
import type { OptionTable, Values } from './option.ts'
import type { Surroundings } from './surroundings.ts'

/** What a command line may hold after the name of the command. Pure: nothing of it opens, asks or prints. */
export interface Command<Request extends object> {
  /** Its words as help shows them: `[account...]`. What is in brackets may be missing, dots stand for any number. */
  readonly usage: string
  /** One line for the list of commands. */
  readonly describe: string
  /** Its own options, beside those of every command. Help shows each group under its heading. */
  readonly options: readonly OptionGroup[]
  /** Command lines for its help, each with what it does. */
  readonly examples: readonly (readonly [line: string, does: string])[]
  /** The exit codes that matter to who calls it; absent: 0, 64 and 78. */
  readonly exits?: readonly number[]
  /** What its help ends with; empty: nothing. */
  readonly notes: string
  /** What a shell may complete: one of `words` first, then accounts. `destinations`: their names, together with the accounts or
   *  behind the first word; absent: none. */
  readonly completes: {
    readonly words: readonly string[]
    readonly accounts: boolean
    readonly destinations?: 'too' | 'behind'
  }
  /**
   * Checks the words and options of this command against each other. What it returns is right as far as a command line
   * alone can tell: the action checks only what needs the configuration or the ledger. Throws ERR_USAGE, one line.
   */
  request(given: Given): Request
}

export interface OptionGroup {
  readonly heading: string
  readonly options: OptionTable
}

/** What a command line holds, whichever reader read it. */
export interface Given {
  /** The words after the name of the command, in order, no more than its usage has; those behind `--` are among them. */
  readonly words: readonly string[]
  /** The values of these options of the command. Throws ERR_USAGE when one is wrong by itself. */
  options<Table extends OptionTable>(table: Table): Values<Table>
}

/**
 * Does what was requested and resolves to the exit code. Prints all that is to be said, but for an error that it rejects
 * with: `main.ts` prints that and takes the exit code from it. What it opened is closed in both cases.
 */
export type Action<Request extends object> = (
  invocation: CommonOptions & Request,
  surroundings: Surroundings,
  commands: Commands,
) => Promise<number>

/** A command line that was understood. */
export interface Invocation {
  /** The name of the command; also `help` and `version`. */
  readonly command: string
  /** The common options and the request. */
  readonly given: object
  /** Loads and runs the action; resolves and rejects as that does. */
  run(surroundings: Surroundings, commands: Commands): Promise<number>
}

/** A command of the table. Nothing of it is loaded before it is asked for. */
export interface ListedCommand {
  load(): Promise<LoadedCommand>
}

/** The first half of a command, loaded, with the way to the second. */
export interface LoadedCommand extends Omit<Command<object>, 'request'> {
  /** Throws ERR_USAGE. */
  understand(given: Given): Omit<Invocation, 'command'>
}

/** Runs when a command line names no command. It is the one name of the table that is no word of a command line. */
export const DEFAULT_COMMAND = 'poll'

/** The table of commands by name. */
export type Commands = Readonly<Record<string, ListedCommand>>

/** Ties the two halves of a command; both are loaded at first use. */
export function command<Request extends object>([options, action]: readonly [
  options: () => Promise<{ readonly command: Command<Request> }>,
  action: () => Promise<{ readonly run: Action<Request> }>,
]): ListedCommand {
  return {
    async load() {
      const { command: loaded } = await options()
      return {
        ...loaded,
        understand(given) {
          const invocation = { ...commonOptions(given.options(COMMON)), ...loaded.request(given) }
          return {
            given: invocation,
            run: async (surroundings, commands) => await (await action()).run(invocation, surroundings, commands),
          }
        },
      }
    },
  }
}

// What a command line asks for, after options.ts has understood it. Only types.
import type { Selection } from '../ledger/records.ts'
import type { LogLevel } from '../log.ts'
import type { ImportRequest } from './commands/import/options.ts'
import type { InitRequest } from './commands/init/options.ts'
import type { MigrateRequest } from './commands/migrate/options.ts'

/** What every command understands. Paths are as they were typed. */
export interface CommonOptions {
  readonly config: string | null
  readonly state: string | null
  readonly quiet: boolean
  readonly verbose: boolean
  readonly json: boolean
  readonly logFile: string | null
  readonly logLevel: LogLevel | null
}

export interface PollInvocation extends CommonOptions {
  readonly command: 'poll'
  /** Without duplicates, in the order in which they were named; empty: all. */
  readonly accounts: readonly string[]
  readonly dryRun: boolean
  readonly limit: number | null
  readonly acceptNewIds: boolean
  readonly yes: boolean
  readonly all: boolean
}

export interface DaemonInvocation extends CommonOptions {
  readonly command: 'daemon'
  readonly accounts: readonly string[]
  readonly foreground: boolean
}

/** A word to the background process. */
export type SpeakInvocation = CommonOptions &
  ({ readonly command: 'stop' | 'reload' } | { readonly command: 'wake'; readonly accounts: readonly string[] })

export interface CompletionInvocation extends CommonOptions {
  readonly command: 'completion'
  /** `accounts`: their names, which the scripts of the shells ask for. Null: the shell of the user. */
  readonly shell: 'bash' | 'zsh' | 'fish' | 'accounts' | null
}

export type MigrateInvocation = CommonOptions & MigrateRequest & { readonly command: 'migrate' }

export type ImportInvocation = CommonOptions & ImportRequest & { readonly command: 'import' }
export type InitInvocation = CommonOptions & InitRequest & { readonly command: 'init' }

export interface CheckInvocation extends CommonOptions {
  readonly command: 'check'
  readonly accounts: readonly string[]
}

export interface ConfigInvocation extends CommonOptions {
  readonly command: 'config'
  readonly action: 'check' | 'show' | 'schema'
}

export interface StatusInvocation extends CommonOptions {
  readonly command: 'status'
  readonly accounts: readonly string[]
}

export type StateOperation =
  | { readonly operation: 'list'; readonly account: string; readonly selection: Selection }
  | { readonly operation: 'explain'; readonly account: string; readonly uidl: string; readonly copy: number | null }
  | {
      readonly operation: 'forget'
      readonly account: string
      /** As typed; empty: all messages. */
      readonly uidls: readonly string[]
      readonly copy: number | null
      readonly yes: boolean
    }
  | { readonly operation: 'rename'; readonly from: string; readonly to: string }
  /** Null: all accounts. */
  | { readonly operation: 'export'; readonly account: string | null }
  | { readonly operation: 'backup'; readonly file: string }

export type StateInvocation = CommonOptions & { readonly command: 'state' } & StateOperation

export type Invocation =
  | PollInvocation
  | DaemonInvocation
  | SpeakInvocation
  | CompletionInvocation
  | CheckInvocation
  | MigrateInvocation
  | ImportInvocation
  | InitInvocation
  | StatusInvocation
  | StateInvocation
  | ConfigInvocation
  | { readonly command: 'help'; readonly text: string }
  | { readonly command: 'version' }

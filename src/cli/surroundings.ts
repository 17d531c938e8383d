// What a command finds around it: streams, environment, clock, process, and the rooms it may enter. Passed in, so that a
// test can put others in their place; `main.ts` makes the real ones. Rooms are loaded at first use: importing all of
// them costs 0.2 s, which `--version` and a wrong option need not pay.
import type { jsonSchema, loadConfiguration, showConfiguration } from '../config/load.ts'
import type { Starter } from '../daemon/detach.ts'
import type { Channel, Order, Word } from '../daemon/workers/protocol.ts'
import type { openLedger } from '../config/state/open-ledger.ts'
import type { checkDestinations } from '../poll/check/destinations.ts'
import type { checkAll, pollAll } from '../poll/poller.ts'
import type { Output } from './output.ts'
import { isTerminal } from './terminal/standard-stream.ts'

export interface Surroundings {
  readonly env: NodeJS.ProcessEnv
  readonly cwd: string
  readonly uid: number
  readonly output: Output
  /** Standard error, if it is a terminal: progress is drawn there. */
  readonly terminal: Terminal | null
  /** A person sits at a terminal, even if the streams were redirected: nothing is kept quiet, no back-off obeyed. */
  readonly person: boolean
  readonly nowMs: () => number
  /** Aborted by the first SIGINT or SIGTERM. */
  readonly signal: AbortSignal
  /** The exit code for the signal that ended the run; null: no signal came. */
  readonly interruption: () => number | null
  readonly rooms: Rooms
  readonly host: Host
}

export type Terminal = NodeJS.WritableStream & { readonly columns?: number; readonly rows?: number }

export interface Rooms {
  configuration(): Promise<{
    readonly loadConfiguration: typeof loadConfiguration
    readonly showConfiguration: typeof showConfiguration
    readonly jsonSchema: typeof jsonSchema
  }>
  ledger(): Promise<{ readonly openLedger: typeof openLedger }>
  poll(): Promise<{ readonly pollAll: typeof pollAll; readonly checkAll: typeof checkAll }>
  trials(): Promise<{ readonly checkDestinations: typeof checkDestinations }>
}

export const rooms: Rooms = {
  configuration: () => import('../config/load.ts'),
  ledger: () => import('../config/state/open-ledger.ts'),
  poll: () => import('../poll/poller.ts'),
  trials: () => import('../poll/check/destinations.ts'),
}

/** What only a command that lives long needs of the process. */
export interface Host {
  /** The program and the arguments that come before those of popfetch: a daemon is started with them. */
  readonly command: readonly string[]
  readonly pid: number
  /** Is standard error a terminal that is still there? */
  attached(): boolean
  /** The process that started this one in the background; null: it was not started in the background. */
  starter(): Promise<Starter | null>
  /** The daemon that started this one to share its work; null: none did. */
  daemon(): Promise<Channel<Word, Order> | null>
  /** Calls `act` at each such signal from now on. */
  on(signal: 'SIGHUP' | 'SIGUSR1', act: () => void): void
  /** From now on an uncaught error is given to `attempt`, and ends the process unless that returns true. */
  contain(attempt: (thrown: unknown) => boolean): void
  /** A poll went well: what it compiled may be kept for the next one. */
  keepCode(): void
  /** Private, and not to be relied on; null: there is none. */
  readonly cacheFolder: string | null
}

/** What is kept from one start for the next. */
export type Cache = Pick<Host, 'keepCode' | 'cacheFolder'>
export const NO_CACHE: Cache = { keepCode: () => {}, cacheFolder: null }

/** The host that is this process. `main.ts` listens for uncaught errors, so it gives `contain`. */
export function processHost(contain: Host['contain'], { keepCode, cacheFolder }: Cache = NO_CACHE): Host {
  const [program = process.execPath, script = ''] = process.argv
  // The single executable is program and script in one.
  const isAlone = process.getBuiltinModule('node:sea').isSea()
  return {
    command: isAlone ? [process.execPath] : [program, ...process.execArgv, script],
    pid: process.pid,
    attached: () => isTerminal(2),
    starter: async () => (await import('../daemon/detach.ts')).takeStarter(process),
    daemon: async () => (await import('../daemon/detach.ts')).takeDaemon(process),
    on: (signal, act) => void process.on(signal, act),
    contain,
    keepCode,
    cacheFolder,
  }
}

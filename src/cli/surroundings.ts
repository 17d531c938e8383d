// What a command finds around it: streams, environment, clock, and the rooms it may enter. Passed in, so that a test
// can put others in their place; `main.ts` makes the real ones. Rooms are loaded at first use: importing all of them
// costs 0.2 s, which `--version` and a wrong option need not pay.
import type { jsonSchema, loadConfiguration, showConfiguration } from '../config/load.ts'
import type { openLedger } from '../ledger/sqlite/open.ts'
import type { checkAll, pollAll } from '../poll/poller.ts'
import type { Host } from './host.ts'
import type { Output } from './output.ts'

export interface Rooms {
  configuration(): Promise<{
    readonly loadConfiguration: typeof loadConfiguration
    readonly showConfiguration: typeof showConfiguration
    readonly jsonSchema: typeof jsonSchema
  }>
  ledger(): Promise<{ readonly openLedger: typeof openLedger }>
  poll(): Promise<{ readonly pollAll: typeof pollAll; readonly checkAll: typeof checkAll }>
}

export type Terminal = NodeJS.WritableStream & { readonly columns?: number; readonly rows?: number }

export interface Surroundings {
  readonly env: NodeJS.ProcessEnv
  readonly cwd: string
  readonly uid: number
  readonly output: Output
  /** Standard error, if it is a terminal: where progress is drawn. */
  readonly terminal: Terminal | null
  /** Somebody sits at a terminal, whatever the streams were redirected to: nothing is kept quiet, no back-off obeyed. */
  readonly person: boolean
  readonly nowMs: () => number
  /** Aborted by the first SIGINT or SIGTERM. */
  readonly signal: AbortSignal
  /** The exit code that a signal which ended the run asks for; null: none came. */
  readonly interruption: () => number | null
  readonly rooms: Rooms
  readonly host: Host
}

export const rooms: Rooms = {
  configuration: () => import('../config/load.ts'),
  ledger: () => import('../ledger/sqlite/open.ts'),
  poll: () => import('../poll/poller.ts'),
}

// popfetch inside another program: what `import … from 'popfetch'` gives. Importing it loads next to nothing: the rooms come with the
// first call.
//
// options.ts has what such a program gives and gets, accounts.ts, destinations.ts and secrets.ts how it writes those, and
// ../deliver/own/definition.ts what a destination of its own is. configuration.ts makes the effective configuration of it, by the schema
// of the file. poller.ts is the poller that the program holds; listeners.ts tells what happens.
//
// One rule: the process belongs to the other program. Nothing that holds for all of it is changed: no signal handler, no flag of V8, no
// working directory, no output, no variable of the environment.
import type { Configuration } from '../config/schema.ts'
import type { Ledger } from '../ledger/ledger.ts'
import type { AccountReport } from '../poll/report.ts'
import type { PollCall, Poller, PollerOptions } from './options.ts'

/** A poller for these accounts. Rejects with ERR_CONFIG (what is wrong, a line for each key), ERR_USAGE (wrong options), ERR_LEDGER, or
 *  ERR_CONFIG where the environment takes protection away (`NODE_TLS_REJECT_UNAUTHORIZED=0`); then nothing is left open. Dispose of
 *  it, best by `await using`. */
export async function createPoller(options: PollerOptions): Promise<Poller> {
  const room = await import('./poller.ts')
  return await room.createPoller(options)
}

/** Polls once: `createPoller`, its `poll`, and the end. Reports in the order of the accounts. Rejects as both do. */
export async function poll(options: PollerOptions, call: PollCall = {}): Promise<readonly AccountReport[]> {
  await using poller = await createPoller(options)
  return await poller.poll(call)
}

/** Where a configuration file is looked for. */
export interface LoadCall {
  /** Default: `$POPFETCH_CONFIG`, else the first of the usual places. */
  readonly file?: string
  /** The ledger's file, or the URL of its database, instead of the one that the file names. */
  readonly state?: string
  /** Default: `process.env`. */
  readonly env?: Readonly<Record<string, string | undefined>>
  /** The folder that `file` and `state` start from. Default: the working directory. */
  readonly base?: string
}

/** The configuration in a file, for `createPoller({ configuration, ledger: configuration.statePath })`, also where its ledger is in a
 *  database. Runs no command and reads no
 *  secret. Rejects with ERR_CONFIG: `FILE:LINE: PATH: found X, expected Y`, a line for each problem. */
export async function loadConfiguration(call: LoadCall = {}): Promise<Configuration> {
  const { file = null, state = null, env = process.env, base = process.cwd() } = call
  const room = await import('../config/load.ts')
  return await room.loadConfiguration({ file, state, env, cwd: base, uid: process.getuid?.() ?? -1, isGuest: true })
}

/** The ledger in a file, made if there is none, or in a PostgreSQL database, by its URL (the password in `$PGPASSFILE`); or the one that
 *  a loaded configuration names. Rejects with ERR_LEDGER when it is not one, is damaged, newer than this popfetch, on a network file
 *  system, cannot be written, or the database is away. Dispose of it. */
export async function openLedger(place: string | Pick<Configuration, 'statePath' | 'postgres'>): Promise<Ledger> {
  const room = await import('./ledger.ts')
  return await room.openPlace(place, process.env)
}

// What `popfetch --daemon` may be told. It is no word of a command line but an option of polling, so poll/options.ts lists it.
import type { CommonOptions } from '../../common-options.ts'
import { flag, wholeNumber, type Values } from '../../option.ts'
import { usageError } from '../../command-errors.ts'

export const DAEMON = {
  daemon: flag('Keep polling in the background, each account at its own interval'),
  foreground: flag('With --daemon: stay attached, for systemd, containers and terminals'),
  workers: wholeNumber(1, 'With --daemon: this many processes share the accounts'),
} as const

/** Each takes the memory of a daemon, and one for each core is as many as help. */
const MOST_WORKERS = 64

export interface DaemonRequest {
  readonly daemon: true
  /** Without duplicates, in the order in which they were named; empty: all. */
  readonly accounts: readonly string[]
  readonly foreground: boolean
  /** How many processes share the accounts, the daemon itself among them. */
  readonly workers: number
}

export type DaemonInvocation = CommonOptions & DaemonRequest

/** Null: a daemon is not asked for. `foreign`: options of a single poll were given. Throws ERR_USAGE. */
export function daemonRequest(
  { daemon, foreground, workers }: Values<typeof DAEMON>,
  accounts: readonly string[],
  { foreign }: { readonly foreign: boolean },
): DaemonRequest | null {
  if (!daemon && foreground) throw usageError('--foreground requires --daemon')
  if (!daemon && workers !== null) throw usageError('--workers requires --daemon')
  if (workers !== null && workers > MOST_WORKERS) throw usageError(`--workers must be at most ${MOST_WORKERS}`)
  if (!daemon) return null
  if (foreign)
    throw usageError('--daemon polls as configured: it cannot be combined with --dry-run and similar options')
  return { daemon, accounts, foreground, workers: workers ?? 1 }
}

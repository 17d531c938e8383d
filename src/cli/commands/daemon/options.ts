// What `popfetch --daemon` may be told. It is no word of a command line but an option of polling, so poll/options.ts lists it.
import type { CommonOptions } from '../../common-options.ts'
import { flag, type Values } from '../../option.ts'
import { usageError } from '../../command-errors.ts'

export const DAEMON = {
  daemon: flag('Keep polling in the background, each account at its own interval'),
  foreground: flag('With --daemon: stay attached, for systemd, containers and terminals'),
} as const

export interface DaemonRequest {
  readonly daemon: true
  /** Without duplicates, in the order in which they were named; empty: all. */
  readonly accounts: readonly string[]
  readonly foreground: boolean
}

export type DaemonInvocation = CommonOptions & DaemonRequest

/** Null: a daemon is not asked for. `foreign`: options of a single poll were given. Throws ERR_USAGE. */
export function daemonRequest(
  { daemon, foreground }: Values<typeof DAEMON>,
  accounts: readonly string[],
  { foreign }: { readonly foreign: boolean },
): DaemonRequest | null {
  if (!daemon && foreground) throw usageError('--foreground requires --daemon')
  if (!daemon) return null
  if (foreign)
    throw usageError('--daemon polls as configured: it cannot be combined with --dry-run and similar options')
  return { daemon, accounts, foreground }
}

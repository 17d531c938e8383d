// Whether all is well. One rule for `status --check` and `/healthz` (DESIGN 2 and 5). A narrower one for `status --check
// --self` and `/livez` asks only whether popfetch itself works. Pure.
import { exitOfAsked } from './asked-trouble.ts'
import { culpritOf } from './account.ts'
import { EXIT_NO_DAEMON, EXIT_OK, EXIT_TEMPORARY, exitCodeOfError, mostSerious } from './exit.ts'
import type { Status } from './status.ts'
import { NONE_TOLERATED, type Tolerance } from './tolerance.ts'
import { namesText } from './attention.ts'

export interface Health {
  /** 0: all is well. 69: the daemon that was started does not run. 77, 78: that is why. Else 75. */
  readonly code: number
  /** A phrase for each kind of trouble; none: all is well. */
  readonly troubles: readonly string[]
}

/** 75 says that something is wrong; these codes say what a person has to correct. */
const TELLING: ReadonlySet<number> = new Set([77, 78])

/** Does no account or destination fail, is none overdue, is what a program says of accounts taken, and does the daemon run where one is wanted? */
export function healthOf(status: Status, { graceMs, share }: Tolerance = NONE_TOLERATED): Health {
  const { nowMs, daemon } = status
  const isOld = (sinceMs: number | null): boolean => sinceMs === null || nowMs - sinceMs >= graceMs
  // A daemon may have been started for some of the accounts.
  const polled = new Set(daemon.accounts.map(({ account }) => account))
  const watched = status.accounts.filter(
    ({ account, configured, pause }) => configured && pause === null && (daemon.pid === null || polled.has(account)),
  )
  const overdue = watched.filter(({ planned }) => planned?.overdue === true)
  // What a person paused fails nobody.
  const paused = status.destinations.filter(({ isPaused }) => isPaused)
  const failing = watched.filter(
    ({ record, sinceMs }) =>
      (record?.failures ?? 0) > 0 && isOld(sinceMs) && culpritOf(record?.error ?? null, paused) === null,
  )
  const wrong = new Set([...overdue, ...failing].map(({ account }) => account))
  // 29 % of a hundred are 28.999999999999996.
  const isTolerated = share > 0 && wrong.size <= share * watched.length + 1e-6
  const resting = status.destinations.filter(({ sinceMs, isPaused }) => !isPaused && isOld(sinceMs))
  const { asked } = status
  const isAsked = asked !== null && isOld(asked.sinceMs)
  const codes = [
    ...(daemon.wanted && daemon.pid === null ? [EXIT_NO_DAEMON] : []),
    ...(isAsked ? [exitOfAsked(asked)] : []),
    ...(isTolerated
      ? []
      : [...overdue.map(() => EXIT_TEMPORARY), ...failing.map(failureOf), ...resting.map(({ exit }) => exit)]),
  ]
  const parts = [
    ['the daemon was started and does not run', codes.includes(EXIT_NO_DAEMON) ? [''] : []],
    ['what the program of accountsFrom printed was not taken', isAsked ? [''] : []],
    ['overdue', isTolerated ? [] : overdue.map(({ account }) => account)],
    ['failing', isTolerated ? [] : failing.map(({ account }) => account)],
    ['paused', isTolerated ? [] : resting.map(({ destination }) => destination)],
  ] as const
  return { code: codeOf(codes), troubles: troublesOf(parts) }
}

/** Does popfetch itself work? The ledger could be read, or there were no status. */
export function selfOf({ daemon }: Pick<Status, 'daemon'>): Health {
  const overdue = daemon.accounts.filter((planned) => planned.overdue).map(({ account }) => account)
  const isMissing = daemon.wanted && daemon.pid === null
  const parts = [
    ['the daemon was started and does not run', isMissing ? [''] : []],
    ['overdue', overdue],
  ] as const
  return {
    code: isMissing ? EXIT_NO_DAEMON : overdue.length > 0 ? EXIT_TEMPORARY : EXIT_OK,
    troubles: troublesOf(parts),
  }
}

/** In a line. */
export function healthText({ troubles }: Health): string {
  return troubles.length === 0 ? 'all is well' : troubles.join('; ')
}

function failureOf({ record }: Status['accounts'][number]): number {
  return record?.error === null || record === null ? EXIT_TEMPORARY : exitCodeOfError(record.error)
}

function codeOf(codes: readonly number[]): number {
  if (codes.length === 0) return EXIT_OK
  if (codes.includes(EXIT_NO_DAEMON)) return EXIT_NO_DAEMON
  const code = mostSerious(codes)
  return TELLING.has(code) ? code : EXIT_TEMPORARY
}

function troublesOf(parts: readonly (readonly [what: string, names: readonly string[]])[]): readonly string[] {
  return parts.flatMap(([what, names]) => {
    if (names.length === 0) return []
    return [names[0] === '' ? what : `${what}: ${namesText([...new Set(names)])}`]
  })
}

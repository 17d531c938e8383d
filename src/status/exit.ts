// The exit code (sysexits) for each error code: the one table. Pure.
import type { AccountReport, CheckReport, ReportedError } from '../poll/report.ts'

export const EXIT_OK = 0
export const EXIT_USAGE = 64
export const EXIT_NO_DAEMON = 69
export const EXIT_BUG = 70
/** What was answered is not whole: standard output could not be written. */
export const EXIT_IO = 74
export const EXIT_TEMPORARY = 75
export const EXIT_CONFIGURATION = 78
export const EXIT_SIGNAL = 128

const BY_CODE: Readonly<Record<string, number>> = {
  ERR_USAGE: EXIT_USAGE,
  ERR_CONFIG: EXIT_CONFIGURATION,
  ERR_CONNECT: EXIT_TEMPORARY,
  ERR_TIMEOUT: EXIT_TEMPORARY,
  ERR_POP3_REPLY: EXIT_TEMPORARY,
  ERR_ABORTED: EXIT_TEMPORARY,
  ERR_BUSY: EXIT_TEMPORARY,
  ERR_PAUSED: EXIT_TEMPORARY,
  ERR_LEASE_LOST: EXIT_TEMPORARY,
  ERR_NO_DAEMON: EXIT_NO_DAEMON,
  ERR_TLS: 76,
  ERR_POP3_PROTOCOL: 76,
  ERR_MECHANISM: 76,
  ERR_PROVIDER: 76,
  ERR_AUTH: 77,
  ERR_LEDGER: 74,
  ERR_NO_UIDL: 78,
  ERR_ACCOUNT_RENAMED: 78,
  ERR_UIDS_CHANGED: 78,
  ERR_DELETE_GUARD: 78,
  ERR_FIRST_POLL: 78,
  ERR_NO_SPACE: 78,
  ERR_BUG: EXIT_BUG,
}

// The most serious first. The first two never meet another code, because then nothing ran.
const SERIOUSNESS: readonly number[] = [EXIT_USAGE, EXIT_NO_DAEMON, 78, 77, 76, 74, 73, EXIT_BUG, EXIT_TEMPORARY]

/** A code that is not in the table is a bug of ours. */
export function exitCodeOfError(error: Pick<ReportedError, 'code' | 'retry' | 'exit'>): number {
  if (error.exit !== undefined) return error.exit
  // A missing secret is a fault of the configuration; a command that failed to print it may succeed the next time.
  // So may a program that prints accounts.
  if (error.code === 'ERR_SECRET' || error.code === 'ERR_ACCOUNTS') return error.retry === 'never' ? 78 : EXIT_TEMPORARY
  // A destination that is busy or away is temporary; one that is full, cannot be created or refuses is not.
  if (error.code === 'ERR_DELIVERY') return error.retry === 'soon' ? EXIT_TEMPORARY : 73
  return BY_CODE[error.code] ?? EXIT_BUG
}

/** 0: there is none. */
export function mostSerious(codes: readonly number[]): number {
  return SERIOUSNESS.find((code) => codes.includes(code)) ?? EXIT_OK
}

/** `busy` is no failure; a paused account counts with the failure that paused it, and with none as 0 (P173). */
export function exitCodeOfReport(report: Pick<AccountReport | CheckReport, 'outcome' | 'error'>): number {
  if (report.outcome === 'ok' || report.outcome === 'busy') return EXIT_OK
  if (report.error === null) return report.outcome === 'paused' ? EXIT_OK : EXIT_TEMPORARY
  return exitCodeOfError(report.error)
}

/** The code of the most serious failure among these accounts. */
export function exitCodeOfReports(reports: readonly Pick<AccountReport | CheckReport, 'outcome' | 'error'>[]): number {
  return mostSerious(reports.map(exitCodeOfReport))
}

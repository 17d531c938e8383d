// Reports for the tests of the command line: quiet defaults, overridden by name.
import type { AccountReport, CheckReport } from '../../src/poll/report.ts'

/** The error of a sign-in that was refused. */
export const WRONG_PASSWORD = {
  code: 'ERR_AUTH',
  message: 'signing in as alice: "no": check the password',
  retry: 'later',
} as const

/** The error of a server that cannot be reached. */
export const UNREACHABLE = {
  code: 'ERR_CONNECT',
  message: 'connecting to pop.example.net: no route: try later',
  retry: 'soon',
} as const

export function accountReport(facts: Partial<AccountReport> = {}): AccountReport {
  return {
    account: 'work',
    outcome: 'ok',
    listed: 0,
    new: 0,
    delivered: 0,
    deferred: 0,
    refused: 0,
    held: 0,
    possibleDuplicates: 0,
    deleted: 0,
    undeleted: 0,
    skipped: 0,
    bytes: 0,
    durationMs: 0,
    error: null,
    troubles: [],
    deferredThemselves: 0,
    deferredByRates: 0,
    problems: [],
    plan: [],
    ...facts,
  }
}

export function checkReport(facts: Partial<CheckReport> = {}): CheckReport {
  return {
    account: 'work',
    outcome: 'ok',
    waiting: 0,
    new: 0,
    waitingBytes: 0,
    durationMs: 0,
    error: null,
    findings: [],
    advice: [],
    ...facts,
  }
}

// Tells systemd that the process is up, alive and ending (sd_notify(3)). Node has no datagram sockets of the Unix family, so
// systemd's own program says it; the unit needs NotifyAccess=all for that, since it is not the main process that speaks.
// Without $NOTIFY_SOCKET nothing is said.
import { NO_INPUT, NO_OUTPUT, runProgram } from '../program.ts'

/** It hands over one datagram. */
const LIMIT_MS = 10_000

export class ServiceManager {
  readonly #env: NodeJS.ProcessEnv
  /** How often it wants to hear WATCHDOG=1; null: it does not. Twice as often as it must be, as sd_watchdog_enabled(3) says. */
  readonly watchdogMs: number | null

  constructor(env: NodeJS.ProcessEnv, pid: number) {
    this.#env = env
    const { WATCHDOG_USEC, WATCHDOG_PID } = env
    const usec = Number(WATCHDOG_USEC)
    const mine = WATCHDOG_PID === undefined || Number(WATCHDOG_PID) === pid
    this.watchdogMs = this.#listens && mine && usec > 0 ? Math.max(500, usec / 2000) : null
  }

  ready(accounts: number): void {
    this.#say('READY=1', `STATUS=polling ${accounts} account${accounts === 1 ? '' : 's'}`)
  }

  alive(): void {
    this.#say('WATCHDOG=1')
  }

  stopping(): void {
    this.#say('STOPPING=1')
  }

  get #listens(): boolean {
    return (this.#env['NOTIFY_SOCKET'] ?? '') !== ''
  }

  /** Nothing depends on it here: a word that is lost is missed by systemd, which then acts as its unit says. */
  #say(...words: readonly string[]): void {
    if (!this.#listens) return
    const { PATH, NOTIFY_SOCKET } = this.#env
    void runProgram({
      command: ['systemd-notify', ...words],
      env: { PATH, NOTIFY_SOCKET },
      cwd: null,
      stdin: NO_INPUT,
      stdout: NO_OUTPUT,
      stderr: NO_OUTPUT,
      limitMs: LIMIT_MS,
      signal: new AbortController().signal,
    }).catch(() => {})
  }
}

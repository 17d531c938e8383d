// Tells systemd that the process is up, alive or stopping (sd_notify(3)). Node has no datagram sockets of the Unix family, so
// the program systemd-notify sends it. The unit needs NotifyAccess=all for that, because the sender is not the main process.
// Without $NOTIFY_SOCKET nothing is sent.
import { NO_INPUT, NO_OUTPUT, runProgram } from '../program.ts'

/** It sends one datagram. */
const LIMIT_MS = 10_000

export class Systemd {
  readonly #env: NodeJS.ProcessEnv
  /** How often to call alive(); null: systemd does not watch. Twice as often as it demands, as sd_watchdog_enabled(3) advises. */
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

  /** Nothing here depends on it: when a message is lost, systemd misses it and acts as its unit says. */
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

// What a command that lives long needs of the process, and no other: signals that mean something else than the end, a say in
// what is thrown past every promise, and the line that starts it again. `main.ts` makes the real one.
import { isatty } from 'node:tty'
import type { Starter } from '../daemon/detach.ts'

export interface Host {
  /** The program and the arguments that come before those of popfetch. */
  readonly command: readonly string[]
  readonly pid: number
  /** Is standard error a terminal that is still there? */
  attached(): boolean
  /** Whoever started this process in the background; null: nobody. */
  starter(): Promise<Starter | null>
  /** Calls `act` at each such signal from now on. */
  on(signal: 'SIGHUP' | 'SIGUSR1', act: () => void): void
  /** What is thrown past every promise ends the process unless `attempt` returns true. */
  contain(attempt: (thrown: unknown) => boolean): void
}

/** `contain` is main's. */
export function processHost(contain: Host['contain']): Host {
  const [program = process.execPath, script = ''] = process.argv
  return {
    command: [program, ...process.execArgv, script],
    pid: process.pid,
    attached: () => isatty(2),
    starter: async () => (await import('../daemon/detach.ts')).takeStarter(process),
    on: (signal, act) => void process.on(signal, act),
    contain,
  }
}

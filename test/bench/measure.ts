// One run of one program. This process's clock gives the wall time. CPU time and peak memory come from the kernel (wait4)
// through GNU time, because Node does not tell them of a child.
import { spawn } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { display } from '../../src/display.ts'
import { findProgram } from '../servers/program.ts'

export interface Command {
  readonly program: string
  readonly args: readonly string[]
  /** Working directory, for temporary files too. */
  readonly directory: string
  /** Where it keeps what it wants to have at the next start. Absent: `directory`. */
  readonly home?: string
  /** Exit codes that mean success. */
  readonly success: readonly number[]
  /** Beside what every program gets. */
  readonly environment?: Readonly<Record<string, string>>
}

export interface Usage {
  readonly seconds: number
  /** User and system time, of the program and of all that it waited for. */
  readonly cpuSeconds: number
  /** Of the largest of its processes. */
  readonly peakBytes: number
  /** The longest time its event loop did not turn; null: not looked at. */
  readonly standstillMs: number | null
  /** The end of what it printed, on both streams. */
  readonly printed: string
}

/** Runs to the end. Rejects with the end of what was printed when the exit code does not mean success. */
export async function measure(command: Command, timeoutMs: number): Promise<Usage> {
  const time = await findProgram('time', 'time')
  const account = join(command.directory, 'usage')
  const args = ['-q', '-f', '%U %S %M', '-o', account, command.program, ...command.args]
  const begun = performance.now()
  const child = spawn(time, args, {
    cwd: command.directory,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      PATH: process.env['PATH'],
      HOME: command.home ?? command.directory,
      TMPDIR: command.directory,
      LANG: 'C.UTF-8',
      ...command.environment,
    },
    // A group of its own: at the time limit the program must end, not only GNU time.
    detached: true,
  })
  let printed = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      printed = (printed + chunk).slice(-2_000)
    })
  }
  const limit = setTimeout(() => child.pid !== undefined && process.kill(-child.pid, 'SIGKILL'), timeoutMs)
  let seconds = 0
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject).once('close', resolve)
    child.once('exit', () => (seconds = (performance.now() - begun) / 1000))
  }).finally(() => clearTimeout(limit))
  if (code === null || !command.success.includes(code)) {
    const reason = code === null ? `was ended after ${timeoutMs / 1000} s` : `ended with ${code}`
    throw new Error(`${basename(command.program)} ${reason}: ${display(printed.trim(), 400)}`)
  }
  const [user = 0, system = 0, kilobytes = 0] = (await readFile(account, 'utf8')).trim().split(' ').map(Number)
  return { seconds, cpuSeconds: user + system, peakBytes: kilobytes * 1024, standstillMs: null, printed }
}

// popfetch as its users run it. A child process with a configuration file and a ledger of its own, judged by its exit code,
// its one JSON object and what it leaves behind. POPFETCH names another start file, such as dist/popfetch.js.
import { spawn } from 'node:child_process'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { temporaryDirectory } from './program.ts'

const startFile = resolve(process.env['POPFETCH'] ?? join(import.meta.dirname, '../../bin/popfetch.ts'))

export interface AccountResult {
  readonly account: string
  readonly outcome: string
  readonly listed: number
  readonly new: number
  readonly delivered: number
  readonly deferred: number
  readonly refused: number
  readonly held: number
  readonly possibleDuplicates: number
  readonly deleted: number
  readonly skipped: number
  readonly error: { readonly code: string; readonly message: string; readonly retry: string } | null
}

export interface Result {
  readonly exitCode: number | null
  readonly stdout: string
  readonly stderr: string
  readonly accounts: readonly AccountResult[]
  /** Highest resident memory; sampled, the kernel keeps the maximum (VmHWM). */
  readonly peakMemoryBytes: number
}

/** A home, a configuration, a ledger and a place for mail: what one person has. */
export interface Desk extends AsyncDisposable {
  readonly directory: string
  readonly maildir: string
  /** Replaces the configuration; JSON is one of its two forms. */
  configure(config: object): Promise<void>
  /** Runs `popfetch ARGS --json`. */
  run(...args: string[]): Promise<Result>
}

export async function openDesk(parent?: string): Promise<Desk> {
  const temporary = await temporaryDirectory(parent)
  const directory = temporary.path
  const configFile = join(directory, 'config.json')
  await mkdir(join(directory, 'home'))
  return {
    directory,
    maildir: join(directory, 'Mail'),
    configure: (config) => writeFile(configFile, JSON.stringify(config, null, 2), { mode: 0o600 }),
    run: (...args) =>
      run([...args, '--json', '--config', configFile, '--state', join(directory, 'state.db')], directory),
    [Symbol.asyncDispose]: () => temporary[Symbol.asyncDispose](),
  }
}

async function run(args: readonly string[], directory: string): Promise<Result> {
  const home = join(directory, 'home')
  const child = spawn(process.execPath, [startFile, ...args], {
    cwd: directory,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env['PATH'], HOME: home, XDG_RUNTIME_DIR: home },
  })
  const printed = { stdout: '', stderr: '' }
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (printed.stdout += chunk))
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => (printed.stderr += chunk))
  let peakMemoryBytes = 0
  const sample = async (): Promise<void> => {
    const status = await readFile(`/proc/${child.pid}/status`, 'utf8').catch(() => '')
    const kilobytes = Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1] ?? 0)
    peakMemoryBytes = Math.max(peakMemoryBytes, kilobytes * 1024)
  }
  const sampling = setInterval(() => void sample(), 25)
  const exitCode = await new Promise<number | null>((settle, reject) => {
    child.once('error', reject).once('close', settle)
  }).finally(() => clearInterval(sampling))
  return { exitCode, ...printed, accounts: accountsOf(printed.stdout), peakMemoryBytes }
}

function accountsOf(stdout: string): readonly AccountResult[] {
  try {
    const answer: unknown = JSON.parse(stdout)
    return (answer as { readonly accounts: readonly AccountResult[] }).accounts
  } catch {
    return []
  }
}

/** The one account of a run, with everything printed in the error when there is none. */
export function only(result: Result): AccountResult {
  const [account] = result.accounts
  if (account === undefined || result.accounts.length !== 1) {
    throw new Error(`exit code ${result.exitCode}, standard output ${result.stdout}, standard error ${result.stderr}`)
  }
  return account
}

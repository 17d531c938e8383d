// What rows about daemons share: a daemon of the built program that never outlives its row, the server whose mailboxes are all alike,
// and how such a row tells what it found.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { popfetchCommand } from './peers.ts'
import type { CaseResult } from './results.ts'

export type Judged = Omit<CaseResult, 'others'>

/** A row without contenders: `failures` decide, `facts` are kept. */
export function judged<T extends object>(
  { name, title }: { readonly name: string; readonly title: string },
  failures: readonly string[],
  facts: T,
): Judged & T {
  return { case: name, title, figures: [], verdicts: [], failures, ...facts }
}

export interface Foreground extends AsyncDisposable {
  readonly pid: number
  readonly isGone: boolean
  /** Asks it to end, and resolves when it has. */
  stop(): Promise<void>
}

interface Started {
  readonly env: NodeJS.ProcessEnv
  /** Before the program: of Node. */
  readonly node?: readonly string[]
}

/** The daemon of `config` in the foreground, beside which no other one runs in `home`. When it is disposed of, neither it nor a process
 *  of it is left. */
export function startForeground(
  home: string,
  config: string,
  { env, node = [] }: Started,
  ...more: readonly string[]
): Foreground {
  const { program, args } = popfetchCommand(home, '--config', config, '--daemon', '--foreground', ...more)
  const child = spawn(program, [...node, ...args], { cwd: home, stdio: 'ignore', env })
  const pid = child.pid ?? 0
  const isGone = (): boolean => child.exitCode !== null || child.signalCode !== null
  const end = async (signal: 'SIGTERM' | 'SIGKILL'): Promise<void> => {
    if (isGone()) return
    const exited = once(child, 'exit')
    child.kill(signal)
    await exited
  }
  return {
    pid,
    get isGone() {
      return isGone()
    },
    stop: () => end('SIGTERM'),
    async [Symbol.asyncDispose]() {
      const others = isGone() ? [] : childrenOf(pid)
      await end('SIGKILL')
      for (const other of others) killIfThere(other)
    },
  }
}

export function childrenOf(pid: number): readonly number[] {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim()
  return text === '' ? [] : text.split(' ').map(Number)
}

function killIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It went with the one above it.
  }
}

export interface IdleServer extends AsyncDisposable {
  readonly port: number
  /** How many there were so far. */
  readonly sessions: number
}

/** A mailbox for everybody, each with so many messages (idle-server.ts). */
export async function startIdleServer(messages: number): Promise<IdleServer> {
  const memory = new SharedArrayBuffer(8)
  const shared = new Int32Array(memory)
  const worker = new Worker(join(import.meta.dirname, 'idle-server.ts'), { workerData: { shared: memory, messages } })
  await Atomics.waitAsync(shared, 1, 0).value
  return {
    port: Atomics.load(shared, 1),
    get sessions() {
      return Atomics.load(shared, 0)
    },
    [Symbol.asyncDispose]: async () => void (await worker.terminate()),
  }
}

/** Resolves once that holds, at which it looks now and then. Rejects after `limitMs`. */
export async function until(holds: () => boolean | Promise<boolean>, limitMs: number): Promise<void> {
  const endMs = performance.now() + limitMs
  while (!(await holds())) {
    if (performance.now() > endMs) throw new Error('it took too long')
    await wait(50)
  }
}

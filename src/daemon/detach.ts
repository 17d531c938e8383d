// The program, started again. Into the background: in a session of its own and without a terminal; it tells the process that
// started it whether it runs. As a worker of a daemon: workers/ says what for. Node cannot fork, and a new process has nothing open
// that the old one had.
import { spawn, type ChildProcess } from 'node:child_process'
import { asPopfetchError, PopfetchError, type ErrorCode, type Retry } from '../errors.ts'
import { type ReportedError, reportError } from '../poll/report.ts'
import type { Channel, Order, OwnProcess, Word as WorkerWord } from './workers/protocol.ts'

/** A variable of the new process's environment: it has a starter to tell. */
const MARK = 'POPFETCH_DETACHED'

/** The same of a worker: it belongs to a daemon. */
const WORKER = 'POPFETCH_WORKER'

/** Opening the ledger may take 30 s, waiting for its lease 5 s. */
const START_LIMIT_MS = 60_000

type Word = { readonly kind: 'up' } | { readonly kind: 'failed'; readonly error: ReportedError }

export interface Start {
  /** A program and its arguments, all paths in them absolute. */
  readonly command: readonly string[]
  readonly env: NodeJS.ProcessEnv
  /** Ends the new process, if it has not come up yet. */
  readonly signal: AbortSignal
  /** For error texts: where the new process writes what happens to it. */
  readonly logFile: string
}

/** Resolves to the process ID once the new process works. Rejects with the error that it reported instead. */
export async function startInBackground({ command, env, signal, logFile }: Start): Promise<number> {
  const [program = '', ...args] = command
  const child = spawn(program, args, {
    // setsid(2): the end of the terminal's session does not end this one.
    detached: true,
    // The one directory that is never unmounted.
    cwd: '/',
    env: { ...env, [MARK]: '1' },
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  })
  const onAbort = (): void => void child.kill('SIGTERM')
  signal.addEventListener('abort', onAbort, { once: true })
  const limit = setTimeout(() => child.kill('SIGKILL'), START_LIMIT_MS)
  try {
    const word = await firstWord(child, logFile)
    if (word.kind === 'failed') throw failureOf(word.error)
    return child.pid ?? 0
  } finally {
    clearTimeout(limit)
    signal.removeEventListener('abort', onAbort)
    if (child.connected) child.disconnect()
    child.unref()
  }
}

function firstWord(child: ChildProcess, logFile: string): Promise<Word> {
  return new Promise((resolve, reject) => {
    child.once('message', (word) => resolve(word as Word))
    child.once('error', (cause) => reject(notStarted(`it cannot be started (${cause.message})`, logFile, cause)))
    child.once('exit', (code, killedBy) => reject(notStarted(`it ended with ${killedBy ?? code}`, logFile)))
  })
}

function failureOf({ code, message, retry }: { code: string; message: string; retry: Retry }): PopfetchError {
  return new PopfetchError(code as ErrorCode, message, { scope: 'process', retry })
}

function notStarted(why: string, logFile: string, cause?: unknown): PopfetchError {
  const text = `the daemon failed to start: ${why}: see ${logFile}, or try popfetch --daemon --foreground`
  return new PopfetchError('ERR_ABORTED', text, { scope: 'process', retry: 'soon', cause })
}

/** The process that started this one in the background. */
export interface Starter {
  up(): void
  failed(error: unknown): void
}

export interface StartedProcess {
  readonly env: NodeJS.ProcessEnv
  readonly connected: boolean
  send?(message: Word, done: () => void): unknown
  disconnect(): void
}

/** Null: this process was not started in the background. Takes the mark out of the environment, so that no program that this
 *  process starts believes it has a starter. */
export function takeStarter(self: StartedProcess): Starter | null {
  if (self.env[MARK] === undefined || !self.connected) return null
  delete self.env[MARK]
  const say = (word: Word): void => {
    // A starter that has ended meanwhile changes nothing.
    if (self.connected) self.send?.(word, () => self.connected && self.disconnect())
  }
  return {
    up: () => say({ kind: 'up' }),
    failed: (thrown) => say({ kind: 'failed', error: reportError(asPopfetchError(thrown, 'process')) }),
  }
}

/** Starts a process that shares the work of this one. It ends when this one does, however that ends. */
export function startWorker(command: readonly string[], env: NodeJS.ProcessEnv): OwnProcess {
  const [program = '', ...args] = command
  // What systemd watches is the daemon.
  const { NOTIFY_SOCKET: _, WATCHDOG_USEC: __, WATCHDOG_PID: ___, ...rest } = env
  const child = spawn(program, args, {
    env: { ...rest, [WORKER]: '1' },
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  return {
    pid: child.pid ?? 0,
    kill: () => void child.kill('SIGKILL'),
    say: (order) => void (child.connected && child.send(order, () => {})),
    listen(hear, gone) {
      child.on('message', (word) => hear(word as WorkerWord))
      child.once('error', ({ message }) => gone(`it cannot be started: ${message}`))
      child.once('exit', (code, killedBy) => gone(killedBy ?? `exit code ${code}`))
    },
  }
}

/** The daemon that started this process to share its work; null: none did. */
export function takeDaemon(self: NodeJS.Process): Channel<WorkerWord, Order> | null {
  if (self.env[WORKER] === undefined || !self.connected) return null
  delete self.env[WORKER]
  return {
    say: (word) => void (self.connected && self.send?.(word, undefined, undefined, () => {})),
    listen(hear, gone) {
      self.on('message', (order) => hear(order as Order))
      self.once('disconnect', () => gone('the daemon is gone'))
      if (!self.connected) gone('the daemon is gone')
    },
  }
}

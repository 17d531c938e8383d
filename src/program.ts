// Runs one program to its end, within limits: its own process group, a time limit for all of it, the last words of what it
// printed. What its exit code means is sysexits.ts. One rule: nobody waits for what the program left behind, be it a process
// that holds its output open or one that will not die (D093).
import { spawn } from 'node:child_process'

export interface Program {
  /** Absolute; run without a shell. */
  readonly path: string
  readonly args: readonly string[]
  /** All of its environment (D095). */
  readonly env: Readonly<Record<string, string>>
  /** A descriptor of a regular file: its end is the message's end, whatever becomes of us (D091). */
  readonly stdin: number
  readonly limitMs: number
  readonly signal: AbortSignal
  /** Between SIGTERM and SIGKILL, and between SIGKILL and giving up. */
  readonly graceMs?: number
}

export interface Ending {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  /** Why we ended it; null: it ended by itself. */
  readonly ended: 'time limit' | 'abort' | null
  /** The end of what it wrote to standard error, or else to standard output. */
  readonly lastWords: Buffer
}

const GRACE_MS = 5000
/** For the output of a program that failed to arrive; something may hold it open for ever. */
const LINGER_MS = 250
const WORDS_BYTES = 2048

/** Rejects with the system's error when it cannot be started. */
export function runToEnd(program: Program): Promise<Ending> {
  const { path, args, env, stdin, limitMs, signal, graceMs = GRACE_MS } = program
  return new Promise((resolve, reject) => {
    // detached: a group of its own, which a Ctrl-C does not reach and one kill does. The root: started from anywhere, it works the same.
    const child = spawn(path, args, { cwd: '/', env, stdio: [stdin, 'pipe', 'pipe'], detached: true, shell: false })
    const words: { out: Buffer; error: Buffer } = { out: Buffer.alloc(0), error: Buffer.alloc(0) }
    let ended: Ending['ended'] = null
    const timers: NodeJS.Timeout[] = []
    const later = (ms: number, work: () => void): void => void timers.push(setTimeout(work, ms))

    const finish = (settle: () => void): void => {
      for (const timer of timers) clearTimeout(timer)
      signal.removeEventListener('abort', onAbort)
      child.removeAllListeners('close')
      child.stdout?.destroy()
      child.stderr?.destroy()
      child.unref()
      settle()
    }
    const kill = (how: NodeJS.Signals): void => {
      if (child.pid === undefined) return
      try {
        process.kill(-child.pid, how)
      } catch {
        // All of the group is gone, or runs as somebody else.
      }
    }
    const report = (code: number | null, by: NodeJS.Signals | null): void => {
      const lastWords = words.error.length > 0 ? words.error : words.out
      finish(() => resolve({ code, signal: by, ended, lastWords }))
    }
    const end = (why: 'time limit' | 'abort'): void => {
      if (ended !== null) return
      ended = why
      // After an abort nobody waits long.
      if (why === 'time limit') {
        kill('SIGTERM')
        later(graceMs, () => kill('SIGKILL'))
      } else kill('SIGKILL')
      later(2 * graceMs, () => report(null, null))
    }
    const onAbort = (): void => end('abort')

    child.on('error', (error) => finish(() => reject(error)))
    child.on('exit', (code, by) => {
      if (ended !== null) kill('SIGKILL')
      if (code === 0) report(code, by)
      else {
        child.on('close', () => report(code, by))
        later(LINGER_MS, () => report(code, by))
      }
    })
    child.stdout?.on('error', () => {}).on('data', (chunk: Buffer) => (words.out = tail(words.out, chunk)))
    child.stderr?.on('error', () => {}).on('data', (chunk: Buffer) => (words.error = tail(words.error, chunk)))
    signal.addEventListener('abort', onAbort, { once: true })
    later(limitMs, () => end('time limit'))
    if (signal.aborted) onAbort()
  })
}

function tail(before: Buffer, chunk: Buffer): Buffer {
  return Buffer.concat([before, chunk.subarray(-WORDS_BYTES)]).subarray(-WORDS_BYTES)
}

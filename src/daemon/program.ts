// Runs a program that somebody is told with: no shell, no input, a limited time, its process group ended when that is over.
import { spawn } from 'node:child_process'
import { displayBytes } from '../display.ts'

const LIMIT_MS = 60_000
const STDERR_BYTES = 1000

/** Null: it ended with 0. Else why not, in words. Never rejects. */
export function runProgram(
  [program = '', ...args]: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
  signal: AbortSignal,
  limitMs = LIMIT_MS,
): Promise<string | null> {
  return new Promise((resolve) => {
    let stderr = Buffer.alloc(0)
    // detached: a group of its own, so that one kill reaches what a script started.
    const child = spawn(program, args, { env: { ...env }, stdio: ['ignore', 'ignore', 'pipe'], detached: true })
    const end = (failure: string | null): void => {
      clearTimeout(limit)
      signal.removeEventListener('abort', onAbort)
      child.stderr.destroy()
      resolve(failure)
    }
    const kill = (failure: string): void => {
      try {
        if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL')
      } catch {
        // It has ended by itself.
      }
      end(failure)
    }
    const limit = setTimeout(() => kill(`it did not end within ${limitMs / 1000} s`), limitMs)
    const onAbort = (): void => kill('interrupted')
    signal.addEventListener('abort', onAbort, { once: true })
    if (signal.aborted) onAbort()
    child.on('error', (error) => end(`it cannot be started: ${error.message}`))
    child.on('exit', (code, killedBy) => {
      if (code === 0) end(null)
      else end(`it ended with ${killedBy ?? code}: ${displayBytes(stderr, STDERR_BYTES)}`)
    })
    child.stderr.on('data', (chunk: Buffer) => {
      if (stderr.length < STDERR_BYTES) stderr = Buffer.concat([stderr, chunk]).subarray(0, STDERR_BYTES)
    })
    child.stderr.on('error', () => {})
  })
}

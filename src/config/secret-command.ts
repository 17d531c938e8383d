// Runs the command that prints a secret, and keeps it within bounds (N022): 30 s, 64 KiB, its own process group.
// What the output means is secret.ts's business. The one rule: whatever happens, nothing of the group runs on for long.
import { spawn } from 'node:child_process'
import type { ChildProcessByStdio } from 'node:child_process'
import type { Readable } from 'node:stream'
import { displayBytes } from '../display.ts'
import { PopfetchError } from '../errors.ts'

/** Time for a person to touch a hardware token; a poll does not wait longer for one account. */
const LIMIT_MS = 30_000

/** After the command has ended, something it left behind may hold its output open (an agent, a kept connection). */
const LINGER_MS = 1000

/** Of standard error, for the report. */
const STDERR_BYTES = 4096

type Child = ChildProcessByStdio<null, Readable, Readable>

interface Run {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly signal: AbortSignal
  readonly what: string
  /** How error texts name the command. */
  readonly from: string
  readonly limitBytes: number
  readonly limitMs?: number
}

/** What the command wrote to standard output. A string goes to `sh -c`, a list is run without a shell; standard input is
 *  empty. Rejects with ERR_SECRET of retry `soon`, or ERR_ABORTED. */
export function runSecretCommand(run: string | readonly string[], options: Run): Promise<Buffer> {
  const { signal, what, from, limitBytes, limitMs = LIMIT_MS } = options
  const [program = '', ...args] = typeof run === 'string' ? ['/bin/sh', '-c', run] : run

  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(aborted(what))
      return
    }
    let child: Child
    try {
      // detached: a group of its own, so that one kill reaches what a shell started.
      child = spawn(program, args, { env: { ...options.env }, stdio: ['ignore', 'pipe', 'pipe'], detached: true })
    } catch (error) {
      reject(failed(what, from, 'it cannot be started', error))
      return
    }
    const stdout: Buffer[] = []
    let stdoutBytes = 0
    let stderr = Buffer.alloc(0)
    let linger: NodeJS.Timeout | undefined
    const limit = setTimeout(() => {
      end(failed(what, from, `no answer within ${limitMs / 1000} s: see whether it waits for somebody`))
    }, limitMs)

    const end = (outcome: Buffer | PopfetchError): void => {
      clearTimeout(limit)
      clearTimeout(linger)
      signal.removeEventListener('abort', onAbort)
      if (outcome instanceof PopfetchError) {
        killGroup(child)
        reject(outcome)
      } else resolve(outcome)
      // Whoever still holds the other ends must not keep this process alive.
      child.stdout.destroy()
      child.stderr.destroy()
    }
    const onAbort = (): void => end(aborted(what))
    const onEnd = (code: number | null, killedBy: NodeJS.Signals | null): void => {
      if (code === 0) end(Buffer.concat(stdout))
      else end(failed(what, from, ending(code, killedBy, stderr)))
    }
    signal.addEventListener('abort', onAbort, { once: true })
    child.on('error', (error) => end(failed(what, from, 'it cannot be started', error)))
    child.on('close', onEnd)
    child.on('exit', (code, killedBy) => {
      linger = setTimeout(() => onEnd(code, killedBy), LINGER_MS)
    })
    child.stdout.on('data', (chunk: Buffer) => {
      stdoutBytes += chunk.length
      if (stdoutBytes > limitBytes) end(failed(what, from, 'it printed more than 64 KiB: let it print only the secret'))
      else stdout.push(chunk)
    })
    child.stderr.on('data', (chunk: Buffer) => {
      if (stderr.length < STDERR_BYTES) stderr = Buffer.concat([stderr, chunk]).subarray(0, STDERR_BYTES)
    })
  })
}

function killGroup(child: Child): void {
  if (child.pid === undefined) return
  try {
    process.kill(-child.pid, 'SIGKILL')
  } catch {
    // All of the group is gone already.
  }
}

function ending(code: number | null, killedBy: NodeJS.Signals | null, stderr: Buffer): string {
  const how = killedBy ? `it was ended by ${killedBy}` : `it exited with ${code}`
  const said = displayBytes(Buffer.from(stderr.toString('latin1').trim(), 'latin1'))
  return said === '' ? `${how} and said nothing: run it by hand` : `${how} and said "${said}"`
}

function failed(what: string, from: string, how: string, cause?: unknown): PopfetchError {
  return new PopfetchError('ERR_SECRET', `reading ${what} from ${from}: ${how}`, {
    scope: 'account',
    retry: 'soon',
    cause,
  })
}

function aborted(what: string): PopfetchError {
  return new PopfetchError('ERR_ABORTED', `reading ${what}: stopped`, { scope: 'process', retry: 'soon' })
}

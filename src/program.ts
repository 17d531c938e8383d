// The one runner of other programs: delivery commands, commands that print a secret, `onProblem`, systemd-notify, programs
// through which a server is reached. Each runs without a shell, in a process group of its own, within limits of time and
// output. What its end means is for the caller. One rule: nobody waits for what a program left behind. That may be a process
// that holds its output open (D093, a grandchild), or one that does not die.
import { spawn } from 'node:child_process'
import fs from 'node:fs'
import { userInfo } from 'node:os'
import { Duplex } from 'node:stream'

export interface Program {
  /** A path, or a name that is looked for in the PATH of `env`; then the arguments. */
  readonly command: readonly string[]
  /** Its whole environment: the program inherits nothing (D095, inherited secrets). */
  readonly env: Readonly<Record<string, string | undefined>>
  /** Null: popfetch's own. */
  readonly cwd: string | null
  /** A descriptor, which stays the caller's to close, or the bytes themselves. A program that reads a file sees its true end even
   *  if popfetch is killed meanwhile (D091, a truncated message). One that reads bytes then sees a shorter input. */
  readonly stdin: number | Uint8Array
  readonly stdout: Output
  readonly stderr: Output
  readonly limitMs: number
  readonly signal: AbortSignal
  /** From SIGTERM to SIGKILL, and from SIGKILL until it is given up. */
  readonly graceMs?: number
}

/** How much of an output is kept. `all`: the output is an answer, and one byte more than the limit ends the program. `last`: it
 *  is read for error texts, and its end says most. */
export type Output =
  | { readonly keep: 'all' | 'last'; readonly limitBytes: number }
  /** Goes to this file, which is open for reading and appending and stays the caller's to close. A script can open it once more as
   *  /dev/stdout or /dev/stderr, which it cannot with what Node calls a pipe (D130, a socket). Its last bytes are read. */
  | { readonly keep: 'file'; readonly file: number; readonly limitBytes: number }
  /** Goes to /dev/null. */
  | { readonly keep: 'none' }

export interface Ending {
  /** Null: a signal ended it, or it was given up. */
  readonly code: number | null
  /** Null: it exited, or it was given up. */
  readonly signal: NodeJS.Signals | null
  /** Why popfetch ended it; null: it ended by itself. */
  readonly ended: 'time limit' | 'output limit' | 'abort' | null
  readonly stdout: Buffer
  readonly stderr: Buffer
}

export const NO_INPUT = new Uint8Array()
export const NO_OUTPUT: Output = { keep: 'none' }

const NEVER_SEEN_TO_END = { code: null, signal: null, stdout: Buffer.alloc(0), stderr: Buffer.alloc(0) } as const

const GRACE_MS = 5000
/** A file of output is cut when it is longer, and how often that is looked at. */
const OUTPUT_FILE_BYTES = 1024 * 1024
const OUTPUT_FILE_MS = 1000
/** For output that is still on its way when the program has ended; something may hold it open forever. */
const LINGER_MS = 1000

/** Resolves to how the program ended, at the latest `limitMs` and twice `graceMs` after the call.
 *
 *  - It ends by itself: `code` or `signal` says how. After code 0 what it left behind runs on. After any other end the rest of
 *    its group is killed, once the output on its way has come.
 *  - The time is over, or an output is too long: its group gets SIGTERM, and SIGKILL `graceMs` later.
 *  - The signal is given: its group gets SIGKILL at once; a program that has not begun by then does not begin.
 *  - In both cases the rest of the group is killed when the program is dead. One that is not dead `graceMs` after SIGKILL is
 *    given up.
 *
 *  Rejects with the system's error when it cannot be started: ENOENT (no such program, interpreter or `cwd`), EACCES, E2BIG. */
export function runProgram(program: Program): Promise<Ending> {
  const { command, env, cwd, stdin, limitMs, signal, graceMs = GRACE_MS } = program
  const [path = '', ...args] = command
  const stdout = new KeptOutput(program.stdout)
  const stderr = new KeptOutput(program.stderr)
  if (signal.aborted) return Promise.resolve({ ...NEVER_SEEN_TO_END, ended: 'abort' })

  return new Promise((resolve, reject) => {
    const child = spawn(path, args, {
      cwd: cwd ?? undefined,
      env: { ...env },
      stdio: [inputOf(stdin), stdout.stdio, stderr.stdio],
      // A process group of its own: a Ctrl-C does not reach it, and one kill reaches all of it.
      detached: true,
      shell: false,
    })
    let ended: Ending['ended'] = null
    /** Null: it has not exited. */
    let exit: Pick<Ending, 'code' | 'signal'> | null = null
    let timers: NodeJS.Timeout[] = []
    const later = (ms: number, work: () => void): void => void timers.push(setTimeout(work, ms))
    const callOff = (): void => {
      for (const timer of timers) clearTimeout(timer)
      timers = []
    }
    const kill = (how: NodeJS.Signals): void => {
      if (child.pid === undefined) return
      try {
        process.kill(-child.pid, how)
      } catch {
        // All of the group is gone, or runs as somebody else.
      }
    }

    const cutting = setInterval(() => {
      for (const kept of [stdout, stderr]) kept.cut()
    }, OUTPUT_FILE_MS).unref()
    const letGo = (): void => {
      callOff()
      clearInterval(cutting)
      signal.removeEventListener('abort', onAbort)
      child.removeAllListeners('exit').removeAllListeners('close')
      // Whoever still holds the other ends must not keep popfetch alive.
      child.stdout?.destroy()
      child.stderr?.destroy()
      child.unref()
    }
    let isSettled = false
    /** The last step of all; `exit` is null when it is given up. */
    const settle = (): void => {
      if (isSettled) return
      isSettled = true
      if (exit?.code !== 0 || ended !== null) kill('SIGKILL')
      letGo()
      resolve({ ...(exit ?? NEVER_SEEN_TO_END), ended, stdout: stdout.bytes, stderr: stderr.bytes })
    }
    const end = (why: 'time limit' | 'output limit'): void => {
      if (ended !== null) return
      ended = why
      if (exit !== null) {
        settle()
        return
      }
      kill('SIGTERM')
      later(graceMs, () => kill('SIGKILL'))
      later(2 * graceMs, settle)
    }
    const onAbort = (): void => {
      if (exit !== null) {
        settle()
        return
      }
      ended ??= 'abort'
      kill('SIGKILL')
      later(graceMs, settle)
    }

    child.on('error', (error) => {
      letGo()
      reject(error)
    })
    child.on('exit', (code, by) => {
      callOff()
      exit = { code, signal: by }
      if (ended !== null) kill('SIGKILL')
      if (code === 0 && ended === null && !stdout.isAnswer && !stderr.isAnswer) settle()
      else {
        child.on('close', settle)
        // One turn of the event loop more: output that came while popfetch itself was busy is read in it.
        later(LINGER_MS, () => setImmediate(settle))
      }
    })
    child.stdin?.on('error', () => {}).end(stdin)
    for (const [stream, kept] of [[child.stdout, stdout] as const, [child.stderr, stderr] as const]) {
      stream
        ?.on('error', () => {})
        .on('data', (chunk: Buffer) => {
          if (!kept.take(chunk)) end('output limit')
        })
    }
    signal.addEventListener('abort', onAbort, { once: true })
    later(limitMs, () => end('time limit'))
  })
}

/** A program that somebody speaks with. */
/** Starts a program that goes on without us, such as a browser: nobody waits for it, and nobody ends it. It sees and says nothing of
 *  ours. Whether it could be started is not told. */
export function launchProgram(
  command: readonly [string, ...string[]],
  env: Readonly<Record<string, string | undefined>>,
): void {
  const [path, ...args] = command
  const child = spawn(path, args, { cwd: '/', env: { ...env }, detached: true, stdio: 'ignore', shell: false })
  child.on('error', () => {})
  child.unref()
}

export interface Conversation {
  /** Its standard input and output. When this is destroyed, the program and all of its group end: by themselves within a second,
   *  else by SIGTERM, else by SIGKILL. */
  readonly stream: Duplex
  /** How it ended by itself, and the last that it wrote to standard error; null: it has not, a second after the call. */
  ending(): Promise<Pick<Ending, 'code' | 'signal' | 'stderr'> | null>
}

/** Starts a program for a conversation. Rejects as runProgram does; resolves when it runs. Its caller ends it. */
export function openConversation({
  command,
  env,
  cwd,
  stderrBytes,
  graceMs = GRACE_MS,
}: Pick<Program, 'command' | 'env' | 'cwd' | 'graceMs'> & { readonly stderrBytes: number }): Promise<Conversation> {
  const [path = '', ...args] = command
  const stderr = new KeptOutput({ keep: 'last', limitBytes: stderrBytes })
  const { promise, resolve, reject } = Promise.withResolvers<Conversation>()
  const child = spawn(path, args, { cwd: cwd ?? undefined, env: { ...env }, detached: true, shell: false })
  const kill = (how: NodeJS.Signals): void => {
    if (child.pid === undefined) return
    try {
      process.kill(-child.pid, how)
    } catch {
      // All of the group is gone, or runs as somebody else.
    }
  }
  const atExit = (): void => kill('SIGTERM')
  process.once('exit', atExit)
  const timers: NodeJS.Timeout[] = []
  let isOurs = false
  const { promise: over, resolve: isOver } = Promise.withResolvers<void>()
  const letGo = (): void => {
    for (const timer of timers) clearTimeout(timer)
    process.off('exit', atExit)
    child.stderr.destroy()
    child.unref()
    isOver()
  }
  child.stderr.on('error', () => {}).on('data', (chunk: Buffer) => void stderr.take(chunk))
  const stream = Duplex.from({ readable: child.stdout, writable: child.stdin })
  // Whoever has the stream listens as well; without a listener of ours an early error would end the process.
  stream.on('error', () => {})
  stream.once('close', () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    const later = (ms: number, work: () => void): void => void timers.push(setTimeout(work, ms))
    later(LINGER_MS, () => {
      isOurs = true
      kill('SIGTERM')
    })
    later(LINGER_MS + graceMs, () => kill('SIGKILL'))
    later(LINGER_MS + 2 * graceMs, letGo)
  })
  child.once('error', (error) => {
    letGo()
    reject(error)
  })
  // Processes that it left behind, such as a shell's other child, are of no more use.
  child.once('exit', (code) => {
    if (code !== 0 || isOurs) kill('SIGKILL')
    // The last words may still be on their way; something may hold them open forever.
    child.once('close', letGo)
    timers.push(setTimeout(letGo, LINGER_MS))
  })
  child.once('spawn', () =>
    resolve({
      stream,
      ending: async () => {
        await Promise.race([over, new Promise<void>((done) => void timers.push(setTimeout(done, LINGER_MS)))])
        const { exitCode: code, signalCode: signal } = child
        return isOurs || (code === null && signal === null) ? null : { code, signal, stderr: stderr.bytes }
      },
    }),
  )
  return promise
}

function inputOf(stdin: Program['stdin']): number | 'ignore' | 'pipe' {
  if (typeof stdin === 'number') return stdin
  return stdin.byteLength === 0 ? 'ignore' : 'pipe'
}

class KeptOutput {
  readonly #output: Output
  readonly #chunks: Buffer[] = []
  #sizeBytes = 0

  constructor(output: Output) {
    this.#output = output
  }

  get stdio(): 'ignore' | 'pipe' | number {
    if (this.#output.keep === 'file') return this.#output.file
    return this.#output.keep === 'none' ? 'ignore' : 'pipe'
  }

  get isAnswer(): boolean {
    return this.#output.keep === 'all'
  }

  get bytes(): Buffer {
    return this.#output.keep === 'file' ? lastOf(this.#output) : Buffer.concat(this.#chunks)
  }

  /** Of a file that has become too long only the end is kept. */
  cut(): void {
    if (this.#output.keep !== 'file') return
    const { file } = this.#output
    if (fs.fstatSync(file).size <= OUTPUT_FILE_BYTES) return
    const last = lastOf(this.#output)
    fs.ftruncateSync(file, 0)
    fs.writeSync(file, last)
  }

  /** False: it is more than may come. */
  take(chunk: Buffer): boolean {
    const output = this.#output
    if (output.keep === 'none' || output.keep === 'file') return true
    this.#sizeBytes += chunk.length
    if (output.keep === 'all' && this.#sizeBytes > output.limitBytes) return false
    if (output.keep === 'last' && this.#sizeBytes > output.limitBytes) {
      const tail = Buffer.concat([...this.#chunks, chunk]).subarray(-output.limitBytes)
      this.#chunks.splice(0, Infinity, tail)
      this.#sizeBytes = tail.length
    } else this.#chunks.push(chunk)
    return true
  }
}

/** Of a file that a program may be writing to; a few bytes, so it is read on the event loop. */
function lastOf({ file, limitBytes }: { readonly file: number; readonly limitBytes: number }): Buffer {
  const { size } = fs.fstatSync(file)
  const into = Buffer.alloc(Math.min(size, limitBytes))
  return into.subarray(0, fs.readSync(file, into, 0, into.length, size - into.length))
}

type Environment = Readonly<Record<string, string | undefined>>

/** Where programs are looked for when there is no PATH, as under some process managers. */
export const USUAL_PATH = '/usr/local/bin:/usr/bin:/bin'

/** What a program that a configuration names is given of popfetch's environment: what it needs to find itself and its user. Other
 *  variables may hold tokens (D095, inherited secrets). */
export function programEnvironment(env: Environment): Record<string, string> {
  const { PATH = USUAL_PATH, HOME, LANG } = env
  const user = userName(env)
  return {
    PATH,
    ...(HOME === undefined ? {} : { HOME }),
    ...(LANG === undefined ? {} : { LANG }),
    ...(user === null ? {} : { USER: user, LOGNAME: user }),
  }
}

/** The user's name: as the environment has it, else the password file; null: that does not know this user (N046, a container's
 *  user id). */
export function userName({ LOGNAME, USER }: Environment): string | null {
  try {
    return LOGNAME ?? USER ?? userInfo().username
  } catch {
    return null
  }
}

/** A word as a shell of POSIX reads it again, whatever is in it. */
export function shellQuoted(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`
}

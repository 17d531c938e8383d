// strace as the hand that kills and fails: its arguments, and its log read back as calls with a beginning and an end.
// https://strace.io. Injected faults count the calls of each thread by itself.
import { spawnSync } from 'node:child_process'

/** Calls by which something outside the process changes. */
export const CALLS = [
  'openat',
  'write',
  'writev',
  'pwrite64',
  'fsync',
  'fdatasync',
  'link',
  'unlink',
  'rename',
  'close',
] as const

export interface Call {
  readonly thread: string
  readonly name: string
  /** All that stands between the parentheses, file descriptors with what they lead to. */
  readonly args: string
  /** Lines of the log: a call that another thread's interrupts has two. */
  readonly began: number
  readonly ended: number
  readonly failed: boolean
  /** How many calls of that name its thread had made, with this one. */
  readonly nth: number
}

/** Null: strace works here; else why not. */
export function straceMissing(): string | null {
  const { error, status, stderr } = spawnSync('strace', ['-f', '-qq', '-o', '/dev/null', 'true'], { encoding: 'utf8' })
  if (error !== undefined) return `strace cannot be run: ${error.message}`
  return status === 0 ? null : `strace may not trace here: ${stderr.trim()}`
}

/** `strings`: this many bytes of what is written are in the log. `reads`: what is read, too. */
export function recording(log: string, { strings = 64, reads = false } = {}): readonly string[] {
  const trace = `trace=${[...CALLS, 'mkdir', ...(reads ? ['read'] : [])].join(',')}`
  return ['strace', '-f', '--seccomp-bpf', '-qq', '-y', '-s', String(strings), '-o', log, '-e', trace]
}

/** `when`: `3`, or `3+` for that one and all after it. `file`: only calls on that very path. */
export function injecting(call: string, fault: string, when: string, file?: string): readonly string[] {
  const only = file === undefined ? [] : ['-P', file]
  const inject = `inject=${call}:${fault}:when=${when}`
  // Not with --seccomp-bpf: strace 6.1 then injects nothing.
  return ['strace', '-f', '-qq', '-o', '/dev/null', ...only, '-e', `trace=${call}`, '-e', inject]
}

const WHOLE = /^(\d+) +(\w+)\((.*)\) += (\S+)/
const BEGUN = /^(\d+) +(\w+)\((.*) <unfinished \.\.\.>$/
const RESUMED = /^(\d+) +<\.\.\. \w+ resumed>(.*)\) += (\S+)/

export function readCalls(log: string): Call[] {
  const calls: Call[] = []
  const begun = new Map<string, Omit<Call, 'ended' | 'failed'>>()
  const counts = new Map<string, number>()
  const begin = (thread: string, name: string, args: string, began: number): Omit<Call, 'ended' | 'failed'> => {
    const nth = (counts.get(`${thread} ${name}`) ?? 0) + 1
    counts.set(`${thread} ${name}`, nth)
    return { thread, name, args, began, nth }
  }
  for (const [at, line] of log.split('\n').entries()) {
    const [, thread = '', name = '', args = '', result = ''] = WHOLE.exec(line) ?? BEGUN.exec(line) ?? []
    if (result !== '') calls.push({ ...begin(thread, name, args, at), ended: at, failed: result === '-1' })
    else if (name !== '') begun.set(thread, begin(thread, name, args, at))
    const [, resumed = '', rest = '', outcome = ''] = RESUMED.exec(line) ?? []
    const first = begun.get(resumed)
    if (first === undefined) continue
    begun.delete(resumed)
    calls.push({ ...first, args: first.args + rest, ended: at, failed: outcome === '-1' })
  }
  return calls
}

/** Those after which a crash leaves something behind: files of the scene, sockets. Others belong to Node's start. */
export function consequential(calls: readonly Call[], directory: string): Call[] {
  return calls.filter(
    ({ args }) => args.includes(`${directory}/`) || args.includes('<socket:') || args.includes('<TCP:'),
  )
}

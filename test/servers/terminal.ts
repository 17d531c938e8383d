// A program on a terminal of script(1), and somebody who types: each answer when its question stands there.
import { spawn } from 'node:child_process'
import { expect } from 'vitest'
import { findProgram } from './program.ts'

/** What a person has patience for. */
export const PATIENCE_MS = 180_000

export interface Seat {
  /** Where it is run. */
  readonly home: string
  readonly env: NodeJS.ProcessEnv
  readonly uid?: number
  readonly gid?: number
}

/** Resolves when the program has ended and every question was asked. */
export async function atTerminal(
  command: readonly string[],
  { home, env, uid, gid }: Seat,
  answers: readonly (readonly [question: string, answer: string])[],
): Promise<{ readonly code: number | null; readonly seen: string }> {
  const script = await findProgram('script', 'bsdutils')
  const line = command.map((word) => `'${word}'`).join(' ')
  const child = spawn(script, ['-qec', `stty cols 80 rows 24; exec ${line}`, '/dev/null'], {
    cwd: home,
    env: { TERM: 'xterm', ...env },
    stdio: ['pipe', 'pipe', 'inherit'],
    ...(uid === undefined ? {} : { uid }),
    ...(gid === undefined ? {} : { gid }),
  })
  const left = [...answers]
  let seen = ''
  let from = 0
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    seen += chunk
    for (let next = left[0]; next !== undefined; next = left[0]) {
      const at = seen.indexOf(next[0], from)
      if (at < 0) return
      from = at + next[0].length
      left.shift()
      child.stdin.write(`${next[1]}\r`)
    }
  })
  const late = setTimeout(() => child.kill('SIGKILL'), PATIENCE_MS)
  const code = await new Promise<number | null>((done) => child.once('close', done))
  clearTimeout(late)
  expect(left, seen).toEqual([])
  return { code, seen }
}

// A program on a terminal of script(1), and somebody who types: each answer when its question is there.
import { spawn } from 'node:child_process'
import { stripVTControlCharacters } from 'node:util'
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

/** `then`: what is there afterwards; without it the answer is taken, and the next question may follow. */
export type Answer = readonly [question: string, answer: string, then?: string]

/** With this a prompt ends that was answered: the cursor is shown again. */
const ANSWERED = '\u001b[?25h'

/** Resolves when the program has ended and every question was asked. `seen`: without what moves the cursor. */
export async function atTerminal(
  command: readonly string[],
  { home, env, uid, gid }: Seat,
  answers: readonly Answer[],
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
  // In turn: a question's words, and what shows that its answer was taken.
  const left = answers.flatMap(([question, answer, then]) => [
    { awaited: question, typed: `${answer}\r` },
    { awaited: then ?? (env['TERM'] === 'dumb' ? '' : ANSWERED), typed: '' },
  ])
  let seen = ''
  let from = 0
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    seen += chunk
    for (let next = left[0]; next !== undefined; next = left[0]) {
      const fresh = seen.slice(from)
      if (!(next.awaited === ANSWERED ? fresh : stripVTControlCharacters(fresh)).includes(next.awaited)) return
      from = next.awaited === ANSWERED ? from + fresh.indexOf(ANSWERED) + ANSWERED.length : seen.length
      left.shift()
      if (next.typed !== '') child.stdin.write(next.typed)
    }
  })
  const late = setTimeout(() => child.kill('SIGKILL'), PATIENCE_MS)
  const code = await new Promise<number | null>((done) => child.once('close', done))
  clearTimeout(late)
  const unasked = left.filter(({ typed }) => typed !== '').map(({ awaited }) => awaited)
  expect(unasked, stripVTControlCharacters(seen)).toEqual([])
  return { code, seen: stripVTControlCharacters(seen) }
}

// Questions to a person at a terminal, one line each, and passwords, which the terminal does not show. The only room that reads
// what a person types: prompts.ts on a terminal that can move its cursor. Plain lines by readline on one that cannot (TERM=dumb).
import { createInterface } from 'node:readline'
import { stdin } from 'node:process'
import { Writable } from 'node:stream'
import { display } from '../../display.ts'
import { abortedByPerson, LeftByPerson } from '../command-errors.ts'
import type { Surroundings } from '../surroundings.ts'
import { Keys, type KeyStream, LONGEST_LINE, LONGEST_SECRET } from './keys.ts'
import type * as prompting from './prompts.ts'
import type { Asked, Place } from './prompts.ts'

export interface Dialogue {
  /** What was typed, without spaces around it, or the usual answer; '' when there is none. It may yet be wrong. Rejects with
   *  ERR_ABORTED on Ctrl-C or Ctrl-D. */
  ask(question: Asked): Promise<string>
  /** The same for what must not be shown; here spaces count. */
  askSecret(question: string): Promise<string>
}

/** What `init` says when a person leaves. */
export const CANCELLED = 'cancelled; nothing was written'

/** Where a dialogue reads and shows. */
export interface Prompt {
  readonly input: KeyStream
  /** Shows the question, and the end of the line afterwards. */
  readonly show: (text: string) => void
}

/** Null: there is no terminal. */
export function terminalDialogue({
  terminal,
  signal,
  env,
}: Pick<Surroundings, 'terminal' | 'signal' | 'env'>): Dialogue | null {
  if (terminal === null || !stdin.isTTY) return null
  return env['TERM'] === 'dumb'
    ? plainDialogue({ input: stdin, show: (text) => void terminal.write(text) }, signal)
    : promptedDialogue({ input: stdin, output: terminal }, signal)
}

/** Of a terminal with a cursor that moves. */
export function promptedDialogue(place: Place, signal: AbortSignal): Dialogue {
  const by = async (ask: (prompts: typeof prompting) => Promise<string>): Promise<string> => {
    const prompts = await import('./prompts.ts')
    try {
      return await ask(prompts)
    } catch (error) {
      throw error instanceof prompts.Unanswered ? new LeftByPerson(CANCELLED) : error
    }
  }
  return {
    ask: async (question) => (await by(({ promptLine }) => promptLine(question, place, signal))).trim(),
    askSecret: (question) => by(({ promptHidden }) => promptHidden(question, place, signal)),
  }
}

/** A question on one line. */
export function questionText({ text, usual }: Pick<Asked, 'text' | 'usual'>): string {
  if (usual === null) return `${text}:`
  return text.endsWith('?') ? `${text} [${usual}]` : `${text} [${usual}]:`
}

/** Lines alone: nothing that is shown is changed afterwards. */
export function plainDialogue({ input, show }: Prompt, signal: AbortSignal): Dialogue {
  const output = new Writable({
    decodeStrings: false,
    write(chunk: string | Buffer, _encoding, done) {
      show(String(chunk))
      done()
    },
  })
  return {
    async ask(question) {
      const keys = new Keys(input, LONGEST_LINE)
      const lines = createInterface({ input: keys, output, terminal: true, historySize: 0 })
      lines.setPrompt(`${display(questionText(question), 500)} `)
      const leave = (): void => lines.close()
      signal.addEventListener('abort', leave, { once: true })
      try {
        const answer = await new Promise<string>((resolve, reject) => {
          // Closed at once: what was pasted behind the line is not shown, for it may be a password.
          lines.once('line', (line) => {
            resolve(line)
            lines.close()
          })
          lines.once('SIGINT', leave)
          lines.once('close', () => reject(new LeftByPerson(CANCELLED)))
          if (signal.aborted) leave()
          else lines.prompt()
        })
        const fault = keys.takeFault()
        if (fault === null) return answer.trim() === '' ? (question.usual ?? '') : answer.trim()
        show(`${fault}\n`)
      } catch (error) {
        show('\n')
        throw error
      } finally {
        signal.removeEventListener('abort', leave)
        lines.close()
        keys.release()
      }
      return await this.ask(question)
    },
    askSecret: (question) => askPassword(display(question, 500), { input, show }, CANCELLED),
  }
}

/** The lines that are typed, or that come from a pipe, without their ends, until Ctrl-D or the end of input. On a terminal each
 *  is asked for with `prompt` and can be edited; Ctrl-C rejects with ERR_ABORTED. What is typed is kept nowhere. */
export async function* typedLines(
  prompt: string,
  { terminal, signal }: Pick<Surroundings, 'terminal' | 'signal'>,
): AsyncGenerator<string, void, void> {
  const isTyped = terminal !== null && stdin.isTTY
  yield* linesOn({ input: stdin, output: isTyped ? terminal : null, prompt }, signal)
}

/** `output`: the terminal; null: there is none. */
export async function* linesOn(
  { input, output, prompt }: { input: NodeJS.ReadableStream; output: NodeJS.WritableStream | null; prompt: string },
  signal: AbortSignal,
): AsyncGenerator<string, void, void> {
  const lines =
    output === null
      ? createInterface({ input, crlfDelay: Infinity })
      : createInterface({ input, output, terminal: true, prompt, historySize: 100 })
  const left = new AbortController()
  const leave = (): void => {
    left.abort()
    lines.close()
  }
  lines.once('SIGINT', leave)
  signal.addEventListener('abort', leave, { once: true })
  try {
    if (output !== null) lines.prompt()
    for await (const line of lines) {
      if (signal.aborted || left.signal.aborted) break
      yield line
      if (output !== null) lines.prompt()
    }
  } finally {
    signal.removeEventListener('abort', leave)
    lines.close()
  }
  if (left.signal.aborted) throw abortedByPerson('interrupted')
}

/** Resolves to the line as it was typed. Rejects with ERR_ABORTED on Ctrl-C or Ctrl-D. */
export async function askPassword(
  question: string,
  { input, show }: Prompt,
  left = 'no password was given: nothing was done',
): Promise<string> {
  const silence = new Writable({ write: (_chunk, _encoding, done) => done() })
  for (;;) {
    const keys = new Keys(input, LONGEST_SECRET)
    // With `terminal` the keys come one by one and the terminal shows none of them.
    const lines = createInterface({ input: keys, output: silence, terminal: true, historySize: 0 })
    show(`${question}: `)
    let fault: string | null
    try {
      const typed = await new Promise<string>((resolve, reject) => {
        const abort = (): void => reject(new LeftByPerson(left))
        lines.once('line', resolve)
        lines.once('SIGINT', abort)
        lines.once('close', abort)
      })
      fault = keys.takeFault()
      if (fault === null) return typed
    } finally {
      lines.close()
      keys.release()
      // The terminal did not show the end of the line either.
      show('\n')
    }
    show(`${fault}: once more\n`)
  }
}

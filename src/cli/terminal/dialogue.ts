// Questions to a person at a terminal, one line each, and passwords, which the terminal does not show. The only place
// that reads what a person types; readline does the reading.
import { createInterface } from 'node:readline/promises'
import { stdin } from 'node:process'
import { Writable } from 'node:stream'
import { display } from '../../display.ts'
import { abortedByPerson, LeftByPerson } from '../command-errors.ts'
import type { Surroundings } from '../surroundings.ts'

export interface Dialogue {
  /** What was typed, without spaces around it; '' for nothing. Rejects with ERR_ABORTED on Ctrl-C or Ctrl-D. */
  ask(question: string): Promise<string>
  /** The same for what must not be shown; here spaces count. */
  askSecret(question: string): Promise<string>
}

const CANCELLED = 'cancelled; nothing was written'

/** Where a dialogue reads and shows. */
export interface Prompt {
  readonly input: NodeJS.ReadableStream
  /** Shows the question, and the end of the line afterwards. */
  readonly show: (text: string) => void
}

/** Null: there is no terminal. */
export function terminalDialogue({ terminal, signal }: Pick<Surroundings, 'terminal' | 'signal'>): Dialogue | null {
  return terminal === null || !stdin.isTTY
    ? null
    : dialogueOn({ input: stdin, show: (text) => void terminal.write(text) }, signal)
}

export function dialogueOn({ input, show }: Prompt, signal: AbortSignal): Dialogue {
  const output = new Writable({
    decodeStrings: false,
    write(chunk: string | Buffer, _encoding, done) {
      show(String(chunk))
      done()
    },
  })
  return {
    async ask(question) {
      const lines = createInterface({ input, output, terminal: true, historySize: 0 })
      const { promise: ended, reject } = Promise.withResolvers<never>()
      const abort = (): void => reject(new LeftByPerson(CANCELLED))
      lines.once('SIGINT', abort)
      lines.once('close', abort)
      try {
        const answer = await Promise.race([lines.question(`${display(question, 500)} `, { signal }), ended])
        return answer.trim()
      } catch (error) {
        show('\n')
        throw signal.aborted ? new LeftByPerson(CANCELLED) : error
      } finally {
        lines.close()
        // Closing rejects `ended` at the latest, and nobody waits for it any more.
        ended.catch(() => {})
      }
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
  // With `terminal` the keys come one by one and the terminal shows none of them.
  const lines = createInterface({ input, output: silence, terminal: true, historySize: 0 })
  show(`${question}: `)
  try {
    return await new Promise<string>((resolve, reject) => {
      const abort = (): void => reject(new LeftByPerson(left))
      lines.once('line', resolve)
      lines.once('SIGINT', abort)
      lines.once('close', abort)
    })
  } finally {
    lines.close()
    // The terminal did not show the end of the line either.
    show('\n')
  }
}

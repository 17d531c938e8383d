// Questions to a person at a terminal, one line each. The only place that reads answers; passwords are password.ts.
import { createInterface } from 'node:readline/promises'
import { stdin } from 'node:process'
import { Writable } from 'node:stream'
import { display } from '../../display.ts'
import { PopfetchError } from '../../errors.ts'
import { askPassword } from '../password.ts'
import type { Surroundings } from '../surroundings.ts'

export interface Dialogue {
  /** What was typed, without spaces around it; '' for nothing. Rejects with ERR_ABORTED on Ctrl-C or Ctrl-D. */
  ask(question: string): Promise<string>
  /** The same for what must not be seen. */
  askSecret(question: string): Promise<string>
}

/** Null: nobody sits there. */
export function terminalDialogue({ terminal, signal }: Pick<Surroundings, 'terminal' | 'signal'>): Dialogue | null {
  return terminal === null || !stdin.isTTY ? null : dialogueOn(stdin, (text) => void terminal.write(text), signal)
}

export function dialogueOn(input: NodeJS.ReadableStream, show: (text: string) => void, signal: AbortSignal): Dialogue {
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
      lines.once('SIGINT', () => reject(aborted()))
      lines.once('close', () => reject(aborted()))
      try {
        const answer = await Promise.race([lines.question(`${display(question, 500)} `, { signal }), ended])
        return answer.trim()
      } catch (error) {
        show('\n')
        throw signal.aborted ? aborted() : error
      } finally {
        lines.close()
        // It was rejected, at the latest by the end of `lines`; nobody waits for it any more.
        ended.catch(() => {})
      }
    },
    askSecret: (question) => askPassword(display(question, 500), { input, show }),
  }
}

function aborted(): PopfetchError {
  return new PopfetchError('ERR_ABORTED', 'no answer was given: nothing was done', { scope: 'process', retry: 'never' })
}

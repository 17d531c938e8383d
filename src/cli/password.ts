// Asks for a password on the terminal, without showing it. The only place where a secret is typed; it goes to whoever asked
// and nowhere else. readline reads the line, and writes to a stream that swallows everything.
import { createInterface } from 'node:readline'
import { Writable } from 'node:stream'
import { PopfetchError } from '../errors.ts'

export interface Prompt {
  readonly input: NodeJS.ReadableStream
  /** Where the question is shown, and the end of the line afterwards. */
  readonly show: (text: string) => void
}

/** What was typed up to the end of the line. Rejects with ERR_ABORTED on Ctrl-C or Ctrl-D. */
export async function askPassword(question: string, { input, show }: Prompt): Promise<string> {
  const silence = new Writable({ write: (_chunk, _encoding, done) => done() })
  // With `terminal` the keys come one by one and the terminal shows none of them.
  const lines = createInterface({ input, output: silence, terminal: true, historySize: 0 })
  show(`${question}: `)
  try {
    return await new Promise<string>((resolve, reject) => {
      lines.once('line', resolve)
      lines.once('SIGINT', () => reject(aborted()))
      lines.once('close', () => reject(aborted()))
    })
  } finally {
    lines.close()
    // The end of the line was not shown either.
    show('\n')
  }
}

function aborted(): PopfetchError {
  return new PopfetchError('ERR_ABORTED', 'no password was given: nothing was done', {
    scope: 'process',
    retry: 'never',
  })
}

// Prompts as a terminal with a cursor shows them: @inquirer/prompts' only door, loaded at the first question (40 kB). Three things it
// does not do are done here (8.8, 2026). It waits forever when its input ends or on Ctrl-D, it reads nothing more after Ctrl-Z, and
// it shows suggestions of servers as they are. @clack/prompts (1.9) puts pasted lines into the question before, in plain sight.
import { Writable } from 'node:stream'
import { input, password } from '@inquirer/prompts'
import { display } from '../../display.ts'
import type { Terminal } from '../surroundings.ts'
import { Keys, type KeyStream, LONGEST_LINE, LONGEST_SECRET, MARK_NO_PASTES, MARK_PASTES } from './keys.ts'

/** A question for a line. */
export interface Asked {
  readonly text: string
  /** The answer when nothing is typed; null: there is none. */
  readonly usual: string | null
  /** What is wrong with an answer, for the person; null: nothing. What was typed stays there to be corrected. */
  readonly problem: (typed: string) => string | null
}

export interface Place {
  readonly input: KeyStream
  readonly output: Terminal
}

/** Why nobody answered: the person left, or the signal came. */
export class Unanswered extends Error {
  override readonly name: string = 'Unanswered'
}

const LONGEST = 500
const USUAL_COLUMNS = 80
const headOf = (text: string): string => (text.endsWith('?') ? shown(text) : `${shown(text)}:`)
const shown = (text: string): string => display(text, LONGEST)
/** While it is typed no character more and none less: the cursor stands where readline counts it. */
const line = (typed: string, { isFinal }: { readonly isFinal: boolean }): string =>
  isFinal ? shown(typed) : typed.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (one) => '?'.repeat(one.length))

/** Rejects with Unanswered. */
export async function promptLine({ text, usual, problem }: Asked, place: Place, signal: AbortSignal): Promise<string> {
  return await answered(place, signal, LONGEST_LINE, (context) =>
    input(
      {
        message: headOf(text),
        ...(usual === null ? {} : { default: usual }),
        validate: (typed) => context.input.takeFault() ?? problem(typed) ?? true,
        transformer: line,
        theme: { style: { defaultAnswer: (answer: string) => `[${shown(answer)}]`, error: shown } },
      },
      context,
    ),
  )
}

/** The same for what must not be shown, not even its length. */
export async function promptHidden(text: string, place: Place, signal: AbortSignal): Promise<string> {
  const theme = { style: { maskedText: '(not shown)' } }
  for (;;) {
    let fault: string | null = null
    const typed = await answered(place, signal, LONGEST_SECRET, async (context) => {
      const answer = await password({ message: `${shown(text)}:`, toggleMask: false, theme }, context)
      fault = context.input.takeFault()
      return answer
    })
    if (fault === null) return typed
    // Nobody sees what is left of it.
    place.output.write(`${String(fault)}: once more\n`)
  }
}

interface Context {
  readonly input: Keys
  readonly output: NodeJS.WritableStream
  readonly signal: AbortSignal
}

/** A stream for one question, which ends with it; the terminal goes on. */
class Screen extends Writable {
  readonly columns: number

  constructor(terminal: Terminal) {
    super({
      decodeStrings: false,
      write(chunk: string | Buffer, _encoding, done) {
        terminal.write(chunk)
        done()
      },
    })
    this.columns = terminal.columns ?? USUAL_COLUMNS
  }
}

async function answered(
  place: Place,
  signal: AbortSignal,
  longest: number,
  ask: (context: Context) => Promise<string>,
): Promise<string> {
  const keys = new Keys(place.input, longest)
  const ended = new AbortController()
  const isThere = (): void => {
    // Readline stops its input when it is closed, also by the last line of this very question.
    setImmediate(() => {
      if (keys.isPaused()) ended.abort()
    })
  }
  const gone = (): void => ended.abort()
  // Behind Ctrl-Z the input stays stopped.
  const again = (): void => void setImmediate(() => keys.resume())
  keys.on('pause', isThere)
  keys.once('end', gone)
  process.on('SIGCONT', again)
  try {
    place.output.write(MARK_PASTES)
    return await ask({
      input: keys,
      output: new Screen(place.output),
      signal: AbortSignal.any([signal, ended.signal]),
    })
  } catch (error) {
    const names = ['ExitPromptError', 'AbortPromptError', 'CancelPromptError']
    if (error instanceof Error && names.includes(error.name)) throw new Unanswered(error.message, { cause: error })
    throw error
  } finally {
    keys.off('pause', isThere)
    keys.off('end', gone)
    process.off('SIGCONT', again)
    keys.release()
    place.output.write(MARK_NO_PASTES)
  }
}

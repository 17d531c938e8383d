// Answers that a command needs: from its options, else from a person, else the usual ones. This file decides where an
// answer comes from; the command says what to ask.
import type { Dialogue } from './dialogue.ts'
import type { Output } from '../output.ts'
import { usageError } from '../command-errors.ts'

export interface Question<T> {
  /** The option that answers this question. */
  readonly option: string
  /** It fits a line of a terminal, with its usual answer. */
  readonly text: string
  /** What may be answered, told above the question. */
  readonly hint?: string
  /** The answer when nothing is typed; null: there is no usual answer. */
  readonly usual: string | null
  /** The value that the text means, or what should have been typed: the words after "expected". */
  readonly parse: (text: string) => { readonly value: T } | { readonly expected: string }
}

/** Nobody means one: it was pasted, or comes from a key that does nothing here. */
const CONTROL = /[\p{Cc}\p{Zl}\p{Zp}]/u

export class Answers {
  readonly #dialogue: Dialogue | null
  readonly #output: Output
  readonly #usual: boolean

  /** `usual` (`--yes`): a question that has a usual answer is not asked. */
  constructor(dialogue: Dialogue | null, output: Output, { usual }: { readonly usual: boolean }) {
    this.#dialogue = dialogue
    this.#output = output
    this.#usual = usual
  }

  /** Can a person be asked, even where there is a usual answer? */
  get person(): boolean {
    return this.#dialogue !== null && !this.#usual
  }

  /** A line for the person, before a question. */
  tell(line: string): void {
    this.#output.say(line)
  }

  /** `given`: the value of the option. Rejects with ERR_USAGE when that is wrong, or when nobody can be asked. */
  async to<T>(question: Question<T>, given: string | null): Promise<T> {
    const { option, text, usual, parse } = question
    const answer = given ?? (this.#usual ? usual : null)
    if (answer !== null) {
      const parsed = parse(answer)
      if ('value' in parsed) return parsed.value
      throw usageError(`--${option} must be ${parsed.expected}`)
    }
    const dialogue = this.#required(option)
    if (question.hint !== undefined) this.tell(question.hint)
    const parsedLine = (typed: string) =>
      CONTROL.test(typed)
        ? { expected: 'no tabs and no control characters' }
        : parse(typed === '' && usual !== null ? usual : typed)
    const problem = (typed: string): string | null => {
      const parsed = parsedLine(typed.trim())
      return 'value' in parsed ? null : `expected ${parsed.expected}`
    }
    for (;;) {
      const typed = await dialogue.ask({ text, usual, problem })
      const parsed = parsedLine(typed)
      if ('value' in parsed) return parsed.value
      this.#output.say(`expected ${parsed.expected}`)
    }
  }

  /** `before`: what was typed the last time, which Enter alone keeps; null: it is the first time. */
  async secret(option: string, text: string, before: string | null = null): Promise<string> {
    const dialogue = this.#required(option)
    const question = before === null ? text : `${text} (Enter: the same as before)`
    for (;;) {
      const typed = await dialogue.askSecret(question)
      if (typed !== '') return typed
      if (before !== null) return before
    }
  }

  #required(option: string): Dialogue {
    if (this.#dialogue !== null) return this.#dialogue
    throw usageError(`not a terminal: use --${option}`)
  }
}

// The answers `init` needs: from options, else from a person, else the usual ones. Where an answer comes from is decided here,
// what to ask is init.ts.
import type { Dialogue } from './dialogue.ts'
import type { Output } from '../output.ts'
import { usageError } from '../usage.ts'

export interface Question<T> {
  /** The option that answers it. */
  readonly option: string
  readonly text: string
  /** Taken when nothing is typed; null: there is none. */
  readonly usual: string | null
  /** The answer as it is meant, or the words after "expected". */
  readonly parse: (text: string) => { readonly value: T } | { readonly expected: string }
}

export class Answers {
  readonly #dialogue: Dialogue | null
  readonly #output: Output
  readonly #usual: boolean

  /** `usual`: nothing is asked that has a usual answer (`--yes`). */
  constructor(dialogue: Dialogue | null, output: Output, { usual }: { readonly usual: boolean }) {
    this.#dialogue = dialogue
    this.#output = output
    this.#usual = usual
  }

  /** Is there a person to decide what no option can say? */
  get person(): boolean {
    return this.#dialogue !== null && !this.#usual
  }

  /** Rejects with ERR_USAGE when `given` is wrong, or when there is nobody to ask. */
  async to<T>(question: Question<T>, given: string | null): Promise<T> {
    const { option, text, usual, parse } = question
    const answer = given ?? (this.#usual ? usual : null)
    if (answer !== null) {
      const parsed = parse(answer)
      if ('value' in parsed) return parsed.value
      throw usageError(`--${option} must be ${parsed.expected}`)
    }
    const dialogue = this.#required(option)
    for (;;) {
      const typed = await dialogue.ask(usual === null ? `${text}:` : `${text} [${usual}]:`)
      const parsed = parse(typed === '' && usual !== null ? usual : typed)
      if ('value' in parsed) return parsed.value
      this.#output.say(`expected ${parsed.expected}`)
    }
  }

  async secret(option: string, text: string): Promise<string> {
    const dialogue = this.#required(option)
    for (;;) {
      const typed = await dialogue.askSecret(text)
      if (typed !== '') return typed
    }
  }

  #required(option: string): Dialogue {
    if (this.#dialogue !== null) return this.#dialogue
    throw usageError(`no terminal to ask at: answer with --${option}`)
  }
}

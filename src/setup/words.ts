// Every word of an old file is accounted for. It is translated, or it is harmless, or a remark gives the reason why it has no
// counterpart (M009, words that vanish). A word that is in no list has a remark, too. Pure.
import { display } from '../display.ts'

export interface WordList {
  readonly translated: ReadonlySet<string>
  /** With or without them popfetch does the same, and nobody misses anything. */
  readonly harmless: ReadonlySet<string>
  /** The remark for each other word; a word may be translated in part, and have a remark. */
  readonly reasons: Readonly<Record<string, string>>
}

/** A list as it is written down: words with blanks between them. */
export function wordList(translated: string, harmless: string, reasons: WordList['reasons']): WordList {
  return { translated: new Set(translated.split(/\s+/)), harmless: new Set(harmless.split(/\s+/)), reasons }
}

/** A remark for each of `words` that has one. A value is never told: it may be a secret. */
export function remarksOn(words: Iterable<string>, { translated, harmless, reasons }: WordList): readonly string[] {
  return [...words].flatMap((word) => {
    if (Object.hasOwn(reasons, word)) return [`${word}: ${reasons[word] ?? ''}`]
    if (translated.has(word) || harmless.has(word)) return []
    return [`${display(word, 40)}: popfetch does not know this word of the old file`]
  })
}

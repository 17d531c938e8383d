// How the files of old tools are walked through: their sizes, their lines, their quotations. Whoever wrote them may have meant
// harm. So each file has a limit, and each function here takes a time that grows with the text and no faster. A regular
// expression that looks for the end of a quotation, or of a run of blanks, may take the square of it. Pure.

/** People's have a few kilobytes; 1 MiB has some ten thousand accounts. */
export const SETTINGS_LIMIT_BYTES = 1_048_576

/** A record of a million messages has 70 MB at most. */
export const RECORD_LIMIT_BYTES = 268_435_456

const LF = 10

/** Lines that are not empty, one at a time: a list of all may take twenty times the text. */
export function* filledLines(text: string): Generator<string> {
  for (let start = 0; start < text.length;) {
    while (text.charCodeAt(start) === LF) start += 1
    const end = text.indexOf('\n', start)
    const upTo = end < 0 ? text.length : end
    if (upTo > start) yield text.slice(start, upTo)
    start = upTo + 1
  }
}

/** Where the quotation ends that begins at `start`: the place of its second quote, or the end of a text without one. A backslash
 *  takes away the meaning of the next character. */
export function quotationEnd(text: string, start: number): number {
  const quote = text[start]
  let at = start + 1
  for (; at < text.length && text[at] !== quote; at += 1) if (text[at] === '\\') at += 1
  return Math.min(at, text.length)
}

/** Names that others chose as keys: `__proto__` and `constructor` are names like any other. */
export function named<T>(): Record<string, T> {
  return Object.create(null) as Record<string, T>
}

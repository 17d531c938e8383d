// Text broken between words. Pure.
import { cellsOf } from './width.ts'

/** Lines of at most `width` cells; a longer word has a line of its own. No line for no text. */
export function wrapped(text: string, width: number): readonly string[] {
  return text === '' ? [] : joined(text.split(' '), { width, head: '', indent: '' })
}

/** Narrower than this no sentence is read any more. */
const LEAST_WIDTH = 20

/**
 * A line of ours for a terminal. What is in a column of its own is broken within that column. A command in the text stays on
 * one line if it fits, so that it can be copied whole.
 */
export function wrappedLine(line: string, width: number): readonly string[] {
  if (cellsOf(line) <= width || width < LEAST_WIDTH) return [line]
  const [head = ''] = /^ *(?:\S+(?: \S+){0,3} {2,})?/.exec(line) ?? []
  const isColumn = head.trim() !== '' && head.length <= width / 2
  const before = isColumn ? head : (/^ */.exec(line)?.[0] ?? '')
  const indent = isColumn ? ' '.repeat(cellsOf(head)) : `${before}  `
  const words = withWholeCommands(line.slice(before.length).split(' '))
  const fitting = words.flatMap((word) => (cellsOf(word) > width - indent.length ? word.split(' ') : [word]))
  return joined(fitting, { width, head: before, indent })
}

/** `head` is before the first word, `indent` before that of each other line. */
function joined(
  words: readonly string[],
  { width, head, indent }: { readonly width: number; readonly head: string; readonly indent: string },
): readonly string[] {
  const lines: string[] = []
  const [first = '', ...rest] = words
  let line = head + first
  for (const word of rest) {
    if (cellsOf(line) + 1 + cellsOf(word) > width) {
      lines.push(line)
      line = indent + word
    } else line += ` ${word}`
  }
  return [...lines, line]
}

/** No command of ours has more words before a comma or the end. */
const MOST_WORDS = 12

/** What begins with the name of the program, up to the next comma or end, as one word. */
function withWholeCommands(words: readonly string[]): readonly string[] {
  const parts: string[] = []
  let command = 0
  for (const word of words) {
    if (command > 0 && !word.startsWith('(')) {
      parts.push(`${parts.pop() ?? ''} ${word}`)
      command = /[,;:.)"']$/.test(word) || command === MOST_WORDS ? 0 : command + 1
    } else {
      parts.push(word)
      command = /^["'(]?popfetch$/.test(word) ? 1 : 0
    }
  }
  return parts
}

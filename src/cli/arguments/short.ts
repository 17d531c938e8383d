// Short options and the word `help`, written out in full before anybody reads the line. Pure.
// The one rule: what is no short option of the table is left as it is, for the reader to refuse.
import { COMMON } from '../common-options.ts'
import { POLL } from '../commands/poll/options.ts'
import type { OptionTable } from '../option.ts'

const TABLE: OptionTable = { ...COMMON, ...POLL }

const BY_LETTER: ReadonlyMap<string, { readonly name: string; readonly takesValue: boolean }> = new Map(
  Object.entries(TABLE).flatMap(([name, { short, kind }]) =>
    short === undefined ? [] : [[short, { name, takesValue: kind !== 'flag' }] as const],
  ),
)

/** `-qn` is `--quiet --dry-run`, `-cFILE` is `--config FILE`, `help check` is `check --help`. */
export function inFull(argv: readonly string[]): readonly string[] {
  const end = argv.indexOf('--')
  const words = end === -1 ? argv : argv.slice(0, end)
  const full = words.flatMap(lettersOf)
  const [first, ...rest] = full
  return [...(first === 'help' ? [...rest, '--help'] : full), ...(end === -1 ? [] : argv.slice(end))]
}

function lettersOf(word: string): readonly string[] {
  if (!/^-[A-Za-z]/.test(word)) return [word]
  const options: string[] = []
  for (let at = 1; at < word.length; at++) {
    const option = BY_LETTER.get(word.charAt(at))
    if (option === undefined) return [word]
    options.push(`--${option.name}`)
    if (!option.takesValue) continue
    const value = word.slice(at + 1).replace(/^=/, '')
    return value === '' ? options : [...options, value]
  }
  return options
}

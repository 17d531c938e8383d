// Help as text, of the whole program and of one command, made from the tables of options and commands. Pure.
import { DEFAULT_COMMAND, type LoadedCommand } from '../command.ts'
import { COMMON } from '../common-options.ts'
import type { Option, OptionTable } from '../option.ts'
import { wrapped } from '../terminal/wrapped.ts'
import type { Vocabulary } from '../vocabulary.ts'

const PROLOGUE = 'Fetches mail from POP3 mailboxes and delivers each message exactly once.'
const COMMON_HEADING = 'Options of every command:'

/** What a command may exit with, unless it says more. */
export const USUAL_EXITS: readonly number[] = [0, 64, 78]

/** What each exit code means. */
export const EXITS: Readonly<Record<number, string>> = {
  0: 'done',
  64: 'wrong usage',
  69: 'no daemon is running',
  70: 'a bug in popfetch',
  73: 'a destination cannot take mail',
  74: 'the ledger cannot be used',
  75: 'temporary: try again later',
  76: 'TLS refused or protocol broken',
  77: 'sign-in refused',
  78: 'the configuration is wrong, or a safety guard needs your confirmation',
}

/** Lines of `columns` characters, or some more where a word is long. `name`: of the command that is asked about. */
export function helpOf(name: string, { commands }: Vocabulary, columns: number): string {
  const width = Math.max(60, Math.min(columns, 100))
  const command = commands.get(name)
  if (command === undefined) throw new TypeError(`no help of ${name}`)
  const isProgram = name === DEFAULT_COMMAND
  const usage = `popfetch ${isProgram ? '' : `${name} `}${command.usage}`.trim()
  const parts = isProgram
    ? [
        PROLOGUE,
        `${usage}\npopfetch COMMAND …`,
        listed('Commands:', commandLines(commands), width),
        ...optionParts(command, width),
      ]
    : [usage, wrapped(`${command.describe}.`, width).join('\n'), ...optionParts(command, width)]
  parts.push(
    listed(isProgram ? 'Options:' : COMMON_HEADING, optionLines(COMMON), width),
    listed('Examples:', examplesOf(command), width),
    command.notes,
    isProgram ? 'More on a command: popfetch help COMMAND' : exitsOf(command, width),
  )
  return parts.filter((part) => part !== '').join('\n\n')
}

function commandLines(commands: Vocabulary['commands']): readonly Line[] {
  return [...commands]
    .filter(([name]) => name !== DEFAULT_COMMAND)
    .map(([name, { usage, describe }]) => [`${name} ${usage}`.trim(), describe])
}

function optionParts({ options }: LoadedCommand, width: number): readonly string[] {
  return options.map(({ heading, options: table }) => listed(heading, optionLines(table), width))
}

function optionLines(table: OptionTable): readonly Line[] {
  return Object.entries(table).map(([name, option]) => [written(name, option), option.describe])
}

/** An option as it is typed: `-c, --config FILE`. */
export function written(name: string, option: Option): string {
  const { short = null } = option
  const value = valueOf(name, option)
  return `${short === null ? '' : `-${short}, `}--${name}${value === null ? '' : ` ${value}`}`
}

/** What is in help for the value of an option; null: it has none. */
export function valueOf(name: string, option: Option): string | null {
  switch (option.kind) {
    case 'flag':
      return null
    case 'file':
      return 'FILE'
    case 'number':
      return 'N'
    case 'choice':
      return name.toUpperCase().split('-').at(-1) ?? 'WORD'
    case 'text':
      return option.value ?? name.toUpperCase().split('-').at(-1) ?? 'TEXT'
  }
}

function examplesOf({ examples }: LoadedCommand): readonly Line[] {
  return examples.map(([line, does]) => [line.replace('$0', 'popfetch'), does])
}

function exitsOf({ exits = USUAL_EXITS }: LoadedCommand, width: number): string {
  return listed(
    'Exit codes:',
    exits.map((code) => [String(code), EXITS[code] ?? '']),
    width,
  )
}

type Line = readonly [term: string, text: string]

/** Terms in a column, their texts beside them; below them where a term is long. */
function listed(heading: string, lines: readonly Line[], width: number): string {
  if (lines.length === 0) return ''
  const most = Math.floor(width / 2) - 6
  const column = Math.max(...lines.map(([term]) => (term.length > most ? 0 : term.length)))
  const rows = lines.flatMap(([term, text]) => {
    const [first = '', ...rest] = wrapped(text, width - column - 4)
    const indent = ' '.repeat(column + 4)
    const head = term.length > column ? [`  ${term}`, indent + first] : [`  ${term.padEnd(column)}  ${first}`]
    return [...head, ...rest.map((line) => indent + line)]
  })
  return [heading, ...rows].join('\n')
}

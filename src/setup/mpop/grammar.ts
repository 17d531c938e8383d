// The grammar of an .mpoprc: its accounts, each with the settings that it inherits. What the settings mean to popfetch is
// mpop.ts. Pure.
import { named } from '../text.ts'
import { mpopWords } from './words.ts'

/** By mpop's names; a setting without an argument is ''. */
export type Settings = Readonly<Record<string, string | undefined>>

export interface MpopAccount {
  readonly name: string
  readonly settings: Settings
  /** An `eval` is in it, or in what it inherits from. */
  readonly evals: boolean
}

export interface MpopFile {
  readonly accounts: readonly MpopAccount[]
  /** Lines with `eval`, which a command would have to write. */
  readonly evalLines: readonly number[]
  readonly strangeLines: readonly number[]
}

const { translated, harmless, reasons } = mpopWords
const NAMES: ReadonlySet<string> = new Set([...translated, ...harmless, ...Object.keys(reasons)])

/** From which one account may inherit. */
const MOST_PARENTS = 100

export function mpopAccounts(text: string): MpopFile {
  const accounts = new Map<string, Record<string, string | undefined>>()
  const evalLines: number[] = []
  // By the settings that they stand among; `null`: before any heading.
  const evaluated = new Set<object | null>()
  const strangeLines: number[] = []
  let defaults = named<string | undefined>()
  // Settings before any heading belong to an account called default.
  let current: Record<string, string | undefined> | null = null
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    const trimmed = line.trim()
    const [word = ''] = /^\S*/.exec(trimmed) ?? []
    const rest = trimmed.slice(word.length).trimStart()
    if (word === '' || word.startsWith('#')) continue
    if (word === 'defaults') current = defaults = named()
    else if (word === 'account') {
      const [name = '', list = ''] = rest.split(':', 2).map((part) => part.trim())
      const parents = list.split(/[\s,]+/, MOST_PARENTS + 1)
      if (parents.length > MOST_PARENTS) strangeLines.push(index + 1)
      const own = Object.assign(named<string | undefined>(), defaults)
      // mpop itself would not use the file: nobody knows what the other account says.
      if (parents.some((parent) => parent !== '' && !accounts.has(unquoted(parent)))) strangeLines.push(index + 1)
      for (const parent of parents.slice(0, MOST_PARENTS)) Object.assign(own, accounts.get(unquoted(parent)))
      if (
        evaluated.has(defaults) ||
        parents.some((parent) => evaluated.has(accounts.get(unquoted(parent)) ?? defaults))
      )
        evaluated.add(own)
      current = own
      accounts.set(unquoted(name), current)
    } else if (word === 'eval') {
      evalLines.push(index + 1)
      evaluated.add(current)
    } else if (NAMES.has(word)) {
      if (current === null) accounts.set('default', (current = named()))
      current[word] = unquoted(rest)
    } else strangeLines.push(index + 1)
  }
  const evals = (settings: object): boolean => evaluated.has(null) || evaluated.has(settings)
  return {
    accounts: [...accounts].map(([name, settings]) => ({ name, settings, evals: evals(settings) })),
    evalLines,
    strangeLines,
  }
}

export function unquoted(text: string): string {
  return text.length >= 2 && text.startsWith('"') && text.endsWith('"') ? text.slice(1, -1) : text
}

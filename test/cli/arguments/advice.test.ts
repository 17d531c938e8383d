// Messages tell people what to run. Each command that is in a text of the sources is one that popfetch understands, with its words
// and options: what is named in an advice is there.
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { nearest } from '../../../src/config/values/nearest.ts'
import { readArguments } from '../../../src/cli/arguments/read.ts'
import { DEFAULT_COMMAND } from '../../../src/cli/command.ts'
import { COMMANDS } from '../../../src/cli/commands/commands.ts'
import { codeOf } from '../../support/titles.ts'

const SOURCES = join(import.meta.dirname, '..', '..', '..', 'src')
const commands = Object.keys(COMMANDS).filter((name) => name !== DEFAULT_COMMAND)

interface Advice {
  readonly file: string
  /** From the name of the program to where it certainly is over. */
  readonly text: string
}

const TEXT = /'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`/g
/** What stands for something in a template. */
const STANDS_FOR = /\$\{(?:[^{}]|\{[^{}]*\})*\}/g
const COMMAND = /\bpopfetch (?=[-a-z])[^'"`\\\n,;:()|…<>[\]{}]+/g

/** No commands of ours, but for other programs; the beginning of one whose end is put to it elsewhere; what is tested with help. */
const OTHERS: ReadonlySet<string> = new Set([
  'config/values/keyring.ts: popfetch -a',
  'cli/commands/completion/scripts.ts: popfetch -f',
  'setup/trial.ts: popfetch import',
  'cli/commands/state/options.ts: popfetch state explain work',
  'cli/commands/state/options.ts: popfetch state NAME NAME',
])

const advices: readonly Advice[] = globSync('**/*.ts', { cwd: SOURCES }).flatMap((file) => {
  const code = codeOf(readFileSync(join(SOURCES, file), 'utf8')).replaceAll(/ \/\/ .*$/gm, '')
  const texts = (code.match(TEXT) ?? []).map((text) => text.slice(1, -1).replaceAll(STANDS_FOR, 'NAME'))
  const told = texts.flatMap((text) => text.match(COMMAND) ?? [])
  return told.map((text) => ({ file, text: text.replace(/\.(?: .*)?$/, '').trim() }))
})

/** Is it a command, and no sentence that begins with the name of the program? */
function isCommand({ file, text }: Advice): boolean {
  const [, first = ''] = text.split(' ')
  return (first.startsWith('-') || commands.includes(first)) && !OTHERS.has(`${file}: ${text}`)
}

async function isUnderstood(words: readonly string[]): Promise<boolean> {
  return await readArguments(words, 80).then(
    () => true,
    () => false,
  )
}

/** What a word that stands for something may have to be. */
const WANTED: readonly Readonly<Record<string, string>>[] = [
  {},
  { N: '5' },
  { NAME: 'fetchmail' },
  { TOOL: 'fetchmail' },
]

/** The words behind the longest beginning that is understood: a sentence may go on there. Null: none is. */
async function goesOn(text: string): Promise<readonly string[] | null> {
  const [, ...words] = text.split(' ')
  for (let count = words.length; count > 0; count--) {
    for (const wanted of WANTED) {
      const argv = words.slice(0, count).map((word) => wanted[word] ?? word)
      if (await isUnderstood(argv)) return words.slice(count)
    }
  }
  return null
}

test('messages tell of many commands, of most kinds', () => {
  const told = advices.filter(isCommand)
  expect(told.length).toBeGreaterThan(80)
  const kinds = new Set(told.map(({ text }) => text.split(' ')[1] ?? ''))
  for (const name of ['check', 'status', 'state', 'auth', 'init', 'config', 'log', 'migrate', '--dry-run', '--daemon'])
    expect(kinds).toContain(name)
})

test('each is understood, with all of its options (B9)', async () => {
  const wrong: string[] = []
  for (const { file, text } of advices.filter(isCommand)) {
    const rest = await goesOn(text)
    if (rest === null || rest.some((word) => /^--?[a-z]/.test(word))) wrong.push(`${file}: ${text}`)
  }
  expect(wrong).toEqual([])
})

test('no sentence has a mistyped command', () => {
  const mistyped = advices.filter((advice) => {
    const [, first = ''] = advice.text.split(' ')
    return !isCommand(advice) && !commands.includes(first) && nearest(first, commands) !== null
  })
  // A file that `check` writes and takes away again.
  expect(mistyped.map(({ file, text }) => `${file}: ${text}`)).toEqual([])
})

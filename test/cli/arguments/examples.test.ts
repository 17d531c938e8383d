// The examples in the help of every command are command lines that popfetch understands, as the command that they are shown for.
import { expect, test } from 'vitest'
import { readArguments } from '../../../src/cli/arguments/read.ts'
import { DEFAULT_COMMAND } from '../../../src/cli/command.ts'
import { COMMANDS } from '../../../src/cli/commands/commands.ts'
import { loadVocabulary } from '../../../src/cli/vocabulary.ts'

const { commands } = await loadVocabulary(COMMANDS)
const examples = [...commands].flatMap(([name, command]) => command.examples.map(([line]) => [name, line] as const))

/** The words of popfetch's own part of a line for a shell. */
function wordsOf(line: string): readonly string[] {
  const [own = ''] = /(?:popfetch|\$0)(?: [^|>)]*)?/.exec(line) ?? []
  return (own.match(/"[^"]*"|'[^']*'|\S+/g) ?? []).slice(1).map((word) => word.replace(/^(["'])(.*)\1$/, '$2'))
}

test('every command has an example', () => {
  expect([...commands.keys()].filter((name) => !examples.some(([of]) => of === name))).toEqual([])
})

test.each(examples)('%s: %s', async (name, line) => {
  const { command } = await readArguments(wordsOf(line), 80)
  // The help of the whole program shows other commands, too.
  if (name !== DEFAULT_COMMAND) expect(command).toBe(name)
})

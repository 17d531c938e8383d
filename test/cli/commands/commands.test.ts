// The table of commands beside the folders, and beside the other lists that must agree with it.
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { COMMAND_WORDS, COMMANDS } from '../../../src/cli/commands/commands.ts'
import { nameFault } from '../../../src/config/accounts/account-name.ts'
import { ROOT } from '../child.ts'

const FOLDER = join(ROOT, 'src/cli/commands')

describe('the table of commands', () => {
  test('has every folder beside it, but for that of --daemon, which is an option of polling', () => {
    const folders = readdirSync(FOLDER, { withFileTypes: true }).filter((entry) => entry.isDirectory())
    expect(Object.keys(COMMANDS).toSorted()).toEqual(
      folders.flatMap(({ name }) => (name === 'daemon' ? [] : [name])).toSorted(),
    )
  })

  test('has words that no account can have for its name', () => {
    for (const word of COMMAND_WORDS) expect(nameFault(word)?.expected).toMatch(/the name of a popfetch command/)
  })

  test.each(Object.entries(COMMANDS))('has %s with a line that tells what it does', async (_name, listed) => {
    const { describe: line, usage } = await listed.load()
    expect(line).toMatch(/^[^\n]{10,110}$/)
    expect(usage).toMatch(/^(\[\w+(\.\.\.)?\] ?)*$/)
  })
})

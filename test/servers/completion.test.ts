// Completion in the shells themselves; bash is in test/cli/commands/completion/action.test.ts.
import { execFileSync } from 'node:child_process'
import { chmod, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { expect, test } from 'vitest'
import { findProgram, temporaryDirectory } from './program.ts'

const startFile = resolve(process.env['POPFETCH'] ?? join(import.meta.dirname, '../../bin/popfetch.ts'))

async function desk(shell: string) {
  const directory = await temporaryDirectory()
  const account = { host: 'h', user: 'u', password: 'p', deliver: 'maildir:Mail' }
  const config = join(directory.path, 'config.json')
  await writeFile(config, JSON.stringify({ accounts: { work: account, 'old-isp': account } }), { mode: 0o600 })
  const program = join(directory.path, 'popfetch')
  await writeFile(program, `#!/bin/sh\nexec '${process.execPath}' '${startFile}' "$@" --config '${config}'\n`)
  await chmod(program, 0o700)
  const script = join(directory.path, `completion.${shell}`)
  await writeFile(script, execFileSync(program, ['completion', shell]))
  const env = { PATH: `${directory.path}:${process.env['PATH']}`, HOME: directory.path, TERM: 'dumb' }
  return { directory, script, env }
}

const CASES: readonly (readonly [string, readonly string[]])[] = [
  ['popfetch wa', ['wake']],
  ['popfetch wake o', ['old-isp']],
  ['popfetch config sh', ['show']],
  ['popfetch --dae', ['--daemon']],
  ['popfetch --log-level deb', ['debug']],
]

test('fish completes commands, accounts and options', async () => {
  const fish = await findProgram('fish', 'fish')
  const { directory, script, env } = await desk('fish')
  await using _directory = directory
  for (const [line, expected] of CASES) {
    const said = execFileSync(fish, ['-c', `source ${script}; complete -C '${line}'`], { env, encoding: 'utf8' })
    expect(
      said
        .split('\n')
        .filter(Boolean)
        .map((each) => each.split('\t')[0]),
      line,
    ).toEqual(expected)
  }
})

// A terminal of its own: the completion of zsh works in no other place.
const IN_ZSH = String.raw`
zmodload zsh/zpty
zpty z zsh -f -i
zpty -w z "PS1=; autoload -U compinit; compinit -u -d $HOME/dump; source $2; echo re''ady"
zpty -r -m z said '*ready*'
zpty -w -n z "$1"$'\t'
zpty -r -m z said "*$3*" && print yes
zpty -d z
`

test('zsh completes commands, accounts and options', async () => {
  const zsh = await findProgram('zsh', 'zsh')
  const { directory, script, env } = await desk('zsh')
  await using _directory = directory
  const file = join(directory.path, 'in.zsh')
  await writeFile(file, IN_ZSH)
  for (const [line, [expected = '']] of CASES) {
    // Typed letters come back as they are: what is waited for is the rest of the word.
    const rest = expected.slice((line.split(' ').at(-1) ?? '').length)
    const said = execFileSync(zsh, ['-f', file, line, script, rest], { env, encoding: 'utf8', timeout: 30_000 })
    expect(said, line).toBe('yes\n')
  }
})

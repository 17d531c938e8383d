// Each command beside each option that every command has, short and long, and beside each slip in its name: it works, or it is
// refused in one line. No option is silently ignored.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { nearest } from '../../../src/config/values/nearest.ts'
import { DEFAULT_COMMAND } from '../../../src/cli/command.ts'
import { COMMAND_WORDS, COMMANDS } from '../../../src/cli/commands/commands.ts'
import { COMMON } from '../../../src/cli/common-options.ts'
import type { Option } from '../../../src/cli/option.ts'
import { version } from '../../../src/cli/version.ts'
import { Pop3Server } from '../../support/pop3-server.ts'
import { Person } from '../person.ts'
import { expectRefusal, understood } from '../understood.ts'

/** Words with which a command is whole. */
const WORDS: Readonly<Record<keyof typeof COMMANDS, readonly string[]>> = {
  poll: [],
  auth: [],
  check: [],
  migrate: ['--list'],
  import: ['fetchmail', '--output', '-'],
  init: ['--cron'],
  status: [],
  state: ['check'],
  shell: ['work'],
  log: [],
  stop: [],
  reload: [],
  wake: [],
  pause: ['work'],
  resume: ['work'],
  config: ['check'],
  completion: ['bash'],
  uninstall: [],
  verify: [],
}

const commands = Object.keys(COMMANDS) as (keyof typeof COMMANDS)[]
const lineOf = (name: keyof typeof COMMANDS): readonly string[] => [
  ...(name === DEFAULT_COMMAND ? [] : [name]),
  ...WORDS[name],
]

const SHORT = Object.entries(COMMON).flatMap(([name, option]: readonly [string, Option]) =>
  option.short === undefined ? [] : [[option.short, name, option.kind === 'flag' ? [] : ['a.yaml']] as const],
)

test('the short options of every command are those that people know', () => {
  expect(SHORT.map(([short, name]) => `-${short} --${name}`)).toEqual([
    '-c --config',
    '-q --quiet',
    '-v --verbose',
    '-h --help',
    '-V --version',
  ])
})

describe.each(commands)('%s', (name) => {
  test.each(SHORT)('-%s is --%s, before and behind the command', async (short, long, value) => {
    const meant = await understood([...lineOf(name), `--${long}`, ...value])
    expect(await understood([...lineOf(name), `-${short}`, ...value])).toEqual(meant)
    expect(await understood([`-${short}`, ...value, ...lineOf(name)])).toEqual(meant)
    if (value.length > 0) expect(await understood([...lineOf(name), `-${short}${value.join()}`])).toEqual(meant)
  })

  test('-n is --dry-run, or is no option of it', async () => {
    const command = await COMMANDS[name].load()
    const isThere = command.options.some(({ options }) => Object.hasOwn(options, 'dry-run'))
    if (name === DEFAULT_COMMAND) expect(await understood(['-n'])).toMatchObject({ dryRun: true })
    else if (isThere) expect(await understood([name, 'a', 'b', '-n'])).toMatchObject({ dryRun: true })
    else await expectRefusal([...lineOf(name), '-n'], '--dry-run is not an option of this command')
  })

  test('an option of another command is refused by its name', async () => {
    const own = await COMMANDS[name].load()
    const known = new Set([...Object.keys(COMMON), ...own.options.flatMap(({ options }) => Object.keys(options))])
    for (const other of commands) {
      const { options } = await COMMANDS[other].load()
      for (const [option, { kind }] of options.flatMap((group) => Object.entries(group.options))) {
        if (known.has(option)) continue
        const value = kind === 'flag' ? [] : ['1']
        await expectRefusal([...lineOf(name), `--${option}`, ...value], `--${option} is not an option of this command`)
      }
    }
  })
})

describe.each(COMMAND_WORDS)('the name %s', (word) => {
  test('is asked for help by the word help, too', async () => {
    const help = await understood([word, '--help'])
    expect(help).toMatchObject({ command: 'help' })
    for (const line of [
      ['help', word],
      ['-h', word],
      [word, '-h'],
      ['help', word, '-v'],
    ])
      expect(await understood(line)).toEqual(help)
  })

  const slips = [...slipsOf(word)].filter((slip) => !COMMAND_WORDS.includes(slip))
  // One letter away from two commands.
  const between: Readonly<Record<string, readonly string[]>> = { stats: ['state', 'status'] }

  test('is meant by each slip of one letter', async () => {
    for (const slip of slips) {
      const hint = nearest(slip, COMMAND_WORDS) ?? ''
      expect(between[slip] ?? [word], slip).toContain(hint)
      await expectRefusal(['help', slip], `no command is called "${slip}" (did you mean "${hint}"?)`)
    }
  })
})

/** A letter left out, doubled, swapped with the next, or mistaken. */
function slipsOf(word: string): ReadonlySet<string> {
  const slips = new Set<string>()
  for (let at = 0; at < word.length; at++) {
    const [before, letter, after] = [word.slice(0, at), word.charAt(at), word.slice(at + 1)]
    for (const other of ['', `${letter}${letter}`, 'e', 's', 'x']) slips.add(`${before}${other}${after}`)
    slips.add(`${before}${after.charAt(0)}${letter}${after.slice(1)}`)
  }
  slips.delete(word)
  // Two letters are near to anything.
  return new Set([...slips].filter((slip) => slip.length > 2))
}

test('help of a word that is no command is refused, also where nothing is near', async () => {
  await expectRefusal(['help', 'frobnicate'], 'no command is called "frobnicate"')
  await expectRefusal(['help', 'help'], 'no command is called "help"')
})

describe('what a command prints', () => {
  let person: Person
  let server: Pop3Server
  beforeAll(async () => {
    person = await Person.arrive()
    for (const stream of [person.stdout, person.stderr]) stream.setMaxListeners(0)
    server = await Pop3Server.start()
    server.mailbox('alice', 'correct horse').add('Subject: 1\n\nx\n', { uidl: 'u1' })
    const account = `host: ${server.host}, port: ${server.port}, tls: none, user: alice, password: correct horse`
    await person.write(
      '.config/popfetch/config.yaml',
      `accounts:\n  work: { ${account}, deliver: inbox }\ndestinations:\n  inbox: { type: maildir, path: ~/Mail }\n`,
    )
    await person.write('.fetchmailrc', 'poll pop.example.org proto pop3 user "a" password "b" ssl\n')
  })
  afterAll(async () => {
    await server[Symbol.asyncDispose]()
    await person[Symbol.asyncDispose]()
  })

  const isRefused = (): boolean => /^popfetch: [^\n]+\n$/.test(person.stderr.text.replaceAll(/\n {2}/g, ' '))

  test.each(commands.filter((name) => name !== 'shell'))('--json of %s is one object, or refused', async (name) => {
    const code = await person.run(...lineOf(name), '--json')
    if (name === 'completion') {
      expect(code).toBe(64)
      expect(person.stderr.text).toContain('completion prints a script: it has no --json')
    }
    const given = JSON.parse(person.stdout.text) as { ok: boolean }
    expect(given.ok).toBe(code === 0)
  })

  test.each(commands.filter((name) => name !== 'shell'))('--quiet of %s leaves answers and errors', async (name) => {
    const code = await person.run(...lineOf(name), '-q')
    if (code !== 0) expect(isRefused(), person.stderr.text).toBe(true)
    else expect(person.stderr.text).toBe('')
  })

  test('-V is the version, whatever stands beside it', async () => {
    for (const name of commands) {
      expect(await person.run(...lineOf(name), '-V')).toBe(0)
      expect(person.stdout.text).toBe(`popfetch ${version}\n`)
    }
  })

  test('a command with a letter wrong is refused in one line, with a configuration and without', async () => {
    for (const [slip, word] of [
      ['stauts', 'status'],
      ['chekc', 'check'],
      ['inti', 'init'],
    ]) {
      expect(await person.run(slip ?? '')).toBe(64)
      expect(person.stderr.text).toContain(`(did you mean "${word}"?)`)
      await using other = await Person.arrive()
      expect(await other.run(slip ?? '')).toBe(64)
      expect(other.stderr.text).toContain(`(did you mean "${word}"?)`)
    }
  })
})

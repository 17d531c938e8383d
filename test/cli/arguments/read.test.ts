import { describe, expect, test } from 'vitest'
import { COMMAND_WORDS, COMMANDS } from '../../../src/cli/commands/commands.ts'
import { expectRefusal, understood } from '../understood.ts'

const parse = (line: string) => understood(line === '' ? [] : line.split(' '))

describe('a command line is understood', () => {
  test('nothing: poll all accounts', async () => {
    expect(await parse('')).toEqual({
      command: 'poll',
      daemon: false,
      accounts: [],
      config: null,
      state: null,
      quiet: false,
      verbose: false,
      json: false,
      logFile: null,
      logLevel: null,
      dryRun: false,
      limit: null,
      acceptNewIds: false,
      markSeen: false,
      yes: false,
      all: false,
    })
  })

  test('all options of a poll', async () => {
    const line =
      'home work --config a.yaml --state=s.db --verbose --json --log-file l --log-level trace --dry-run --limit 7 --accept-new-ids --yes --all'
    expect(await parse(line)).toMatchObject({
      accounts: ['home', 'work'],
      config: 'a.yaml',
      state: 's.db',
      verbose: true,
      json: true,
      logFile: 'l',
      logLevel: 'trace',
      dryRun: true,
      limit: 7,
      acceptNewIds: true,
      yes: true,
      all: true,
    })
  })

  test.each([
    ['check', { command: 'check', names: [] }],
    ['check work --json', { command: 'check', names: ['work'], json: true }],
    ['--config f check work', { command: 'check', names: ['work'], config: 'f' }],
    ['config show', { command: 'config', action: 'show' }],
    ['007 1e3', { command: 'poll', accounts: ['007', '1e3'] }],
    ['work work home', { accounts: ['work', 'home'] }],
    ['work -- --odd', { command: 'poll', accounts: ['work', '--odd'] }],
    ['check -- work', { command: 'check', names: ['work'] }],
    ['stop', { command: 'stop' }],
    ['reload --json', { command: 'reload', json: true }],
    ['wake work', { command: 'wake', accounts: ['work'] }],
    ['--daemon work', { command: 'poll', daemon: true, accounts: ['work'], foreground: false }],
    ['--daemon --foreground', { command: 'poll', daemon: true, accounts: [], foreground: true }],
    ['completion fish', { command: 'completion', shell: 'fish' }],
    ['completion', { command: 'completion', shell: null }],
    ['migrate --every', { command: 'migrate', pair: null, delete: false, act: 'move' }],
    ['status', { command: 'status', accounts: [] }],
    ['status work --json', { command: 'status', accounts: ['work'], json: true }],
    ['--version work', { command: 'version' }],
  ])('%s', async (line, expected) => {
    expect(await parse(line)).toMatchObject(expected)
  })
})

describe('short options mean the long ones', () => {
  test.each([
    ['-q', '--quiet'],
    ['-v -n', '--verbose --dry-run'],
    ['-qn', '--quiet --dry-run'],
    ['-c a.yaml work', '--config a.yaml work'],
    ['-ca.yaml', '--config a.yaml'],
    ['-c=a.yaml', '--config a.yaml'],
    ['-nc a.yaml', '--dry-run --config a.yaml'],
    ['check -v', 'check --verbose'],
    ['-V', '--version'],
    ['status -c a.yaml -q', 'status --config a.yaml --quiet'],
  ])('%s', async (short, long) => {
    expect(await parse(short)).toEqual(await parse(long))
  })

  test('but not behind --', async () => {
    await expectRefusal(['config', 'show', '--', '-v'], 'unknown argument: -v')
  })
})

describe('wrong usage is refused', () => {
  test.each([
    ['--bogus', 'unknown argument: bogus'],
    ['--dryrun', 'did you mean --dry-run?'],
    ['--dryRun', 'did you mean --dry-run?'],
    ['--no-json', 'unknown argument: no-json'],
    ['-x', 'unknown argument: x'],
    ['--__proto__=1', 'unknown argument'],
    ['check --limit 3', '--limit is not an option of this command'],
    ['config check --all', '--all is not an option of this command'],
    ['--dry-run=ture', '--dry-run takes no value'],
    ['--json=false', '--json takes no value'],
    ['--limit', '--limit needs a value'],
    ['--limit=', '--limit must be a whole number'],
    ['--limit 0', '--limit must be a whole number'],
    ['--limit -5', '--limit must be a whole number'],
    ['--limit 1.5', '--limit must be a whole number'],
    ['--limit 1e3', '--limit must be a whole number'],
    ['--limit 0x10', '--limit must be a whole number'],
    ['--limit 1000000000', '--limit must be a whole number'],
    ['--limit 1 --limit 2', '--limit is given twice'],
    ['--config a --config b', '--config is given twice'],
    ['--config=', '--config needs a value'],
    ['--config --json', '--config needs a value'],
    ['--log-level loud', '--log-level must be one of trace, debug, info, warn, error'],
    ['--quiet --verbose', 'cannot be combined'],
    ['config', 'check, show, schema'],
    ['config edit', 'check, show, schema'],
    ['config show x', 'unknown argument: x'],
    ['config show -- x', 'unknown argument: x'],
    ['--foreground', '--foreground requires --daemon'],
    ['--daemon --dry-run', 'it cannot be combined with --dry-run'],
    ['--daemon --limit 3', 'it cannot be combined with --dry-run'],
    ['check --daemon', '--daemon is not an option of this command'],
    ['stop now', 'unknown argument: now'],
    ['-qx', 'unknown argument'],
    ['--account work', 'unknown argument: account'],
    ['--account=work', 'unknown argument: account'],
    ['check --name work', '--name is not an option of this command'],
    ['status --account work', 'unknown argument: account'],
    ['migrate --from a --to b', 'unknown arguments: from, to'],
    ['help stauts', 'no command is called "stauts" (did you mean "status"?)'],
    ['-c', '--config needs a value'],
    ['-n=1', 'unknown argument'],
    ['help stauts --bogus', 'unknown argument: bogus'],
    ['status --held', '--held is not an option of this command'],
    ['--help=yes', '--help takes no value'],
  ])('%s', async (line, text) => {
    await expectRefusal(line.split(' '), text)
  })
})

test('a shell that has no completion is told which have, and not of an option that does not exist (B13)', async () => {
  await expectRefusal(['completion', 'tcsh'], 'the shell must be one of bash, zsh, fish')
})

describe('help', () => {
  const help = async (line: string) => {
    const { command, text } = await parse(line)
    return command === 'help' ? String(text) : ''
  }

  test('names every option of every kind, the exit codes and the places of the configuration', async () => {
    const text = await help('--help')
    const options =
      'config state quiet verbose json log-file log-level help version dry-run limit all accept-new-ids mark-seen yes'.split(
        ' ',
      )
    for (const option of options) expect(text).toMatch(new RegExp(`^  (-\\w, )?--${option}( [A-Z]+)?  +\\S`, 'm'))
    for (const code of [0, 64, 70, 73, 74, 75, 76, 77, 78])
      expect(text).toMatch(new RegExp(`(^|  ) *${code}  \\S`, 'm'))
    expect(text).toContain('/etc/popfetch/config.{yaml,yml,json}')
  })

  test('fits the terminal', async () => {
    for (const line of (await help('--help')).split('\n')) expect(line.length).toBeLessThanOrEqual(80)
  })

  test('of a command leaves out what belongs to others', async () => {
    const text = await help('check --help')
    expect(text).toContain('popfetch check [name...]')
    expect(text).not.toContain('--dry-run')
  })

  test.each([...COMMAND_WORDS])(
    'of %s has its options, two examples and exit codes, and fits the terminal',
    async (word) => {
      const text = await help(`${word} --help`)
      const command = await COMMANDS[word as keyof typeof COMMANDS].load()
      const options = command.options.flatMap((group) => Object.keys(group.options))
      for (const option of [...options, 'config', 'json']) expect(text).toMatch(new RegExp(`--${option}\\b`))
      expect(command.examples.length).toBeGreaterThanOrEqual(2)
      for (const [line] of command.examples) expect(text).toContain(line.replace('$0', 'popfetch'))
      expect(text).toMatch(/^Exit codes:\n  0   done\n  64  wrong usage/m)
      for (const line of text.split('\n'))
        if (!line.startsWith('  popfetch ')) expect(line.length).toBeLessThanOrEqual(100)
      expect(await help(`help ${word}`)).toBe(text)
      expect(await help(`-h ${word}`)).toBe(text)
    },
  )

  test('of the whole program is that of -h and of the word help', async () => {
    expect(await help('-h')).toBe(await help('--help'))
    expect(await help('help')).toBe(await help('--help'))
  })

  test('is not shown for a command line that is wrong', async () => {
    await expect(parse('--help --bogus')).rejects.toMatchObject({ code: 'ERR_USAGE' })
  })
})

import { describe, expect, test } from 'vitest'
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
    ['check', { command: 'check', accounts: [] }],
    ['check work --json', { command: 'check', accounts: ['work'], json: true }],
    ['--config f check work', { command: 'check', accounts: ['work'], config: 'f' }],
    ['config show', { command: 'config', action: 'show' }],
    ['007 1e3', { command: 'poll', accounts: ['007', '1e3'] }],
    ['work work home', { accounts: ['work', 'home'] }],
    ['work -- --odd', { command: 'poll', accounts: ['work', '--odd'] }],
    ['check -- work', { command: 'check', accounts: ['work'] }],
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

describe('wrong usage is refused', () => {
  test.each([
    ['--bogus', 'unknown argument: bogus'],
    ['--dryrun', 'did you mean --dry-run?'],
    ['--dryRun', 'did you mean --dry-run?'],
    ['--no-json', 'unknown argument: no-json'],
    ['-x', 'unknown argument: x'],
    ['--__proto__=1', 'unknown argument'],
    ['check --limit 3', '--limit does not belong to this command'],
    ['config check --all', '--all does not belong to this command'],
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
    ['--quiet --verbose', 'contradict'],
    ['config', 'check, show, schema'],
    ['config edit', 'check, show, schema'],
    ['config show x', 'unknown argument: x'],
    ['config show -- x', 'unknown argument: x'],
    ['--foreground', '--foreground does not go without --daemon'],
    ['--daemon --dry-run', '--dry-run and the like do not go with it'],
    ['--daemon --limit 3', '--dry-run and the like do not go with it'],
    ['check --daemon', '--daemon does not belong to this command'],
    ['stop now', 'unknown argument: now'],
    ['completion tcsh', 'must be one of bash, zsh, fish'],
    ['status --held', '--held does not belong to this command'],
    ['--help=yes', '--help takes no value'],
  ])('%s', async (line, text) => {
    await expectRefusal(line.split(' '), text)
  })
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
    for (const option of options) expect(text).toMatch(new RegExp(`^  --${option} +\\S`, 'm'))
    for (const code of [0, 64, 70, 73, 74, 75, 76, 77, 78])
      expect(text).toMatch(new RegExp(`(^|  ) *${code}  \\S`, 'm'))
    expect(text).toContain('/etc/popfetch/config.{yaml,yml,json}')
  })

  test('fits the terminal', async () => {
    for (const line of (await help('--help')).split('\n')) expect(line.length).toBeLessThanOrEqual(80)
  })

  test('of a command leaves out what belongs to others', async () => {
    const text = await help('check --help')
    expect(text).toContain('popfetch check [account...]')
    expect(text).not.toContain('--dry-run')
  })

  test('is not shown for a command line that is wrong', async () => {
    await expect(parse('--help --bogus')).rejects.toMatchObject({ code: 'ERR_USAGE' })
  })
})

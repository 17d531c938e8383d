import { describe, expect, test } from 'vitest'
import { commandOf, memoOf, remembered } from '../../../../src/cli/commands/migrate/memo.ts'
import type { MigrateInvocation } from '../../../../src/cli/commands/migrate/options.ts'
import { understood } from '../../understood.ts'

const FROM = 'pop3s://alice@pop.example.net'
const TO = 'maildir:~/Mail/old'

const parse = (...argv: string[]) => understood(['migrate', ...argv])

describe('of migrate', () => {
  test('everything has its default', async () => {
    expect(await parse(FROM, TO)).toMatchObject({
      command: 'migrate',
      pair: { from: FROM, to: TO },
      delete: false,
      dryRun: false,
      limit: null,
      since: null,
      maxRate: null,
      report: null,
      act: 'move',
      resumed: null,
      keepTrying: null,
      yes: false,
      source: { password: null, ca: null },
      destination: { password: null, ca: null },
    })
  })

  test('options are understood', async () => {
    const options = ['--delete', '--dry-run', '--limit', '5', '--max-rate', '500KB', '--password-file', 'secret']
    expect(await parse(FROM, TO, ...options, '--since', '2024-02-29T10:00Z', '--report', 'r.json')).toMatchObject({
      delete: true,
      dryRun: true,
      limit: 5,
      maxRate: { bytesPerSecond: 500_000 },
      since: { ms: Date.UTC(2024, 1, 29, 10) },
      source: { password: { file: 'secret' }, ca: null },
      report: 'r.json',
    })
  })

  test('a day begins at midnight here', async () => {
    expect(await parse(FROM, TO, '--since', '2024-01-31')).toMatchObject({
      since: { ms: new Date(2024, 0, 31).getTime() },
    })
  })

  test('all accounts are meant by --every', async () => {
    expect(await parse('--every', '--max-rate', '2000')).toMatchObject({
      pair: null,
      maxRate: { bytesPerSecond: 2000 },
    })
  })

  test.each([
    [[FROM], 'expected popfetch migrate FROM TO'],
    [[], 'expected popfetch migrate FROM TO'],
    [[FROM, TO, 'more'], 'unknown argument: more'],
    [['--every', FROM, TO], '--every moves all accounts'],
    [[FROM, TO, '--password-env', 'A', '--password-file', 'b'], 'is enough'],
    [['old-isp', TO, '--password-env', 'A'], 'need a URL'],
    [[FROM, TO, '--since', '2024-02-31'], '--since must be a day'],
    [[FROM, TO, '--since', 'yesterday'], '--since must be a day'],
    [[FROM, TO, '--max-rate', '10'], '--max-rate must be'],
    [[FROM, TO, '--max-rate', '1 MB'], '--max-rate must be'],
    [[FROM, TO, '--keep-trying', '7'], '--keep-trying must be a duration'],
    [[FROM, TO, '--keep-trying', '0d'], '--keep-trying must be a duration'],
    [[FROM, 'archive', '--to-password-env', 'A'], 'a configured destination has its own'],
    [[FROM, 'archive', '--to-ca', 'A'], 'a configured destination has its own'],
    [['old-isp', TO, '--ca', 'A'], 'an account has its own'],
    [[FROM, TO, '--to-password-env', 'A', '--to-password-command', 'b'], 'one of --to-password-env'],
    [['--list', FROM], '--list lists all'],
    [['--list', '--resume'], 'cannot be combined'],
    [['--resume', FROM, TO], 'expected popfetch migrate --resume [FROM]'],
    [['--resume', '--delete'], 'a migration as it was begun'],
    [['--list', '--every'], 'a migration as it was begun'],
    [['', TO], 'migrate FROM needs a value'],
  ])('%j is refused', async (argv, text) => {
    await expect(parse(...argv)).rejects.toMatchObject({ code: 'ERR_USAGE', message: expect.stringContaining(text) })
  })

  test('the command to go on with is the same one, quoted for a shell', async () => {
    const argv = [FROM, 'maildir:~/My Mail', '--delete', '--since', '2024-01-31', '--password-command', "pass 'x'"]
    const command = commandOf((await parse(...argv)) as unknown as MigrateInvocation)
    expect(command).toBe(
      `popfetch migrate ${FROM} 'maildir:~/My Mail' --delete --since 2024-01-31 --password-command 'pass '\\''x'\\'''`,
    )
  })

  test('what is kept of it to go on by is the same again, with its folder, and no secret', async () => {
    const argv = [FROM, 'imaps://bob@imap.example.org/Old', '--delete', '--limit', '7', '--since', '2024-01-31']
    const secrets = ['--password-env', 'A', '--ca', 'a.pem', '--to-password-file', 'b', '--to-ca', 'c.pem']
    const others = ['--max-rate', '500KB', '--keep-trying', '7d', '--yes', '--report', 'r.json', '--config', 'c.yaml']
    const invocation = (await parse(...argv, ...secrets, ...others)) as unknown as MigrateInvocation
    const kept = remembered(memoOf(invocation, '/home/ada'))
    expect(kept?.cwd).toBe('/home/ada')
    expect(commandOf(kept?.invocation ?? invocation)).toBe(commandOf(invocation))
    const { act, pair, limit, source, destination, keepTrying } = invocation
    expect(kept?.invocation).toMatchObject({ act, pair, limit, source, destination, keepTrying })
  })

  test.each([
    '',
    '{}',
    '[]',
    'null',
    '{"cwd":1,"words":["a","b"],"options":{}}',
    '{"cwd":"/","words":["a"],"options":{}}',
    '{"cwd":"/","words":["a","b"],"options":{"limit":"x"}}',
  ])('a note that is no such thing is none: %s', (text) => {
    expect(remembered(text)).toBeNull()
  })
})

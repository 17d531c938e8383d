// What a poll prints, returns and logs, with a run that does what a test says.
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { accountReport, UNREACHABLE } from '../../reports.ts'
import { World } from '../../world.ts'

let world: World
beforeEach(async () => {
  world = await World.make()
})
afterEach(() => world[Symbol.asyncDispose]())

describe('a poll without a terminal', () => {
  test('prints nothing when all is well', async () => {
    expect(await world.run('')).toBe(0)
    expect(world.stdout.text + world.stderr.text).toBe('')
    expect(world.asked[0]?.options).toEqual({
      dryRun: false,
      limit: null,
      all: false,
      acceptNewIds: false,
      markSeen: false,
      yes: false,
      eager: false,
    })
  })

  test('tells a failure once and again after a day, and exits with its code each time', async () => {
    world.reports = [accountReport({ account: 'work', outcome: 'failed', error: UNREACHABLE })]
    const line = 'popfetch: work: connecting to pop.example.net: no route: try later\n'
    for (const expected of [line, '', '']) {
      expect(await world.run('')).toBe(75)
      expect(world.stderr.text).toBe(expected)
      world.nowMs += 3_600_000
    }
    world.nowMs += 86_400_000
    await world.run('')
    expect(world.stderr.text).toBe(line)
    world.reports = [accountReport({ account: 'work' })]
    await world.run('')
    world.reports = [accountReport({ account: 'work', outcome: 'failed', error: UNREACHABLE })]
    await world.run('')
    expect(world.stderr.text).toBe(line)
  })

  test('tells it every time when asked for every word', async () => {
    world.reports = [accountReport({ account: 'work', outcome: 'failed', error: UNREACHABLE })]
    world.during = ({ observer }) => observer.note('work', 'connecting')
    for (let i = 0; i < 2; i++) {
      await world.run('--verbose')
      expect(world.stderr.text).toMatch(/^work: connecting\npopfetch: work: connecting to .*\n$/)
    }
  })

  test('polls the accounts that were named, in the order of the configuration', async () => {
    await world.run('home work')
    expect(world.asked[0]?.accounts.map((account) => account.name)).toEqual(['work', 'home'])
    expect(world.asked[0]?.options.eager).toBe(true)
  })
})

describe('a poll at a terminal', () => {
  test('prints a summary for each account, warnings first, and every failure every time', async () => {
    world.person = true
    world.warnings = ['running as root']
    world.reports = [
      accountReport({ account: 'work', delivered: 1, bytes: 10 }),
      accountReport({ account: 'home', outcome: 'failed', error: UNREACHABLE }),
    ]
    for (let i = 0; i < 2; i++) {
      expect(await world.run('')).toBe(75)
      expect(world.stderr.text.split('\n')).toEqual([
        'popfetch: warning: running as root',
        'work: 1 message delivered (10 B), 1 ms',
        'home: failed, 1 ms',
        'popfetch: home: connecting to pop.example.net: no route: try later',
        '2 accounts: 1 message delivered (10 B), 1 account failed',
        '',
      ])
    }
    expect(world.stdout.text).toBe('')
    expect(world.asked[0]?.options.eager).toBe(true)
  })

  test('says of a ledger that cannot be used once, of which accounts too, and leaves out nothing else', async () => {
    const error = { code: 'ERR_LEDGER', message: 'cannot use the ledger: away', retry: 'soon', ofLedger: true } as const
    world.reports = ['a', 'b', 'c', 'd'].map((account) => accountReport({ account, outcome: 'failed', error }))
    world.reports = [...world.reports, accountReport({ account: 'e', outcome: 'failed', error: UNREACHABLE })]
    for (const person of [true, false]) {
      world.person = person
      expect(await world.run('')).toBe(74)
      expect(world.stderr.text.split('\n').filter((line) => line.startsWith('popfetch:'))).toEqual([
        'popfetch: a: cannot use the ledger: away',
        'popfetch: e: connecting to pop.example.net: no route: try later',
        'popfetch: and 3 other accounts: for the same reason',
      ])
      world.stderr.text = ''
    }
    await world.run('--json')
    expect(world.stdout.text).not.toContain('ofLedger')
  })

  test('prints results as they come, and the total at the end', async () => {
    world.person = true
    world.reports = [accountReport({ account: 'work' }), accountReport({ account: 'home' })]
    world.asTheyCome = (reports) => reports.toReversed()
    await world.run('')
    expect(world.stderr.text.split('\n').map((line) => line.split(':')[0])).toEqual(['home', 'work', '2 accounts', ''])
    world.person = false
    world.reports = world.reports.map((report) => ({ ...report, outcome: 'failed', error: UNREACHABLE }))
    await world.run('')
    expect(world.stderr.text.split('\n').map((line) => line.slice(0, 14))).toEqual([
      'popfetch: work',
      'popfetch: home',
      '',
    ])
  })

  test('prints errors only with --quiet', async () => {
    world.person = true
    world.warnings = ['running as root']
    await world.run('--quiet')
    expect(world.stderr.text).toBe('')
  })
})

describe('--json', () => {
  test('is one object with the fields of each account in their order', async () => {
    world.reports = [accountReport({ account: 'work', listed: 12, new: 3, delivered: 3, skipped: 9, bytes: 48_213 })]
    await world.run('--json')
    expect(world.stdout.text).toBe(
      '{"ok":true,"accounts":[{"account":"work","outcome":"ok","listed":12,"new":3,"delivered":3,"deferred":0,"refused":0,' +
        '"held":0,"possibleDuplicates":0,"deleted":0,"undeleted":0,"skipped":9,"bytes":48213,"durationMs":0,"error":null}]}\n',
    )
  })

  test('is ok exactly when the exit code is 0', async () => {
    world.reports = [accountReport({ outcome: 'partial', refused: 1 })]
    expect(await world.run('--json')).toBe(75)
    expect(world.json).toMatchObject({ ok: false })
    world.reports = [accountReport()]
    world.interruption = 143
    expect(await world.run('--json')).toBe(143)
    expect(world.json).toMatchObject({ ok: false })
  })

  test('has the plan of a dry run', async () => {
    const plan = [{ uidl: 'a', sizeBytes: 1, action: 'fetch', destinations: ['inbox'] }] as const
    world.reports = [accountReport({ plan })]
    await world.run('--json --dry-run')
    expect(world.json).toMatchObject({ accounts: [{ plan }] })
  })

  test.each([
    ['--json --bogus', 64, 'ERR_USAGE'],
    ['--json nobody', 64, 'ERR_USAGE'],
  ])('says why nothing could be started: %s', async (line, code, name) => {
    expect(await world.run(line)).toBe(code)
    expect(world.json).toMatchObject({ ok: false, accounts: [], error: { code: name, retry: 'never' } })
  })
})

describe('the log', () => {
  test('has the outcome of each account, in the file that was named', async () => {
    world.reports = [accountReport({ account: 'work', outcome: 'failed', error: UNREACHABLE })]
    await world.run('--log-file run.log')
    const [line = ''] = (await readFile(join(world.directory, 'run.log'), 'utf8')).split('\n')
    expect(JSON.parse(line)).toMatchObject({
      level: 'error',
      account: 'work',
      error: 'ERR_CONNECT',
      msg: UNREACHABLE.message,
    })
  })

  test('that cannot be opened does not keep mail waiting', async () => {
    expect(await world.run('--log-file /nowhere/run.log')).toBe(0)
    expect(world.asked).toHaveLength(1)
    expect(world.stderr.text).toBe('popfetch: cannot open the log /nowhere/run.log (ENOENT): continuing without it\n')
  })

  test.each(['--log-file -', '--log-level debug', '--log-file - --log-level info'])(
    'is printed on standard error, in JSON without a terminal: %s',
    async (words) => {
      world.during = ({ log }) => log.info('a poll is under way', { account: 'work' })
      expect(await world.run(words)).toBe(0)
      expect(world.stdout.text).toBe('')
      const lines = world.stderr.text.trim().split('\n')
      const [said] = lines.map((line) => JSON.parse(line) as unknown)
      expect(said).toMatchObject({ account: 'work', msg: 'a poll is under way' })
      expect(await readdir(world.directory)).not.toContain('-')
    },
  )

  test('is printed for people where they look on', async () => {
    world.person = true
    world.during = ({ log }) => log.warn('a poll is under way', { account: 'work' })
    await world.run('--log-file -')
    expect(world.stderr.text).toMatch(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d warning: work: a poll is under way$/m)
  })
})

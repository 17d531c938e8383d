// The command line from argv to exit code, with a poll that does what a test says.
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { execute } from '../../src/cli/main.ts'
import { Output } from '../../src/cli/output.ts'
import type { Surroundings } from '../../src/cli/surroundings.ts'
import type { Account, Configuration } from '../../src/config/schema.ts'
import { PopfetchError } from '../../src/errors.ts'
import { openLedger } from '../../src/ledger/sqlite/open.ts'
import type { RunRequest } from '../../src/poll/run/run.ts'
import type { AccountReport, CheckReport } from '../../src/poll/report.ts'
import { accountReport, checkReport } from './reports.ts'
import { MemoryStream } from './streams.ts'
import { leaseOf } from '../ledger/scene.ts'

let directory: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'popfetch-cli-'))
})
afterEach(async () => {
  await rm(directory, { recursive: true })
})

/** Everything a command finds around it; what `run` was asked for is in `asked`. */
class World {
  readonly stdout = new MemoryStream()
  readonly stderr = new MemoryStream()
  readonly asked: RunRequest[] = []
  readonly controller = new AbortController()
  reports: AccountReport[] = [accountReport({ account: 'work' }), accountReport({ account: 'home' })]
  checks: CheckReport[] = [checkReport({ account: 'work', waiting: 12, new: 3 })]
  person = false
  nowMs = 1.8e12
  warnings: string[] = []
  configurationError: PopfetchError | null = null
  ledgerError: PopfetchError | null = null
  during: (request: RunRequest) => void = () => {}
  interruption: number | null = null

  async run(line: string): Promise<number> {
    this.stdout.text = ''
    this.stderr.text = ''
    return await execute(line === '' ? [] : line.split(' '), this.#surroundings())
  }

  get json(): unknown {
    return JSON.parse(this.stdout.text)
  }

  #surroundings(): Surroundings {
    return {
      env: {},
      cwd: directory,
      uid: 1000,
      output: new Output(this.stdout, this.stderr),
      terminal: this.person ? (this.stderr as unknown as NodeJS.WriteStream) : null,
      person: this.person,
      nowMs: () => this.nowMs,
      signal: this.controller.signal,
      interruption: () => this.interruption,
      host: {
        command: [],
        pid: 1,
        attached: () => false,
        starter: () => Promise.resolve(null),
        on: () => {},
        contain: () => {},
      },
      rooms: {
        configuration: () =>
          Promise.resolve({
            loadConfiguration: () =>
              this.configurationError === null
                ? Promise.resolve(configurationOf(this.warnings))
                : Promise.reject(this.configurationError),
            showConfiguration: () => 'accounts:\n  work:\n    password: "****"\n',
            jsonSchema: () => ({ type: 'object' }),
          }),
        ledger: () => Promise.resolve({ openLedger: (path) => this.#ledger(path) }),
        poll: () =>
          Promise.resolve({
            pollAll: (request: RunRequest) => this.#ran(request, this.reports),
            checkAll: (request: RunRequest) => this.#ran(request, this.checks),
          }),
      },
    }
  }

  #ledger(path: string) {
    return this.ledgerError === null ? openLedger(path) : Promise.reject(this.ledgerError)
  }

  async #ran<T>(request: RunRequest, reports: readonly T[]): Promise<readonly T[]> {
    this.asked.push(request)
    for (const { name } of request.accounts) await (await leaseOf(request.ledger, name))[Symbol.asyncDispose]()
    this.during(request)
    return reports
  }
}

function configurationOf(warnings: readonly string[]): Configuration {
  const accounts = ['work', 'home'].map((name) => ({ name }) as Account)
  return {
    file: join(directory, 'config.yaml'),
    accounts,
    destinations: new Map(),
    statePath: join(directory, 'state.db'),
    concurrency: 64,
    perHost: null,
    daemon: { metrics: null, onProblem: null, alertAfterMs: 21_600_000 },
    log: { file: null, level: 'info' },
    warnings,
  }
}

const down = {
  code: 'ERR_CONNECT',
  message: 'connecting to pop.example.net: no route: try later',
  retry: 'soon',
} as const

describe('a poll without a terminal', () => {
  test('prints nothing when all is well', async () => {
    const world = new World()
    expect(await world.run('')).toBe(0)
    expect(world.stdout.text + world.stderr.text).toBe('')
    expect(world.asked[0]?.options).toEqual({
      dryRun: false,
      limit: null,
      all: false,
      acceptNewIds: false,
      yes: false,
      eager: false,
    })
  })

  test('tells a failure once and again after a day, and exits with its code each time', async () => {
    const world = new World()
    world.reports = [accountReport({ account: 'work', outcome: 'failed', error: down })]
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
    world.reports = [accountReport({ account: 'work', outcome: 'failed', error: down })]
    await world.run('')
    expect(world.stderr.text).toBe(line)
  })

  test('tells it every time when asked for every word', async () => {
    const world = new World()
    world.reports = [accountReport({ account: 'work', outcome: 'failed', error: down })]
    world.during = ({ observer }) => observer.note('work', 'connecting')
    for (let i = 0; i < 2; i++) {
      await world.run('--verbose')
      expect(world.stderr.text).toMatch(/^work: connecting\npopfetch: work: connecting to .*\n$/)
    }
  })

  test('polls the accounts that were named, in the order of the configuration', async () => {
    const world = new World()
    await world.run('home work')
    expect(world.asked[0]?.accounts.map((account) => account.name)).toEqual(['work', 'home'])
    expect(world.asked[0]?.options.eager).toBe(true)
  })
})

describe('a poll at a terminal', () => {
  test('prints a summary for each account, warnings first, and every failure every time', async () => {
    const world = new World()
    world.person = true
    world.warnings = ['running as root']
    world.reports = [
      accountReport({ account: 'work', delivered: 1, bytes: 10 }),
      accountReport({ account: 'home', outcome: 'failed', error: down }),
    ]
    for (let i = 0; i < 2; i++) {
      expect(await world.run('')).toBe(75)
      expect(world.stderr.text.split('\n')).toEqual([
        'popfetch: warning: running as root',
        'work: 1 message delivered (10 B), 0 ms',
        'home: failed, 0 ms',
        'popfetch: home: connecting to pop.example.net: no route: try later',
        '',
      ])
    }
    expect(world.stdout.text).toBe('')
    expect(world.asked[0]?.options.eager).toBe(true)
  })

  test('prints errors only with --quiet', async () => {
    const world = new World()
    world.person = true
    world.warnings = ['running as root']
    await world.run('--quiet')
    expect(world.stderr.text).toBe('')
  })
})

describe('--json', () => {
  test('is one object with the fields of each account in their order', async () => {
    const world = new World()
    world.reports = [accountReport({ account: 'work', listed: 12, new: 3, delivered: 3, skipped: 9, bytes: 48_213 })]
    await world.run('--json')
    expect(world.stdout.text).toBe(
      '{"ok":true,"accounts":[{"account":"work","outcome":"ok","listed":12,"new":3,"delivered":3,"deferred":0,"refused":0,' +
        '"held":0,"possibleDuplicates":0,"deleted":0,"skipped":9,"bytes":48213,"durationMs":0,"error":null}]}\n',
    )
  })

  test('is ok exactly when the exit code is 0', async () => {
    const world = new World()
    world.reports = [accountReport({ outcome: 'partial', refused: 1 })]
    expect(await world.run('--json')).toBe(75)
    expect(world.json).toMatchObject({ ok: false })
    world.reports = [accountReport()]
    world.interruption = 143
    expect(await world.run('--json')).toBe(143)
    expect(world.json).toMatchObject({ ok: false })
  })

  test('has the plan of a dry run', async () => {
    const world = new World()
    const plan = [{ uidl: 'a', sizeBytes: 1, action: 'fetch', destinations: ['inbox'] }] as const
    world.reports = [accountReport({ plan })]
    await world.run('--json --dry-run')
    expect(world.json).toMatchObject({ accounts: [{ plan }] })
  })

  test.each([
    ['--json --bogus', 64, 'ERR_USAGE'],
    ['--json nobody', 64, 'ERR_USAGE'],
  ])('says why nothing could be started: %s', async (line, code, name) => {
    const world = new World()
    expect(await world.run(line)).toBe(code)
    expect(world.json).toMatchObject({ ok: false, accounts: [], error: { code: name, retry: 'never' } })
  })
})

describe('nothing runs', () => {
  test('when the configuration is wrong: 78', async () => {
    const world = new World()
    const text = 'a.yaml: 2 problems:\na.yaml:1: accounts: found 1, expected a mapping\na.yaml:2: …'
    world.configurationError = new PopfetchError('ERR_CONFIG', text, { scope: 'process', retry: 'never' })
    expect(await world.run('')).toBe(78)
    expect(world.stderr.text).toBe(`popfetch: ${text}\n`)
    expect(world.asked).toEqual([])
  })

  test('when the ledger cannot be opened: 74', async () => {
    const world = new World()
    world.ledgerError = new PopfetchError('ERR_LEDGER', 'opening the ledger: damaged', {
      scope: 'process',
      retry: 'never',
    })
    expect(await world.run('')).toBe(74)
    expect(world.asked).toEqual([])
  })

  test('when an account is unknown: 64, with the names there are', async () => {
    const world = new World()
    expect(await world.run('wrok home')).toBe(64)
    expect(world.stderr.text).toBe(
      'popfetch: no account or command is called "wrok" (did you mean "work"?); the accounts are work, home: see popfetch --help\n',
    )
    expect(world.asked).toEqual([])
  })
})

test('a bug is one line and 70, and its stack with --verbose', async () => {
  const world = new World()
  world.during = () => {
    throw new TypeError('x is undefined')
  }
  expect(await world.run('')).toBe(70)
  expect(world.stderr.text).toBe('popfetch: unexpected error: x is undefined: please report this\n')
  await world.run('--verbose')
  expect(world.stderr.text).toMatch(/\n {4}at /)
})

describe('check', () => {
  test('answers on standard output, failures too', async () => {
    const world = new World()
    world.checks = [
      checkReport({ account: 'work', waiting: 12, new: 3 }),
      checkReport({ account: 'home', outcome: 'failed', error: down }),
    ]
    expect(await world.run('check')).toBe(75)
    expect(world.stdout.text).toBe(
      'work: 12 messages waiting, 3 new\nhome: failed: connecting to pop.example.net: no route: try later\n',
    )
    expect(world.stderr.text).toBe('')
  })

  test('--json has what is waiting and new', async () => {
    const world = new World()
    expect(await world.run('check work --json')).toBe(0)
    expect(world.json).toEqual({
      ok: true,
      accounts: [{ account: 'work', outcome: 'ok', waiting: 12, new: 3, bytes: 0, durationMs: 0, error: null }],
    })
  })
})

describe('config', () => {
  test('check says what is there, and warns', async () => {
    const world = new World()
    world.warnings = ['running as root']
    expect(await world.run('config check')).toBe(0)
    expect(world.stdout.text).toBe(
      `${directory}/config.yaml: correct: 2 accounts, 0 destinations\nledger: ${directory}/state.db\nwarning: running as root\n`,
    )
  })

  test('show prints what is in force, schema a JSON Schema', async () => {
    const world = new World()
    await world.run('config show')
    expect(world.stdout.text).toBe('accounts:\n  work:\n    password: "****"\n')
    world.configurationError = new PopfetchError('ERR_CONFIG', 'none', { scope: 'process', retry: 'never' })
    expect(await world.run('config schema')).toBe(0)
    expect(world.json).toEqual({ type: 'object' })
  })
})

describe('the log', () => {
  test('has the outcome of each account, in the file that was named', async () => {
    const world = new World()
    world.reports = [accountReport({ account: 'work', outcome: 'failed', error: down })]
    await world.run('--log-file run.log')
    const [line = ''] = (await readFile(join(directory, 'run.log'), 'utf8')).split('\n')
    expect(JSON.parse(line)).toMatchObject({ level: 50, account: 'work', error: 'ERR_CONNECT', msg: down.message })
  })

  test('that cannot be opened does not keep mail waiting', async () => {
    const world = new World()
    expect(await world.run('--log-file /nowhere/run.log')).toBe(0)
    expect(world.asked).toHaveLength(1)
    expect(world.stderr.text).toBe('popfetch: cannot open the log /nowhere/run.log (ENOENT): going on without it\n')
  })
})

// The program on a ledger in PostgreSQL, as its users run it: once, as a daemon, and every command that opens a ledger.
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { Pop3Server } from '../../support/pop3-server.ts'
import { PostgresServer, USER } from '../../support/postgres-server.ts'
import { findProgram, freePort, startProgram } from '../program.ts'
import { Machine, type Ran } from './machine.ts'

let database: PostgresServer
let port: number
let pop3: Pop3Server
let count = 0
let schema: string

// All are let in but one, who needs a password.
const ACCESS = ['local all locked scram-sha-256', 'local all all trust', 'host all all 127.0.0.1/32 trust']

beforeAll(async () => {
  port = await freePort()
  database = await PostgresServer.start({ port, access: ACCESS })
  database.sql(`CREATE ROLE locked LOGIN PASSWORD 'hunter2'; GRANT CREATE ON DATABASE postgres TO locked`)
  database.sql('CREATE ROLE guest LOGIN')
  pop3 = await Pop3Server.start()
  return async () => {
    await pop3[Symbol.asyncDispose]()
    await database[Symbol.asyncDispose]()
  }
})
beforeEach(() => {
  schema = `s${++count}`
})

/** A mailbox of this test alone, with so many messages. */
function filled(messages: number): string {
  const user = `user${count}`
  const mailbox = pop3.mailbox(user, 'secret')
  for (let at = 0; at < messages; at++) mailbox.add(`Subject: letter ${at}\n\nnumber ${at}\n`, { uidl: `u${at}` })
  return user
}

function configuration(user: string, changes: object = {}): { readonly state: object; readonly accounts: object } {
  return {
    state: { postgres: database.url(), schema },
    accounts: {
      home: { host: pop3.host, port: pop3.port, tls: 'none', user, password: 'secret', deliver: 'maildir:Mail' },
    },
    ...changes,
  }
}

async function machine(user: string, changes: object = {}): Promise<Machine> {
  const made = await Machine.start(configuration(user, changes))
  onTestFinished(() => made[Symbol.asyncDispose]())
  return made
}

function letters(messages: number): readonly RegExp[] {
  return Array.from({ length: messages }, (_, at) => new RegExp(`Subject: letter ${at}\\n\\nnumber ${at}\\n$`))
}

async function expectMail(on: Machine, messages: number): Promise<void> {
  const mail = (await on.mail()).toSorted()
  expect(mail).toHaveLength(messages)
  for (const letter of letters(messages)) expect(mail.filter((text) => letter.test(text))).toHaveLength(1)
}

interface Answer {
  readonly ok: boolean
  readonly accounts: readonly {
    readonly outcome: string
    readonly delivered: number
    readonly new: number
    readonly error: { readonly code: string } | null
  }[]
}

function answer(ran: Ran): Answer {
  return JSON.parse(ran.stdout) as Answer
}

test('mail is delivered once, however often it is polled, and says nothing', async () => {
  const home = await machine(filled(3))
  expect(await home.run()).toEqual({ code: 0, stdout: '', stderr: '' })
  expect(await home.run()).toEqual({ code: 0, stdout: '', stderr: '' })
  expect(answer(await home.run('--json')).accounts[0]).toMatchObject({ outcome: 'ok', new: 0 })
  await expectMail(home, 3)
  expect(database.sql(`SELECT count(*) FROM ${schema}.message WHERE state = 1`)).toBe('3')
})

test('another machine with the same ledger fetches nothing of it again', async () => {
  const user = filled(2)
  const [here, there] = [await machine(user), await machine(user)]
  await here.run()
  pop3.mailbox(user).add('Subject: letter 2\n\nnumber 2\n', { uidl: 'u2' })
  expect(answer(await there.run('--json')).accounts[0]).toMatchObject({ delivered: 1, new: 1 })
  expect(await here.mail()).toHaveLength(2)
  expect(await there.mail()).toHaveLength(1)
})

test('verify does not call missing what lies on another machine, and says where to look', async () => {
  const user = filled(2)
  const home = { host: pop3.host, port: pop3.port, tls: 'none', user, password: 'secret', deliver: 'inbox' }
  const named = { accounts: { home }, destinations: { inbox: { type: 'maildir', path: 'Mail' } } }
  const [one, two] = [
    await machine(user, { ...named, daemon: { machine: 'one' } }),
    await machine(user, { ...named, daemon: { machine: 'two' } }),
  ]
  await one.run()
  expect(answer(await one.run('verify', '--json')).accounts[0]).toMatchObject({ agree: 2, missing: 0, notes: [] })
  pop3.mailbox(user).add('Subject: letter 2\n\nnumber 2\n', { uidl: 'u2' })
  await two.run()
  const there = await two.run('verify', '--json')
  expect(there.code).toBe(0)
  const note = /^2 messages were delivered on the machine one, whose files are not seen from here/
  expect(answer(there).accounts[0]).toMatchObject({ agree: 3, missing: 0, notes: [expect.stringMatching(note)] })
  expect((await one.run('verify')).stdout).toContain('1 message was delivered on the machine two')
  await rm(join(one.folder, 'Mail', 'new'), { recursive: true })
  await mkdir(join(one.folder, 'Mail', 'new'))
  expect(answer(await one.run('verify', '--json')).accounts[0]).toMatchObject({ agree: 1, missing: 2 })
})

test('two polls of one account at once: one polls, the other is busy', async () => {
  const user = filled(1)
  const [here, there] = [await machine(user), await machine(user)]
  await here.run('--dry-run')
  const arrived = Promise.withResolvers<void>()
  const goOn = Promise.withResolvers<void>()
  pop3.faults.onCommand = async (verb) => {
    if (verb === 'RETR') {
      arrived.resolve()
      await goOn.promise
    }
    return 'serve'
  }
  onTestFinished(() => {
    pop3.faults.onCommand = null
  })
  const first = here.run('--json')
  await arrived.promise
  const second = answer(await there.run('--json'))
  goOn.resolve()
  expect(second.accounts[0]).toMatchObject({ outcome: 'busy' })
  expect(answer(await first).accounts[0]).toMatchObject({ outcome: 'ok', delivered: 1 })
  expect([...(await here.mail()), ...(await there.mail())]).toHaveLength(1)
})

describe('a command that only looks', () => {
  test('makes nothing in a database without a ledger, and says so', async () => {
    const home = await machine(filled(1))
    for (const args of [['status'], ['state', 'list', 'home'], ['state', 'export'], ['state', 'check'], ['verify']]) {
      const { code, stderr } = await home.run(...args)
      expect([args, code]).toEqual([args, 74])
      expect(stderr).toContain(`there is none in this database yet (no tables in the schema "${schema}")`)
    }
    expect(database.sql(`SELECT count(*) FROM pg_namespace WHERE nspname = '${schema}'`)).toBe('0')
    expect(existsSync(join(home.folder, '.local/state/popfetch'))).toBe(false)
  })

  test('needs no right to write', async () => {
    const home = await machine(filled(1))
    await home.run()
    database.sql(`GRANT USAGE ON SCHEMA ${schema} TO guest; GRANT SELECT ON ALL TABLES IN SCHEMA ${schema} TO guest`)
    const url = `${database.url('postgres', 'guest')}&schema=${schema}`
    expect(await home.run('state', 'list', 'home', '--state', url)).toMatchObject({ code: 0, stderr: '' })
    expect(await home.run('--state', url)).toMatchObject({ code: 74 })
  })
})

test('every operation on the ledger does as on a file', async () => {
  const home = await machine(filled(2))
  await home.run()
  const said = async (...args: readonly string[]): Promise<string> => {
    const ran = await home.run(...args)
    expect([args, ran.code, ran.stderr]).toEqual([args, 0, ''])
    return ran.stdout
  }
  expect(await said('state', 'list', 'home')).toMatch(/^delivered .* u0 .*\ndelivered .* u1 .*\n$/)
  expect(await said('state', 'find', 'letter 1')).toMatch(/^home: delivered .* u1 /)
  expect(await said('state', 'explain', 'home', 'u0')).toContain('u0')
  expect(
    (await said('state', 'export'))
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { kind: string }).kind),
  ).toEqual(['account', 'message', 'message'])
  expect(await said('state', 'retry')).toBe('nothing is waiting\n')
  expect(await said('status')).toMatch(/home .* ok, /)
  expect(await said('status', '--check')).toMatch(/\n$/)
  expect(await said('pause', 'home')).toContain('paused')
  expect(answer(await home.run('--json')).accounts[0]).toMatchObject({ outcome: 'paused' })
  expect(await said('resume')).toContain('home: resumed')
  expect(await said('state', 'forget', 'home', 'u0', '--yes')).toContain('1 message')
  expect(answer(await home.run('--json')).accounts[0]).toMatchObject({ delivered: 1 })
  expect(await said('verify')).toContain('agree')
  expect(await said('state', 'check')).toMatch(/^the ledger postgres:\/\/.* can be used: 2 messages of 1 account; /)
  expect(await said('state', 'upgrade')).toContain('needs no upgrade')
  expect(await said('config', 'check')).toContain(`ledger: postgres://${USER}@/postgres?host=`)
})

test.each([
  ['backup', /pg_dump -Fc --schema=s\d+ --file=FILE 'postgres:.*'$/],
  ['restore', /stop popfetch on all machines, then pg_restore --clean --dbname='postgres:.*' FILE$/],
  ['repair', /ask pg_amcheck; pg_restore /],
])('state %s says in one line what to use', async (operation, text) => {
  const home = await machine(filled(0))
  const { code, stdout, stderr } = await home.run('state', operation, ...(operation === 'repair' ? [] : ['copy.db']))
  expect([code, stdout]).toEqual([64, ''])
  expect(stderr.trim()).toMatch(text)
  expect(stderr.trim().split('\n')).toHaveLength(1)
  expect(existsSync(join(home.folder, 'copy.db'))).toBe(false)
})

test('what pg_dump saves and pg_restore puts back is the same ledger', async () => {
  const home = await machine(filled(2))
  await home.run()
  const tools = database.tools()
  const dump = join(home.folder, 'dump')
  tools('pg_dump', '-Fc', `--schema=${schema}`, `--file=${dump}`, database.url())
  database.sql(`DROP SCHEMA ${schema} CASCADE`)
  tools('pg_restore', `--dbname=${database.url()}`, dump)
  expect(answer(await home.run('--json')).accounts[0]).toMatchObject({ outcome: 'ok', new: 0 })
  await expectMail(home, 2)
})

describe('the password', () => {
  const locked = (): string => database.url('postgres', 'locked')

  test.each([
    ['is in the configuration', { password: 'hunter2' }, {}],
    ['is in a file', { password: { file: 'pw' } }, {}],
    ['is printed by a command', { password: { command: 'cat pw' } }, {}],
    ['is in PGPASSFILE', {}, { PGPASSFILE: 'pgpass' }],
  ])('%s', async (_, keys, env) => {
    const home = await machine(filled(1), { state: { postgres: locked(), schema, ...keys } })
    await writeFile(join(home.folder, 'pw'), 'hunter2\n', { mode: 0o600 })
    await writeFile(join(home.folder, 'pgpass'), '*:*:*:locked:hunter2\n', { mode: 0o600 })
    Object.assign(home.env, env)
    expect(await home.run('-v', '--log-level', 'trace')).toMatchObject({
      code: 0,
      stderr: expect.not.stringContaining('hunter2'),
    })
    await expectMail(home, 1)
  })

  test.each([
    ['a wrong one', { password: 'hunter3' }, 74, /the database refuses to let us in \(password authentication failed/],
    [
      'none',
      {},
      74,
      /the database requires a password, and there is none: say with state\.password where it is, or name/,
    ],
    [
      'one that cannot be read',
      { password: { file: 'not-there' } },
      78,
      /reading the password of the database from the file/,
    ],
    [
      'a command that fails',
      { password: { command: 'false' } },
      75,
      /reading the password of the database from the command/,
    ],
  ])('%s stops the poll at once, and mail stays', async (_, keys, code, text) => {
    const home = await machine(filled(1), { state: { postgres: locked(), schema, ...keys } })
    const ran = await home.run()
    expect([ran.code, ran.stdout]).toEqual([code, ''])
    expect(ran.stderr).toMatch(text)
    expect(ran.stderr).not.toContain('hunter')
    expect(await home.mail()).toEqual([])
    expect((await home.run('status')).code).toBe(code)
  })
})

test.each([
  ['a database that is not there', () => database.url('nowhere'), /database "nowhere" does not exist: create it/],
  ['a role that may make no schema', () => database.url('postgres', 'guest'), /let its user own a schema "s\d+"/],
])('%s is told as what it is', async (_, url, text) => {
  const home = await machine(filled(1), { state: { postgres: url(), schema } })
  const ran = await home.run()
  expect(ran.stderr).toMatch(text)
  expect([74, 78]).toContain(ran.code)
  expect(await home.mail()).toEqual([])
})

test('the things of this machine lie in a folder of their own, and uninstall knows them all', async () => {
  const home = await machine(filled(1))
  await home.run()
  const daemon = await home.daemon()
  const state = join(home.folder, '.local/state/popfetch')
  const [name = '', ...more] = await readdir(state)
  expect([name, more]).toEqual([expect.stringMatching(/^postgres-[0-9a-f]{16}$/), []])
  expect((await readdir(join(state, name))).toSorted()).toContain('ledger.socket')
  const { code, stdout } = await home.run('uninstall')
  expect(code).toBe(0)
  expect(stdout).toContain(`popfetch stop`)
  expect(stdout).toMatch(new RegExp(`psql '?postgres://.* -c 'DROP SCHEMA ${schema} CASCADE'`))
  await home.run('stop')
  expect(await daemon.ended).toBe(0)
  await rm(join(home.folder, '.cache'), { recursive: true, force: true })
  expect((await home.run('uninstall')).stdout).toContain(join(state, name))
})

test('the path of those things is no ledger', async () => {
  const home = await machine(filled(1))
  await home.run()
  const [name = ''] = await readdir(join(home.folder, '.local/state/popfetch'))
  const place = join(home.folder, '.local/state/popfetch', name, 'ledger')
  const ran = await home.run('--state', place)
  expect(ran).toMatchObject({ code: 78, stderr: expect.stringContaining('is in a database: give its URL') })
  expect(existsSync(place)).toBe(false)
})

describe('a daemon', () => {
  const polling = { defaults: { poll: '5m' } }

  test('polls, is woken, reloads, tells how it is, and ends', async () => {
    const user = filled(1)
    const home = await machine(user, polling)
    const daemon = await home.daemon()
    expect(answer(await home.run('--json')).accounts[0]).toMatchObject({ outcome: 'ok' })
    await expectMail(home, 1)
    pop3.mailbox(user).add('Subject: letter 1\n\nnumber 1\n', { uidl: 'u1' })
    // A plain poll asks the daemon.
    expect(answer(await home.run('--json')).accounts[0]).toMatchObject({ outcome: 'ok', delivered: 1 })
    expect((await home.run('status')).stdout).toContain(`(pid ${daemon.pid})`)
    expect(await home.run('status', '--check')).toMatchObject({ code: 0 })
    expect(await home.run('--daemon')).toMatchObject({
      code: 75,
      stderr: expect.stringContaining('already uses this ledger'),
    })
    await home.configure(configuration(user, { defaults: { poll: '10m' } }))
    expect(await home.run('reload')).toMatchObject({ code: 0 })
    await home.configure(configuration(user, { state: { postgres: database.url(), schema: 'other' } }))
    expect(await home.run('reload', '--state', `${database.url()}&schema=${schema}`)).toMatchObject({
      code: 78,
      stderr: expect.stringContaining('another ledger (state)'),
    })
    await home.configure(configuration(user))
    expect(await home.run('stop')).toMatchObject({ code: 0 })
    expect(await daemon.ended).toBe(0)
    await expectMail(home, 2)
    expect(database.sql(`SELECT count(*) FROM ${schema}.worker`)).toBe('0')
  })

  test('goes into the background, on a ledger that is named on its command line', async () => {
    const user = filled(1)
    const home = await machine(user, { state: 'elsewhere.db' })
    const state = ['--state', `${database.url()}&schema=${schema}`]
    expect(await home.run('--daemon', ...state)).toMatchObject({ code: 0 })
    onTestFinished(async () => void (await home.run('stop', ...state)))
    expect(answer(await home.run('--json', ...state)).accounts[0]).toMatchObject({ outcome: 'ok' })
    await expectMail(home, 1)
    expect(await home.run('stop', ...state)).toMatchObject({ code: 0 })
    expect(existsSync(join(home.folder, 'elsewhere.db'))).toBe(false)
  })

  test('of several processes shares its accounts among them', async () => {
    const user = filled(2)
    const home = await machine(user, polling)
    const daemon = await home.daemon('--workers', '2')
    expect(answer(await home.run('--json')).accounts[0]).toMatchObject({ outcome: 'ok' })
    await expectMail(home, 2)
    await home.run('stop')
    expect(await daemon.ended).toBe(0)
  })

  test('lives while the database is away, polls nothing then, and goes on when it is back', async () => {
    const user = filled(1)
    await using own = await PostgresServer.start()
    const home = await machine(user, { state: { postgres: own.url(), schema } })
    const daemon = await home.daemon()
    expect(answer(await home.run('--json')).accounts[0]).toMatchObject({ outcome: 'ok' })
    await own.stop('immediate')
    pop3.mailbox(user).add('Subject: letter 1\n\nnumber 1\n', { uidl: 'u1' })
    const away = await home.run('--json')
    expect(away).toMatchObject({ code: 74, stdout: expect.stringContaining('the database is away') })
    expect(await home.mail()).toHaveLength(1)
    const status = await home.run('status')
    expect(status).toMatchObject({ code: 74, stderr: expect.stringContaining('see that it runs') })
    await own.run()
    expect(answer(await home.run('--json')).accounts[0]).toMatchObject({ outcome: 'ok', delivered: 1 })
    await expectMail(home, 2)
    await home.run('stop')
    expect(await daemon.ended).toBe(0)
  })
})

test('polls that a daemon missed while the database was away are told once it is back', async () => {
  await using own = await PostgresServer.start()
  const home = await machine(filled(1), { state: { postgres: own.url(), schema }, defaults: { poll: '10s' } })
  await home.daemon()
  const missed = async (): Promise<readonly object[]> =>
    (JSON.parse((await home.run('status', '--json')).stdout) as { missed: readonly object[] }).missed
  expect(await missed()).toEqual([])
  await own.stop('immediate')
  const log = join(home.folder, 'log')
  while (!(await readFile(log, 'utf8')).includes('the database is away')) await new Promise(setImmediate)
  await own.run()
  while ((await missed()).length === 0) await new Promise(setImmediate)
  expect(await missed()).toMatchObject([{ accounts: 1, polls: 1 }])
  expect((await home.run('status')).stdout).toMatch(/the ledger could not be used for .*: 1 account was not polled/)
})

test('a daemon that is started while the database is away is not started, and says so', async () => {
  await using own = await PostgresServer.start()
  const home = await machine(filled(1), { state: { postgres: own.url(), schema } })
  await own.stop('immediate')
  for (const more of [[], ['--foreground']])
    expect(await home.run('--daemon', ...more)).toMatchObject({
      code: 74,
      stderr: expect.stringMatching(/the database is away .*the daemon was not started/),
    })
})

test('a whole mailbox is moved with the ledger of its own that it always has', async () => {
  const user = filled(2)
  const home = await machine(user)
  const from = `pop3://${user}@${pop3.host}:${pop3.port}?tls=none`
  const ran = await home.run('migrate', from, 'maildir:Mail', '--password-command', 'echo secret')
  expect([ran.code, ran.stderr]).toEqual([0, expect.any(String)])
  await expectMail(home, 2)
  expect(database.sql(`SELECT count(*) FROM pg_namespace WHERE nspname = '${schema}'`)).toBe('0')
  // Of that migration the account learns at its first poll.
  expect(answer(await home.run('--json')).accounts[0]).toMatchObject({ outcome: 'ok', delivered: 0 })
  await expectMail(home, 2)
})

describe('a pool in front of the database', () => {
  async function pooled(mode: string, home: Machine): Promise<string> {
    const at = await freePort()
    const program = await findProgram('pgbouncer', 'pgbouncer')
    await writeFile(join(home.folder, 'users.txt'), `"${USER}" ""\n`)
    await writeFile(
      join(home.folder, 'pool.ini'),
      [
        '[databases]',
        `* = host=127.0.0.1 port=${port} user=${USER}`,
        '[pgbouncer]',
        'listen_addr = 127.0.0.1',
        `listen_port = ${at}`,
        'unix_socket_dir =',
        'auth_type = any',
        `pool_mode = ${mode}`,
        `auth_file = ${join(home.folder, 'users.txt')}`,
        'ignore_startup_parameters = extra_float_digits',
        '',
      ].join('\n'),
    )
    // It refuses to be root.
    const pool = await startProgram(
      'setpriv',
      ['--reuid', '65534', '--clear-groups', program, join(home.folder, 'pool.ini')],
      home.folder,
    )
    onTestFinished(() => pool[Symbol.asyncDispose]())
    return `postgres://${USER}@127.0.0.1:${at}/postgres?schema=${schema}`
  }

  test.each(['transaction', 'statement'])('is refused where it changes sessions: pool_mode = %s', async (mode) => {
    const home = await machine(filled(1))
    const url = await pooled(mode, home)
    const ran = await home.run('--state', url)
    expect([ran.code, ran.stderr]).toEqual([78, expect.stringContaining('gives each statement another session')])
    expect(await home.mail()).toEqual([])
    expect(database.sql(`SELECT count(*) FROM pg_namespace WHERE nspname = '${schema}'`)).toBe('0')
  })

  test('is as good as none where it keeps them', async () => {
    const home = await machine(filled(1))
    const url = await pooled('session', home)
    expect(await home.run('--state', url)).toMatchObject({ code: 0, stderr: '' })
    await expectMail(home, 1)
  })
})

test('a poll on a file loads nothing of the client for a database', async () => {
  const chunks = join(import.meta.dirname, '../../../dist/chunks')
  const program = process.env['POPFETCH']
  if (program === undefined) return
  const texts = new Map<string, string>()
  for (const name of await readdir(chunks)) texts.set(name, await readFile(join(chunks, name), 'utf8'))
  const holding = new Set([...texts].filter(([, text]) => text.includes('pg_advisory_lock')).map(([name]) => name))
  expect(holding.size).toBe(1)
  // And who loads it at once: the door to a database, the command that copies a ledger, and sign-ins in a database. All are loaded
  // when they are wanted.
  for (const known of holding)
    for (const [name, text] of texts) if (text.includes(`from "./${known}"`)) holding.add(name)
  const words = [...holding].map((name) => name.replace(/-.{8}\.js$/, ''))
  expect(words.toSorted()).toEqual(['ends', 'open', 'open-database', 'sign-in-rows'])
})

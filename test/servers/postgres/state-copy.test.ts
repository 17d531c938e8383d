// `popfetch state copy`: from a file to PostgreSQL and back, as a person types it, with mail that comes before, between and after.
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { Pop3Server } from '../../support/pop3-server.ts'
import { PostgresServer } from '../../support/postgres-server.ts'
import { Machine } from './machine.ts'

let database: PostgresServer
let pop3: Pop3Server
beforeAll(async () => {
  database = await PostgresServer.start({ access: ['local all locked scram-sha-256', 'local all all trust'] })
  database.sql(`CREATE ROLE locked LOGIN PASSWORD 'hunter2'; GRANT CREATE ON DATABASE postgres TO locked`)
  pop3 = await Pop3Server.start()
  return async () => {
    await pop3[Symbol.asyncDispose]()
    await database[Symbol.asyncDispose]()
  }
})

/** One that polls `user`, and where its ledger is. */
async function machineOf(
  user: string,
): Promise<{ readonly machine: Machine; readonly use: (state: unknown) => Promise<void> }> {
  const home = { host: pop3.host, port: pop3.port, tls: 'none', user, password: 'secret', deliver: 'maildir:Mail' }
  const at = (state: unknown): object => ({ state, accounts: { home } })
  const machine = await Machine.start(at('old.db'))
  return { machine, use: async (state) => await machine.configure(at(state)) }
}

function arrive(user: string, ...uidls: readonly string[]): void {
  for (const uidl of uidls) pop3.mailbox(user, 'secret').add(`Subject: ${uidl}\r\n\r\nbody\r\n`, { uidl })
}

test('mail is there once, both exports are equal, and an old cron line stops with 78', async () => {
  const { machine, use } = await machineOf('ada')
  await using _ = machine
  const well = { code: 0, stdout: '', stderr: '' }
  arrive('ada', 'a', 'b')
  expect(await machine.run()).toEqual(well)
  const exported = (await machine.run('state', 'export')).stdout
  const postgres = database.url('postgres', 'locked')
  await use({ postgres, password: 'hunter2' })
  const old = join(machine.folder, 'old.db')
  expect(await machine.run('state', 'copy', old)).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(
      /^copied 2 messages of 1 account to postgres:.*, and compared them; .*old\.db is not used/,
    ) as string,
  })
  expect((await machine.run('state', 'export')).stdout).toBe(exported)
  arrive('ada', 'c')
  expect(await machine.run()).toEqual(well)

  await use('old.db')
  for (const words of [[], ['status'], ['--dry-run'], ['state', 'list', 'home'], ['--daemon', '--foreground']])
    expect([words, await machine.run(...words)]).toEqual([
      words,
      {
        code: 78,
        stdout: '',
        stderr: expect.stringMatching(/old\.db: everything in it was copied to postgres:.*: use postgres:/) as string,
      },
    ])

  await use('new.db')
  const wanting = await machine.run('state', 'copy', postgres)
  expect([wanting.code, wanting.stderr]).toEqual([74, expect.stringContaining('the database requires a password')])
  machine.env['PW'] = 'hunter2'
  const back = await machine.run('state', 'copy', postgres, '--password-env', 'PW', '--json')
  expect([back.code, JSON.parse(back.stdout)]).toEqual([
    0,
    expect.objectContaining({ ok: true, accounts: 1, messages: 3, deliveries: 3, signIns: 0 }),
  ])
  arrive('ada', 'd')
  expect(await machine.run()).toEqual(well)
  const subjects = (await machine.mail()).map((text) => /^Subject: (.*)$/m.exec(text)?.[1] ?? '')
  expect(subjects.toSorted()).toEqual(['a', 'b', 'c', 'd'])
  await use({ postgres, password: 'hunter2' })
  expect(await machine.run()).toMatchObject({ code: 78, stderr: expect.stringContaining('new.db') as string })
})

test('what cannot be copied is said, and nothing is changed', async () => {
  const { machine, use } = await machineOf('bob')
  await using _ = machine
  arrive('bob', 'a')
  expect((await machine.run()).code).toBe(0)
  expect(await machine.run('state', 'copy', 'old.db')).toMatchObject({
    code: 64,
    stderr: expect.stringContaining('name the new place') as string,
  })
  expect((await machine.run('state', 'copy', 'old.db', '--password-env', 'PW')).code).toBe(64)
  expect((await machine.run('state', 'copy', 'none.db')).code).toBe(74)
  await use({ postgres: database.url(), schema: 'bob' })
  expect((await machine.run()).code).toBe(0)
  expect(await machine.run('state', 'copy', 'old.db')).toMatchObject({
    code: 74,
    stderr: expect.stringContaining('it is not empty') as string,
  })
  await use('old.db')
  expect(await machine.run()).toEqual({ code: 0, stdout: '', stderr: '' })
})

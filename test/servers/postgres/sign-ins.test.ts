// Sign-ins of a ledger in PostgreSQL: sealed in the database, one renewal at a time over all machines, and what somebody who can
// write there can do with them: nothing.
import { randomBytes } from 'node:crypto'
import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, expect, onTestFinished, test } from 'vitest'
import { SignInRows } from '../../../src/ledger/postgres/sign-in-rows.ts'
import { Seal } from '../../../src/oauth/seal.ts'
import { SealedStore } from '../../../src/oauth/sealed-store.ts'
import { clientOf, DAY_MS, request, Scene, USER } from '../../oauth/scene.ts'
import { AuthorizationServer, CLIENT_ID } from '../../support/authorization-server.ts'
import { PostgresServer } from '../../support/postgres-server.ts'
import { signIn } from '../popfetch-auth.ts'
import { Machine } from './machine.ts'

const KEY = 'a1'.repeat(16)
const OTHER = 'b2'.repeat(16)

let database: PostgresServer
let provider: AuthorizationServer
beforeAll(async () => {
  database = await PostgresServer.start()
  provider = await AuthorizationServer.start()
  return async () => {
    await provider[Symbol.asyncDispose]()
    await database[Symbol.asyncDispose]()
  }
})

/** A schema, and machines that keep sign-ins there. */
function place() {
  const schema = `s${randomBytes(8).toString('hex')}`
  const rowsOf = (): SignInRows => {
    const rows = new SignInRows(database.server(schema))
    onTestFinished(() => rows.close())
    return rows
  }
  const store = (key = KEY, former: string | null = null): SealedStore => {
    const rows = rowsOf()
    return new SealedStore({
      rows: () => Promise.resolve(rows),
      seal: () => Promise.resolve(new Seal(key, former)),
    })
  }
  return {
    rows: rowsOf,
    store,
    sql: (statement: string) => database.sql(statement.replaceAll('@.', `${schema}.`)),
    machine: async (key = KEY, former: string | null = null): Promise<Scene> => {
      const scene = await Scene.make(clientOf(provider.issuer), { store: store(key, former) })
      onTestFinished(() => scene[Symbol.asyncDispose]())
      return scene
    },
  }
}

const refusal = async (work: Promise<unknown>): Promise<unknown> =>
  await work.then(
    () => 'it was not refused',
    (error: unknown) => error,
  )

test('a sign-in is there for every machine, and nobody can read it in the database', async () => {
  const { machine, sql } = place()
  const [one, two] = [await machine(), await machine()]
  await expect(two.signIns().state('company', USER)).resolves.toMatchObject({ state: 'none' })
  const { accessToken, refreshToken } = await one.signIn()
  const { token, signIn: id } = await two.signIns().tokenFor(request())
  expect(token).toBe(accessToken)
  expect(await one.signIns().mark('company', USER)).toBe(id)
  const [sealed] = [sql('SELECT encode(sealed, $$escape$$) FROM @.sign_in')]
  for (const secret of [accessToken, refreshToken ?? '', KEY, 'refreshToken']) expect(sealed).not.toContain(secret)
  expect(sql('SELECT holder IS NULL FROM @.sign_in')).toBe('t')

  await expect(two.signIns().forget('company', USER)).resolves.toMatchObject({ record: { refreshToken } })
  expect(await one.signIns().state('company', USER)).toMatchObject({ state: 'none' })
  expect(await one.signIns().forget('company', USER)).toBeNull()
  expect(sql('SELECT count(*) FROM @.sign_in')).toBe('0')
})

test('machines that want a token at once ask the provider once', async () => {
  const { machine } = place()
  const machines = [await machine(), await machine(), await machine()]
  await machines[0]?.signIn()
  for (const one of machines) one.aheadMs = DAY_MS
  const asked = provider.tokenRequests
  const given = await Promise.all(
    machines.flatMap((one) => {
      const signIns = one.signIns()
      return [signIns.tokenFor(request()), signIns.tokenFor(request())]
    }),
  )
  expect(provider.tokenRequests - asked).toBe(1)
  expect(new Set(given.map(({ token }) => token)).size).toBe(1)
})

test('whoever does not say any more that it holds a sign-in loses it, and changes nothing from then on', async () => {
  const { rows, sql } = place()
  const [name, never] = [Buffer.from('company\0alice'), new AbortController().signal]
  const slept = await rows().hold(name, 1, never)
  await slept?.write(Buffer.from('one'))
  expect(await rows().hold(name, 1, never)).toBeNull()
  sql("UPDATE @.sign_in SET held_until = clock_timestamp() - interval '1 second'")
  const next = await rows().hold(name, 1, never)
  await next?.write(Buffer.from('two'))
  await expect(slept?.write(Buffer.from('three'))).rejects.toMatchObject({ code: 'ERR_LEDGER', retry: 'soon' })
  await slept?.[Symbol.asyncDispose]()
  await next?.write(Buffer.from('four'))
  expect((await rows().read(name))?.toString()).toBe('four')
  await next?.[Symbol.asyncDispose]()
  const last = await rows().hold(name, 1, never)
  expect(last).not.toBeNull()
  await last?.[Symbol.asyncDispose]()
})

test('who waits for a sign-in ends with its signal', async () => {
  const { rows } = place()
  const [name, stop] = [Buffer.from('company\0alice'), new AbortController()]
  await using _held = await rows().hold(name, 1, stop.signal)
  const waiting = rows().hold(name, 60_000, stop.signal)
  stop.abort(new Error('stopped'))
  await expect(waiting).rejects.toThrow('stopped')
})

// As somebody who may write in the database, and has no key.
const ATTACKS: readonly (readonly [string, string])[] = [
  [
    'that of another user in its place',
    "UPDATE @.sign_in SET sealed = (SELECT sealed FROM @.sign_in WHERE name <> decode('NAME', 'hex')) WHERE name = decode('NAME', 'hex')",
  ],
  ['it is cut', 'UPDATE @.sign_in SET sealed = substr(sealed, 1, length(sealed) - 1)'],
  ['it is empty', "UPDATE @.sign_in SET sealed = ''"],
  ['a byte in it is another', 'UPDATE @.sign_in SET sealed = set_byte(sealed, 40, get_byte(sealed, 40) # 1)'],
  ['it is a text in the open', "UPDATE @.sign_in SET sealed = convert_to('{\"version\":1}', 'UTF8')"],
]

test.each(ATTACKS)(
  'when %s, nothing is sent to the provider, and somebody has to sign in again',
  async (_what, sql) => {
    const world = place()
    const alice = await world.machine()
    await alice.signIn()
    const bob = alice.signIns()
    const granted = {
      accessToken: 'of-bob',
      refreshToken: 'also',
      lifetimeMs: DAY_MS,
      signInLifetimeMs: null,
      person: null,
    }
    await bob.keep('company', 'bob@example.org', await bob.provider('company', null), granted)
    world.sql(sql.replaceAll('NAME', Buffer.from(`company\0${USER}`).toString('hex')))
    const asked = provider.tokenRequests
    expect(await refusal(alice.signIns().tokenFor(request()))).toMatchObject({
      code: 'ERR_AUTH',
      retry: 'never',
      scope: 'account',
      message: expect.stringMatching(
        /^reading the sign-in of alice@example\.org via company in postgres:.*sign in again: popfetch auth$/,
      ),
    })
    expect(provider.tokenRequests).toBe(asked)
    await alice.signIn()
    await expect(alice.signIns().tokenFor(request())).resolves.toBeDefined()
  },
)

test('with another key it is the configuration that is wrong; the former key opens, and is not needed a second time', async () => {
  const world = place()
  const before = await world.machine()
  const { accessToken } = await before.signIn()
  const wrong = await world.machine(OTHER)
  expect(await refusal(wrong.signIns().tokenFor(request()))).toMatchObject({
    code: 'ERR_CONFIG',
    retry: 'never',
    scope: 'account',
    message: expect.stringMatching(
      /sealed with another key than state\.key: give that one back, or name it as state\.formerKey/,
    ),
  })
  const changed = await world.machine(OTHER, KEY)
  expect((await changed.signIns().tokenFor(request())).token).toBe(accessToken)
  expect((await wrong.signIns().tokenFor(request())).token).toBe(accessToken)
  expect(await refusal(before.signIns().tokenFor(request()))).toMatchObject({ code: 'ERR_CONFIG' })
})

function configuration(folder: string, state: unknown): object {
  return {
    state,
    oauth: { company: { issuer: provider.issuer, clientId: CLIENT_ID, scopes: ['openid', 'email', 'mail'] } },
    accounts: {
      here: {
        host: 'localhost',
        port: 1,
        user: 'carol@example.org',
        token: { oauth: 'company' },
        deliver: { type: 'maildir', path: join(folder, 'Mail') },
      },
    },
  }
}

test('the program wants a key, signs in, copies sign-ins into a database and back, and shows nothing', async () => {
  await using machine = await Machine.start({})
  const { folder } = machine
  const url = database.url()
  const state = { postgres: url, schema: 'carol' }
  await machine.configure(configuration(folder, state))
  expect(await machine.run('auth', '--list')).toMatchObject({
    code: 78,
    stderr: expect.stringMatching(/state\.key: missing \(expected a key, because of oauth/),
  })
  await writeFile(join(folder, 'key'), `${KEY}\n`, { mode: 0o600 })
  await writeFile(join(folder, 'short'), 'short\n', { mode: 0o600 })
  await machine.configure(configuration(folder, { ...state, key: { file: 'short' } }))
  const short = await machine.run('auth', '--token', 'here')
  expect([short.code, short.stderr]).toEqual([78, expect.stringMatching(/state\.key has fewer than 32 characters/)])

  // A sign-in beside a file, first.
  const old = join(folder, 'old', 'state.db')
  await mkdir(join(folder, 'old'), { mode: 0o700 })
  await machine.configure(configuration(folder, old))
  const signedIn = await signIn({ directory: folder, state: old }, 'carol@example.org', ['--device'])
  expect(signedIn).toMatchObject({ exitCode: 0 })
  expect((await machine.run('state', 'forget', '--departed')).code).toBe(0)
  const token = (await machine.run('auth', '--token', 'here')).stdout
  expect(token).toMatch(/\S{20}/)

  await machine.configure(configuration(folder, { ...state, key: { file: 'key' } }))
  const copied = await machine.run('state', 'copy', old)
  expect([copied.code, copied.stdout]).toEqual([
    0,
    expect.stringMatching(/^copied 0 messages of .* and 1 sign-in to postgres:/),
  ])
  expect((await machine.run('auth', '--token', 'here')).stdout).toBe(token)
  const list = await machine.run('auth', '--list', '--json')
  expect(JSON.parse(list.stdout)).toMatchObject({ signIns: [{ user: 'carol@example.org', state: 'ok', error: null }] })
  for (const words of [
    ['config', 'show'],
    ['status', '--json'],
    ['state', 'export'],
    ['auth', '--list'],
  ]) {
    const { stdout, stderr } = await machine.run(...words)
    expect(`${stdout}${stderr}`).not.toContain(token.trim())
    expect(`${stdout}${stderr}`).not.toContain(KEY)
  }

  const back = join(folder, 'back', 'state.db')
  await machine.configure(configuration(folder, back))
  const from = `${url}&schema=carol`
  const without = await machine.run('state', 'copy', from)
  expect([without.code, without.stderr]).toEqual([
    78,
    expect.stringMatching(/state\.key: there is none.*nothing was copied: --key-file/),
  ])
  const returned = await machine.run('state', 'copy', from, '--key-file', 'key')
  expect([returned.code, returned.stdout]).toEqual([0, expect.stringMatching(/ and 1 sign-in to .*back\/state\.db/)])
  expect((await machine.run('auth', '--token', 'here')).stdout).toBe(token)
  expect((await readdir(join(folder, 'back', 'oauth'))).filter((name) => name.endsWith('.json'))).toHaveLength(1)
})

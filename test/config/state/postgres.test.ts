// A ledger in PostgreSQL, as the configuration and --state name it: URLs, the keys beside them, what is shown of them.
import { describe, expect, test } from 'vitest'
import { loadConfiguration, showConfiguration } from '../../../src/config/load.ts'
import { outlineConfiguration } from '../../../src/config/outline.ts'
import { namedState, placeName, statePlace, stateWord } from '../../../src/config/state/place.ts'
import { isEncrypted, parsePostgresUrl, type Postgres, postgresUrl } from '../../../src/config/state/postgres.ts'
import { SecretText } from '../../../src/config/values/secret.ts'
import { ACCOUNT, refusal, Scene, UID } from '../scene.ts'

const PLACE = {
  host: 'db.example.org',
  port: 5432,
  user: 'popfetch',
  database: 'mail',
  schema: 'popfetch',
  tls: false,
}

/** URLs, what they mean beside PLACE, and their one spelling if it is another one. */
const BARE = { password: null, ca: null, key: null, formerKey: null }

const RIGHT: readonly (readonly [url: string, meant: Partial<typeof PLACE>, spelling?: string])[] = [
  ['postgres://popfetch@db.example.org/mail', {}],
  ['postgresql://popfetch@DB.example.org:5432/mail', {}, 'postgres://popfetch@db.example.org/mail'],
  ['postgres://popfetch@db.example.org:6432/mail', { port: 6432 }],
  ['postgres://popfetch@db.example.org/mail?port=6432', { port: 6432 }, 'postgres://popfetch@db.example.org:6432/mail'],
  ['postgres://popfetch@/mail?host=db.example.org', {}, 'postgres://popfetch@db.example.org/mail'],
  ['postgres://popfetch@[2001:db8::1]:5433/mail', { host: '2001:db8::1', port: 5433 }],
  ['postgres://popfetch@/mail?host=/run/pg', { host: '/run/pg' }],
  [
    'postgres://popfetch@/mail?host=/run/pg/&port=5433',
    { host: '/run/pg', port: 5433 },
    'postgres://popfetch@/mail?host=/run/pg&port=5433',
  ],
  ['postgres://popfetch@%2Frun%2Fpg/mail', { host: '/run/pg' }, 'postgres://popfetch@/mail?host=/run/pg'],
  ['postgres://popfetch@/mail', { host: '/var/run/postgresql' }, 'postgres://popfetch@/mail?host=/var/run/postgresql'],
  ['postgres://popfetch@db.example.org/mail?schema=two', { schema: 'two' }],
  [
    'postgres://popfetch@db.example.org/mail?sslmode=require',
    { tls: true },
    'postgres://popfetch@db.example.org/mail?sslmode=verify-full',
  ],
  ['postgres://a%40b%3Ac@db.example.org/my%20mail', { user: 'a@b:c', database: 'my mail' }],
  ['postgres://a@b@db.example.org/mail', { user: 'a@b' }, 'postgres://a%40b@db.example.org/mail'],
]

const WRONG: readonly string[] = [
  'postgres://',
  'postgres://db.example.org/mail',
  'postgres://@db.example.org/mail',
  'postgres://popfetch@db.example.org',
  'postgres://popfetch@db.example.org/',
  'postgres://popfetch:secret@db.example.org/mail',
  'postgres://popfetch:@db.example.org/mail',
  'postgres://popfetch@db.example.org/mail?password=secret',
  'postgres://popfetch@one.example.org,two.example.org/mail',
  'postgres://popfetch@one.example.org/mail?host=two.example.org',
  'postgres://popfetch@db.example.org:0/mail',
  'postgres://popfetch@db.example.org:65536/mail',
  'postgres://popfetch@db.example.org/mail?port=x',
  'postgres://popfetch@db.example.org/mail?sslmode=disable',
  'postgres://popfetch@db.example.org/mail?sslmode=prefer',
  'postgres://popfetch@db.example.org/mail?options=-c%20x',
  'postgres://popfetch@db.example.org/mail?schema=Two',
  'postgres://popfetch@db.example.org/mail?schema=two&schema=two',
  'postgres://popfetch@db.example.org/mail#top',
  'postgres://popfetch@db.example.org/mail/more',
  'postgres://pop%0afetch@db.example.org/mail',
  'postgres://pop%fetch@db.example.org/mail',
  'postgres://popfetch@db example.org/mail',
]

describe('a URL', () => {
  test.each(RIGHT.map(([url, meant, spelling = url]) => ({ url, meant, spelling })))(
    '$url means one database',
    ({ url, meant, spelling }) => {
      const place = parsePostgresUrl(url)
      expect(place).toEqual({ ...PLACE, ...meant })
      const again = postgresUrl(place ?? PLACE)
      expect(again).toBe(spelling)
      expect(parsePostgresUrl(again)).toEqual(place)
    },
  )

  test.each(WRONG)('%s is refused, and is not repeated with a password', async (url) => {
    expect(parsePostgresUrl(url)).toBeNull()
    expect(() => namedState(url, '/', { HOME: '/h' })).toThrow(/^--state: this URL is not right/)
    await using scene = await Scene.create()
    for (const state of [`"${url}"`, `{postgres: "${url}"}`]) {
      const { message } = await refusal(loaded(scene, state))
      expect(message).toMatch(/: state(?:\.postgres)?: found .*expected .*postgres:\/\/user@host\/database/)
      expect(message).not.toContain('secret')
    }
  })

  test('is encrypted wherever it leaves this machine, and where that is asked for', () => {
    const encrypted = (url: string, ca: string | null = null): boolean =>
      isEncrypted({ ...(parsePostgresUrl(url) ?? PLACE), ca })
    expect(encrypted('postgres://u@db.example.org/d')).toBe(true)
    expect(encrypted('postgres://u@127.0.0.1/d')).toBe(false)
    expect(encrypted('postgres://u@localhost/d', '/ca.pem')).toBe(true)
    expect(encrypted('postgres://u@[::1]/d?sslmode=require')).toBe(true)
    expect(encrypted('postgres://u@/d?host=/run/pg&sslmode=require', '/ca.pem')).toBe(false)
  })
})

async function loaded(scene: Scene, state: string, named: string | null = null, env: Record<string, string> = {}) {
  const file = await scene.write(`state: ${state}\naccounts: {a: {${ACCOUNT}}}\n`)
  return await loadConfiguration({
    file,
    state: named,
    env: { ...scene.env, ...env },
    cwd: scene.directory,
    uid: UID,
  })
}

const URL = 'postgres://popfetch@db.example.org/mail'

describe('state', () => {
  test('is a database, by its URL alone or with what belongs to it', async () => {
    await using scene = await Scene.create()
    const plain = await loaded(scene, URL)
    expect(plain.postgres).toEqual({ ...PLACE, ...BARE })
    const whole = `{postgres: ${URL}, password: {file: pw}, ca: ca.pem, schema: two, headers: open, keepDeparted: never}`
    const { postgres, headers, keepDeparted } = await loaded(scene, whole)
    expect({ postgres, headers, keepDeparted }).toEqual({
      postgres: {
        ...PLACE,
        schema: 'two',
        password: { kind: 'file', path: scene.path('pw') },
        ca: scene.path('ca.pem'),
        key: null,
        formerKey: null,
      },
      headers: 'open',
      keepDeparted: null,
    })
    const filled = await loaded(scene, '{postgres: {env: DATABASE}}', null, { DATABASE: URL })
    expect(filled.postgres).toEqual(plain.postgres)
    expect((await loaded(scene, 'here.db')).postgres).toBeNull()
  })

  test.each([
    ['{path: a.db, postgres: URL}', 'state.postgres: found "URL", expected no postgres beside a path'],
    ['{password: x}', 'state.password: found text, expected a postgres beside it'],
    ['{path: a.db, ca: ca.pem}', 'state.ca: found "ca.pem", expected a postgres beside it'],
    ['{key: x}', 'state.key: found text, expected a postgres beside it'],
    [
      '{postgres: URL, formerKey: {file: k}}',
      'state.formerKey: found a mapping, expected a key beside it, the new one',
    ],
    ['{postgres: URL, key: 1}', 'state.key: found a number without quotes, expected text, { env: NAME }'],
    ['{schema: two}', 'state.schema: found "two", expected a postgres beside it'],
    ['{postgres: URL, backup: daily}', 'state.backup: found "daily", expected no backup with postgres: pg_dump'],
    ['{postgres: URL, schema: Two}', 'state.schema: found "Two", expected a name of lower-case letters'],
    ['{postgres: URL, schema: pg_two}', 'state.schema: found "pg_two", expected a name of lower-case letters'],
    [`{postgres: URL, schema: ${'x'.repeat(64)}}`, 'expected a name of lower-case letters'],
    ['{postgres: URL, schema: "a\\"; DROP"}', 'expected a name of lower-case letters'],
    ['{path: URL}', 'state.path: found "URL", expected a path: the URL of a database is given as postgres'],
    ['{postgres: 3}', 'state.postgres: found 3, expected postgres://user@host/database'],
  ])('%s is wrong', async (state, text) => {
    await using scene = await Scene.create()
    const { message } = await refusal(loaded(scene, state.replace('URL', URL)))
    expect(message).toContain(text.replace('URL', URL))
  })

  test('has its things of this machine in a folder of the usual state folder, one for each ledger', async () => {
    await using scene = await Scene.create()
    const { statePath } = await loaded(scene, URL)
    expect(statePath).toMatch(/\/home\/\.local\/state\/popfetch\/postgres-[0-9a-f]{16}\/ledger$/)
    const same = await loaded(scene, '{postgres: "postgresql://popfetch@db.example.org:5432/mail", ca: ca.pem}')
    expect(same.statePath).toBe(statePath)
    const systemd = await loaded(scene, URL, null, { STATE_DIRECTORY: '/var/lib/popfetch' })
    expect(systemd.statePath).toMatch(/^\/var\/lib\/popfetch\/postgres-[0-9a-f]{16}\/ledger$/)
    for (const other of [`{postgres: ${URL}, schema: two}`, 'postgres://other@db.example.org/mail', `${URL}s`])
      expect((await loaded(scene, other)).statePath).not.toBe(statePath)
  })

  test('is shown with its password masked, as it may be written again', async () => {
    await using scene = await Scene.create()
    const shown = showConfiguration(
      await loaded(scene, `{postgres: ${URL}, password: hunter2, schema: two, key: hunter22}`),
    )
    expect(shown).toMatch(
      /^state:\n {2}postgres: postgres:\/\/popfetch@db\.example\.org\/mail\n {2}password: "\*+"\n {2}schema: two\n {2}key: "\*+"\n/m,
    )
    expect(shown).not.toContain('hunter2')
  })

  test('is found in a file whose rest is wrong', async () => {
    await using scene = await Scene.create()
    const file = await scene.write(
      `state: {postgres: ${URL}, headers: some, password: {file: pw}}\naccounts: {a: {}}\n`,
    )
    const outline = await outlineConfiguration({ file, state: null, env: scene.env, cwd: scene.directory, uid: UID })
    expect(outline.problem).not.toBeNull()
    expect(outline.postgres).toEqual({ ...PLACE, ...BARE, password: { kind: 'file', path: scene.path('pw') } })
  })
})

describe('--state', () => {
  const written: Postgres = {
    ...PLACE,
    ...BARE,
    password: new SecretText('x'),
    ca: '/ca.pem',
    key: new SecretText('k'),
  }

  test('takes a URL, and with it the password and authorities that the configuration has for the same server', async () => {
    const named = (url: string): Postgres | null => namedState(url, '/cwd', { HOME: '/h' }, () => written).postgres
    expect(named(`${URL}?schema=two`)).toEqual({ ...written, schema: 'two' })
    expect(named('postgres://popfetch@db.example.org/other')).toMatchObject({
      password: written.password,
      key: written.key,
    })
    expect(named('postgres://other@db.example.org/mail')).toMatchObject({ ...BARE, ca: '/ca.pem' })
    for (const url of ['postgres://popfetch@evil.example.org/mail', 'postgres://popfetch@db.example.org:1/mail'])
      expect(named(url)).toMatchObject(BARE)
    await using scene = await Scene.create()
    const { postgres } = await loaded(scene, `{postgres: ${URL}, password: p}`, `${URL}?schema=two`)
    expect(postgres).toMatchObject({ schema: 'two', password: { kind: 'text' } })
    expect((await loaded(scene, URL, 'a.db')).postgres).toBeNull()
  })

  test('is handed on as it was typed, a path as an absolute one', () => {
    expect(stateWord(URL, '/cwd', {})).toBe(URL)
    expect(stateWord('a.db', '/cwd', {})).toBe('/cwd/a.db')
  })

  test('names the ledger as messages call it', () => {
    const place = statePlace({ path: null, postgres: { ...written, schema: 'two' } }, { HOME: '/h' })
    expect(placeName(place)).toBe(`${URL}?schema=two`)
    expect(namedState(placeName(place), '/', { HOME: '/h' }).statePath).toBe(place.statePath)
  })
})

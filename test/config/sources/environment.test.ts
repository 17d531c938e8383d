// `{ env: NAME }` in place of a text or a number.
import { describe, expect, test } from 'vitest'
import { showConfiguration } from '../../../src/config/load.ts'
import { jsonSchema } from '../../../src/config/reference/json-schema.ts'
import { NUMBER_KEYS } from '../../../src/config/sources/environment.ts'
import { ACCOUNT, refusal, Scene } from '../scene.ts'

const ENV = {
  HOST: 'pop.example.org',
  PORT: '2110',
  USER: 'anna',
  TO: 'anna@example.org',
  PATH_TO: '/m',
  EVERY: '7m',
  STATE: '/s/s.db',
}

async function loaded(text: string, env: Readonly<Record<string, string>> = ENV) {
  await using scene = await Scene.create()
  Object.assign(scene.env, env)
  return await scene.load(text)
}

describe('a variable', () => {
  const base = 'password: { env: PW }, deliver: "maildir:/mail"'
  test.each([
    ['host: { env: HOST }, user: u', { host: 'pop.example.org' }],
    ['host: h, user: { env: USER }', { user: 'anna' }],
    ['host: h, user: u, port: { env: PORT }', { port: 2110 }],
    ['host: h, user: u, poll: { env: EVERY }', { poll: { minMs: 420_000 } }],
    ['host: h, user: u, poll: { min: { env: EVERY }, max: 1h }', { poll: { minMs: 420_000, maxMs: 3_600_000 } }],
    ['host: h, user: u, recipient: { env: TO }', { recipient: { kind: 'address', address: 'anna@example.org' } }],
    ['host: h, user: u, via: [ssh, { env: HOST }]', { via: ['ssh', 'pop.example.org'] }],
    ['host: h, user: u, limit: { env: PORT }', { limit: 2110 }],
    ['host: h, user: u, formerly: [{ env: USER }]', { formerly: ['anna'] }],
  ])('may stand in an account: %s', async (keys, expected) => {
    const { accounts } = await loaded(`accounts: { a: { ${keys}, ${base} } }`)
    expect(accounts).toMatchObject([{ fault: null, ...expected }])
  })

  test('may stand in a destination, in defaults, at the top and in a client', async () => {
    const { accounts, destinations, statePath, concurrency, oauth, log } = await loaded(
      `
defaults: { host: { env: HOST }, port: { env: PORT } }
accounts: { a: { user: u, password: { env: PW }, deliver: { env: DEST } } }
destinations:
  relay: { type: smtp, host: { env: HOST }, port: { env: PORT }, to: [{ env: TO }], tls: none }
  box: { type: maildir, path: { env: PATH_TO } }
  run: { type: command, run: [/bin/x, { env: HOST }], env: { env: literally, OTHER: { env: USER } } }
oauth: { g: { provider: google, clientId: { env: USER } } }
state: { env: STATE }
concurrency: { env: PORT }
log: { file: { env: PATH_TO } }`,
      { ...ENV, DEST: 'relay' },
    )
    expect(accounts).toMatchObject([{ host: 'pop.example.org', port: 2110, deliver: ['relay'] }])
    expect([...destinations.values()]).toMatchObject([
      { host: 'pop.example.org', port: 2110, to: ['anna@example.org'] },
      { path: '/m' },
      { run: ['/bin/x', 'pop.example.org'], env: { env: 'literally', OTHER: 'anna' } },
    ])
    expect([statePath, concurrency, log.file, oauth.get('g')?.clientId]).toEqual(['/s/s.db', 2110, '/m', 'anna'])
  })

  test('stays what it is where a secret is wanted: the secret is read later', async () => {
    const configuration = await loaded(`
accounts: { a: { host: h, user: u, password: { env: NOT_SET }, deliver: "maildir:/m" } }
notify: [{ url: { env: NOT_SET }, headers: { Authorization: { env: NOT_SET } } }]
daemon: { http: "127.0.0.1:1", httpToken: { env: NOT_SET } }`)
    expect(configuration.accounts).toMatchObject([{ password: { kind: 'env', name: 'NOT_SET' } }])
    expect(showConfiguration(configuration)).toContain('env: NOT_SET')
  })

  test.each(['port', 'limit'])(
    'whose value is no number is refused where %s is, and the value not shown',
    async (key) => {
      const error = await refusal(loaded(`accounts: { a: { ${ACCOUNT}, ${key}: { env: USER } } }`))
      expect(error.message).toContain(
        `accounts.a.${key}: found the value of the variable USER, expected a whole number`,
      )
      expect(error.message).not.toContain('anna')
    },
  )

  test('that holds a password in a wrong place shows it nowhere', async () => {
    const error = await refusal(
      loaded(
        `accounts: { a: { host: { env: PW }, user: u, password: x, deliver: "maildir:/m" } }\nstate: { headers: { env: PW } }`,
        { PW: 'hunter2 hunter2' },
      ),
    )
    expect(error.message).toContain('accounts.a.host: found the value of the variable PW, expected a host name')
    expect(error.message).not.toContain('hunter2')
  })
})

describe('a variable that is not set', () => {
  test('stops its account, and the others go on', async () => {
    const { accounts } = await loaded(`
accounts:
  a: { host: { env: NOWHERE }, user: u, password: p, deliver: "maildir:/m" }
  b: { host: h, user: u, password: p, deliver: "maildir:/m" }`)
    expect(accounts).toMatchObject([
      {
        name: 'a',
        fault: expect.stringMatching(
          /config\.yaml:3: accounts\.a\.host: the environment variable NOWHERE is not set: export it$/,
        ),
      },
      { name: 'b', fault: null },
    ])
  })

  test('stops the accounts that have it from defaults, and not those that write their own', async () => {
    const { accounts } = await loaded(`
defaults: { host: { env: NOWHERE }, password: p, deliver: "maildir:/m" }
accounts: { a: { user: u }, b: { user: u, host: h } }`)
    expect(accounts.map(({ name, fault }) => [name, fault === null])).toEqual([
      ['a', false],
      ['b', true],
    ])
  })

  test.each([
    'deliver: far',
    'deliver: [near, far]',
    'deliver: { first-of: [near, far] }',
    'deliver: near, route: [{ when: { from: x }, deliver: far }]',
  ])('of a destination stops the accounts with %s, and no others', async (deliver) => {
    const { accounts, destinations } = await loaded(`
destinations: { far: { type: smtp, host: { env: NOWHERE }, to: a@b.example }, near: { type: maildir, path: /m } }
accounts:
  a: { host: h, user: u, password: p, ${deliver} }
  b: { host: h, user: u, password: p, deliver: near }`)
    expect(accounts.map(({ fault }) => fault)).toEqual([
      expect.stringMatching(
        /^destination far: .*: destinations\.far\.host: the environment variable NOWHERE is not set: export it$/,
      ),
      null,
    ])
    expect([...destinations.keys()]).not.toContain('far')
  })

  test.each([
    'state: { env: NOWHERE }',
    'log: { file: { env: NOWHERE } }',
    'oauth: { g: { provider: google, clientId: { env: NOWHERE } } }',
  ])('stops everything where everything needs it: %s', async (key) => {
    const error = await refusal(loaded(`accounts: { a: { ${ACCOUNT} } }\n${key}`))
    expect(error.message).toContain(
      'found { env: NOWHERE }, a variable that is not set, expected a value: export NOWHERE',
    )
  })
})

describe('a dollar sign', () => {
  test.each(['${HOST}', '$HOST'])('as in %s is replaced nowhere, and the error names what is', async (text) => {
    const error = await refusal(
      loaded(`accounts: { a: { host: "${text}", user: u, password: p, deliver: "maildir:/m" } }`),
    )
    expect(error.message.split('\n').slice(1)).toEqual([
      expect.stringMatching(
        /accounts\.a\.host: found text like \$\{NAME\}, which is not replaced here, expected \{ env: NAME \}, with the name of the variable$/,
      ),
    ])
  })

  test.each([
    ['password: "$HOME"', 'right'],
    ['password: "${HOME}"', 'wrong'],
    ['password: { command: "${HOME}/bin/pass" }', 'right'],
    ['password: { command: "$PROGRAM" }', 'right'],
    ['password: p, user: "$100"', 'right'],
  ])('%s is %s', async (keys, expected) => {
    const user = keys.includes('user') ? '' : 'user: u, '
    const result = await loaded(`accounts: { a: { host: h, ${user}deliver: "maildir:/m", ${keys} } }`).then(
      () => 'right',
      () => 'wrong',
    )
    expect(result).toBe(expected)
  })
})

test('the keys that want a number are known, and no key of that name wants a text', () => {
  const found = new Map<string, Set<string>>()
  const walk = (node: unknown): void => {
    if (typeof node !== 'object' || node === null) return
    const { properties, ...rest } = node as { properties?: Record<string, unknown> }
    for (const [key, inner] of Object.entries(properties ?? {})) {
      const text = JSON.stringify(inner)
      const kinds = found.get(key) ?? new Set()
      if (/"type":"(integer|number)"/.test(text) && !text.includes('"properties":{"type"')) kinds.add('number')
      else kinds.add('other')
      found.set(key, kinds)
      walk(inner)
    }
    for (const inner of Object.values(rest)) walk(inner)
  }
  walk(JSON.parse(JSON.stringify(jsonSchema())))
  const numbers = [...found].filter(([, kinds]) => kinds.has('number')).map(([key]) => key)
  expect(new Set(numbers.filter((key) => !isMapping(key)))).toEqual(NUMBER_KEYS)
})

/** Has keys of its own. */
function isMapping(key: string): boolean {
  return ['accounts', 'destinations', 'defaults', 'oauth', 'deliver', 'daemon', 'state'].includes(key)
}

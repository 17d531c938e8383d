// The keys of accounts and of the top level: defaults, forms, what is refused.
// The keys of destinations are in destinations/, the JSON Schema is in reference/.
import { describe, expect, test } from 'vitest'
import { parseText } from '../../src/config/document.ts'
import { showConfiguration } from '../../src/config/load.ts'
import { Scene } from './scene.ts'

const PIN = 'AB'.repeat(32)
const OTHER_PIN = 'CD'.repeat(32)

describe('an account', () => {
  test('has every key filled in when only the required ones are written', async () => {
    await using scene = await Scene.create()
    expect(await scene.account('')).toEqual({
      name: 'a',
      fault: null,
      enabled: true,
      formerly: [],
      host: 'pop.example.net',
      port: 995,
      tls: 'implicit',
      tlsName: null,
      ca: null,
      pin: null,
      clientCert: null,
      clientKey: null,
      user: 'alice',
      password: { kind: 'env', name: 'PW' },
      token: null,
      auth: 'auto',
      deliver: ['maildir:/mail'],
      route: [],
      delete: { kind: 'never' },
      first: { kind: 'default' },
      limit: null,
      maxSizeBytes: null,
      poll: { minMs: 300_000, maxMs: 300_000 },
      timeoutMs: 60_000,
      pipelining: 'auto',
      proxy: null,
      via: null,
      before: null,
      after: null,
      recipient: null,
    })
  })

  test.each([
    ['tls: implicit', 995],
    ['tls: starttls', 110],
    ['tls: none', 110],
    ['tls: starttls, port: 2110', 2110],
  ])('with %s connects to port %i', async (keys, port) => {
    await using scene = await Scene.create()
    expect((await scene.account(keys)).port).toBe(port)
  })

  test.each([
    ['delete: never', { delete: { kind: 'never' } }],
    ['delete: after-delivery', { delete: { kind: 'after-delivery' } }],
    ['delete: 30d', { delete: { kind: 'age', ageMs: 30 * 86_400_000 } }],
    ['first: all', { first: { kind: 'all' } }],
    ['first: new', { first: { kind: 'new' } }],
    ['first: last:50', { first: { kind: 'last', count: 50 } }],
    ['limit: 10', { limit: 10 }],
    ['maxSize: 50MB', { maxSizeBytes: 50_000_000 }],
    ['timeout: 5m', { timeoutMs: 300_000 }],
    ['poll: 90s', { poll: { minMs: 90_000, maxMs: 90_000 } }],
    ['poll: {min: 1m, max: 30m}', { poll: { minMs: 60_000, maxMs: 1_800_000 } }],
    ['pipelining: off', { pipelining: 'off' }],
    ['auth: user', { auth: 'user' }],
    ['ca: ca.pem', { ca: '/ca.pem' }],
    [`pin: "${PIN.match(/../g)?.join(':')}"`, { pin: [PIN.toLowerCase()] }],
    [`pin: ${PIN}`, { pin: [PIN.toLowerCase()] }],
    [`pin: [${PIN}]`, { pin: [PIN.toLowerCase()] }],
    [
      `pin: ["${OTHER_PIN.match(/../g)?.join(':')}", ${PIN}, ${PIN.toLowerCase()}]`,
      { pin: [OTHER_PIN.toLowerCase(), PIN.toLowerCase()] },
    ],
    ['clientCert: c.pem, clientKey: ~/k.pem', { clientCert: '/c.pem', clientKey: '/home/k.pem' }],
  ])('takes %s', async (keys, expected) => {
    await using scene = await Scene.create()
    const account: object = JSON.parse(JSON.stringify(await scene.account(keys)).replaceAll(scene.directory, ''))
    expect(account).toMatchObject(expected)
  })

  test.each([
    'port: 0',
    'port: 65536',
    'port: 995.5',
    'port: "995"',
    'port: 0995',
    'tls: false',
    'pin: abcd',
    `pin: ${PIN}00`,
    'pin: []',
    'pin: [[]]',
    `pin: [${PIN}, abcd]`,
    `pin: [${PIN}, ${PIN}00]`,
    `pin: { old: ${PIN} }`,
    `tls: none, pin: [${PIN}]`,
    'delete: 30',
    'delete: 0d',
    'delete: yes',
    'first: last:0',
    'first: last:-1',
    'first: last',
    'limit: 0',
    'limit: 1.5',
    'maxSize: 50',
    'maxSize: 50 MB',
    'timeout: 60',
    'timeout: 0s',
    'timeout: 25h',
    'pipelining: on',
    'auth: ntlm',
    'ca: ~bob/ca.pem',
    'ca: ""',
    'ca: null',
    'clientCert: c.pem',
    'clientKey: k.pem',
    'tls: none, ca: ca.pem',
    `tls: none, pin: ${PIN}`,
    '__proto__: {tls: none}',
    'constructor: 1',
  ])('with %s is refused, and that alone is reported', async (keys) => {
    await using scene = await Scene.create()
    await expect(scene.account(keys)).rejects.toMatchObject({ code: 'ERR_CONFIG', retry: 'never', scope: 'process' })
    await expect(scene.account(keys)).rejects.toThrow(/: 1 problem;/)
  })

  test.each([
    ['user', 'al\\rice'],
    ['user', 'al\\nice'],
    ['user', 'al\\0ice'],
    ['user', ''],
    ['password', 'x\\r\\nDELE 1'],
    ['password', 'x\\0'],
    ['password', ''],
    ['host', 'pop\\r\\n.example.net'],
  ])('whose %s is "%s" is refused (P073)', async (key, value) => {
    await using scene = await Scene.create()
    const keys = { host: '"h"', user: '"u"', password: '"p"', deliver: '"maildir:/m"', [key]: `"${value}"` }
    const written = Object.entries(keys).map(([name, text]) => `${name}: ${text}`)
    expect(await scene.problems(`accounts: {a: {${written.join(', ')}}}`)).toEqual([
      expect.stringContaining(`accounts.a.${key}: found `),
    ])
  })

  test.each(['check', 'status', 'version', '-x', '.', '..', 'a b', 'a/b', 'é', '__proto__ '])(
    'cannot be called %s',
    async (name) => {
      await using scene = await Scene.create()
      const [problem, ...more] = await scene.problems(
        `accounts: {${JSON.stringify(name)}: {host: h, user: u, password: {env: P}, deliver: "maildir:/m"}}`,
      )
      expect(problem).toMatch(/found the name .*, expected /)
      expect(more).toEqual([])
    },
  )

  test.each(['a', 'old-isp', 'A.b_c-1', '2024', '_x', '.x', 'checks'])('can be called %s', async (name) => {
    await using scene = await Scene.create()
    const { accounts } = await scene.load(
      `accounts: {${name}: {host: h, user: u, password: {env: P}, deliver: "maildir:/m"}}`,
    )
    expect(accounts.map((account) => account.name)).toEqual([name])
  })

  test('needs a host, a user, a password and a destination', async () => {
    await using scene = await Scene.create()
    expect(await scene.problems('accounts: {a: {}}')).toEqual([
      '1: accounts.a.host: missing (expected a host name or an IP address)',
      '1: accounts.a.user: missing (expected a user name)',
      expect.stringContaining('1: accounts.a.deliver: missing (expected the name of a destination'),
      '1: accounts.a.password: missing (expected a password, or a token)',
    ])
  })

  test('takes what it does not say from defaults, key by key and whole', async () => {
    await using scene = await Scene.create()
    const { accounts } = await scene.load(`
defaults: { tls: starttls, delete: 30d, password: { env: A }, deliver: "maildir:/m", user: u }
accounts:
  a: { host: a }
  b: { host: b, delete: never, password: { file: secret }, tls: implicit }
`)
    expect(accounts).toMatchObject([
      { port: 110, tls: 'starttls', delete: { kind: 'age' }, password: { kind: 'env' }, deliver: ['maildir:/m'] },
      { port: 995, tls: 'implicit', delete: { kind: 'never' }, password: { kind: 'file', path: scene.path('secret') } },
    ])
  })
})

test('the top level has its defaults', async () => {
  await using scene = await Scene.create()
  const configuration = await scene.load('accounts: {a: {host: h, user: u, password: {env: P}, deliver: "maildir:/m"}}')
  expect(configuration).toMatchObject({
    file: scene.path('config.yaml'),
    statePath: scene.path('home/.local/state/popfetch/state.db'),
    concurrency: 64,
    perHost: null,
    daemon: { http: null, machine: null, onProblem: null, alertAfterMs: 21_600_000 },
    log: { file: null, level: 'info', format: null },
    warnings: [],
  })
})

test('a single pin is shown as it is written, and several as a list', async () => {
  await using scene = await Scene.create()
  const pins = `pin: [${PIN}, ${OTHER_PIN}]`
  const server = 'host: h, user: u, password: {env: P}'
  const configuration = await scene.load(`
accounts: {a: {${server}, pin: ${PIN}, deliver: [s, i]}}
destinations:
  s: {type: smtp, to: [a@b.example], ${server}, ${pins}}
  i: {type: imap, ${server}, pin: [${PIN}]}
`)
  const shown: unknown = parseText(showConfiguration(configuration)).root
  expect(shown).toMatchObject({
    accounts: { a: { pin: PIN.toLowerCase() } },
    destinations: { s: { pin: [PIN.toLowerCase(), OTHER_PIN.toLowerCase()] }, i: { pin: PIN.toLowerCase() } },
  })
})

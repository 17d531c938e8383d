// The keys of accounts and destinations: defaults, forms, and what does not go together (DESIGN 3).
import { describe, expect, test } from 'vitest'
import { jsonSchema } from '../../src/config/schema.ts'
import { Scene } from './scene.ts'

const PIN = 'AB'.repeat(32)

describe('an account', () => {
  test('has every key filled in when only the required ones are written', async () => {
    await using scene = await Scene.create()
    expect(await scene.account('')).toEqual({
      name: 'a',
      host: 'pop.example.net',
      port: 995,
      tls: 'implicit',
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
    [`pin: "${PIN.match(/../g)?.join(':')}"`, { pin: PIN.toLowerCase() }],
    [`pin: ${PIN}`, { pin: PIN.toLowerCase() }],
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
      '1: accounts.a.host: found nothing, expected a host name or an IP address',
      '1: accounts.a.user: found nothing, expected a user name',
      expect.stringContaining('1: accounts.a.deliver: found nothing, expected the name of a destination'),
      '1: accounts.a.password: found nothing, expected a password, or a token',
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

describe('a maildir', () => {
  test('has every key filled in when only the path is written', async () => {
    await using scene = await Scene.create()
    expect(await scene.destination('type: maildir, path: Mail')).toEqual({
      name: 'd',
      type: 'maildir',
      path: scene.path('Mail'),
      create: true,
      lineEndings: 'lf',
      mode: 0o600,
      date: 'received',
      trace: true,
      label: false,
    })
  })

  test.each([
    ['path: ~/Mail', { path: 'home/Mail' }],
    ['path: "m/{account}"', { path: 'm/{account}' }],
    ['create: false', { create: false }],
    ['lineEndings: crlf', { lineEndings: 'crlf' }],
    ['mode: 0640', { mode: 0o640 }],
    ['mode: 0o640', { mode: 0o640 }],
    ['mode: "0660"', { mode: 0o660 }],
    ['date: now', { date: 'now' }],
    ['trace: false, label: true', { trace: false, label: true }],
  ])('takes %s', async (keys, expected) => {
    await using scene = await Scene.create()
    const written = keys.includes('path:') ? keys : `path: m, ${keys}`
    const config = await scene.destination(`type: maildir, ${written}`)
    expect({ ...config, path: 'path' in config ? config.path.replace(`${scene.directory}/`, '') : '' }).toMatchObject(
      expected,
    )
  })

  test.each([
    'mode: 640',
    'mode: 0777',
    'mode: 0666',
    'mode: 0400',
    'mode: 04600',
    'create: yes',
    'path: "{acount}"',
    'host: h',
  ])('with %s is refused', async (keys) => {
    await using scene = await Scene.create()
    const written = keys.includes('path:') ? keys : `path: m, ${keys}`
    await expect(scene.destination(`type: maildir, ${written}`)).rejects.toThrow(/: 1 problem;/)
  })
})

describe('an LMTP server', () => {
  test('at a socket has every key filled in', async () => {
    await using scene = await Scene.create()
    expect(await scene.destination('type: lmtp, socket: /run/lmtp, to: alice')).toEqual({
      name: 'd',
      type: 'lmtp',
      host: null,
      port: null,
      socketPath: '/run/lmtp',
      tls: 'none',
      ca: null,
      pin: null,
      user: null,
      password: null,
      token: null,
      auth: 'auto',
      to: ['alice'],
      from: { kind: 'original' },
      concurrency: 4,
      timeoutMs: null,
      bareNewlines: 'fix',
      wrap: 'never',
      trace: true,
      label: false,
    })
  })

  test.each([
    ['host: localhost', 24],
    ['host: 127.0.0.1, port: 2424', 2424],
    ['host: "::1"', 24],
  ])('with %s is spoken to at port %i', async (keys, port) => {
    await using scene = await Scene.create()
    expect(await scene.destination(`type: lmtp, to: "{account}@c.example", ${keys}`)).toMatchObject({
      port,
      tls: 'none',
    })
  })

  test.each([
    'to: alice',
    'host: mx.example.net, to: alice',
    'host: 192.0.2.1, to: alice',
    'host: localhost, port: 25, to: alice',
    'host: localhost, socket: /run/lmtp, to: alice',
    'port: 24, socket: /run/lmtp, to: alice',
    'socket: /run/lmtp, tls: starttls, to: alice',
    'socket: /run/lmtp, to: "al ice"',
    'socket: /run/lmtp, to: "{acount}"',
    'socket: /run/lmtp',
  ])('with %s is refused (D081)', async (keys) => {
    await using scene = await Scene.create()
    await expect(scene.destination(`type: lmtp, ${keys}`)).rejects.toMatchObject({ code: 'ERR_CONFIG' })
  })
})

describe('an SMTP server', () => {
  test('has every key filled in when only host and recipient are written', async () => {
    await using scene = await Scene.create()
    expect(await scene.destination('type: smtp, host: mx.example.net, to: b@c.example')).toEqual({
      name: 'd',
      type: 'smtp',
      host: 'mx.example.net',
      port: 587,
      tls: 'starttls',
      ca: null,
      pin: null,
      user: null,
      password: null,
      token: null,
      auth: 'auto',
      to: ['b@c.example'],
      from: { kind: 'address', address: 'b@c.example' },
      concurrency: 4,
      timeoutMs: null,
      bareNewlines: 'fix',
      wrap: 'never',
      trace: true,
      label: false,
    })
  })

  test.each([
    ['host: mx.example.net', 'starttls', 587],
    ['host: mx.example.net, tls: implicit', 'implicit', 465],
    ['host: mx.example.net, tls: none', 'none', 25],
    ['host: localhost', 'none', 25],
    ['host: 127.1.2.3', 'none', 25],
    ['host: "::1"', 'none', 25],
    ['host: "[::1]"', 'none', 25],
    ['host: localhost, tls: starttls', 'starttls', 587],
    ['host: localhost, port: 2525', 'none', 2525],
  ])('with %s is spoken to with tls %s at port %i', async (keys, tls, port) => {
    await using scene = await Scene.create()
    expect(await scene.destination(`type: smtp, to: b@c.example, ${keys}`)).toMatchObject({ tls, port })
  })

  test.each([
    ['host: localhost', { kind: 'original' }],
    ['host: h', { kind: 'address', address: 'b@c.example' }],
    ['host: h, user: u@d.example, password: {env: P}', { kind: 'address', address: 'u@d.example' }],
    ['host: h, user: u, password: {env: P}', { kind: 'address', address: 'b@c.example' }],
    ['host: h, from: original', { kind: 'original' }],
    ['host: h, from: null', { kind: 'null' }],
    ['host: h, from: "null"', { kind: 'null' }],
    ['host: localhost, from: x@y.example', { kind: 'address', address: 'x@y.example' }],
    ['host: h, from: jörg@müller.example', { kind: 'address', address: 'jörg@xn--mller-kva.example' }],
  ])('with %s has the envelope sender %j', async (keys, from) => {
    await using scene = await Scene.create()
    expect(await scene.destination(`type: smtp, to: b@c.example, ${keys}`)).toMatchObject({ from })
  })

  test.each([
    'host: h',
    'host: h, to: []',
    'host: h, to: bob',
    'host: h, to: "@a.example:b@c.example"',
    'host: h, to: "<b@c.example>"',
    'host: h, to: "b@c.example\\r\\nRCPT TO:<x@y.example>"',
    'host: h, to: "{acount}@c.example"',
    'host: h, to: [b@c.example, b@c.example]',
    'host: h, to: b@c.example, from: nobody',
    'host: h, to: b@c.example, user: u',
    'host: h, to: b@c.example, password: {env: P}',
    'host: h, to: b@c.example, auth: plain',
    'host: h, to: b@c.example, user: u, password: {env: P}, tls: none',
    'host: localhost, to: b@c.example, pin: "aa"',
    'host: h, to: b@c.example, concurrency: 0',
    'host: h, to: b@c.example, concurrency: 51',
    'host: h, to: b@c.example, timeout: 5',
    'host: h, to: b@c.example, path: p',
    'host: h, to: b@c.example, bareNewlines: keep',
    'host: h, to: b@c.example, wrap: always',
    'host: h, to: b@c.example, socket: /run/s',
    'host: h, to: b@c.example, token: {env: T}',
    'host: h, to: b@c.example, user: u, password: {env: P}, token: {env: T}',
    'host: h, to: b@c.example, user: u, password: {env: P}, auth: xoauth2',
    'host: h, to: b@c.example, user: u, token: {env: T}, auth: plain',
    'host: h, to: b@c.example, user: u, token: {env: T}, tls: none',
    'host: h, to: "b @c.example"',
    'host: h, to: "b\u200e@c.example"',
  ])('with %s is refused', async (keys) => {
    await using scene = await Scene.create()
    await expect(scene.destination(`type: smtp, ${keys}`)).rejects.toMatchObject({ code: 'ERR_CONFIG' })
  })

  test('signs in with xoauth2 where a token is given', async () => {
    await using scene = await Scene.create()
    const config = await scene.destination('type: smtp, host: h, to: b@c.example, user: u, token: {command: t}')
    expect(config).toMatchObject({ auth: 'xoauth2', token: { kind: 'command' }, password: null })
  })

  test('takes addresses beyond ASCII, their domain as servers know it', async () => {
    await using scene = await Scene.create()
    const config = await scene.destination('type: smtp, host: h, to: ["爱丽丝@müller.example", "{account}@c.example"]')
    expect(config).toMatchObject({ to: ['爱丽丝@xn--mller-kva.example', '{account}@c.example'] })
  })

  test('takes a password without TLS on this machine itself', async () => {
    await using scene = await Scene.create()
    const config = await scene.destination('type: smtp, host: 127.0.0.1, to: b@c.example, user: u, password: {env: P}')
    expect(config).toMatchObject({ tls: 'none', user: 'u' })
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
    daemon: { metrics: null, onProblem: null, alertAfterMs: 21_600_000 },
    log: { file: null, level: 'info' },
    warnings: [],
  })
})

test('the JSON Schema knows the keys, requires nothing that defaults may give, and leaves x- keys to the user', () => {
  const schema = JSON.parse(JSON.stringify(jsonSchema()))
  expect(Object.keys(schema.properties)).toContain('defaults')
  expect(schema.patternProperties).toEqual({ '^x-': true })
  const account = schema.properties.accounts.additionalProperties
  expect(account.required).toBeUndefined()
  expect(account.additionalProperties).toBe(false)
  expect(account.properties.timeout).toMatchObject({ type: 'string', default: '60s' })
  expect(account.properties.delete).toMatchObject({ default: 'never' })
  expect(account.properties.tls.enum).toEqual(['implicit', 'starttls', 'none'])
})

test('the JSON Schema says of every key what it is', () => {
  const schema = JSON.parse(JSON.stringify(jsonSchema()))
  const mappings = [
    schema.properties.accounts.additionalProperties,
    ...schema.properties.destinations.additionalProperties.oneOf,
  ]
  const silent = mappings.flatMap(({ properties }) =>
    Object.entries<{ description?: string }>(properties).filter(
      ([key, { description }]) => key !== 'type' && !description,
    ),
  )
  expect(silent).toEqual([])
})

describe('a command', () => {
  test('has every key filled in when only run is written', async () => {
    await using scene = await Scene.create()
    expect(await scene.destination('type: command, run: [maildrop]')).toEqual({
      name: 'd',
      type: 'command',
      run: ['maildrop'],
      timeoutMs: 300_000,
      concurrency: 1,
      trace: true,
      label: false,
    })
  })
})

describe('an mbox', () => {
  test('has every key filled in when only path is written', async () => {
    await using scene = await Scene.create()
    expect(await scene.destination('type: mbox, path: "in/{account}"')).toEqual({
      name: 'd',
      type: 'mbox',
      path: scene.path('in/{account}'),
      trace: true,
      label: false,
    })
  })
})

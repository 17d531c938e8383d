// What a wrong configuration is answered with: everything at once, with file, line, path, what was found and expected.
import { describe, expect, test } from 'vitest'
import { ACCOUNT, refusal, Scene } from './scene.ts'

test('all problems of a file are in one report, in the order of its lines', async () => {
  await using scene = await Scene.create()
  const error = await refusal(
    scene.load(`
concurency: 3
defaults:
  timeout: 60
accounts:
  old-isp:
    host: pop example net
    user: 12345
    pasword: hunter2
    deliver: [inbos, inbox, inbox]
  check:
    ${ACCOUNT.replaceAll(', ', '\n    ').replace('{ env: PW }', '[hunter2]')}
    limit: many
destinations:
  inbox: { type: maildir, path: m, mode: 0777 }
  relay: { type: smtp, host: h, tls: none, user: u, password: hunter2 }
  odd: { type: pigeon }
`),
  )
  const file = scene.path('config.yaml')
  expect(error.message.split('\n')).toEqual([
    `reading the configuration ${file}: 15 problems; nothing was done:`,
    `${file}:2: concurency: found an unknown key, expected a known key: did you mean concurrency?`,
    `${file}:4: defaults.timeout: found 60, expected a duration from 1s to 1d such as 90s, 5m, 12h`,
    `${file}:6: accounts.old-isp.password: missing (expected a password, or a token)`,
    `${file}:7: accounts.old-isp.host: found "pop example net", expected a host name or an IP address`,
    `${file}:8: accounts.old-isp.user: found 12345, expected a user name, as text in quotes`,
    `${file}:9: accounts.old-isp.pasword: found an unknown key, expected a known key: did you mean password?`,
    `${file}:10: accounts.old-isp.deliver[0]: found "inbos", expected the name of a destination or a URL: did you mean inbox?`,
    `${file}:10: accounts.old-isp.deliver[2]: found "inbox" again, expected every destination once`,
    `${file}:11: accounts.check: found the name check, expected another one: this is the name of a popfetch command`,
    `${file}:14: accounts.check.password: found a list, expected text, { env: NAME }, { file: PATH }, { command: COMMAND }, { credential: NAME } or { keyring: NAME }`,
    `${file}:16: accounts.check.limit: found "many", expected a whole number from 1 to 1000000000`,
    `${file}:18: destinations.inbox.mode: found "0777", expected a file mode of four octal digits such as 0600, 0640 or 0660`,
    `${file}:19: destinations.relay.to: missing (expected a mail address or a list of them)`,
    `${file}:19: destinations.relay.tls: found "none", expected starttls or implicit: a password goes without TLS only to this machine itself`,
    expect.stringContaining(`${file}:20: destinations.odd.type: found "pigeon", expected one of maildir, smtp, `),
  ])
})

test('a problem of a key from defaults is reported there, once, however many accounts have it', async () => {
  await using scene = await Scene.create()
  expect(
    await scene.problems(`
defaults: { tls: maybe, deliver: nowhere }
accounts:
  a: { host: h, user: u, password: { env: P } }
  b: { host: h, user: u, password: { env: P } }
`),
  ).toEqual([
    '2: defaults.tls: found "maybe", expected one of implicit, starttls, none',
    '2: defaults.deliver: found "nowhere", expected the name of a destination or a URL: none has a name',
  ])
})

describe('a key that looks like the key of a secret with its value is cut behind the key', () => {
  test.each([
    '{ user: bob, password:hunter2 }',
    '{ user: bob, password=hunter2 }',
    '{ user: bob, passwordhunter2 }',
    '{ user: bob, "password hunter2" }',
    '{ user: bob, pasword:hunter2 }',
    '{ user: bob, Passwort:hunter2: x }',
    '{ user: bob, token:hunter2: { a: b } }',
    '{ user: bob, host: "h password: hunter2" }',
    '{ user: bob, host: "h token=hunter2" }',
    '[ user: bob, password:hunter2 ]',
    '[ "password: hunter2" ]',
    '"password: hunter2"',
    '{ user: bob, deliver: [ password:hunter2 ] }',
    '{ user: bob, password: { text: hunter2 } }',
    '{ user: bob, password: { env: "hunter2 x" } }',
    '{ user: bob, password: { hunter2: { hunter2: hunter2 } } }',
    '{ user: bob, password: hunter2, password: hunter2 }',
    '{ user: bob, password: &hunter2 hunter2, token: *hunter3 }',
    '{ user: bob, password: !hunter2 hunter2 }',
    '{ user: bob, password: "hunter2 }',
    '{ user: bob, proxy: "socks5://bob:hunter2@proxy" }',
    '{ user: bob, deliver: "smtp://bob:hunter2@host?to=a@b" }',
    '{ user: bob, smtp://bob:hunter2@host: x }',
  ])('%s', async (account) => {
    await using scene = await Scene.create()
    for (const text of [
      `accounts: { a: ${account} }`,
      `defaults: ${account}`,
      `destinations: { a: ${account} }`,
      account,
    ]) {
      const error = await refusal(scene.load(text))
      expect(error.message).not.toMatch(/hunter2/i)
      expect(String(error.cause)).not.toMatch(/hunter2/i)
    }
  })

  test('but the name of an account may begin like one', async () => {
    await using scene = await Scene.create()
    const [problem] = await scene.problems('accounts: { secretary: { hots: h } }')
    expect(problem).toContain('accounts.secretary.')
  })
})

describe('a value under the key of a secret is named by its type only', () => {
  test.each([
    ['password: 12345678', 'a number without quotes'],
    ['password: true', 'a boolean without quotes'],
    ['password: [hunter2]', 'a list'],
    ['password: {hunter2: }', 'a mapping'],
    ['password: {env: "hunter2 x"}', 'a mapping'],
    ['password: {command: {run: hunter2}}', 'a mapping'],
    ['password: "hunter2\\n"', 'text'],
  ])('%s', async (password, found) => {
    await using scene = await Scene.create()
    const [problem, ...more] = await scene.problems(
      `accounts: {a: {${ACCOUNT.replace(/password: \{.*?\}/, password)}}}`,
    )
    expect(problem).toContain(`accounts.a.password: found ${found}, expected `)
    expect(problem).not.toMatch(/hunter2|12345678/)
    expect(more).toEqual([])
  })

  test.each([
    'smtp://u:hunter2@h?to=a@b.c',
    'smtps://u:hunter2@h:465?to=a@b.c',
    'smtp://u:hunter@2@h?to=a@b.c',
    'smtp://u:hunter2?@h?to=a@b.c',
    'pop3s://u:hunter2@h',
  ])('and so is the password in %s', async (url) => {
    await using scene = await Scene.create()
    const problems = await scene.problems(`accounts: {a: {${ACCOUNT.replace('maildir:/mail', url)}}}`)
    expect(problems).toHaveLength(1)
    expect(problems.join()).not.toContain('hunter')
  })

  test.each([
    'password: *hunter2',
    'password: !hunter2 x',
    'password: @hunter2',
    'password: %hunter2',
    'password: |hunter2',
    'password: "\\hunter2"',
    'password: hunter2: x',
    'password: "hunter2',
    '{password: hunter2',
    'password: &hunter2 &hunter2 x',
    'password: hunter2\n\thunter2',
    'password: `hunter2`',
    'accounts: {a: {password: {hunter2: , hunter2: }}}',
    '%hunter2\n---\nx: y',
    'hunter2',
    '- password: hunter2',
  ])('YAML that cannot be read does not quote it either: %j', async (text) => {
    await using scene = await Scene.create()
    const problems = await scene.problems(text)
    expect(problems.length).toBeGreaterThan(0)
    expect(problems.join().replace('found "hunter2", expected a mapping', '')).not.toContain('hunter2')
  })
})

describe('YAML', () => {
  test('a duplicate key is a problem, beside the others', async () => {
    await using scene = await Scene.create()
    expect(
      await scene.problems(`
accounts:
  a:
    host: h
    host: i
    user: u
    password: { env: P }
    deliver: maildir:/m
    tls: 1
`),
    ).toEqual([
      '5: accounts.a.host: found the same key again, expected every key once',
      '9: accounts.a.tls: found 1, expected one of implicit, starttls, none',
    ])
  })

  test('a duplicate key is found in a flow mapping, in other quotes, behind an empty value and of two merges', async () => {
    await using scene = await Scene.create()
    const text = `
x-one: {"a": 1, 'a': 2}
x-two:
  b:
  "b": 1
  <<: {b: 2}
  <<: {b: 3}
`
    const problems = await scene.problems(text)
    expect(problems.filter((problem) => problem.includes('the same key again'))).toEqual([
      '2: x-one.a: found the same key again, expected every key once',
      '5: x-two.b: found the same key again, expected every key once',
      '7: x-two.<<: found the same key again, expected every key once',
    ])
  })

  test('a problem of a key that two merged mappings have is reported where it counts', async () => {
    await using scene = await Scene.create()
    const text = `
x-one: &one { user: 7 }
x-two: &two { user: u }
accounts:
  a: { <<: [*one, *two], host: a, password: { env: P }, deliver: maildir:/m }
`
    expect(await scene.problems(text)).toEqual(['2: accounts.a.user: found 7, expected a user name, as text in quotes'])
  })

  test.each([
    ['accounts:\n\ta: {}', '2: found a tab as indentation, expected spaces'],
    ['accounts: !js x', '1: accounts: found a word with "!" in front, expected quotes around it'],
    ['accounts:\n  a: {host: *h}', /^2: accounts.a.host: found a word with "\*" in front, expected /],
    [`accounts: {}\n---\naccounts: {}`, /^2: found a second document, expected one/],
    ['accounts: {? [a] : b}', /^1: found a key that is not text/],
    ['accounts: {a: {', /^1: .*found text that is not valid YAML/],
  ])('%j is refused with its line', async (text, expected) => {
    await using scene = await Scene.create()
    const [first] = await scene.problems(text)
    if (typeof expected === 'string') expect(first).toBe(expected)
    else expect(first).toMatch(expected)
  })

  test('1.2: no, off and yes are text, and text with a leading zero stays as it is written (N025)', async () => {
    await using scene = await Scene.create()
    const { accounts } = await scene.load(`%YAML 1.1
---
accounts:
  no: { host: off.example, user: 0123, password: 007, deliver: "maildir:/m", pipelining: off }
`)
    const [account] = accounts
    expect(account).toMatchObject({ name: 'no', host: 'off.example', user: '0123', pipelining: 'off' })
    expect(account?.password?.kind === 'text' && account.password.reveal()).toBe('007')
  })

  test('anchors and merge keys work, and x- keys may hold them; a problem in one is reported where it stands', async () => {
    await using scene = await Scene.create()
    const text = `
x-common: &common
  user: u
  password: { env: P }
  deliver: maildir:/m
accounts:
  a: { <<: *common, host: a }
  b:
    <<: *common
    host: b
`
    expect((await scene.load(text)).accounts).toMatchObject([{ user: 'u' }, { host: 'b' }])
    expect(await scene.problems(text.replace('user: u', 'user: 7'))).toEqual([
      '3: accounts.a.user: found 7, expected a user name, as text in quotes',
      '3: accounts.b.user: found 7, expected a user name, as text in quotes',
    ])
  })

  test('an anchor may be used by hundreds of accounts', async () => {
    await using scene = await Scene.create()
    const names = Array.from(
      { length: 300 },
      (_, index) => `  a${index}: { host: h, user: u, password: *p, deliver: *d }\n`,
    )
    const text = `x-p: &p { env: P }\nx-d: &d [maildir:/m]\naccounts:\n${names.join('')}`
    expect((await scene.load(text)).accounts).toHaveLength(300)
  })

  test('a text that unfolds without end is refused, not unfolded', async () => {
    await using scene = await Scene.create()
    const levels = Array.from({ length: 12 }, (_, level) => {
      const inner = Array.from({ length: 10 }, (_, key) => `k${key}: ${level === 0 ? 1 : `*l${level - 1}`}`)
      return `x-${level}: &l${level} {${inner.join(', ')}}`
    })
    await expect(scene.load(levels.join('\n'))).rejects.toMatchObject({ code: 'ERR_CONFIG' })
  })

  test('control characters from the file reach nobody unescaped', async () => {
    await using scene = await Scene.create()
    const text = 'accounts: {"a\\e[31m": {host: "\\e[31m", "k\\e": 1}}'
    expect((await scene.problems(text)).join('\n')).not.toContain('\u001b')
  })

  test('of very many problems the first hundred are shown', async () => {
    await using scene = await Scene.create()
    const problems = await scene.problems(`${Array.from({ length: 150 }, (_, i) => `key${i}: 1`).join('\n')}\n`)
    expect(problems).toHaveLength(101)
    expect(problems.at(-1)).toBe('and 51 more')
  })
})

test('mail that goes unencrypted over a network is a warning, over loopback it is not', async () => {
  await using scene = await Scene.create()
  const { warnings } = await scene.load(`
accounts:
  a: { host: pop.example.net, tls: none, user: u, password: { env: P }, deliver: out }
  b: { host: 127.0.0.1, tls: none, user: u, password: { env: P }, deliver: "smtp://localhost?to=a@b.c" }
destinations:
  out: { type: smtp, host: mx.example.net, tls: none, to: a@b.c }
`)
  expect(warnings).toEqual([
    expect.stringMatching(/^account a: .*pop\.example\.net unencrypted/),
    expect.stringMatching(/^destination out: .*mx\.example\.net unencrypted/),
  ])
})

test.each([
  ['a provider’s servers', 'pop.gmail.com', 'pop.googlemail.com', 'alice@gmail.com', true],
  ['hosts of one domain, and a whole address', 'pop.example.net', 'mail.example.net', 'alice@example.net', true],
  ['hosts of one domain, and a bare name', 'pop.example.net', 'mail.example.net', 'alice', false],
  ['hosts of two domains', 'pop.example.co.uk', 'pop.sample.co.uk', 'info@example.net', false],
])('one mailbox under two host names is told: %s (N047)', async (_, one, other, user, isOne) => {
  await using scene = await Scene.create()
  const { warnings } = await scene.load(`
accounts:
  mine: { host: ${one}, user: ${user}, password: { env: P }, deliver: maildir:a }
  alias: { host: ${other}, user: ${user}, password: { env: P }, deliver: maildir:b }
`)
  const text = `accounts mine and alias poll the same mailbox (${user} at ${one} and ${other}, port 995): `
  expect(warnings.filter((warning) => warning.startsWith(text))).toHaveLength(isOne ? 1 : 0)
})

test('a secret that looks like a variable of a shell is refused, and told how to name it (N045)', async () => {
  await using scene = await Scene.create()
  const wrong = scene.load(`
accounts:
  mine: { host: pop.example.net, user: alice, password: "\${POP_PASSWORD}", deliver: out }
destinations:
  out: { type: smtp, host: mx.example.net, user: alice, password: "\${SMTP_PASSWORD}", to: a@example.net }
`)
  await expect(wrong).rejects.toThrow(/accounts\.mine\.password: found .*, expected \{ env: NAME \}/)
  await expect(wrong).rejects.toThrow(/destinations\.out\.password: found .*, expected \{ env: NAME \}/)
  await expect(wrong).rejects.not.toThrow('POP_PASSWORD')
})

test('two accounts of one mailbox are warned of, by their names (P152)', async () => {
  await using scene = await Scene.create()
  const { warnings } = await scene.load(`
accounts:
  mine: { host: pop.example.net, user: alice, password: { env: P }, deliver: maildir:a }
  alias: { host: pop.example.net, user: alice, password: { env: P }, deliver: maildir:b }
  hers: { host: pop.example.net, user: bob, password: { env: P }, deliver: maildir:b }
`)
  expect(warnings).toEqual([
    expect.stringMatching(/^accounts mine and alias poll the same mailbox \(alice at pop\.example\.net, port 995\): /),
  ])
})

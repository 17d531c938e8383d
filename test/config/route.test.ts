// Where an account delivers to: names, destinations written in place, URLs, and lists of these.
import { describe, expect, test } from 'vitest'
import { showConfiguration } from '../../src/config/load.ts'
import { Scene } from './scene.ts'

function text(deliver: string, destinations = '{}'): string {
  return `accounts:\n  a: { host: h, user: u, password: { env: P }, deliver: ${deliver} }\ndestinations: ${destinations}\n`
}

test('a name, a URL and a destination written in place become names, in their order', async () => {
  await using scene = await Scene.create()
  const { accounts, destinations } = await scene.load(
    text(
      '[inbox, "maildir:Mail/{account}", { type: smtp, host: mx.example.net, to: b@c.example, user: a, password: { env: P } }]',
      '{ inbox: { type: maildir, path: in } }',
    ),
  )
  const names = ['inbox', `maildir:${scene.path('Mail/{account}')}`, 'smtp://a@mx.example.net:587?to=b@c.example']
  expect(accounts[0]?.deliver).toEqual(names)
  expect([...destinations.keys()]).toEqual(names)
  expect([...destinations.values()].map(({ name }) => name)).toEqual(names)
})

test('a URL has the same defaults as the keys it stands for', async () => {
  await using scene = await Scene.create()
  const { destinations } = await scene.load(text('["smtp://localhost?to=a@b.c", { type: maildir, path: /m }]'))
  expect(destinations.get('smtp://localhost:25?to=a@b.c')).toMatchObject({
    tls: 'none',
    from: { kind: 'original' },
    trace: true,
  })
  expect(destinations.get('maildir:/m')).toMatchObject({ mode: 0o600, create: true })
})

test('a configured name is that destination even when it could be something else', async () => {
  await using scene = await Scene.create()
  const { accounts } = await scene.load(text('maildir', '{ maildir: { type: maildir, path: in } }'))
  expect(accounts[0]?.deliver).toEqual(['maildir'])
})

test('the same destination written in place by two accounts is one', async () => {
  await using scene = await Scene.create()
  const { destinations } = await scene.load(`
defaults: { user: u, password: { env: P }, deliver: { type: maildir, path: /m } }
accounts: { a: { host: a }, b: { host: b }, c: { host: c, deliver: "maildir:/m" } }
`)
  expect(destinations.size).toBe(1)
})

test.each(['label: true', 'user: u, password: hunter2', 'user: u, password: { env: Q }'])(
  'two that differ only in keys their URL does not show (%s) need names of their own',
  async (keys) => {
    await using scene = await Scene.create()
    const first = '{ type: smtp, host: localhost, to: a@b.c, user: u, password: hunter3 }'
    const second = `{ type: smtp, host: localhost, to: a@b.c, ${keys.includes('user') ? keys : `user: u, password: hunter3, ${keys}`} }`
    const problems = await scene.problems(text(`[${first}, ${second}]`))
    expect(problems).toEqual([
      '2: accounts.a.deliver[1]: found a second "smtp://u@localhost:25?to=a@b.c" with other keys, expected both under destinations, each with a name',
    ])
  },
)

test.each([
  ['inbos', 'found "inbos", expected the name of a destination or a URL: did you mean inbox?'],
  ['elsewhere', 'found "elsewhere", expected the name of a destination or a URL: the names are inbox'],
  ['~/Mail', 'found "~/Mail", expected the name of a destination or a URL: for a Maildir write maildir:PATH'],
  ['[]', 'found an empty list, expected at least one destination'],
  ['[inbox, inbox]', 'found "inbox" again, expected every destination once'],
  ['["maildir:/m", {type: maildir, path: /m}]', 'found "maildir:/m" again, expected every destination once'],
  ['"gopher://h"', 'found "gopher://h", expected maildir:PATH, mbox:PATH, '],
  ['"mbox://Mail"', 'found "mbox://Mail", expected mbox:PATH without slashes in front'],
  ['"smtp://h"', 'found "smtp://h", expected a recipient: ?to=ADDRESS'],
  ['"smtp://h?to=nobody"', 'found "smtp://h?to=nobody", expected as its to[0] a plain mail address'],
  [
    '"smtp://u@h?to=a@b.c"',
    'expected as its user a password with it, or a token: write this destination under destinations',
  ],
  ['"smtp://h?to=a@b.c&to=a@b.c"', 'expected as its to every address once'],
  ['{ type: maildir }', 'missing (expected a path'],
  ['{ type: smtp, host: h, to: a@b.c, user: u }', 'found "u", expected a password with it'],
  ['{ path: m }', 'missing (expected one of maildir, smtp, '],
  ['{ type: command, run: maildrop }', 'found "maildrop", expected a list of words: the program, then its arguments'],
  ['{ type: command, run: [] }', 'run[0]: missing (expected a list of words'],
  ['{ type: mbox }', 'missing (expected a path'],
  ['{ first-of: [inbox] }', 'found a list, expected a list of two or more destinations'],
  ['{ first-of: inbox }', 'found "inbox", expected a list of two or more destinations'],
  ['{ first-of: [inbox, inbox] }', 'first-of[1]: found "inbox" again, expected every destination once'],
  ['{ first-of: [inbox, inbos] }', 'first-of[1]: found "inbos", expected the name of a destination or a URL'],
  ['{ first-of: [inbox, { type: mbox }] }', 'first-of[1].path: missing (expected a path'],
  ['{ first-of: [inbox, { first-of: [inbox, "mbox:m"] }] }', 'first-of[1]'],
  ['{ first-of: [inbox, "mbox:m"], or: x }', 'or: found an unknown key'],
  ['{ first-of: [inbox, "smtp://h?to=a@b.c,d@e.f"] }', 'expected a destination with one recipient'],
  ['7', 'found 7, expected the name of a destination'],
  ['[7, inbox]', 'found 7, expected the name of a destination'],
])('deliver: %s is refused', async (deliver, expected) => {
  await using scene = await Scene.create()
  const problems = await scene.problems(text(deliver, '{ inbox: { type: maildir, path: in } }'))
  expect(problems).toEqual([expect.stringContaining(expected)])
  expect(problems[0]).toMatch(/^2: accounts\.a\.deliver/)
})

test('a destination that is wrong itself is one problem, not one more for each account that names it', async () => {
  await using scene = await Scene.create()
  expect(await scene.problems(text('inbox', '{ inbox: { type: maildir } }'))).toEqual([
    '3: destinations.inbox.path: missing (expected a path; in braces only {account}, {recipient}, {local} or {domain})',
  ])
})

test('an account whose name would spoil the addresses of its destination is refused', async () => {
  await using scene = await Scene.create()
  const common = 'host: h, user: u, password: { env: P }, deliver: "smtp://localhost?to={account}@b.c"'
  expect(await scene.problems(`accounts: { .a: { ${common} }, b.c: { ${common} } }`)).toEqual([
    '1: accounts..a: found an account\'s name that makes ".a@b.c" of "{account}@b.c", expected one that makes a mail address',
  ])
})

test('the first of several is one destination, named after them; those written in place are there as well', async () => {
  await using scene = await Scene.create()
  const { accounts, destinations } = await scene.load(
    text('[{ first-of: ["smtp://localhost?to=a@b.c", inbox] }, inbox]', '{ inbox: { type: mbox, path: in } }'),
  )
  const name = 'first-of: smtp://localhost:25?to=a@b.c, inbox'
  expect(accounts[0]?.deliver).toEqual([name, 'inbox'])
  expect(destinations.get(name)).toEqual({ type: 'first-of', name, of: ['smtp://localhost:25?to=a@b.c', 'inbox'] })
})

test('a command written in place is named after its program alone: its arguments may hold a secret', async () => {
  await using scene = await Scene.create()
  const { accounts, destinations } = await scene.load(text('{ type: command, run: [/bin/x, --token, hunter2] }'))
  expect(accounts[0]?.deliver).toEqual(['command:/bin/x'])
  expect(destinations.get('command:/bin/x')).toMatchObject({ run: ['/bin/x', '--token', 'hunter2'] })
})

describe('route', () => {
  const route = (rules: string): string => text(`inbox, route: ${rules}`, '{ inbox: { type: mbox, path: in } }')

  test('is a list of conditions, all of them, and where what fits them goes', async () => {
    await using scene = await Scene.create()
    const { accounts, destinations } = await scene.load(
      route(
        '[{ when: { from: "*@Shop.example", header: { List-Id: "*dev*", X-A: b }, size: ">5MB" }, deliver: [inbox, "mbox:shop"] }, { when: { to: a@b.c, subject: "*x*" }, deliver: { first-of: ["mbox:a", inbox] } }]',
      ),
    )
    expect(accounts[0]?.route).toEqual([
      {
        when: {
          from: '*@Shop.example',
          to: null,
          subject: null,
          header: [
            { name: 'List-Id', pattern: '*dev*' },
            { name: 'X-A', pattern: 'b' },
          ],
          size: { than: 'larger', bytes: 5_000_000 },
        },
        deliver: ['inbox', `mbox:${scene.path('shop')}`],
      },
      {
        when: { from: null, to: 'a@b.c', subject: '*x*', header: [], size: null },
        deliver: [`first-of: mbox:${scene.path('a')}, inbox`],
      },
    ])
    expect(destinations.has(`mbox:${scene.path('shop')}`)).toBe(true)
  })

  test('is empty when it is not written', async () => {
    await using scene = await Scene.create()
    expect((await scene.account('')).route).toEqual([])
  })

  test.each([
    ['{}', 'route: found a mapping, expected a list of rules { when, deliver }'],
    ['[{ when: {}, deliver: inbox }]', 'route[0].when: found a mapping, expected at least one of from, to, subject'],
    ['[{ deliver: inbox }]', 'route[0].when: missing (expected a mapping'],
    ['[{ when: { from: a } }]', 'route[0].deliver: missing (expected the name of a destination'],
    ['[{ when: { from: a }, deliver: inbos }]', 'route[0].deliver: found "inbos", expected the name of a destination'],
    ['[{ when: { form: a }, deliver: inbox }]', 'route[0].when.form: found an unknown key, expected a known key'],
    ['[{ when: { from: "" }, deliver: inbox }]', 'route[0].when.from: found "", expected text to look for'],
    ['[{ when: { size: 5MB }, deliver: inbox }]', 'route[0].when.size: found "5MB", expected a size with > or <'],
    ['[{ when: { header: { "A:": b } }, deliver: inbox }]', 'route[0].when.header'],
  ])('%s is refused', async (rules, expected) => {
    await using scene = await Scene.create()
    const problems = await scene.problems(route(rules))
    expect(problems).toContainEqual(expect.stringContaining(expected))
  })

  test('is shown as it is written', async () => {
    await using scene = await Scene.create()
    const rules =
      '[{ when: { from: "*@a.b", header: { X-A: b }, size: "<5MB" }, deliver: { first-of: ["mbox:/a", inbox] } }]'
    const shown = showConfiguration(await scene.load(route(rules)))
    for (const line of ['from: "*@a.b"', 'X-A: b', 'size: <5MB', 'first-of:', '- mbox:/a'])
      expect(shown).toContain(line)
    expect(shown).not.toContain('first-of: mbox')
  })
})

// Where an account delivers to: names, destinations written in place, URLs, and lists of these.
import { expect, test } from 'vitest'
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
  ['"imap://h"', 'found "imap://h", expected maildir:PATH, smtp://[user@]host[:port]?to=ADDRESS or smtps://…'],
  ['"smtp://h"', 'found "smtp://h", expected a recipient: ?to=ADDRESS'],
  ['"smtp://h?to=nobody"', 'found "smtp://h?to=nobody", expected as its to[0] a plain mail address'],
  ['"smtp://u@h?to=a@b.c"', 'expected as its user a password with it: write this destination under destinations'],
  ['"smtp://h?to=a@b.c&to=a@b.c"', 'expected as its to every address once'],
  ['{ type: maildir }', 'found nothing, expected a path'],
  ['{ type: smtp, host: h, to: a@b.c, user: u }', 'found "u", expected a password with it'],
  ['{ path: m }', 'found nothing, expected one of maildir, smtp'],
  ['{ first-of: [inbox] }', 'found nothing, expected one of maildir, smtp'],
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
    '3: destinations.inbox.path: found nothing, expected a path; in braces only {account}',
  ])
})

test('an account whose name would spoil the addresses of its destination is refused', async () => {
  await using scene = await Scene.create()
  const common = 'host: h, user: u, password: { env: P }, deliver: "smtp://localhost?to={account}@b.c"'
  expect(await scene.problems(`accounts: { .a: { ${common} }, b.c: { ${common} } }`)).toEqual([
    '1: accounts..a: found an account\'s name that makes ".a@b.c" of "{account}@b.c", expected one that makes a mail address',
  ])
})

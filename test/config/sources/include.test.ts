// Several files as one configuration: where they are found, what they may hold, and what is said when one is wrong.
import { chmod, mkdir } from 'node:fs/promises'
import { describe, expect, test } from 'vitest'
import { refusal, Scene } from '../scene.ts'

const ROOT = process.getuid?.() === 0
const account = (user: string, more = ''): string =>
  `{ host: h, user: ${user}, password: { env: P }, deliver: "maildir:/mail"${more} }`

/** The files beside config.yaml, and then it. */
async function load(scene: Scene, main: string, files: Readonly<Record<string, string>>) {
  await mkdir(scene.path('accounts.d'), { recursive: true, mode: 0o700 })
  for (const [name, text] of Object.entries(files)) await scene.write(text, { name })
  return await scene.load(main)
}

const names = ({ accounts }: { readonly accounts: readonly { readonly name: string }[] }) =>
  accounts.map(({ name }) => name)

describe('the files that include names', () => {
  const files = {
    'accounts.d/b.yaml': `accounts: { b: ${account('b')} }`,
    'accounts.d/a.yaml': `accounts: { a: ${account('a')} }`,
    'accounts.d/.hidden.yaml': 'accounts: []',
    'accounts.d/c.json': JSON.stringify({
      accounts: { c: { host: 'h', user: 'c', password: { env: 'P' }, deliver: 'maildir:/m' } },
    }),
    'accounts.d/old.yaml~': 'no: { yaml',
    'more.yaml': `accounts: { more: ${account('more')} }`,
  }

  test.each([
    ['include: accounts.d/*.yaml', ['a', 'b']],
    ['include: [more.yaml, accounts.d/*.yaml]', ['more', 'a', 'b']],
    ['include: [accounts.d/b.yaml, accounts.d/*.yaml]', ['b', 'a']],
    ['include: ["accounts.d/c.*"]', ['c']],
    [`accounts: { main: ${account('m')} }\ninclude: more.yaml`, ['main', 'more']],
    ['include: { env: WHERE }', ['more']],
  ])('%s gives %j, in this order', async (main, expected) => {
    await using scene = await Scene.create()
    scene.env['WHERE'] = 'more.yaml'
    expect(names(await load(scene, main, files))).toEqual(expected)
  })

  test('may match nothing, which is told as a doubt, and then there are no accounts', async () => {
    await using scene = await Scene.create()
    const { accounts, warnings } = await load(scene, 'include: [accounts.d/*.yml]', {})
    expect([accounts, warnings]).toEqual([[], ['include: no file matches accounts.d/*.yml']])
  })

  test.each([
    ['include: nowhere.yaml', /nowhere\.yaml: it does not exist/],
    ['include: nowhere/*.yaml', /1: include: found a folder that cannot be read \(ENOENT\), expected a folder/],
    ['include: config.yaml', /1: include: found the configuration itself, expected another file/],
    ['include: a*b*c.yaml', /1: include: found "a\*b\*c\.yaml", expected a path in which one \* may stand/],
    ['include: 5', /1: include: found 5, expected a path/],
    ['include: [~bob/x.yaml]', /1: include\[0\]: found "~bob\/x\.yaml"/],
  ])('%s is refused', async (main, words) => {
    await using scene = await Scene.create()
    expect((await refusal(load(scene, main, {}))).message).toMatch(words)
  })
})

describe('what an included file may hold', () => {
  test('accounts, destinations, clients and defaults for itself, and keys of the user', async () => {
    await using scene = await Scene.create()
    const { accounts, destinations, oauth } = await load(
      scene,
      `defaults: { poll: 10m, delete: 30d }
include: accounts.d/*
accounts: { main: ${account('m')} }
oauth: { other: { provider: google, clientId: x } }`,
      {
        'accounts.d/one.yaml': `x-note: &d inbox
defaults: { poll: 1h, host: own }
destinations: { inbox: { type: maildir, path: Mail } }
oauth: { google: { provider: google, clientId: y } }
accounts:
  one: { user: o, token: { oauth: google }, deliver: *d }
  two: { user: t, token: { oauth: other }, deliver: far }`,
        'accounts.d/two.yaml': 'destinations: { far: { type: mbox, path: /far } }',
      },
    )
    expect(accounts).toMatchObject([
      { name: 'main', poll: { minMs: 600_000 }, delete: { kind: 'age' } },
      { name: 'one', host: 'own', poll: { minMs: 3_600_000 }, delete: { kind: 'age' }, deliver: ['inbox'] },
      { name: 'two', host: 'own', deliver: ['far'] },
    ])
    expect(destinations.get('inbox')).toMatchObject({ path: scene.path('accounts.d/Mail') })
    expect([...oauth.keys()]).toEqual(['other', 'google'])
  })

  test('nothing else', async () => {
    await using scene = await Scene.create()
    const error = await refusal(
      load(scene, 'include: more.yaml', {
        'more.yaml': `state: s.db\ninclude: x.yaml\naccounts: { a: ${account('a')} }\ndefaults: []`,
      }),
    )
    const file = scene.path('more.yaml')
    expect(error.message.split('\n').slice(1)).toEqual([
      `${file}:1: state: found an unknown key, expected one of accounts, destinations, oauth, defaults`,
      `${file}:2: include: found an unknown key, expected one of accounts, destinations, oauth, defaults`,
      `${file}:4: defaults: found an empty list, expected a mapping`,
    ])
  })

  test('comments alone', async () => {
    await using scene = await Scene.create()
    expect(
      names(await load(scene, `accounts: { a: ${account('a')} }\ninclude: more.yaml`, { 'more.yaml': '# none yet\n' })),
    ).toEqual(['a'])
  })
})

test('a path in an included file is relative to that file, one in the defaults of the configuration to the configuration', async () => {
  await using scene = await Scene.create()
  const { accounts } = await load(
    scene,
    'include: accounts.d/a.yaml\ndefaults: { ca: ca.pem, deliver: "maildir:Mail" }',
    {
      'accounts.d/a.yaml': `accounts:
  a: { host: h, user: a, password: { file: pw } }
  b: { host: h, user: b, password: { env: P }, ca: own.pem, deliver: "maildir:Own" }`,
    },
  )
  expect(accounts).toMatchObject([
    {
      ca: scene.path('ca.pem'),
      password: { path: scene.path('accounts.d/pw') },
      deliver: [`maildir:${scene.path('Mail')}`],
    },
    { ca: scene.path('accounts.d/own.pem'), deliver: [`maildir:${scene.path('accounts.d/Own')}`] },
  ])
})

describe('what is wrong', () => {
  test('in any of the files is in one report, with the file and the line of each', async () => {
    await using scene = await Scene.create()
    const error = await refusal(
      load(
        scene,
        `accounts: { main: ${account('m', ', limit: many')} }\ninclude: accounts.d/*\ndefaults: { tls: maybe }`,
        {
          'accounts.d/a.yaml': `accounts:\n  a: ${account('a', ', port: 0')}`,
          'accounts.d/b.yaml': 'accounts:\n  b: {\n',
          'accounts.d/c.yaml': `defaults: { delete: yes }\naccounts: { c: ${account('c')} }`,
        },
      ),
    )
    const [main, a, b, c] = ['config.yaml', 'accounts.d/a.yaml', 'accounts.d/b.yaml', 'accounts.d/c.yaml'].map((name) =>
      scene.path(name),
    )
    expect(error.message.split('\n')).toEqual([
      `reading the configuration ${main}: 5 problems; nothing was done:`,
      `${main}:1: accounts.main.limit: found "many", expected a whole number from 1 to 1000000000`,
      `${main}:3: defaults.tls: found "maybe", expected one of implicit, starttls, none`,
      `${a}:2: accounts.a.port: found 0, expected a whole number from 1 to 65535`,
      `${b}:3: found text that is not valid YAML, expected key: value lines, indented with spaces`,
      `${c}:1: defaults.delete: found "yes", expected never, after-delivery or an age such as 30d`,
    ])
    expect(error).toMatchObject({
      code: 'ERR_CONFIG',
      problems: [{ file: main }, { file: main }, { file: a }, { file: b, line: 3 }, { file: c }],
    })
  })

  test.each([
    ['accounts', `accounts:\n  twin: ${account('x')}`, 'accounts.twin'],
    ['destinations', 'destinations:\n  twin: { type: mbox, path: /m }', 'destinations.twin'],
    ['oauth', 'oauth:\n  twin: { provider: google, clientId: x }', 'oauth.twin'],
  ])('is a name in %s that stands twice: both places are named', async (_, text, path) => {
    await using scene = await Scene.create()
    const other = `accounts: { a: ${account('a')} }\n${text}`
    const error = await refusal(
      load(scene, `include: accounts.d/*\n${text}`, {
        'accounts.d/a.yaml': other.replace(/^accounts: .*\naccounts:/, 'accounts:'),
      }),
    )
    const line = text.startsWith('accounts') ? 2 : 3
    expect(error.message.split('\n').slice(1)).toEqual([
      `${scene.path('accounts.d/a.yaml')}:${line}: ${path}: found the same name again, expected each name once: ${scene.path('config.yaml')}:3 has it as well`,
    ])
  })
})

describe('who could read or change an included file', () => {
  test.runIf(ROOT || process.platform === 'linux')('matters as it does for the configuration', async () => {
    await using scene = await Scene.create()
    const secret = 'accounts: { a: { host: h, user: a, password: hunter2, deliver: "maildir:/m" } }'
    await load(scene, 'include: accounts.d/*', { 'accounts.d/a.yaml': secret })
    await chmod(scene.path('accounts.d/a.yaml'), 0o666)
    const { message } = await refusal(scene.load('include: accounts.d/*'))
    expect(message).toContain(
      `${scene.path('accounts.d/a.yaml')}: found a file that anybody can write to (mode 0666), expected chmod go-w`,
    )
    expect(message).toContain('accounts.a.password: found a secret in a file that anybody can read')
    expect(message).not.toContain('hunter2')
    await chmod(scene.path('accounts.d/a.yaml'), 0o600)
    await chmod(scene.path('accounts.d'), 0o777)
    expect((await refusal(scene.load('include: accounts.d/*'))).message).toContain(
      'which anybody can write to (mode 0777)',
    )
  })
})

// `accountsFrom`: what a program prints as accounts, what of it is taken, and what is kept for the time when it fails.
import { readFile, stat, writeFile } from 'node:fs/promises'
import { afterEach, describe, expect, test } from 'vitest'
import { loadConfiguration, type LoadOptions } from '../../../src/config/load.ts'
import type { Configuration } from '../../../src/config/schema.ts'
import { Scene, UID } from '../scene.ts'

const row = (name: string): string => `  ${name}: { host: h, user: ${name}, password: "p-${name}", deliver: inbox }`
const printed = (...names: string[]): string => `accounts:\n${names.map(row).join('\n')}\n`
const numbered = (count: number, from = 0): string[] => Array.from({ length: count }, (_, at) => `c${from + at}`)
const KEPT = 'home/.local/state/popfetch/state.db.accounts'

let scenes: Scene[] = []
afterEach(async () => {
  for (const scene of scenes) await scene[Symbol.asyncDispose]()
  scenes = []
})

/** A configuration whose program prints the file `rows`, and what loading it gives. */
async function panel(
  text: string,
  more = '',
): Promise<{
  readonly print: (now: string) => Promise<void>
  readonly load: (options?: Partial<LoadOptions>) => Promise<Configuration>
  scene: Scene
}> {
  const scene = await Scene.create()
  scenes.push(scene)
  scene.env['PATH'] = process.env['PATH'] ?? ''
  await scene.write(
    `accountsFrom: { command: [sh, -c, ". ./script"]${more} }\ndestinations: { inbox: { type: maildir, path: Mail } }\n`.replace(
      './script',
      scene.path('script'),
    ),
  )
  const print = async (now: string): Promise<void> => {
    await writeFile(scene.path('rows'), now)
    await writeFile(scene.path('script'), `cat ${scene.path('rows')}`)
  }
  await print(text)
  const { mkdir } = await import('node:fs/promises')
  await mkdir(scene.path('home/.local/state/popfetch'), { recursive: true, mode: 0o700 })
  return {
    scene,
    print,
    load: (options = {}) =>
      loadConfiguration({
        file: scene.path('config.yaml'),
        state: null,
        env: scene.env,
        cwd: scene.directory,
        uid: UID,
        ...options,
      }),
  }
}

const names = ({ accounts }: Configuration): readonly string[] => accounts.map(({ name }) => name)
const troubleOf = ({ trouble }: Configuration) =>
  trouble === null ? null : [trouble.code, trouble.retry, trouble.message]

describe('an answer', () => {
  test.each([
    ['YAML', printed('a', 'b')],
    [
      'JSON',
      JSON.stringify({
        accounts: {
          a: { host: 'h', user: 'a', password: 'x', deliver: 'inbox' },
          b: { host: 'h', user: 'b', password: 'x', deliver: 'maildir:Own' },
        },
      }),
    ],
    [
      'with destinations and notes',
      `x-by: panel\n${printed('a')}destinations:\n  own: { type: mbox, path: /m }\naccounts2: {}\n`
        .replace('accounts2: {}\n', '')
        .replace('inbox }', 'own }') + '  b: {}\n'.slice(9),
    ],
  ])('in %s is taken', async (_, text) => {
    const { load } = await panel(text)
    const configuration = await load()
    expect(troubleOf(configuration)).toBeNull()
    expect(names(configuration)[0]).toBe('a')
    expect(configuration.accounts[0]?.fault).toBeNull()
  })

  test('has the main defaults, and accounts beside those of the file', async () => {
    const { scene, load } = await panel(printed('a'))
    const file = await readFile(scene.path('config.yaml'), 'utf8')
    await writeFile(
      scene.path('config.yaml'),
      `${file}defaults: { delete: 30d, port: 2110 }\naccounts:\n${row('main')
        .replace('p-main', '" , token: "')
        .replace(/password: .*token: "", /, 'password: { env: P }, ')}\n`,
    )
    const { accounts } = await load()
    expect(accounts).toMatchObject([
      { name: 'main', port: 2110 },
      { name: 'a', port: 2110, delete: { kind: 'age' } },
    ])
  })
})

describe('a row that is wrong stops only itself', () => {
  test.each([
    [
      'a value',
      '  bad: { host: h, user: bad, password: p, deliver: inbox, port: 0 }',
      'bad',
      /accountsFrom:3: accounts\.bad\.port: found 0, expected a whole number/,
    ],
    [
      'an unknown key',
      '  bad: { host: h, user: bad, password: p, deliver: inbox, pasword: hunter2 }',
      'bad',
      /accounts\.bad\.pasword: found an unknown key/,
    ],
    ['a missing key', '  bad: { host: h }', 'bad', /accounts\.bad\.user: missing/],
    [
      'an unknown destination',
      '  bad: { host: h, user: u, password: p, deliver: inbos }',
      'bad',
      /found "inbos", expected the name of a destination or a URL: did you mean inbox/,
    ],
    [
      'keys that exclude each other',
      '  bad: { host: h, user: u, password: p, token: t, deliver: inbox }',
      'bad',
      /accounts\.bad\.token: found text, expected no password beside it/,
    ],
    ['nothing', '  bad: 5', 'bad', /accounts\.bad: found 5, expected a mapping/],
    [
      'a name that is none',
      '  "../x": { host: h, user: u, password: p, deliver: inbox }',
      '../x',
      /found the name "\.\.\/x", expected a name of letters/,
    ],
    [
      'a name of a command',
      '  check: { host: h, user: u, password: p, deliver: inbox }',
      'check',
      /this is the name of a popfetch command/,
    ],
    [
      'a client that is not there',
      '  bad: { host: h, user: u, token: { oauth: nobody }, deliver: inbox }',
      'bad',
      /found the client "nobody", expected a client under oauth/,
    ],
    [
      'a former name in use',
      '  bad: { host: h, user: u, password: p, deliver: inbox, formerly: a }',
      'bad',
      /found the name a, expected a name that no account has any more/,
    ],
    [
      'a variable that is not set',
      '  bad: { host: { env: NOWHERE }, user: u, password: p, deliver: inbox }',
      'bad',
      /the environment variable NOWHERE is not set/,
    ],
  ])('%s', async (_, wrong, name, words) => {
    const { load } = await panel(`${printed('a')}${wrong}\n`)
    const configuration = await load()
    expect(troubleOf(configuration)).toBeNull()
    expect(configuration.accounts.map((account) => [account.name, account.fault === null])).toEqual([
      ['a', true],
      [name, false],
    ])
    expect(configuration.accounts[1]?.fault).toMatch(words)
    expect(JSON.stringify(configuration.accounts)).not.toContain('hunter2')
  })

  test('a destination: the accounts that deliver there', async () => {
    const { load } = await panel(
      `${printed('a')}  b: { host: h, user: b, password: p, deliver: odd }\ndestinations:\n  odd: { type: pigeon }\n`,
    )
    const { accounts } = await load()
    expect(accounts.map(({ name, fault }) => [name, fault === null])).toEqual([
      ['a', true],
      ['b', false],
    ])
    expect(accounts[1]?.fault).toMatch(/^destination odd: accountsFrom:\d: destinations\.odd\.type: found "pigeon"/)
  })

  test('a name that the file has: the file keeps it', async () => {
    const { scene, load } = await panel(printed('a', 'twin'))
    const file = await readFile(scene.path('config.yaml'), 'utf8')
    await writeFile(
      scene.path('config.yaml'),
      `${file}accounts:\n  twin: { host: mine, user: u, password: { env: P }, deliver: inbox }\n`,
    )
    const { accounts } = await load()
    expect(accounts.map(({ name, host, fault }) => [name, host, fault === null])).toEqual([
      ['twin', 'mine', true],
      ['a', 'h', true],
      ['twin_accountsFrom', 'localhost', false],
    ])
    expect(accounts[2]?.fault).toMatch(
      /the same name again, expected each name once: .*config\.yaml:\d has it as well$/,
    )
  })
})

describe('what is no answer is not taken, and the last good one holds', () => {
  test.each([
    ['a program that fails', 'exit 3', 'soon', /asking "sh …" for accounts \(accountsFrom\): it ended with code 3$/],
    [
      'one that fails and says why',
      'echo "no route to host" >&2; exit 1',
      'soon',
      /it ended with code 1: no route to host$/,
    ],
    ['one that is killed', 'kill -9 $$', 'soon', /SIGKILL ended it$/],
    ['one that prints no YAML', 'echo "accounts: {"', 'never', /it printed no YAML and no JSON: line \d/],
    [
      'one that prints a page',
      'echo "<html><body>Error</body></html>"',
      'never',
      /it printed no mapping with accounts$/,
    ],
    ['one that prints a list', 'echo "[]"', 'never', /it printed no mapping with accounts$/],
    [
      'one that prints more keys',
      'printf "accounts: {}\\nstate: x\\n"',
      'never',
      /it printed more than accounts and destinations at the top$/,
    ],
    [
      'one that prints a list of accounts',
      'echo "accounts: [a]"',
      'never',
      /accounts or destinations that are no mapping/,
    ],
    [
      'one that is cut off within a line',
      'printf "accounts:\\n  c0: { host: h }\\n  c1: { ho"',
      'soon',
      /what it printed ends within a line, so it was cut off$/,
    ],
    [
      'one that is cut off within JSON',
      `printf '{"accounts":{"c0":{"host":"h"}'`,
      'never',
      /it printed no YAML and no JSON/,
    ],
    [
      'one that prints nothing',
      'true',
      'soon',
      /its program printed no account: check what it reads; the accounts before stay/,
    ],
    ['one that prints no accounts', 'echo "accounts: {}"', 'soon', /its program printed no account/],
    ['one that prints bytes', `printf 'accounts: \\377\\n'`, 'never', /text that is not UTF-8/],
  ])('%s', async (_, script, retry, words) => {
    const { scene, load } = await panel(printed('c0', 'c1'))
    await load()
    await writeFile(scene.path('script'), script)
    // Also over a start: nothing of the process remembers it.
    for (const purpose of ['poll', 'look', 'poll'] as const) {
      const configuration = await load({ purpose })
      expect(names(configuration)).toEqual(['c0', 'c1'])
      expect(configuration.trouble).toMatchObject({ code: 'ERR_ACCOUNTS', retry })
      expect(configuration.trouble?.message).toMatch(words)
    }
  })

  test('a program that is not there is told as such', async () => {
    const { scene, load } = await panel(printed('a'))
    await scene.write(
      'accountsFrom: { command: [/nowhere/panel] }\ndestinations: { inbox: { type: maildir, path: Mail } }\n',
    )
    expect(troubleOf(await load())).toEqual([
      'ERR_ACCOUNTS',
      'never',
      expect.stringMatching(/it cannot be started \(ENOENT\): correct the path$/),
    ])
  })

  test('nothing is kept before the first good answer: then there are no accounts but those of the file', async () => {
    const { scene, load } = await panel('')
    await writeFile(scene.path('script'), 'exit 1')
    const configuration = await load()
    expect([names(configuration), configuration.trouble?.retry]).toEqual([[], 'soon'])
  })

  test('a good answer ends it', async () => {
    const { print, scene, load } = await panel(printed('a'))
    await load()
    await writeFile(scene.path('script'), 'exit 1')
    await load()
    await print(printed('a', 'b'))
    const configuration = await load()
    expect([names(configuration), configuration.trouble]).toEqual([['a', 'b'], null])
  })
})

describe('an answer that lacks many names', () => {
  test.each([
    [100, 11, 'kept'],
    [100, 10, 'taken'],
    [20, 5, 'kept'],
    [20, 4, 'taken'],
    [5, 4, 'taken'],
    [5, 5, 'kept'],
    [60, 6, 'taken'],
    [60, 7, 'kept'],
  ])('of %i names %i: it is %s', async (before, lacking, expected) => {
    const { print, load } = await panel(printed(...numbered(before)))
    await load()
    await print(printed(...numbered(before - lacking, lacking)))
    const configuration = await load()
    expect(names(configuration).length).toBe(expected === 'kept' ? before : before - lacking)
    expect(configuration.trouble?.retry ?? null).toBe(expected === 'kept' ? 'soon' : null)
  })

  const many = printed(...numbered(30))
  const few = printed(...numbered(10))

  test('is taken when the same names have come in three runs for polling in a row; looking on counts nothing', async () => {
    const { print, load } = await panel(many)
    await load()
    await print(few)
    const found: number[] = []
    for (const purpose of ['look', 'poll', 'look', 'look', 'poll', 'look', 'poll', 'look'] as const)
      found.push(names(await load({ purpose })).length)
    expect(found).toEqual([30, 30, 30, 30, 30, 30, 10, 10])
  })

  test.each([
    ['other names', printed(...numbered(11))],
    ['all names', many],
    ['no answer', null],
  ])('begins anew after %s', async (_, between) => {
    const { print, scene, load } = await panel(many)
    await load()
    for (const text of [few, few, between, few, few]) {
      if (text === null) await writeFile(scene.path('script'), 'exit 1')
      else await print(text)
      expect(names(await load()).length).toBe(30)
    }
    await print(few)
    expect(names(await load()).length).toBe(10)
  })

  test('is taken at once when somebody says that it is meant', async () => {
    const { print, load } = await panel(many)
    await load()
    await print('accounts: {}\n')
    expect(names(await load()).length).toBe(30)
    const configuration = await load({ yes: true })
    expect([names(configuration).length, configuration.trouble]).toEqual([0, null])
    expect(names(await load({ purpose: 'look' })).length).toBe(0)
  })
})

describe('what is kept', () => {
  test('lies beside the ledger, readable by its owner alone', async () => {
    const { scene, load } = await panel(printed('a'))
    await load({ purpose: 'look' })
    await expect(stat(scene.path(KEPT))).rejects.toThrow('ENOENT')
    await load()
    expect((await stat(scene.path(KEPT))).mode & 0o777).toBe(0o600)
  })

  test('is not believed when others could have written it', async () => {
    const { scene, load } = await panel(printed('a'))
    await load()
    const { chmod } = await import('node:fs/promises')
    await chmod(scene.path(KEPT), 0o666)
    await writeFile(scene.path('script'), 'exit 1')
    expect(names(await load())).toEqual([])
  })

  test('is what a command knows that does not ask', async () => {
    const { scene, load } = await panel(printed('a'))
    await load()
    await writeFile(scene.path('script'), `touch ${scene.path('asked')}; exit 1`)
    const configuration = await load({ purpose: 'kept' })
    expect([names(configuration), configuration.trouble]).toEqual([['a'], null])
    await expect(stat(scene.path('asked'))).rejects.toThrow('ENOENT')
  })

  test('is nothing with keep: false, but what the process remembers', async () => {
    const { scene, load } = await panel(printed('a'), ', keep: false')
    const memory = { kept: null, read: null }
    await load({ memory })
    await expect(stat(scene.path(KEPT))).rejects.toThrow('ENOENT')
    await writeFile(scene.path('script'), 'exit 1')
    expect(names(await load({ memory }))).toEqual(['a'])
    expect(names(await load())).toEqual([])
  })
})

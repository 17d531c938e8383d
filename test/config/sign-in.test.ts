// How an account signs in, and by which way it reaches its server: `auth`, `token`, `proxy`.
import { inspect } from 'node:util'
import { describe, expect, test } from 'vitest'
import { showConfiguration } from '../../src/config/load.ts'
import { proxyText } from '../../src/config/values/proxy.ts'
import { refusal, Scene } from './scene.ts'

const BASE = 'host: pop.example.net, user: alice, deliver: "maildir:/mail"'
const one = (keys: string) => `accounts:\n  a: {${BASE}, ${keys}}\n`

describe('auth', () => {
  test.each(['auto', 'scram-sha-256', 'scram-sha-1', 'plain', 'login', 'user', 'cram-md5', 'apop'])(
    'may be %s with a password',
    async (auth) => {
      await using scene = await Scene.create()
      expect((await scene.account(`auth: ${auth}`)).auth).toBe(auth)
    },
  )

  test.each(['auto', 'xoauth2', 'oauthbearer'])('may be %s with a token', async (auth) => {
    await using scene = await Scene.create()
    const { accounts } = await scene.load(one(`token: { command: [get-token, alice] }, auth: ${auth}`))
    const token = { kind: 'command', run: ['get-token', 'alice'] }
    expect(accounts[0]).toMatchObject({ auth, token, password: null })
  })

  test.each([
    ['password: {env: P}, auth: xoauth2', 'auth: found "xoauth2", expected a token with it'],
    ['token: {env: T}, auth: plain', 'auth: found "plain", expected xoauth2 or oauthbearer with a token'],
    ['token: {env: T}, password: {env: P}', 'token: found a mapping, expected no password beside it'],
    ['auth: xoauth2', 'password: missing (expected a password, or a token)'],
  ])('and secret must go together: %s', async (keys, problem) => {
    await using scene = await Scene.create()
    expect(await scene.problems(one(keys))).toContain(`2: accounts.a.${problem}`)
  })

  test('of a kind that gives the password away without TLS is warned of (P028)', async () => {
    await using scene = await Scene.create()
    const { warnings } = await scene.load(one('password: {env: P}, tls: none, auth: apop'))
    expect(warnings).toEqual([
      expect.stringMatching(/^account a: .*; apop does not hide the password from eavesdroppers$/),
    ])
  })
})

describe('a secret of defaults', () => {
  test.each([
    ['password', 'token'],
    ['token', 'password'],
  ])('%s gives way to an account’s own %s', async (inherited, own) => {
    await using scene = await Scene.create()
    const text = `defaults: {${inherited}: {env: A}}\naccounts:\n  a: {${BASE}, ${own}: {env: B}}\n`
    const { accounts } = await scene.load(text)
    expect(accounts[0]).toMatchObject({ [inherited]: null, [own]: { kind: 'env', name: 'B' } })
  })
})

describe('a token that is written out', () => {
  test('is never shown, and wants a file that nobody else reads', async () => {
    await using scene = await Scene.create()
    const text = one('token: ya29-secret')
    const configuration = await scene.load(text)
    expect(showConfiguration(configuration)).toContain('token: "********"')
    expect(inspect(configuration, { depth: 9 }) + JSON.stringify(configuration)).not.toContain('ya29-secret')
    const file = await scene.write(text, { name: 'open.yaml', mode: 0o644 })
    expect((await refusal(scene.load(text, { file }))).message).toContain(
      'found a secret in a file that anybody can read',
    )
  })
})

describe('proxy', () => {
  test.each([
    [
      'socks5://proxy.example.net:1080',
      { kind: 'socks5', host: 'proxy.example.net', port: 1080, user: null, password: null },
    ],
    ['http://127.0.0.1:3128/', { kind: 'http', host: '127.0.0.1', port: 3128, user: null, password: null }],
    ['socks5://[::1]:1080', { kind: 'socks5', host: '::1', port: 1080 }],
    ['socks5://al%40ice@h:1', { user: 'al@ice', password: null }],
  ])('may be %s', async (url, expected) => {
    await using scene = await Scene.create()
    expect((await scene.account(`proxy: "${url}"`)).proxy).toMatchObject(expected)
  })

  test.each([
    'proxy.example.net:1080',
    'socks5://proxy.example.net',
    'socks5://proxy.example.net:0',
    'socks5://proxy.example.net:65536',
    'socks4://h:1',
    'https://h:1',
    'socks5://a b:1',
    'socks5://h:1/path',
    'http://h:1?x',
    'http://a%3Ab:p@h:1',
    'http://%zz@h:1',
    'http://a%0D%0AX:p@h:1',
    `socks5://${'u'.repeat(256)}:p@h:1`,
    'socks5://@h:1',
    'http://h\r\nX: y:1',
  ])('is refused when it is %j (P020)', async (url) => {
    await using scene = await Scene.create()
    const [problem, ...more] = await scene.problems(one(`password: {env: P}, proxy: ${JSON.stringify(url)}`))
    expect(problem).toMatch(/^2: accounts\.a\.proxy: found .*, expected socks5:\/\/host:port or http:\/\/host:port/)
    expect(more).toEqual([])
  })

  test('hides the password in it, right or wrong, and wants a file that nobody else reads', async () => {
    await using scene = await Scene.create()
    const text = one('password: {env: P}, proxy: "http://bob:hunter2@h:3128"')
    const configuration = await scene.load(text)
    const [account] = configuration.accounts
    expect(account?.proxy?.password?.reveal()).toBe('hunter2')
    expect(proxyText(account!.proxy!)).toBe('http://bob:********@h:3128')
    expect(showConfiguration(configuration)).toContain('proxy: http://bob:********@h:3128')
    expect(inspect(configuration, { depth: 9 }) + JSON.stringify(configuration)).not.toContain('hunter2')
    for (const shown of [text, text.replace(':3128', '')]) {
      const file = await scene.write(shown, { name: 'open.yaml', mode: 0o644 })
      const { message } = await refusal(scene.load(shown, { file }))
      expect(message).toContain('accounts.a.proxy: found a secret in a file that anybody can read')
      expect(message).not.toContain('hunter2')
    }
  })

  test('without a password in it is no secret', async () => {
    await using scene = await Scene.create()
    const text = one('password: {env: P}, proxy: "socks5://bob@h:1080"')
    const file = await scene.write(text, { name: 'open.yaml', mode: 0o644 })
    const { accounts } = await scene.load(text, { file })
    expect(accounts[0]?.proxy?.user).toBe('bob')
  })
})

describe('via, before and after', () => {
  test.each(['via', 'before', 'after'])(
    '%s is a program with its words; a path is relative to the file',
    async (key) => {
      await using scene = await Scene.create()
      const account = await scene.account(`${key}: [ssh, gate, -W, "h:110"]`)
      expect({ ...account }).toMatchObject({ [key]: ['ssh', 'gate', '-W', 'h:110'] })
      expect({ ...(await scene.account(`${key}: [./bin/way, ./x]`)) }).toMatchObject({
        [key]: [scene.path('bin/way'), './x'],
      })
    },
  )

  test.each(['via', 'before', 'after'])('of %s only the first word is ever shown', async (key) => {
    await using scene = await Scene.create()
    const shown = showConfiguration(await scene.load(one(`password: {env: P}, ${key}: [ssh, "s3cret-word"]`)))
    expect(shown).toContain('"ssh …"')
    expect(shown).not.toContain('s3cret')
    for (const wrong of ['"ssh s3cret-word"', '[]', '[""]', '[ssh, 7, s3cret-word]', '[ssh, {a: s3cret-word}]']) {
      const problems = await scene.problems(one(`password: {env: P}, ${key}: ${wrong}`))
      expect(problems.join()).toContain('a list of words: the program, then its arguments')
      expect(problems.join()).not.toContain('s3cret')
    }
  })

  test('a program and a proxy are two ways: only one goes', async () => {
    await using scene = await Scene.create()
    const [problem] = await scene.problems(one('password: {env: P}, via: [nc], proxy: "socks5://h:1080"'))
    expect(problem).toContain('accounts.a.via: found')
    expect(problem).toContain('expected no proxy beside it')
  })
})

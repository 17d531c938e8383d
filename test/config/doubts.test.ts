// What is probably not meant, though it is right: told by `config check`, refused by nobody.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { refusal, Scene } from './scene.ts'

let scene: Scene
beforeAll(async () => {
  scene = await Scene.create()
})
afterAll(() => scene[Symbol.asyncDispose]())

async function warnings(account: string, destination = '{ type: maildir, path: m }'): Promise<readonly string[]> {
  const text = `accounts:\n  a:\n    host: pop.example.net\n    user: u\n    deliver: out\n${account}\ndestinations:\n  out: ${destination}\n`
  return (await scene.load(text)).warnings
}

describe('a secret that ends where " #" begins a comment (B21)', () => {
  const doubt = 'line 6: accounts.a.password ends where " #" begins a comment: if that belongs to it, put it in quotes'

  test.each(['password: secret #1', 'password: secret  #!x', 'password: a12 #34'])('is told: %s', async (line) => {
    expect(await warnings(`    ${line}`)).toEqual([doubt])
  })

  test.each([
    'password: secret # of the isp',
    'password: "secret #1"',
    "password: 'secret' #1",
    'password: secret#1',
    'password: secret',
    'password: { env: P } #1',
    'password: secret\n    poll: 5m #1',
  ])('is not, where it is none: %s', async (line) => {
    expect(await warnings(`    ${line}`)).toEqual([])
  })

  test('is told of each, also in a long configuration', async () => {
    const accounts = Array.from(
      { length: 500 },
      (_, at) => `  a${at}:\n    host: h\n    user: u${at}\n    deliver: out\n    password: p #${at}\n`,
    )
    const text = `accounts:\n${accounts.join('')}destinations:\n  out: { type: maildir, path: m }\n`
    const told = (await scene.load(text)).warnings.filter((warning) => warning.includes('" #"'))
    expect(told).toHaveLength(500)
    expect(told[499]).toMatch(/^line 2501: accounts\.a499\.password /)
  })
})

describe('intervals that cannot be kept', () => {
  const many = (count: number, around: string, keys = ''): string => {
    const account = (at: number): string =>
      `  a${at}: { host: pop.example.net, user: u${at}, deliver: out, password: { env: P }${keys} }\n`
    const accounts = Array.from({ length: count }, (_, at) => account(at)).join('')
    return `${around}accounts:\n${accounts}destinations:\n  out: { type: maildir, path: m }\n`
  }
  const told = async (text: string): Promise<readonly string[]> =>
    (await scene.load(text)).warnings.filter((warning) => /accounts/.test(warning))

  test('are told, with how often the accounts come round: too few places at one server', async () => {
    const text = many(50, 'concurrency: 200\nperHost: 4\n', ', poll: 10s')
    expect(await told(text)).toEqual([
      '50 accounts at pop.example.net every 10s: with perHost: 4, and a second for each poll, they come round every 13s: raise perHost (if the server allows it) or poll',
    ])
  })

  test('are told: too few places over all', async () => {
    expect(await told(many(50, 'concurrency: 2\nperHost: 100\n', ', poll: 10s'))).toEqual([
      expect.stringMatching(/^50 accounts: with concurrency: 2, and a second for each poll, not all can be polled/),
    ])
  })

  test('are not, where there are places enough', async () => {
    expect(await told(many(50, 'concurrency: 200\nperHost: 4\n', ', poll: 13s'))).toEqual([])
  })
})

describe('a port that goes with another protocol, or another way of TLS (B21)', () => {
  const secret = '    password: { env: P }\n'
  const smtp = (keys: string): string => `{ type: smtp, host: s.example.net, to: a@b.example, ${keys} }`
  const imap = (keys: string): string => `{ type: imap, host: i.example.net, user: u, password: { env: P }, ${keys} }`

  test.each([
    ['    port: 110', undefined, 'account a: port 110 usually goes with tls: starttls, not implicit'],
    [
      '    port: 995\n    tls: starttls',
      undefined,
      'account a: port 995 usually goes with tls: implicit, not starttls',
    ],
    ['    port: 993', undefined, 'account a: port 993 is usually for IMAP, not for POP3'],
    ['    port: 465', undefined, 'account a: port 465 is usually for SMTP, not for POP3'],
    ['', smtp('port: 465, tls: starttls'), 'destination out: port 465 usually goes with tls: implicit, not starttls'],
    ['', smtp('port: 587, tls: implicit'), 'destination out: port 587 usually goes with tls: starttls, not implicit'],
    ['', smtp('port: 995, tls: implicit'), 'destination out: port 995 is usually for POP3, not for SMTP'],
    ['', imap('port: 143, tls: implicit'), 'destination out: port 143 usually goes with tls: starttls, not implicit'],
  ])('is told: %s %s', async (account, destination, warning) => {
    expect(await warnings(secret + account, destination)).toEqual([warning])
  })

  test.each([
    ['    port: 995', undefined],
    ['    port: 110\n    tls: starttls', undefined],
    ['    port: 10995', undefined],
    ['    port: 2110\n    via: [ssh, gate]', undefined],
    ['    port: 993\n    via: [ssh, gate]', undefined],
    ['', smtp('port: 465, tls: implicit')],
    ['', smtp('port: 25')],
    ['', imap('port: 993')],
  ])('is not, where it fits or is of no meaning: %s %s', async (account, destination) => {
    expect(await warnings(secret + account, destination)).toEqual([])
  })
})

test('a duration’s examples are among those that may be written (B15)', async () => {
  expect(await scene.problems('defaults: { timeout: 60, poll: 5 }\naccounts: {}')).toEqual(
    expect.arrayContaining(['1: defaults.timeout: found 60, expected a duration from 1s to 1d such as 90s, 5m, 12h']),
  )
})

test('the problems of a configuration are a list, for programs', async () => {
  const error = await refusal(scene.load('accounts:\n  a: { host: h, port: 0, usr: u }\ncolour: red\n'))
  expect(error).toMatchObject({
    problems: expect.arrayContaining([
      expect.objectContaining({ line: 2, path: 'accounts.a.port', found: '0' }),
      expect.objectContaining({ line: 3, path: 'colour' }),
    ]) as unknown,
  })
})

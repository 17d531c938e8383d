// `popfetch init` against the fake server: with options alone, and with somebody who answers.
import { readdir, readFile, stat } from 'node:fs/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type Dialogue, questionText } from '../../../../src/cli/terminal/dialogue.ts'
import { setUp } from '../../../../src/cli/commands/init/action.ts'
import type { InitInvocation } from '../../../../src/cli/commands/init/options.ts'
import { EDITOR_LINE } from '../../../../src/config/reference/json-schema.ts'
import { PopfetchError } from '../../../../src/errors.ts'
import type { Lookups } from '../../../../src/setup/discover.ts'
import { Pop3Server } from '../../../support/pop3-server.ts'
import { Person } from '../../person.ts'
import { understood } from '../../understood.ts'

const PASSWORD = 'c0rrect "horse": #1'
const CONFIG = '.config/popfetch/config.yaml'

let person: Person
let server: Pop3Server
beforeEach(async () => {
  person = await Person.arrive()
  server = await Pop3Server.start()
  server.mailbox('alice@example.net', PASSWORD)
  for (const n of [1, 2, 3]) server.mailbox('alice@example.net').add(`Subject: ${n}\n\nbody\n`, { uidl: `u${n}` })
  person.env['MAIL_PASSWORD'] = PASSWORD
})
afterEach(async () => {
  await server[Symbol.asyncDispose]()
  await person[Symbol.asyncDispose]()
})

const offline: Lookups = { srv: () => Promise.resolve(null), page: () => Promise.resolve(null) }

const local = (): string[] => ['--host', server.host, '--port', String(server.port), '--tls', 'none']
const scripted = (): string[] => [
  '--address',
  'alice@example.net',
  ...local(),
  '--password-env',
  'MAIL_PASSWORD',
  '--yes',
]

/** Questions that a test answers only if it is about them. */
const USUALLY_ENTER = ['Where popfetch gets it', 'Port and TLS']

/** Answers in turn; each must be to the question that its key is part of. */
function answers(...turns: readonly (readonly [question: string, answer: string | null])[]) {
  const left = [...turns]
  const asked: string[] = []
  const next = (question: string): Promise<string> => {
    asked.push(question)
    const isLeftOut = USUALLY_ENTER.some((part) => question.startsWith(part) && left[0]?.[0] !== part)
    if (isLeftOut) return Promise.resolve('')
    const [part = 'no more questions', answer = null] = left.shift() ?? []
    expect(question).toContain(part)
    if (answer !== null) return Promise.resolve(answer)
    return Promise.reject(new PopfetchError('ERR_ABORTED', 'gone', { scope: 'process', retry: 'never' }))
  }
  const dialogue: Dialogue = { ask: (question) => next(questionText(question)), askSecret: next }
  return { dialogue, asked, left }
}

async function init(argv: readonly string[], dialogue: Dialogue | null, lookups = offline): Promise<number> {
  const invocation = (await understood(['init', ...argv])) as unknown as InitInvocation
  return await setUp(invocation, person.surroundings(), { dialogue, lookups })
}

const config = (): Promise<string> => readFile(person.path(CONFIG), 'utf8')
const nothingIsLeft = async (): Promise<void> => {
  expect(await readdir(person.home)).toEqual([])
}

describe('init with options alone', () => {
  test('writes a file with which popfetch works at once', async () => {
    expect(await person.run('init', ...scripted())).toBe(0)
    expect((await stat(person.path(CONFIG))).mode & 0o777).toBe(0o600)
    expect(server.journal.of('retr')).toEqual([])

    expect(await person.run()).toBe(0)
    expect(await readdir(person.path('Mail/new'))).toHaveLength(3)
    expect(person.printed).toBe('')
  })

  test('tells the name of the account that is in the file (B4)', async () => {
    expect(await person.run('init', ...scripted(), '--json')).toBe(0)
    const { account } = JSON.parse(person.stdout.text) as { account: string }
    expect(await config()).toContain(`\n  ${account}:\n`)
    expect(account).toMatch(/^[\w.-]+$/)
  })

  test('takes every answer from them', async () => {
    const argv = ['--user', 'alice@example.net', '--deliver', 'mbox:box', '--delete-policy', '30d', '--first', 'last:2']
    expect(await person.run('init', ...scripted(), ...argv, '--name', 'work', '--output', 'x.yaml', '--json')).toBe(0)
    expect(JSON.parse(person.stdout.text)).toEqual({ ok: true, file: person.path('x.yaml'), account: 'work' })
    expect(await readFile(person.path('x.yaml'), 'utf8')).toBe(`${EDITOR_LINE}
# Created by popfetch init. All settings: popfetch config reference

accounts:
  work:
    host: 127.0.0.1
    port: ${server.port}
    user: alice@example.net
    password:
      env: MAIL_PASSWORD
    deliver: mbox
    tls: none
    delete: 30d

destinations:
  mbox:
    type: mbox
    path: ${person.path('box')}
`)
    expect(await person.run('--config', 'x.yaml')).toBe(0)
    expect((await readFile(person.path('box'), 'utf8')).match(/^Subject:/gm)).toHaveLength(2)
  })

  test('leaves nothing when the server refuses the password: 77', async () => {
    person.env['MAIL_PASSWORD'] = 'wrong'
    expect(await person.run('init', ...scripted())).toBe(77)
    await nothingIsLeft()
  })

  test('does not sign in when told so', async () => {
    person.env['MAIL_PASSWORD'] = 'wrong'
    expect(await person.run('init', ...scripted(), '--untested')).toBe(0)
    expect(server.journal.of('connect')).toEqual([])
  })

  test('does not overwrite a file, and asks nothing before it knows', async () => {
    await person.write(CONFIG, 'mine')
    expect(await person.run('init')).toBe(78)
    expect(await config()).toBe('mine')
  })

  test.each([
    [['--address', 'nobody']],
    [['--port', '0']],
    [['--tls', 'ssl']],
    [['--deliver', 'ftp://x']],
    [['--delete-policy', 'later']],
    [['--first', 'last:0']],
    [['--name', 'status', '--name', 'x']],
    [['--token-command', 'x']],
    [['--output', '-']],
  ])('%j is wrong usage', async (argv) => {
    const usual = scripted().filter((_, at, all) => !argv.includes(all[at] ?? '') && !argv.includes(all[at - 1] ?? ''))
    expect(await person.run('init', ...usual, ...argv)).toBe(64)
    await nothingIsLeft()
  })

  test('says which option answers when there is no terminal to ask at', async () => {
    expect(await person.run('init', '--address', 'alice@example.net', ...local())).toBe(64)
    expect(person.stderr.text).toContain('not a terminal: use --user')
    expect(await person.run('init', '--yes')).toBe(64)
    expect(person.stderr.text).toContain('--address')
  })

  test('sends no password where only the DNS leads out of the domain', async () => {
    const lookups: Lookups = {
      ...offline,
      srv: (name) =>
        Promise.resolve(name.startsWith('_pop3s') ? [{ name: 'pop.mallory.example', port: 995, priority: 0 }] : []),
    }
    const argv = ['--address', 'alice@example.net', '--password-env', 'MAIL_PASSWORD', '--yes']
    await expect(init(argv, null, lookups)).rejects.toThrow(/pop\.mallory\.example.*give it with --host/)
    await nothingIsLeft()
  })
})

describe('init with somebody who answers', () => {
  test('asks, shows the file without the password, and writes it', async () => {
    const { dialogue, left } = answers(
      ['Mail address', 'nobody'],
      ['Mail address', 'alice@example.net'],
      ['POP3 server [127.0.0.1]', ''],
      ['User name there [alice@example.net]', ''],
      ['Password of alice@example.net', PASSWORD],
      ['Where mail goes', '~/Post'],
      ['Delete from the server', ''],
      ['3 messages already on the server', ''],
      ['Write it to', 'y'],
    )
    const lookups: Lookups = {
      srv: () => Promise.resolve([]),
      page: () =>
        Promise.resolve(
          `<incomingServer type="pop3"><hostname>127.0.0.1</hostname><port>${server.port}</port><socketType>SSL</socketType></incomingServer>`,
        ),
    }
    expect(await init(['--tls', 'none'], dialogue, lookups)).toBe(0)

    expect(left).toEqual([])
    const kept = '.config/popfetch/alice-example.net.password'
    expect(person.stdout.text).toContain(`file: ~/${kept}`)
    expect(person.printed).not.toContain('c0rrect')
    expect(await config()).not.toContain('c0rrect')
    expect(await readFile(person.path(kept), 'utf8')).toBe(`${PASSWORD}\n`)
    expect((await stat(person.path(kept))).mode & 0o777).toBe(0o600)
    expect(await person.run()).toBe(0)
    expect(await readdir(person.path('Post/new'))).toHaveLength(3)
  })

  test('takes no server on Enter alone that only the DNS names, outside the domain', async () => {
    const lookups: Lookups = {
      ...offline,
      srv: (name) =>
        Promise.resolve(name.startsWith('_pop3s') ? [{ name: 'pop.mallory.example', port: 995, priority: 0 }] : []),
    }
    const { dialogue, left } = answers(
      ['POP3 server', ''],
      ['POP3 server', '127.0.0.1'],
      ['User name there', ''],
      ['Password of', PASSWORD],
      ['Where mail goes', null],
    )
    const argv = ['--address', 'alice@example.net', '--port', String(server.port), '--tls', 'none']
    await expect(init(argv, dialogue, lookups)).rejects.toThrow('gone')
    expect(left).toEqual([])
    expect(person.stderr.text).toMatch(/only the DNS names a server .* pop\.mallory\.example, .* can be forged/)
  })

  test('asks again after a refused password', async () => {
    const { dialogue, left } = answers(
      ['User name', 'alice@example.net'],
      ['Password', 'wrong'],
      ['Try again', 'a'],
      ['POP3 server [127.0.0.1]', ''],
      ['User name there [alice@example.net]', ''],
      ['Password', PASSWORD],
      ['Where', ''],
      ['Delete', 'after-delivery'],
      ['3 messages already', 'all'],
      ['Write it', 'yes'],
    )
    expect(await init(['--address', 'a@example.net', ...local()], dialogue)).toBe(0)
    expect(left).toEqual([])
    expect(await config()).toContain(`port: ${server.port}`)
  })

  test('may write what could not be tried', async () => {
    server.mailbox('alice@example.net').password = 'changed'
    const { dialogue } = answers(
      ['User name', ''],
      ['Password', PASSWORD],
      ['Try again', 'write'],
      ['Where', ''],
      ['Delete', ''],
      ['already on the server', 'new'],
      ['Write it', ''],
    )
    expect(await init(['--address', 'alice@example.net', ...local()], dialogue)).toBe(0)
    expect(await config()).not.toContain('first')
    server.mailbox('alice@example.net').password = PASSWORD
    expect(await person.run('--json')).toBe(0)
    expect(person.stdout.text).toContain('"skipped":3')
  })

  test('tells what a provider wants first, and takes a token command where no password is taken', async () => {
    const { dialogue, asked } = answers(
      ['POP3 server [outlook.office365.com]', ''],
      ['User name', ''],
      ['Client id (Enter alone: a command prints tokens)', ''],
      ['Command that prints an access token', 'print-token'],
      ['Where', ''],
      ['Delete', ''],
      ['already', ''],
      ['Write', ''],
    )
    expect(await init(['--address', 'x@outlook.com', '--untested'], dialogue)).toBe(0)
    expect(person.stderr.text).toContain('let devices and apps use POP')
    expect(asked.join()).not.toContain('Password')
    expect(await config()).toContain('token:\n      command: print-token')
  })

  test('tells in three lines how to get a client where tokens alone are taken, and writes what signs in by it', async () => {
    const { dialogue, asked } = answers(
      ['POP3 server [outlook.office365.com]', ''],
      ['User name', ''],
      ['Client id', '0123-client'],
      ['Where', ''],
      ['Delete', ''],
      ['already', ''],
      ['Write', ''],
    )
    expect(await init(['--address', 'x@outlook.com', '--untested'], dialogue)).toBe(0)
    expect(person.stderr.text).toContain('https://entra.microsoft.com, App registrations')
    expect(asked.join()).not.toContain('Password')
    const written = await config()
    expect(written).toContain('provider: microsoft')
    expect(written).toContain('clientId: 0123-client')
    expect(written).toContain('oauth: microsoft')
  })

  test('shows no client secret, and writes it', async () => {
    const { dialogue } = answers(
      ['POP3 server [pop.gmail.com]', ''],
      ['User name', ''],
      ['Client secret', 'GOCSPX-of-tests'],
      ['Where', ''],
      ['Delete', ''],
      ['already', ''],
      ['Write', ''],
    )
    expect(await init(['--address', 'x@gmail.com', '--untested', '--client-id', '1.apps'], dialogue)).toBe(0)
    expect(person.stdout.text).toContain('********')
    expect(person.stdout.text + person.stderr.text).not.toContain('GOCSPX-of-tests')
    expect(await config()).toContain('clientSecret: GOCSPX-of-tests')
  })

  test.each(['x@yandex.com', 'x@mail.ru'])('offers no sign-in where it does not serve POP3: %s', async (address) => {
    const { dialogue } = answers(['POP3 server', ''], ['User name', ''])
    await expect(init(['--address', address, '--untested', '--client-id', 'c'], dialogue)).rejects.toThrow(
      /gives no tokens for POP3: it requires an? (?:app password|password for external)/,
    )
    await nothingIsLeft()
  })

  test.each([
    ['no is said at the end', 'no'],
    ['they leave at the end', null],
  ])('leaves nothing when %s', async (_, last) => {
    const { dialogue } = answers(
      ['User name', ''],
      ['Password', PASSWORD],
      ['Where', ''],
      ['Delete', ''],
      ['already', ''],
      ['Write', last],
    )
    await expect(init(['--address', 'alice@example.net', ...local()], dialogue)).rejects.toMatchObject({
      code: 'ERR_ABORTED',
    })
    await nothingIsLeft()
  })
})

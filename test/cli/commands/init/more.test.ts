// `popfetch init` with somebody who answers: the certificate, each kind of destination, and what it prints at the end.
import { spawn } from 'node:child_process'
import { chmod, mkdir, readdir, readFile, stat } from 'node:fs/promises'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { parseText } from '../../../../src/config/document.ts'
import type { Dialogue } from '../../../../src/cli/terminal/dialogue.ts'
import { lookupsOf } from '../../../../src/cli/commands/init/server.ts'
import type { InitInvocation } from '../../../../src/cli/commands/init/options.ts'
import { lineOf, wordsOf } from '../../../../src/cli/commands/init/place.ts'
import { PopfetchError } from '../../../../src/errors.ts'
import type { Lookups } from '../../../../src/setup/discover.ts'
import { caFile, certificates } from '../../../support/certificates.ts'
import { Pop3Server } from '../../../support/pop3-server.ts'
import { SmtpSink } from '../../../support/smtp-server.ts'
import type { Person } from '../../person.ts'
import { answering } from './answering.ts'
import { arrive, initAs, offline, PASSWORD } from './scene.ts'
import { understood } from '../../understood.ts'

const CONFIG = '.config/popfetch/config.yaml'

let person: Person
let server: Pop3Server
beforeEach(async () => {
  ;({ person, server } = await arrive())
})
afterEach(async () => {
  await server[Symbol.asyncDispose]()
  await person[Symbol.asyncDispose]()
})

const init = (argv: readonly string[], dialogue: Dialogue | null, lookups?: Lookups): Promise<number> =>
  initAs(person, argv, dialogue, lookups)

const mailbox = (): string[] => [
  '--address',
  'alice@example.net',
  '--host',
  server.host,
  '--port',
  String(server.port),
  '--tls',
  'none',
  '--user',
  'alice',
]

const config = (): Promise<string> => readFile(person.path(CONFIG), 'utf8')
async function written(): Promise<Record<'accounts' | 'destinations', Record<string, Record<string, unknown>>>> {
  return parseText(await config()).root as Record<'accounts' | 'destinations', Record<string, Record<string, unknown>>>
}

describe('a certificate that is not trusted', () => {
  test.each([
    ['pin', { pin: certificates.good.pin }],
    [`ca ${caFile}`, { ca: caFile }],
  ] as const)('is shown with its SHA-256, and written as the person decides: %s', async (answer, keys) => {
    await using secured = await Pop3Server.start({ tls: 'implicit' })
    secured.mailbox('alice', PASSWORD)
    const { dialogue } = answering({
      'Mail address': 'alice@localhost',
      'POP3 server': 'localhost',
      'Port and TLS': String(secured.port),
      'Trust it': answer,
      'User name': 'alice',
      'Password of': PASSWORD,
      'Write it': 'yes',
    })
    const lookups = {
      ...(await lookupsOf(person.surroundings())),
      ...offline,
    }
    expect(await init([], dialogue, lookups)).toBe(0)
    expect(person.stderr.text).toMatch(
      /The certificate of localhost is not trusted here: TLS with localhost:\d+ failed/,
    )
    expect(person.stderr.text).toContain(`SHA-256: ${certificates.good.pin}`)
    expect((await written()).accounts['alice-localhost']).toMatchObject({
      host: 'localhost',
      port: secured.port,
      ...keys,
    })
    expect(await person.run()).toBe(0)
  })

  test('leads to another server when it is not', async () => {
    await using secured = await Pop3Server.start({ tls: 'implicit' })
    const { dialogue, asked } = answering({
      'POP3 server': ['localhost', server.host],
      'Port and TLS': [`${secured.port} implicit`, `${server.port} none`],
      'Trust it': 'another',
      'Password of': PASSWORD,
      'Write it': 'yes',
    })
    expect(await init(['--address', 'alice@example.net', '--user', 'alice'], dialogue)).toBe(0)
    expect(asked.filter((question) => question.startsWith('POP3 server'))).toHaveLength(2)
    expect(secured.journal.commands()).not.toContain('PASS')
    expect((await written()).accounts['alice-example.net']).toMatchObject({ port: server.port, tls: 'none' })
  })
})

describe('where popfetch gets the password', () => {
  test.each([
    ['env MAIL_PASSWORD', { env: 'MAIL_PASSWORD' }],
    [`command printf '${PASSWORD}'`, { command: `printf '${PASSWORD}'` }],
    ['file pw', null],
    ['keyring mail', { keyring: 'mail' }],
    ['credential mail', { credential: 'mail' }],
  ] as const)('%s', async (answer, keys) => {
    person.env['MAIL_PASSWORD'] = PASSWORD
    await person.write('pw', PASSWORD)
    await person.write('credentials/mail', PASSWORD)
    person.env['CREDENTIALS_DIRECTORY'] = person.path('credentials')
    await person.write(
      'bin/secret-tool',
      `#!/bin/sh\n[ "$*" = "lookup service popfetch account mail" ] && printf '%s' '${PASSWORD}'\n`,
    )
    await chmod(person.path('bin/secret-tool'), 0o755)
    person.env['PATH'] = `${person.path('bin')}:${person.env['PATH']}`
    const { dialogue } = answering({ 'Where popfetch gets it': answer, 'Write it': 'yes' })
    expect(await init(mailbox(), dialogue)).toBe(0)
    const { accounts } = await written()
    expect(accounts['alice-example.net']?.['password']).toEqual(keys ?? { file: person.path('pw') })
    expect(await person.run()).toBe(0)
    expect(await readdir(person.path('Mail/new'))).toHaveLength(1)
  })
})

describe('where mail goes', () => {
  test.each([
    ['1', { Folder: '~/Post' }, { type: 'maildir', path: '~/Post' }],
    ['mbox', { 'File [': '~/inbox' }, { type: 'mbox', path: '~/inbox' }],
    ['7', { 'Program and': '/bin/cat -u "a b"' }, { type: 'command', run: ['/bin/cat', '-u', 'a b'] }],
  ] as const)('%s, with its questions and a trial', async (kind, more, keys) => {
    const { dialogue } = answering({ 'Where mail goes': kind, ...more, 'Password of': PASSWORD, 'Write it': 'yes' })
    expect(await init(mailbox(), dialogue)).toBe(0)
    expect(Object.values((await written()).destinations)).toEqual([keys])
    expect(person.stderr.text).toContain('it accepts mail')
  })

  test('smtp with a sign-in: what was typed stays after a wrong password, which is asked for again', async () => {
    await using sink = await SmtpSink.start({ users: { relay: 'relay secret' } })
    const { dialogue, asked } = answering({
      'Where mail goes': ['smtp', ''],
      'Mail server that sends': ['127.0.0.1', ''],
      'Port and TLS': [`${sink.port} none`, ''],
      'User name there, or none': ['relay', ''],
      'Password of alice': PASSWORD,
      'Password of relay': ['wrong wrong', 'relay secret'],
      'Forwarded to': ['bob@example.org', ''],
      'Try again': '',
      'Write it': 'yes',
    })
    expect(await init(mailbox(), dialogue)).toBe(0)
    expect(person.stderr.text).toMatch(/signing in was rejected: "535/)
    const second = asked.slice(asked.findIndex((question) => question.startsWith('Try again')) + 1)
    expect(second.slice(0, 3)).toEqual([
      expect.stringContaining('[smtp]'),
      'Mail server that sends for you [127.0.0.1]:',
      `Port and TLS (implicit, starttls or none) [${sink.port} none]:`,
    ])
    expect(Object.values((await written()).destinations)).toEqual([
      {
        type: 'smtp',
        host: '127.0.0.1',
        port: sink.port,
        tls: 'none',
        user: 'relay',
        password: { file: '~/.config/popfetch/alice-example.net-to-smtp.password' },
        to: 'bob@example.org',
      },
    ])
    expect(person.printed).not.toMatch(/relay secret|wrong wrong/)
    expect(await person.run()).toBe(0)
    expect(sink.messages).toHaveLength(1)
  })

  test.each(['starttls', 'implicit'] as const)(
    'smtp over %s with a certificate that is not trusted: it is shown and pinned',
    async (tls) => {
      await using sink = await SmtpSink.start({ tls })
      const { dialogue } = answering({
        'Where mail goes': 'smtp',
        'Mail server that sends': 'localhost',
        'Port and TLS': `${sink.port} ${tls}`,
        'User name there, or none': 'none',
        'Password of alice': PASSWORD,
        'Forwarded to': 'bob@example.org',
        'Trust it': 'pin',
        'Write it': 'yes',
      })
      expect(await init(mailbox(), dialogue)).toBe(0)
      expect(person.stderr.text).toContain(`SHA-256: ${certificates.good.pin}`)
      expect(Object.values((await written()).destinations)).toMatchObject([{ tls, pin: certificates.good.pin }])
      expect(await person.run()).toBe(0)
      expect(sink.messages).toHaveLength(1)
    },
  )

  test('a trial leaves no folder when the person says no at the end', async () => {
    const { dialogue } = answering({ 'Password of': PASSWORD, 'Where mail goes': '~/a/b/Mail', 'Write it': 'no' })
    await expect(init(mailbox(), dialogue)).rejects.toMatchObject({ code: 'ERR_ABORTED' })
    expect(await readdir(person.home)).toEqual([])
  })

  test.each([
    [201, 'smtp', 'new'],
    [200, 'smtp', 'all'],
    [201, 'maildir', 'all'],
  ] as const)('of %d messages, a first poll into %s takes %s by default', async (count, kind, usual) => {
    for (let at = 2; at <= count; at++) server.mailbox('alice').add(`Subject: ${at}\n\nx\n`, { uidl: `u${at}` })
    await using sink = await SmtpSink.start()
    const { dialogue, asked } = answering({
      'Password of': PASSWORD,
      'Where mail goes': kind,
      'Mail server': '127.0.0.1',
      'Port and TLS': `${sink.port} none`,
      'Forwarded to': 'bob@example.org',
      'Write it': 'yes',
    })
    expect(await init(mailbox(), dialogue)).toBe(0)
    expect(asked.find((question) => question.includes('already on the server'))).toContain(`[${usual}]:`)
    expect(await config()).not.toContain('first')
  })
})

/** Its code, and all that it printed. */
async function finished(program: string, args: readonly string[]): Promise<readonly [number | null, string]> {
  const child = spawn(program, args, { cwd: '/', stdio: ['ignore', 'pipe', 'pipe'] })
  let printed = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (printed += chunk.toString()))
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve))
  return [code, printed]
}

describe('what to do next', () => {
  const host = { command: [process.execPath, path.resolve(import.meta.dirname, '../../../../bin/popfetch.ts')] }

  async function printed(...argv: readonly string[]): Promise<string> {
    const { run } = await import('../../../../src/cli/commands/init/action.ts')
    const invocation = (await understood(['init', ...argv])) as unknown as InitInvocation
    const surroundings = person.surroundings()
    person.stdout.text = ''
    await run(invocation, { ...surroundings, host: { ...surroundings.host, ...host } })
    return person.stdout.text
  }

  test('the line for cron works with nothing of the environment but what cron has', async () => {
    // A folder that a shell, and cron, would take apart.
    const odd = person.path("it's 100% $HOME")
    await mkdir(odd)
    await person.write(
      "it's 100% $HOME/config.json",
      JSON.stringify({
        accounts: {
          a: {
            host: server.host,
            port: server.port,
            tls: 'none',
            user: 'alice',
            password: PASSWORD,
            deliver: 'maildir:Mail',
          },
        },
      }),
    )
    person.env['XDG_STATE_HOME'] = person.path('state of mine')
    const line = (await printed('--cron', '--config', path.join(odd, 'config.json'))).trimEnd()
    expect(line.split('\n')).toHaveLength(1)
    const [, fields, command = ''] = /^((?:\S+ +){5})(.*)$/.exec(line) ?? []
    expect(fields?.trim()).toBe('*/5 * * * *')
    // As cron does: an unescaped % would be the end of the command.
    const shell = command.replaceAll('\\%', '%')
    expect(command.replaceAll('\\%', '')).not.toContain('%')
    const ended = await finished('/usr/bin/env', [
      '-i',
      `HOME=${person.home}`,
      'SHELL=/bin/sh',
      'LOGNAME=alice',
      'PATH=/usr/bin:/bin',
      '/bin/sh',
      '-c',
      shell,
    ])
    expect(ended).toEqual([0, ''])
    expect(await readdir(path.join(odd, 'Mail/new'))).toHaveLength(1)
    expect((await stat(person.path('state of mine/popfetch/state.db'))).isFile()).toBe(true)
  })

  test('the systemd unit has the real paths, each word as systemd reads it', async () => {
    await person.write('a 100% b/config.json', '{}')
    const unit = await printed('--systemd', '--config', 'a 100% b/config.json')
    expect(unit).toContain(
      `ExecStart=${process.execPath} ${host.command[1]} --config "${person.home}/a 100%% b/config.json" --daemon --foreground\n`,
    )
    expect(unit).toMatch(/^\[Install\]\nWantedBy=(?:default|multi-user)\.target$/m)
  })

  test('without a configuration neither is printed', async () => {
    await expect(printed('--cron')).rejects.toMatchObject({ code: 'ERR_CONFIG' })
  })

  test('is told at the end, with the line for cron', async () => {
    const { dialogue } = answering({ 'Password of': PASSWORD, 'Write it': 'yes' })
    expect(await init(mailbox(), dialogue)).toBe(0)
    expect(person.stderr.text).toMatch(/Wrote ~\/\.config\/popfetch\/config\.yaml\. Run "popfetch" to fetch/)
    expect(person.stderr.text).toMatch(/Every five minutes by cron/)
    expect(person.stderr.text).toContain(`--config ${person.path(CONFIG)}`)
  })

  test('nothing typed is on the screen, and leaving in the middle writes nothing', async () => {
    const gone: Dialogue = {
      ask: (question) =>
        question.text.startsWith('Delete')
          ? Promise.reject(new PopfetchError('ERR_ABORTED', 'gone', { scope: 'process', retry: 'never' }))
          : Promise.resolve(''),
      askSecret: () => Promise.resolve(PASSWORD),
    }
    await expect(init(mailbox(), gone)).rejects.toMatchObject({ code: 'ERR_ABORTED' })
    expect(await readdir(person.home)).toEqual([])
    expect(person.printed).not.toContain(PASSWORD)
  })
})

test.each([
  ['procmail -d bob', ['procmail', '-d', 'bob']],
  ['./take.sh "in box" \'a "b"\'', ['./take.sh', 'in box', 'a "b"']],
  ['filter --subject="two words" x', ['filter', '--subject=two words', 'x']],
])('a command line is cut at blanks, and quotes hold a word together: %s', (line, words) => {
  expect(wordsOf(line)).toEqual(words)
  expect(wordsOf(lineOf(words))).toEqual(words)
})

test.each(['odd "', "it's", "a 'b' 'c", '"'])('a command line with a quote left open is none: %s', (line) => {
  expect(wordsOf(line)).toBeNull()
})

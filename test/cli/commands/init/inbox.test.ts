// `popfetch init` into a mailbox elsewhere: by each way, with options alone and with somebody who answers.
import { readFile } from 'node:fs/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { setUp } from '../../../../src/cli/commands/init/action.ts'
import type { InitInvocation } from '../../../../src/cli/commands/init/options.ts'
import { type Dialogue, questionText } from '../../../../src/cli/terminal/dialogue.ts'
import type { Lookups } from '../../../../src/setup/discover.ts'
import { parseText } from '../../../../src/config/document.ts'
import { ImapServer } from '../../../support/imap-server.ts'
import { Pop3Server } from '../../../support/pop3-server.ts'
import { Person } from '../../person.ts'
import { understood } from '../../understood.ts'

const offline: Lookups = { srv: () => Promise.resolve(null), page: () => Promise.resolve(null) }

let person: Person
let server: Pop3Server
beforeEach(async () => {
  person = await Person.arrive()
  server = await Pop3Server.start()
  server.mailbox('alice@example.net', 'secret')
  server.mailbox('alice@example.net').add('Subject: first\n\nbody\n', { uidl: 'u1' })
  person.env['MAIL_PASSWORD'] = 'secret'
  person.env['INBOX_PASSWORD'] = 'app password 1'
})
afterEach(async () => {
  await server[Symbol.asyncDispose]()
  await person[Symbol.asyncDispose]()
})

const mailbox = (): string[] =>
  `--address alice@example.net --host ${server.host} --port ${server.port} --tls none --user alice@example.net --password-env MAIL_PASSWORD`.split(
    ' ',
  )
const options = (): string[] => [...mailbox(), '--yes']

const written = async (): Promise<Record<string, Record<string, Record<string, unknown>>>> =>
  parseText(await readFile(person.path('.config/popfetch/config.yaml'), 'utf8')).root as never

/** Answers by what is asked; what is asked and not known fails. */
function answering(known: Readonly<Record<string, string>>): { readonly dialogue: Dialogue; readonly asked: string[] } {
  const asked: string[] = []
  const next = (question: string): Promise<string> => {
    if (question.startsWith('Where popfetch gets it')) return Promise.resolve('')
    asked.push(question)
    const part = Object.keys(known).find((each) => question.includes(each))
    if (part === undefined) return Promise.reject(new Error(`nobody answers "${question}"`))
    return Promise.resolve(known[part] ?? '')
  }
  return { dialogue: { ask: (question) => next(questionText(question)), askSecret: next }, asked }
}

async function init(argv: readonly string[], dialogue: Dialogue): Promise<number> {
  const invocation = (await understood(['init', ...argv])) as unknown as InitInvocation
  return await setUp(invocation, person.surroundings(), { dialogue, lookups: offline })
}

describe('into a mailbox elsewhere, with options alone', () => {
  test.each<[string, string[], object, object | undefined]>([
    [
      'Gmail by IMAP',
      ['--deliver', 'bob@gmail.com', '--to-password-env', 'INBOX_PASSWORD'],
      { type: 'imap', host: 'imap.gmail.com', user: 'bob@gmail.com', password: { env: 'INBOX_PASSWORD' } },
      undefined,
    ],
    [
      'Gmail by its API',
      ['--deliver', 'bob@gmail.com', '--way', 'api', '--to-client-id', '123.apps', '--to-client-secret-file', 'g'],
      { type: 'gmail', user: 'bob@gmail.com', token: { oauth: 'google' } },
      { google: { provider: 'google', clientId: '123.apps' } },
    ],
    [
      'Outlook by IMAP',
      ['--deliver', 'bob@outlook.com', '--to-client-id', 'abc'],
      { type: 'imap', host: 'outlook.office365.com', user: 'bob@outlook.com', token: { oauth: 'microsoft' } },
      { microsoft: { provider: 'microsoft', clientId: 'abc' } },
    ],
    [
      'iCloud',
      ['--deliver', 'bob@icloud.com', '--to-password-command', 'pass bob'],
      { type: 'imap', host: 'imap.mail.me.com', password: { command: 'pass bob' } },
      undefined,
    ],
    [
      'a host of one’s own',
      ['--deliver', 'bob@home.example', '--to-password-file', 'p', '--to-host', 'mail.home.example'],
      { type: 'imap', host: 'mail.home.example', user: 'bob@home.example' },
      undefined,
    ],
    [
      'SMTP',
      ['--deliver', 'bob@gmail.com', '--way', 'smtp', '--to-host', 'mx.home.example'],
      { type: 'smtp', host: 'mx.home.example', to: 'bob@gmail.com' },
      undefined,
    ],
  ])('%s', async (_, argv, destination, oauth) => {
    expect(await person.run('init', ...options(), ...argv, '--untested')).toBe(0)
    const { destinations, oauth: clients } = await written()
    expect(Object.values(destinations ?? {})).toMatchObject([destination])
    if (oauth === undefined) expect(clients).toBeUndefined()
    else expect(clients).toMatchObject(oauth)
  })

  test.each(['smtp', 'smtps', 'imap', 'imaps'])(
    'given as %s:// with a user: the password that the URL lacks is in the file beside it (B5)',
    async (scheme) => {
      const path = scheme.startsWith('smtp') ? '?to=bob@gmail.com' : ''
      const argv = ['--deliver', `${scheme}://bob@mx.home.example${path}`, '--to-password-env', 'INBOX_PASSWORD']
      expect(await person.run('init', ...options(), ...argv, '--untested')).toBe(0)
      const { destinations } = await written()
      const place = { host: 'mx.home.example', user: 'bob', password: { env: 'INBOX_PASSWORD' } }
      expect(Object.values(destinations ?? {})).toMatchObject([place])
      person.env['INBOX_PASSWORD'] = 'x'
      expect(await person.run('config', 'check')).toBe(0)
    },
  )

  test.each<[string[], string]>([
    [['--deliver', 'bob@proton.me', '--way', 'imap'], '--way must be smtp'],
    [['--deliver', 'bob@fastmail.com', '--way', 'api'], '--way must be imap or smtp'],
    [['--deliver', 'bob@gmail.com'], '--to-password-env'],
    [['--deliver', 'smtp://bob@mx.home.example?to=b@gmail.com'], '--to-password-env'],
    [['--deliver', 'bob@gmail.com', '--way', 'api'], '--to-client-id'],
    [['--deliver', 'bob@gmail.com', '--to-password-env', 'A', '--to-password-file', 'b'], 'is enough'],
  ])('%j is wrong usage, and says what to give', async (argv, words) => {
    expect(await person.run('init', ...options(), ...argv)).toBe(64)
    expect(person.stderr.text).toContain(words)
  })
})

describe('into a mailbox elsewhere, with somebody who answers', () => {
  test('lists the ways with what they cost, the simplest first, and takes that on Enter', async () => {
    const { dialogue } = answering({
      'Where mail goes': 'bob@gmail.com',
      'Which way (1 imap, 2 api, 3 smtp) [imap]': '',
      'App password of bob@gmail.com at imap.gmail.com': 'abcd efgh ijkl mnop',
      Delete: '',
      'already on the server': '',
      'Write it': 'yes',
    })
    expect(await init([...mailbox(), '--untested'], dialogue)).toBe(0)
    const { destinations } = await written()
    expect(destinations?.['imap']).toMatchObject({
      host: 'imap.gmail.com',
      password: { file: '~/.config/popfetch/alice-example.net-to-imap.password' },
    })
    const said = `${person.stderr.text}${person.stdout.text}`
    for (const words of ['1. imap: IMAP with an app password', '2. api: the Gmail API', '3. smtp: forwarded'])
      expect(said).toContain(words)
    // What is shown before it is written has no password.
    expect(said).not.toContain('ijkl')
  })

  test('tells step by step how to get a client, and does not ask for one twice', async () => {
    const { dialogue, asked } = answering({
      'Where mail goes': 'bob@gmail.com',
      'Which way': '2',
      'Client id': '123.apps',
      'Client secret': 'hush',
      Delete: '',
      'already on the server': '',
      'Write it': 'yes',
    })
    expect(await init([...mailbox(), '--untested'], dialogue)).toBe(0)
    expect(person.stderr.text + person.stdout.text).toContain('https://console.cloud.google.com/auth/clients')
    expect(asked.filter((question) => question.startsWith('Client id'))).toHaveLength(1)
    expect(await written()).toMatchObject({ oauth: { google: { clientId: '123.apps', clientSecret: 'hush' } } })
    expect(person.stderr.text + person.stdout.text).not.toContain('hush')
  })

  test('signs in there before the file is written, and asks again when that is refused', async () => {
    await using imap = await ImapServer.start()
    const url = `imap://me@127.0.0.1:${imap.port}`
    const passwords = ['wrong', 'secret']
    const { dialogue } = answering({
      'Where mail goes': url,
      'Try again': 'again',
      Delete: '',
      'already on the server': '',
      'Write it': 'yes',
    })
    const ask: Dialogue = { ...dialogue, askSecret: () => Promise.resolve(passwords.shift() ?? '') }
    expect(await init(mailbox(), ask)).toBe(0)
    expect(passwords).toEqual([])
    expect(person.stderr.text + person.stdout.text).toContain('it accepts mail')
    expect(await person.run()).toBe(0)
    expect(
      imap.folders.get('INBOX')?.messages.map(({ bytes }) => /^Subject: (.*)\r$/m.exec(bytes.toString())?.[1]),
    ).toEqual(['first'])
  })
})

// `popfetch init` asks again after a failure: what was answered before is the default of each question, passwords included.
import { readFile } from 'node:fs/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { lookupsOf } from '../../../../src/cli/commands/init/server.ts'
import type { Dialogue } from '../../../../src/cli/terminal/dialogue.ts'
import { parseText } from '../../../../src/config/document.ts'
import type { Lookups } from '../../../../src/setup/discover.ts'
import { certificates } from '../../../support/certificates.ts'
import { Pop3Server } from '../../../support/pop3-server.ts'
import { SmtpSink } from '../../../support/smtp-server.ts'
import type { Person } from '../../person.ts'
import { answering } from './answering.ts'
import { arrive, initAs, offline, PASSWORD } from './scene.ts'

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

const MAILBOX = ['--address', 'alice@example.net']
const TYPED = {
  'POP3 server': ['127.0.0.1', ''],
  'User name': ['alice', ''],
  'Write it': 'yes',
}
const typed = (port: number): Record<string, readonly string[] | string> => ({
  ...TYPED,
  'Port and TLS': [`${port} none`, `${server.port} none`, ''],
})

async function written(): Promise<Record<'accounts' | 'destinations', Record<string, Record<string, unknown>>>> {
  const text = await readFile(person.path('.config/popfetch/config.yaml'), 'utf8')
  return parseText(text).root as Record<'accounts' | 'destinations', Record<string, Record<string, unknown>>>
}

/** The questions behind that what is to be done now. */
function second(asked: readonly string[], part: string): readonly string[] {
  return asked.slice(asked.findIndex((question) => question.startsWith(part)) + 1)
}

describe('after a mailbox that could not be reached', () => {
  // Nobody listens on port 1.
  test('the password that was typed is kept on Enter alone', async () => {
    const { dialogue, asked } = answering({ ...typed(1), 'Password of': [PASSWORD, ''] })
    expect(await init(MAILBOX, dialogue)).toBe(0)
    expect(second(asked, 'Try again').slice(0, 5)).toEqual([
      'POP3 server [127.0.0.1]:',
      'Port and TLS (implicit, starttls or none) [1 none]:',
      'User name there [alice]:',
      expect.stringMatching(/^Where popfetch gets it.* \[type\]:$/),
      'Password of alice (Enter: the same as before)',
    ])
    expect(await readFile(person.path('.config/popfetch/alice-example.net.password'), 'utf8')).toBe(`${PASSWORD}\n`)
    expect(person.printed).not.toContain(PASSWORD)
  })

  test('a password may be typed anew', async () => {
    const { dialogue } = answering({ ...typed(server.port), 'Password of': ['wrong wrong', PASSWORD] })
    expect(await init(MAILBOX, dialogue)).toBe(0)
    expect(await readFile(person.path('.config/popfetch/alice-example.net.password'), 'utf8')).toBe(`${PASSWORD}\n`)
  })

  test.each([
    [`command printf '${PASSWORD}'`, { command: `printf '${PASSWORD}'` }],
    ['env MAIL_PASSWORD', { env: 'MAIL_PASSWORD' }],
    ['credential mail', { credential: 'mail' }],
    ['file pw', null],
  ] as const)('where the password is stays the default: %s', async (answer, keys) => {
    person.env['MAIL_PASSWORD'] = PASSWORD
    await person.write('pw', PASSWORD)
    await person.write('credentials/mail', PASSWORD)
    person.env['CREDENTIALS_DIRECTORY'] = person.path('credentials')
    const { dialogue, asked } = answering({ ...typed(1), 'Where popfetch gets it': [answer, ''] })
    expect(await init(MAILBOX, dialogue)).toBe(0)
    expect(second(asked, 'Try again').find((question) => question.startsWith('Where popfetch gets it'))).toContain(
      `[${answer}]:`,
    )
    const { accounts } = await written()
    expect(accounts['alice-example.net']?.['password']).toEqual(keys ?? { file: person.path('pw') })
  })

  test('the certificate that was trusted stays so, and is not asked about again', async () => {
    await using secured = await Pop3Server.start({ tls: 'implicit' })
    secured.mailbox('alice', PASSWORD)
    const { dialogue, asked } = answering({
      ...TYPED,
      'POP3 server': ['localhost', ''],
      'Port and TLS': [`${secured.port} implicit`, ''],
      'Trust it': 'pin',
      'Password of': ['wrong wrong', PASSWORD],
    })
    const lookups = { ...(await lookupsOf(person.surroundings())), ...offline }
    expect(await init(MAILBOX, dialogue, lookups)).toBe(0)
    expect(asked.filter((question) => question.startsWith('Trust it'))).toHaveLength(1)
    expect((await written()).accounts['alice-example.net']).toMatchObject({ pin: certificates.good.pin })
  })

  test('a client id stays the default where the provider takes nothing but tokens', async () => {
    const { dialogue, asked } = answering({
      'POP3 server': ['127.0.0.1', ''],
      'Port and TLS': ['1 none', ''],
      'User name': 'x@outlook.com',
      'Client id': ['', 'none'],
      'Command that prints': ['print-no-token', ''],
      'Try again': ['again', 'stop'],
    })
    await expect(init(['--address', 'x@outlook.com'], dialogue)).rejects.toMatchObject({ code: expect.any(String) })
    expect(second(asked, 'Try again')).toContain('Command that prints an access token [print-no-token]:')
  })
})

describe('answers that are no configuration', () => {
  test.each([
    ['Where popfetch gets it', 'env 1 2', /password: found a mapping, expected/],
    ['Where popfetch gets it', 'credential ../x', /password: found a mapping, expected/],
  ])('are told in one line, asked for again, and never written: %s: %s', async (part, wrong, told) => {
    const { dialogue, asked } = answering({
      ...typed(server.port),
      [part]: [wrong, 'type'],
      'Answer again': '',
      'Password of': PASSWORD,
    })
    expect(await init(MAILBOX, dialogue)).toBe(0)
    const problems = person.stderr.text.split('\n').filter((line) => line.startsWith('popfetch: '))
    expect(problems).toEqual([expect.stringMatching(told)])
    expect(asked.filter((question) => question.startsWith('Answer again'))).toEqual(['Answer again, or stop [again]:'])
  })

  test.each(['al\u0007ice', 'al\tice', 'al\u009bice', 'al\u2028ice'])(
    'a control character is no answer: %j',
    async (name) => {
      const { dialogue, asked } = answering({
        ...typed(server.port),
        'User name': [name, 'alice'],
        'Password of': PASSWORD,
      })
      expect(await init(MAILBOX, dialogue)).toBe(0)
      expect(asked.filter((question) => question.startsWith('User name'))).toHaveLength(2)
      expect(person.stderr.text).toContain('expected no tabs and no control characters')
    },
  )

  test.each(['a b', "it's", '"x"', '#1', 'a: b', '- x', '{x}', 'ünï çode ✉', '*a', '&b', '!c', 'yes', '0x1f', 'null'])(
    'what means something in YAML is written as it was typed: %s',
    async (name) => {
      server.mailbox(name, PASSWORD)
      const { dialogue } = answering({ ...typed(server.port), 'User name': name, 'Password of': PASSWORD })
      expect(await init(MAILBOX, dialogue)).toBe(0)
      expect((await written()).accounts['alice-example.net']?.['user']).toBe(name)
      expect(await person.run()).toBe(0)
    },
  )
})

describe('after a destination that did not take it', () => {
  test('each answer stays the default, also the program that gives its password (B5)', async () => {
    await using sink = await SmtpSink.start({ users: { relay: 'relay secret' } })
    const { dialogue, asked } = answering({
      ...typed(server.port),
      'Port and TLS': [`${server.port} none`, ''],
      'Where mail goes': [`smtp://relay@127.0.0.1:${sink.port}?to=bob@example.org&tls=none`, ''],
      'Where popfetch gets it': ['', "command printf 'wrong wrong'", "command printf 'relay secret'"],
      'Password of alice': PASSWORD,
    })
    expect(await init(MAILBOX, dialogue)).toBe(0)
    expect(second(asked, 'Try again').slice(0, 6)).toEqual([
      expect.stringContaining('[smtp]:'),
      'Mail server that sends for you [127.0.0.1]:',
      expect.stringMatching(new RegExp(`\\[${sink.port} (?:none|starttls)\\]:$`)),
      'User name there, or none [relay]:',
      expect.stringMatching(/^Where popfetch gets it.* \[command printf 'wrong wrong'\]:$/),
      'Forwarded to (address) [bob@example.org]:',
    ])
    expect(Object.values((await written()).destinations)).toMatchObject([
      { user: 'relay', to: 'bob@example.org', password: { command: "printf 'relay secret'" } },
    ])
    expect(await person.run()).toBe(0)
    expect(sink.messages).toHaveLength(1)
  })

  test('a destination of the file that fails stays the default', async () => {
    await person.write(
      '.config/popfetch/config.yaml',
      'accounts:\n  work: { host: pop.example.org, user: w, password: { env: W }, deliver: away }\ndestinations:\n  away: { type: smtp, host: 127.0.0.1, port: 1, to: a@example.org }\n',
    )
    const { dialogue, asked } = answering({
      ...typed(server.port),
      'Password of': PASSWORD,
      'Where mail goes': ['away', ''],
      'Try again': ['again', 'write'],
    })
    expect(await init(MAILBOX, dialogue)).toBe(0)
    expect(second(asked, 'Try again')[0]).toContain('[away]:')
    expect((await written()).accounts['alice-example.net']).toMatchObject({ deliver: 'away' })
  })

  test('a quote that is left open is asked for again', async () => {
    const { dialogue, asked } = answering({
      ...typed(server.port),
      'Password of': PASSWORD,
      'Where mail goes': 'command',
      'Program and': ['cat "a b', '/bin/cat "a b"'],
    })
    expect(await init(MAILBOX, dialogue)).toBe(0)
    expect(asked.filter((question) => question.startsWith('Program and'))).toHaveLength(2)
    expect(Object.values((await written()).destinations)).toEqual([{ type: 'command', run: ['/bin/cat', 'a b'] }])
  })
})

describe('a destination alone, in a second run', () => {
  const FIRST =
    'accounts:\n  work: { host: pop.example.org, user: w, password: { env: W }, deliver: inbox }\ndestinations:\n  inbox: { type: maildir, path: ~/Mail }\n'
  beforeEach(() => person.write('.config/popfetch/config.yaml', FIRST))

  test('with a user in its URL is asked for its password (B5), which is kept in a file of its own', async () => {
    await using sink = await SmtpSink.start({ users: { relay: 'relay secret' } })
    const { dialogue } = answering({
      'Add an account': 'destination',
      'Where mail goes': `smtp://relay@127.0.0.1:${sink.port}?to=bob@example.org&tls=none`,
      'Password of relay': 'relay secret',
      'Write it': 'yes',
    })
    expect(await init([], dialogue)).toBe(0)
    const [, added] = Object.values((await written()).destinations)
    expect(added).toMatchObject({ type: 'smtp', user: 'relay' })
    expect(person.printed).not.toContain('relay secret')
    expect(person.stderr.text).toContain('it accepts mail')
  })

  test('whose certificate is not trusted: it is shown and pinned', async () => {
    await using sink = await SmtpSink.start({ tls: 'implicit' })
    const { dialogue } = answering({
      'Add an account': 'destination',
      'Where mail goes': 'smtp',
      'Mail server that sends': 'localhost',
      'Port and TLS': `${sink.port} implicit`,
      'User name there, or none': 'none',
      'Forwarded to': 'bob@example.org',
      'Trust it': 'pin',
      'Write it': 'yes',
    })
    expect(await init([], dialogue)).toBe(0)
    expect(Object.values((await written()).destinations)[1]).toMatchObject({ pin: certificates.good.pin })
  })

  test('Gmail is offered with an account alone, and the question comes again', async () => {
    const { dialogue } = answering({
      'Add an account': 'destination',
      'Where mail goes': ['gmail', 'mbox'],
      'File [': '~/old',
      'Write it': 'yes',
    })
    expect(await init([], dialogue)).toBe(0)
    expect(person.stderr.text).toContain('Gmail needs its own sign-in: add an account that delivers there')
  })
})

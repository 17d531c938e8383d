// A second run of `popfetch init`: it adds an account or a destination to the file that is there.
import { chmod, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Dialogue } from '../../../../src/cli/terminal/dialogue.ts'
import { parseText } from '../../../../src/config/document.ts'
import type { Lookups } from '../../../../src/setup/discover.ts'
import type { Pop3Server } from '../../../support/pop3-server.ts'
import type { Person } from '../../person.ts'
import { answering } from './answering.ts'
import { arrive, initAs, PASSWORD } from './scene.ts'

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

const FIRST =
  '# mine\naccounts:\n  work: # the first\n    host: pop.example.org\n    user: w\n    password: { env: W }\n    deliver: inbox\n\n# where it goes\ndestinations:\n  inbox: { type: maildir, path: ~/Mail }\n'

test('adds an account that delivers where the first does, keeping every line', async () => {
  await person.write(CONFIG, FIRST)
  const { dialogue } = answering({ 'Password of': PASSWORD, 'Where mail goes': 'inbox', 'Write it': 'yes' })
  expect(await init(mailbox(), dialogue)).toBe(0)
  const after = await config()
  const lines = after.split('\n')
  expect(FIRST.split('\n').filter((line) => line !== '' && !lines.includes(line))).toEqual([])
  expect(lines.indexOf('# mine')).toBe(0)
  expect((await written()).accounts['alice-example.net']).toMatchObject({ deliver: 'inbox', user: 'alice' })
  expect(await readFile(person.path(`${CONFIG}.before`), 'utf8')).toBe(FIRST)
  person.env['W'] = 'x'
  expect(await person.run('alice-example.net')).toBe(0)
  expect(await readdir(person.path('Mail/new'))).toHaveLength(1)
})

test('adds a destination of its own for a new account, under a free name', async () => {
  await person.write(CONFIG, FIRST)
  const { dialogue } = answering({ 'Password of': PASSWORD, 'Where mail goes': '~/Other', 'Write it': 'yes' })
  expect(await init(mailbox(), dialogue)).toBe(0)
  const { accounts, destinations } = await written()
  expect(accounts['alice-example.net']?.['deliver']).toBe('inbox-2')
  expect(destinations['inbox-2']).toEqual({ type: 'maildir', path: '~/Other' })
})

test('adds a destination alone', async () => {
  await person.write(CONFIG, FIRST)
  const { dialogue } = answering({
    'Add an account': 'destination',
    'Where mail goes': 'mbox',
    'File [': '~/old',
    'Its name': 'old',
    'Write it': 'yes',
  })
  expect(await init([], dialogue)).toBe(0)
  expect((await written()).destinations['old']).toEqual({
    type: 'mbox',
    path: person.path('old').replace(person.home, '~'),
  })
  expect(person.stderr.text).toContain('deliver: old')
})

test('without anybody to ask adds an account, too; a mailbox that is there already is refused', async () => {
  await person.write(CONFIG, FIRST)
  person.env['P'] = PASSWORD
  const argv = [...mailbox(), '--password-env', 'P', '--yes']
  expect(await person.run('init', ...argv)).toBe(0)
  expect(Object.keys((await written()).accounts)).toEqual(['work', 'alice-example.net'])
  const before = await config()
  expect(await person.run('init', ...argv)).toBe(64)
  expect(person.stderr.text).toMatch(/alice-example\.net fetches from alice at 127\.0\.0\.1 already/)
  expect(await config()).toBe(before)
})

test('touches no file that is wrong, and none that was changed meanwhile', async () => {
  await person.write(CONFIG, 'accounts: 5\n')
  const { dialogue } = answering({ 'Password of': PASSWORD })
  await expect(init(mailbox(), dialogue)).rejects.toMatchObject({ code: 'ERR_CONFIG' })
  await person.write(CONFIG, FIRST)
  const changing: Dialogue = {
    ask: async (question) => {
      if (question.text.startsWith('Try again, stop')) return 'stop'
      if (!question.text.startsWith('Write it')) return ''
      await writeFile(person.path(CONFIG), `${FIRST}# more\n`)
      return 'yes'
    },
    askSecret: () => Promise.resolve(PASSWORD),
  }
  await expect(init(mailbox(), changing)).rejects.toThrow(/has changed in the meantime/)
  expect(await config()).toBe(`${FIRST}# more\n`)
  expect((await readdir(path.dirname(person.path(CONFIG)))).filter((name) => name.endsWith('.password'))).toEqual([])
})

const ADDED = { 'Password of': PASSWORD, 'Where mail goes': 'inbox', 'Write it': 'yes' }
const JSON_FILE = `{
    "accounts": {
        "work": { "host": "pop.example.org", "user": "w", "password": { "env": "W" }, "deliver": "inbox" }
    },
    "destinations": { "inbox": { "type": "maildir", "path": "~/Mail" } }
}
`

test('adds to JSON, which stays JSON with its indentation', async () => {
  await person.write('.config/popfetch/config.json', JSON_FILE)
  const { dialogue } = answering({ ...ADDED, 'Where mail goes': '~/Other' })
  expect(await init(mailbox(), dialogue)).toBe(0)
  const after = await readFile(person.path('.config/popfetch/config.json'), 'utf8')
  expect(after.split('\n').slice(0, 2)).toEqual(JSON_FILE.split('\n').slice(0, 2))
  expect(after).toContain('\n        "alice-example.net": {\n            "host": "127.0.0.1",')
  const { accounts, destinations } = JSON.parse(after) as Record<string, Record<string, { deliver: string }>>
  expect(Object.keys(accounts ?? {})).toEqual(['work', 'alice-example.net'])
  expect(destinations).toHaveProperty(accounts?.['alice-example.net']?.deliver ?? '', {
    type: 'maildir',
    path: '~/Other',
  })
  expect(await readFile(person.path('.config/popfetch/config.json.before'), 'utf8')).toBe(JSON_FILE)
})

test('adds to mappings in braces', async () => {
  const braces =
    'accounts: { work: { host: pop.example.org, user: w, password: { env: W }, deliver: inbox } } # mine\ndestinations: {\n  inbox: { type: maildir, path: ~/Mail }, # there\n}\n'
  await person.write(CONFIG, braces)
  const { dialogue } = answering({ ...ADDED, 'Where mail goes': '~/Other' })
  expect(await init(mailbox(), dialogue)).toBe(0)
  expect(await config()).toMatch(
    /^accounts: \{ work: \{.*\}, alice-example\.net: \{.*\} \} # mine\n[^]*# there\n {2}inbox-2: \{/,
  )
  expect(Object.keys((await written()).accounts)).toEqual(['work', 'alice-example.net'])
})

test('says before any question where nothing can be added', async () => {
  await person.write(
    CONFIG,
    'x-all: &all\n  work: { host: pop.example.org, user: w, password: { env: W }, deliver: maildir:/m }\naccounts: *all\n',
  )
  const { dialogue, asked } = answering(ADDED)
  await expect(init(mailbox(), dialogue)).rejects.toThrow(/init --output new\.yaml", and copy the account from there/)
  expect(asked).toEqual([])
})

test('keeps the mode of the file: the user of a daemon may have to read it', async () => {
  await person.write(CONFIG, FIRST)
  await chmod(person.path(CONFIG), 0o640)
  expect(await init(mailbox(), answering(ADDED).dialogue)).toBe(0)
  expect((await stat(person.path(CONFIG))).mode & 0o777).toBe(0o640)
})

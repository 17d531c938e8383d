// What `popfetch init` does when its file cannot be written: nothing typed is lost, nothing is left half written, and the question
// comes again. Each call that changes the disk fails once, and each kind of file is in the way once.
import type * as promises from 'node:fs/promises'
import { rm } from 'node:fs/promises'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { setUp } from '../../../../src/cli/commands/init/action.ts'
import type { InitInvocation } from '../../../../src/cli/commands/init/options.ts'
import type { Dialogue } from '../../../../src/cli/terminal/dialogue.ts'
import { questionText } from '../../../../src/cli/terminal/dialogue.ts'
import { parseText } from '../../../../src/config/document.ts'
import { PopfetchError } from '../../../../src/errors.ts'
import type { Lookups } from '../../../../src/setup/discover.ts'
import { Pop3Server } from '../../../support/pop3-server.ts'
import { Person } from '../../person.ts'
import { understood } from '../../understood.ts'

/** The n-th call below the folder fails. */
const disk = vi.hoisted(() => ({ folder: '', failing: 0, errno: 'ENOSPC', calls: 0 }))

vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof promises>()
  const counted = (place: unknown): void => {
    if (disk.folder === '' || !String(place).startsWith(disk.folder)) return
    disk.calls += 1
    if (disk.calls === disk.failing)
      throw Object.assign(new Error(`${disk.errno}: said the test`), { code: disk.errno })
  }
  const guarded =
    <Given extends readonly unknown[], Result>(call: (...given: Given) => Promise<Result>) =>
    async (...given: Given): Promise<Result> => {
      counted(given[0])
      return await call(...given)
    }
  const open: typeof real.open = async (file, flags, mode) => {
    if (flags !== 'wx') return await real.open(file, flags, mode)
    counted(file)
    const handle = await real.open(file, flags, mode)
    const write = handle.writeFile.bind(handle)
    const sync = handle.sync.bind(handle)
    // Half of it is there when the disk is full.
    handle.writeFile = async (data, options) => {
      try {
        counted(file)
      } catch (error) {
        const text = typeof data === 'string' ? data : ''
        await write(text.slice(0, text.length / 2), options)
        throw error
      }
      await write(data, options)
    }
    handle.sync = async () => {
      counted(file)
      await sync()
    }
    return handle
  }
  const changing = {
    open,
    mkdir: guarded(real.mkdir as (...given: readonly unknown[]) => Promise<unknown>),
    link: guarded(real.link),
    rename: guarded(real.rename),
    chmod: guarded(real.chmod),
  }
  return { ...real, ...changing, default: { ...real, ...changing } }
})

const PASSWORD = 'correct horse battery'
const CONFIG = '.config/popfetch/config.yaml'

let person: Person
let server: Pop3Server
beforeEach(async () => {
  person = await Person.arrive()
  for (const stream of [person.stdout, person.stderr]) stream.setMaxListeners(0)
  server = await Pop3Server.start()
  server.mailbox('alice', PASSWORD).add('Subject: 1\n\nbody\n', { uidl: 'u1' })
})
afterEach(async () => {
  Object.assign(disk, { folder: '', failing: 0, calls: 0, errno: 'ENOSPC' })
  await server[Symbol.asyncDispose]()
  await person[Symbol.asyncDispose]()
})

const offline: Lookups = { srv: () => Promise.resolve(null), page: () => Promise.resolve(null) }

async function init(argv: readonly string[], dialogue: Dialogue | null): Promise<number> {
  const invocation = (await understood(['init', ...argv])) as unknown as InitInvocation
  return await setUp(invocation, person.surroundings(), { dialogue, lookups: offline })
}

type Said = Readonly<Record<string, string | (() => string)>>

/** Answers what is part of a question; Enter to all others. */
function answering(said: Said) {
  const asked: string[] = []
  const next = (question: string): Promise<string> => {
    asked.push(question)
    const [, answer = ''] = Object.entries(said).find(([part]) => question.includes(part)) ?? []
    return Promise.resolve(typeof answer === 'string' ? answer : answer())
  }
  const dialogue: Dialogue = { ask: (question) => next(questionText(question)), askSecret: next }
  const times = (part: string): number => asked.filter((question) => question.includes(part)).length
  return { dialogue, asked, times }
}

/** Typed in full, as a person does. */
const TYPED: Said = {
  'Mail address': 'alice@example.net',
  'POP3 server': '127.0.0.1',
  'Port and TLS': () => `${server.port} none`,
  'User name': 'alice',
  'Password of': PASSWORD,
  'Where mail goes': '~/Post',
  'Delete from the server': '30d',
  'already on the server': 'all',
}

const text = (name = CONFIG): string => readFileSync(person.path(name), 'utf8')
const below = (name: string): readonly string[] =>
  (existsSync(person.path(name)) ? readdirSync(person.path(name), { recursive: true, encoding: 'utf8' }) : [])
    .filter((file) => statSync(person.path(name, file)).isFile())
    .toSorted()
type Part = Record<string, Record<string, unknown>>
const accounts = (name = CONFIG): Part => (parseText(text(name)).root as { accounts: Part }).accounts

const FIRST =
  'accounts:\n  work: { host: pop.example.org, user: w, password: { env: W }, deliver: inbox }\ndestinations:\n  inbox: { type: maildir, path: ~/Mail }\n'

/** No answer but these is asked for again. */
function typedOnce({ times }: ReturnType<typeof answering>): void {
  for (const part of Object.keys(TYPED)) expect(times(part), part).toBe(1)
}

describe.each([
  ['a new file', null],
  ['an account more', FIRST],
] as const)('%s', (_, before) => {
  test.each(['ENOSPC', 'EROFS', 'EIO'])(
    '%s at any call: what was typed is kept, and written at the second try',
    async (errno) => {
      let failures = 0
      for (let failing = 1; ; failing++) {
        await rm(person.path('.config'), { recursive: true, force: true })
        if (before !== null) await person.write(CONFIG, before)
        Object.assign(disk, { folder: person.path('.config'), failing, errno, calls: 0 })
        let atFailure: string | null = null
        const answers = answering({
          ...TYPED,
          'Add an account': 'account',
          'Write it to': 'yes',
          'Try again, stop, or': () => {
            atFailure = before === null ? below('.config').join() : below('.config').join() + text()
            return 'again'
          },
        })
        person.stderr.text = ''
        expect(await init([], answers.dialogue)).toBe(0)
        disk.folder = ''
        expect(accounts()['alice-example.net']).toMatchObject({ host: '127.0.0.1', delete: '30d' })
        expect(text('.config/popfetch/alice-example.net.password')).toBe(`${PASSWORD}\n`)
        expect(below('.config/popfetch')).toEqual(
          ['alice-example.net.password', 'config.yaml', ...(before === null ? [] : ['config.yaml.before'])].toSorted(),
        )
        typedOnce(answers)
        if (answers.times('Try again, stop, or') === 0) break
        failures += 1
        // Nothing of it was there, or all that was there before.
        expect(atFailure).toBe(before === null ? '' : `popfetch/config.yaml${before}`)
        const problems = person.stderr.text.split('\n').filter((line) => line.startsWith('popfetch: '))
        expect(problems).toHaveLength(1)
        expect(problems[0]).toMatch(/^popfetch: (?:writing|keeping|giving|replacing) [^\n]{10,}: /)
        expect(problems[0]).not.toMatch(/undefined|\[object|Error:/)
      }
      // Of each file: its folder, itself, what is in it, and that it lasts.
      expect(failures).toBeGreaterThanOrEqual(before === null ? 8 : 10)
    },
  )
})

test('stopping then leaves nothing, and ends as the failure does', async () => {
  Object.assign(disk, { folder: person.path('.config'), failing: 6 })
  const answers = answering({ ...TYPED, 'Write it to': 'yes', 'Try again, stop, or': 'stop' })
  await expect(init([], answers.dialogue)).rejects.toMatchObject({
    code: 'ERR_CONFIG',
    message: expect.stringMatching(/no space left: free some space/) as string,
  })
  expect(below('.config')).toEqual([])
})

test('with nobody to ask it ends at once', async () => {
  Object.assign(disk, { folder: person.path('.config'), failing: 3 })
  person.env['P'] = PASSWORD
  const argv = ['--address', 'alice@example.net', '--host', '127.0.0.1', '--port', String(server.port), '--tls', 'none']
  await expect(init([...argv, '--user', 'alice', '--password-env', 'P', '--yes'], null)).rejects.toMatchObject({
    code: 'ERR_CONFIG',
  })
  expect(below('.config')).toEqual([])
})

describe('another file', () => {
  test('takes what was typed, with its passwords beside it, and the next steps name it', async () => {
    writeFileSync(person.path('.config'), 'a file where the folder should be')
    const answers = answering({ ...TYPED, 'Write it to': 'yes', 'Try again, stop, or': 'elsewhere/popfetch.yaml' })
    expect(await init([], answers.dialogue)).toBe(0)
    typedOnce(answers)
    expect(person.stderr.text).toMatch(/not a directory: check the path, or write another file/)
    expect(below('elsewhere')).toEqual(['alice-example.net.password', 'popfetch.yaml'])
    expect(person.stderr.text).toContain('popfetch --config ~/elsewhere/popfetch.yaml --dry-run')
    expect(await person.run('--config', 'elsewhere/popfetch.yaml')).toBe(0)
    expect(readdirSync(person.path('Post/new'))).toHaveLength(1)
  })

  test('that is no configuration is not touched: the question comes again', async () => {
    writeFileSync(person.path('.config'), '')
    await person.write('notes.yaml', 'mine: 1\n')
    const places = ['notes.yaml', 'new.yaml']
    const answers = answering({ ...TYPED, 'Write it to': 'yes', 'Try again, stop, or': () => places.shift() ?? '' })
    expect(await init([], answers.dialogue)).toBe(0)
    expect(text('notes.yaml')).toBe('mine: 1\n')
    expect(accounts('new.yaml')['alice-example.net']).toBeDefined()
  })

  test('cannot have the destination of this one', async () => {
    await person.write(CONFIG, FIRST)
    Object.assign(disk, { folder: person.path('.config'), failing: 2 })
    const places = ['new.yaml', 'again']
    const answers = answering({
      ...TYPED,
      'Where mail goes': 'inbox',
      'Write it to': 'yes',
      'Try again, stop, or': () => places.shift() ?? '',
    })
    expect(await init([], answers.dialogue)).toBe(0)
    expect(person.stderr.text).toMatch(/there is no destination inbox in .*new\.yaml/)
    expect(accounts()['alice-example.net']).toMatchObject({ deliver: 'inbox' })
  })
})

describe('a file that appeared or changed meanwhile', () => {
  test('is kept: the account goes into it, under a free name', async () => {
    let isFirst = true
    const answers = answering({
      ...TYPED,
      'Write it to': () => {
        if (isFirst) {
          mkdirSync(person.path('.config/popfetch'), { recursive: true })
          writeFileSync(person.path(CONFIG), FIRST.replace('work:', 'alice-example.net:'), { mode: 0o600 })
        }
        isFirst = false
        return 'yes'
      },
      'Try again, stop, or': 'again',
    })
    expect(await init([], answers.dialogue)).toBe(0)
    typedOnce(answers)
    expect(person.stderr.text).toMatch(/config\.yaml already exists; not overwriting it/)
    expect(Object.keys(accounts())).toEqual(['alice-example.net', 'alice-example.net-2'])
    expect(text()).toContain('pop.example.org')
    person.env['W'] = 'x'
    expect(await person.run('alice-example.net-2')).toBe(0)
    expect(readdirSync(person.path('Post/new'))).toHaveLength(1)
  })

  test('keeps what was changed', async () => {
    await person.write(CONFIG, FIRST)
    let isFirst = true
    const answers = answering({
      ...TYPED,
      'Write it to': () => {
        if (isFirst) writeFileSync(person.path(CONFIG), `${FIRST}# more\n`)
        isFirst = false
        return 'yes'
      },
      'Try again, stop, or': 'again',
    })
    expect(await init([], answers.dialogue)).toBe(0)
    typedOnce(answers)
    expect(person.stderr.text).toMatch(/has changed in the meantime: nothing was written/)
    expect(text()).toContain('# more')
    expect(Object.keys(accounts())).toEqual(['work', 'alice-example.net'])
  })

  test('and is wrong is told, until it is right or another is named', async () => {
    let isFirst = true
    let tries = 0
    const answers = answering({
      ...TYPED,
      'Write it to': () => {
        mkdirSync(person.path('.config/popfetch'), { recursive: true })
        if (isFirst) writeFileSync(person.path(CONFIG), 'accounts: 5\n', { mode: 0o600 })
        isFirst = false
        return 'yes'
      },
      'Try again, stop, or': () => {
        tries += 1
        if (tries === 2) rmSync(person.path(CONFIG))
        return 'again'
      },
    })
    expect(await init([], answers.dialogue)).toBe(0)
    expect(tries).toBe(2)
    expect(person.stderr.text).toMatch(/config\.yaml:1: accounts: found 5/)
    typedOnce(answers)
  })
})

test('a ledger that cannot be written, where the answer about old mail is kept, is told, and nothing is lost', async () => {
  await person.write('.local/state', 'a file where a folder should be')
  const answers = answering({
    ...TYPED,
    'already on the server': 'new',
    'Write it to': 'yes',
    'Try again, stop, or': () => {
      expect(below('.')).toEqual(['.local/state'])
      rmSync(person.path('.local/state'))
      return 'again'
    },
  })
  expect(await init([], answers.dialogue)).toBe(0)
  typedOnce(answers)
  expect(answers.times('Try again, stop, or')).toBe(1)
  expect(await person.run('--json')).toBe(0)
  expect(person.stdout.text).toContain('"skipped":1')
  expect(text()).not.toContain('first')
})

test('a destination alone is not lost either', async () => {
  await person.write(CONFIG, FIRST)
  Object.assign(disk, { folder: person.path('.config'), failing: 3 })
  const answers = answering({
    'Add an account': 'destination',
    'Where mail goes': 'mbox',
    'File [': '~/old',
    'Its name': 'old',
    'Write it to': 'yes',
    'Try again, stop, or': 'again',
  })
  expect(await init([], answers.dialogue)).toBe(0)
  expect(answers.times('File [')).toBe(1)
  expect(answers.times('Try again, stop, or')).toBe(1)
  expect((parseText(text()).root as { destinations: Part }).destinations['old']).toMatchObject({ type: 'mbox' })
  expect(below('.config/popfetch')).toEqual(['config.yaml', 'config.yaml.before'])
})

test('leaving at the question behind a failure writes nothing', async () => {
  Object.assign(disk, { folder: person.path('.config'), failing: 6 })
  const answers = answering({ ...TYPED, 'Write it to': 'yes' })
  const left = new PopfetchError('ERR_ABORTED', 'gone', { scope: 'process', retry: 'never' })
  const ask: Dialogue['ask'] = (question) =>
    question.text.startsWith('Try again, stop') ? Promise.reject(left) : answers.dialogue.ask(question)
  await expect(init([], { ...answers.dialogue, ask })).rejects.toBe(left)
  expect(below('.config')).toEqual([])
})

// popfetch inside another program: what it is given, what it tells, and how it ends.
import { existsSync } from 'node:fs'
import path from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { defineDestination } from '../../src/deliver/own/definition.ts'
import { undelivered } from '../../src/deliver/own/undelivered.ts'
import { createPoller, loadConfiguration, openLedger, poll } from '../../src/embed/embed.ts'
import type { PollerEvents } from '../../src/embed/options.ts'
import type { Ledger } from '../../src/ledger/ledger.ts'
import { letter } from '../poll/scene.ts'
import { Scene, Store } from './scene.ts'

/** Polls of `run` begin at once instead of within ten seconds. */
function withoutSpread(): void {
  const random = vi.spyOn(Math, 'random').mockReturnValue(0)
  onTestFinished(() => random.mockRestore())
}

test('mail goes to a destination of one’s own as it was received, and leaves the server after that', async () => {
  await using scene = await Scene.create(3)
  const store = new Store()
  const reports = await poll(scene.options(store))
  expect(reports).toMatchObject([{ account: 'work', outcome: 'ok', delivered: 3, deleted: 3, error: null }])
  expect(store.messages.map(String)).toEqual([letter(0), letter(1), letter(2)])
  expect(scene.left()).toEqual([])
})

test('the next poll brings only what is new', async () => {
  await using scene = await Scene.create(2)
  const store = new Store()
  await using poller = await scene.poller(store, { accounts: { work: scene.account({ delete: 'never' }) } })
  await poller.poll()
  scene.fill('alice', 1, 2)
  expect(await poller.poll()).toMatchObject([{ listed: 3, delivered: 1, skipped: 2 }])
  expect(store.subjects).toEqual([0, 1, 2])
})

test('the key of a message is the same at each attempt, and its own', async () => {
  await using scene = await Scene.create(2)
  const store = new Store()
  store.before = () => {
    throw undelivered({ verdict: 'temporary', text: 'not now' })
  }
  await using poller = await scene.poller(store)
  await poller.poll()
  store.before = () => {}
  await poller.poll({ eager: true })
  const keys = Map.groupBy(store.attempts, ({ origin }) => origin.uidl)
  expect([...keys.values()].map((attempts) => new Set(attempts.map(({ key }) => key)).size)).toEqual([1, 1])
  expect(new Set(store.attempts.map(({ key }) => key)).size).toBe(2)
  expect(new Set(store.attempts.map(({ intent }) => intent)).size).toBe(4)
  expect(store.attempts[0]?.key).toMatch(/^[0-9a-f]{32}$/)
})

test('two destinations have different keys for one message, and so have two recipients of one', async () => {
  await using scene = await Scene.create(1)
  const [store, other] = [new Store(), new Store()]
  const deliver = other.deliver
  const destinations = {
    store: defineDestination(store),
    other: defineDestination({ description: 'other', recipients: ['anna', '{account}'], deliver }),
  }
  await poll({
    ...scene.options(store),
    accounts: { work: scene.account({ deliver: ['store', 'other'] }) },
    destinations,
  })
  const attempts = [...store.attempts, ...other.attempts]
  expect(attempts.map(({ recipient }) => recipient).toSorted()).toEqual(['', 'anna', 'work'])
  expect(new Set(attempts.map(({ key }) => key)).size).toBe(3)
})

test('a message is told once the ledger has it, with what each destination said', async () => {
  await using scene = await Scene.create(2)
  const store = new Store()
  store.before = ({ origin }) => {
    if (origin.uidl === 'uid-1') throw undelivered({ verdict: 'refused', text: 'no letters\u001b[2J' })
  }
  await using poller = await scene.poller(store)
  const told: PollerEvents['message'][] = []
  const recorded: unknown[] = []
  using _ = poller.on('message', (message) => {
    told.push(message)
    // Asked in the very turn in which it is told.
    const { uidl, copy } = message
    recorded.push(poller.ledger.known('work', [{ uidl, copy }]).then(([known]) => known?.state))
  })
  await poller.poll()
  const [first, second] = told.toSorted((a, b) => a.uidl.localeCompare(b.uidl, 'en'))
  expect(first).toMatchObject({
    account: 'work',
    uidl: 'uid-0',
    copy: 0,
    subject: 'letter 0',
    messageId: '<0@example.org>',
    sizeBytes: letter(0).length,
    outcome: 'delivered',
    deliveries: [{ destination: 'store', recipient: '', state: 'delivered', receipt: 'number 1', error: null }],
  })
  expect(second).toMatchObject({
    outcome: 'refused',
    deliveries: [{ state: 'refused', receipt: null, error: 'store: no letters\\x1b[2J' }],
  })
  expect(new Set(await Promise.all(recorded))).toEqual(new Set(['delivered', 'open']))
})

test('progress, notes and reports are told; a listener that is disposed of hears nothing more', async () => {
  await using scene = await Scene.create(1)
  await using poller = await scene.poller(new Store())
  const heard: string[] = []
  const listeners = (['progress', 'note', 'report', 'message'] as const).map((event) => {
    return poller.on(event, (told) => {
      expect(Object.isFrozen(told)).toBe(true)
      heard.push(`${event} ${told.account}`)
    })
  })
  await poller.poll()
  expect([...new Set(heard)].toSorted()).toEqual(['message work', 'note work', 'progress work', 'report work'])
  const count = heard.length
  for (const listener of listeners) listener[Symbol.dispose]()
  await poller.poll()
  expect(heard).toHaveLength(count)
})

test('a listener that throws, rejects or changes what it is told harms nothing, and is told to the log', async () => {
  await using scene = await Scene.create(2)
  const lines: string[] = []
  const log = { warn: (text: string) => lines.push(text) }
  await using poller = await scene.poller(new Store(), { log })
  poller.on('message', () => {
    throw new Error('listener')
  })
  poller.on('report', async (report) => {
    Object.assign(report, { delivered: 0 })
  })
  expect(await poller.poll()).toMatchObject([{ outcome: 'ok', delivered: 2 }])
  await Promise.resolve()
  expect(lines).toEqual(['a listener to message failed', 'a listener to message failed', 'a listener to report failed'])
})

test('a logger that throws or rejects changes nothing', async () => {
  await using scene = await Scene.create(1)
  const log = {
    debug: () => Promise.reject(new Error('full')),
    warn: () => {
      throw new Error('full')
    },
  }
  expect(await poll(scene.options(new Store(), { log }))).toMatchObject([{ outcome: 'ok', delivered: 1 }])
})

test('a secret is asked for at each sign-in, and appears nowhere', async () => {
  await using scene = await Scene.create(1)
  let asked = 0
  const lines: string[] = []
  const log = { debug: (text: string, facts: object) => lines.push(text + JSON.stringify(facts)) }
  const password = async (): Promise<string> => {
    asked++
    return 'not-the-right-one'
  }
  await using poller = await scene.poller(new Store(), { log, accounts: { work: scene.account({ password }) } })
  const first = await poller.poll()
  const second = await poller.poll()
  expect(asked).toBe(2)
  expect(first).toMatchObject([{ outcome: 'failed', error: { code: 'ERR_AUTH' } }])
  expect(JSON.stringify([first, second, lines, poller.accounts])).not.toContain('not-the-right-one')
})

test.each([
  [
    'throws',
    () => {
      throw new Error('the vault is closed')
    },
    'it failed: the vault is closed',
    'soon',
  ],
  ['rejects', () => Promise.reject(new Error('the vault is closed')), 'it failed: the vault is closed', 'soon'],
  ['gives nothing', () => undefined, 'it gave no text', 'soon'],
  ['gives an empty text', () => '', 'it is empty', 'soon'],
  ['gives two lines', () => 'a\r\nDELE 1', 'there is a line break', 'soon'],
])('a secret whose function %s stops its account alone', async (_, secret, words, retry) => {
  await using scene = await Scene.create(1)
  const store = new Store()
  // A program without types may give anything.
  const accounts = {
    work: scene.account({ password: secret as () => string }),
    other: scene.account({ user: 'bob' }),
  }
  scene.fill('bob', 1)
  const reports = await poll(scene.options(store, { accounts }))
  expect(reports).toMatchObject([
    {
      account: 'work',
      outcome: 'failed',
      error: { code: 'ERR_SECRET', retry, message: expect.stringContaining(words) },
    },
    { account: 'other', outcome: 'ok', delivered: 1 },
  ])
})

test('accounts and destinations come and go while the poller runs', async () => {
  withoutSpread()
  await using scene = await Scene.create(1)
  scene.fill('bob', 1)
  scene.fill('carol', 1)
  const [store, other] = [new Store(), new Store()]
  await using poller = await scene.poller(store, { accounts: {} })
  const reported = new Map<string, PromiseWithResolvers<void>>()
  const polled = (name: string): Promise<void> => {
    const waits = Promise.withResolvers<void>()
    reported.set(name, waits)
    return waits.promise
  }
  poller.on('report', ({ account }) => reported.get(account)?.resolve())
  const stop = new AbortController()
  const running = poller.run({ signal: stop.signal })
  const first = polled('work')
  await poller.configure({ accounts: { work: scene.account() } })
  await first
  expect(store.subjects).toEqual([0])
  const [second, third] = [polled('bob'), polled('carol')]
  await poller.configure({
    accounts: {
      bob: scene.account({ user: 'bob', deliver: 'other' }),
      carol: scene.account({ user: 'carol', deliver: 'other' }),
    },
    destinations: { other: defineDestination({ description: 'other', deliver: other.deliver }) },
  })
  await Promise.all([second, third])
  expect(poller.accounts).toEqual(['bob', 'carol'])
  expect(other.messages).toHaveLength(2)
  stop.abort()
  await running
  await expect(poller.poll({ accounts: ['work'] })).rejects.toMatchObject({ code: 'ERR_USAGE' })
})

test('a configuration that is wrong changes nothing, and every problem is named', async () => {
  await using scene = await Scene.create(1)
  const store = new Store()
  await using poller = await scene.poller(store)
  const wrong = {
    work: { ...scene.account(), port: 0 },
    'a/b': scene.account({ deliver: 'stoer', password: () => 'x' }),
  }
  const error = await poller.configure({ accounts: wrong }).catch((thrown: unknown) => thrown)
  expect(error).toMatchObject({ code: 'ERR_CONFIG', problems: { length: 3 } })
  expect(String(error)).toContain('accounts.work.port: found 0, expected a whole number from 1 to 65535')
  expect(String(error)).toContain('did you mean store?')
  expect(await poller.poll()).toMatchObject([{ account: 'work', delivered: 1 }])
})

test('an account is polled under the name that it keeps: no message comes twice after configure', async () => {
  await using scene = await Scene.create(2)
  const store = new Store()
  const password = (): string => 'secret'
  const accounts = { work: scene.account({ delete: 'never', password }) }
  await using poller = await scene.poller(store, { accounts })
  await poller.poll()
  await poller.configure({ accounts: { ...accounts, bob: scene.account({ user: 'bob' }) } })
  await poller.configure({ concurrency: 1 })
  expect(await poller.poll()).toMatchObject([{ delivered: 0, skipped: 2 }, { account: 'bob' }])
  expect(store.subjects).toEqual([0, 1])
})

test('an aborted signal ends a poll: nothing is deleted, and the next one goes on', async () => {
  await using scene = await Scene.create(5)
  const store = new Store()
  const stop = new AbortController()
  const reached = Promise.withResolvers<void>()
  store.before = () => {
    reached.resolve()
    stop.abort()
  }
  await using poller = await scene.poller(store)
  const polls = poller.poll({ signal: stop.signal })
  await reached.promise
  expect(await polls).toMatchObject([{ outcome: 'failed', deleted: 0, error: { code: 'ERR_ABORTED' } }])
  expect(scene.left()).toHaveLength(5)
  store.before = () => {}
  await poller.poll()
  expect(store.subjects).toEqual([0, 1, 2, 3, 4])
  expect(scene.left()).toEqual([])
})

test('the signal of one call leaves other polls alone, and one that is aborted already begins nothing', async () => {
  await using scene = await Scene.create(1)
  scene.fill('bob', 1)
  const store = new Store()
  const accounts = { work: scene.account(), bob: scene.account({ user: 'bob' }) }
  await using poller = await scene.poller(store, { accounts })
  const [stopped, others] = await Promise.all([
    poller.poll({ accounts: ['work'], signal: AbortSignal.abort() }),
    poller.poll({ accounts: ['bob'] }),
  ])
  expect(stopped).toMatchObject([{ outcome: 'failed', error: { code: 'ERR_ABORTED' } }])
  expect(others).toMatchObject([{ outcome: 'ok', delivered: 1 }])
  expect(scene.left()).toEqual(['uid-0'])
})

test('disposing ends what runs, waits for it, and closes the ledger; afterwards there is nothing to call', async () => {
  withoutSpread()
  await using scene = await Scene.create(1)
  const store = new Store()
  const poller = await scene.poller(store)
  const polled = Promise.withResolvers<void>()
  poller.on('report', () => polled.resolve())
  const running = poller.run()
  await polled.promise
  await Promise.all([poller[Symbol.asyncDispose](), poller[Symbol.asyncDispose]()])
  await running
  for (const call of [poller.poll(), poller.check(), poller.run(), poller.configure({})])
    await expect(call).rejects.toMatchObject({ code: 'ERR_USAGE', message: 'the poller has ended' })
  expect(existsSync(path.join(scene.folder, 'state.db-wal'))).toBe(false)
})

test('a poller runs once at a time', async () => {
  await using scene = await Scene.create()
  await using poller = await scene.poller(new Store())
  const running = poller.run()
  await expect(poller.run()).rejects.toMatchObject({ code: 'ERR_USAGE', message: 'run: it runs already' })
  await poller[Symbol.asyncDispose]()
  await running
})

test('the signal of the options ends everything', async () => {
  await using scene = await Scene.create(1)
  const stop = new AbortController()
  await using poller = await scene.poller(new Store(), { signal: stop.signal })
  const running = poller.run()
  stop.abort()
  await running
  await expect(poller.poll()).rejects.toMatchObject({ code: 'ERR_USAGE' })
})

test('check says what waits, and takes nothing', async () => {
  await using scene = await Scene.create(4)
  const store = new Store()
  await using poller = await scene.poller(store)
  expect(await poller.check()).toMatchObject([{ account: 'work', outcome: 'ok', waiting: 4, new: 4 }])
  expect(store.messages).toEqual([])
})

test('a dry run tells the plan; a limit is kept', async () => {
  await using scene = await Scene.create(4)
  const store = new Store()
  await using poller = await scene.poller(store)
  expect((await poller.poll({ dryRun: true }))[0]?.plan).toMatchObject(
    Array.from({ length: 4 }, () => ({ action: 'fetch', destinations: ['store'] })),
  )
  expect(store.messages).toEqual([])
  expect(await poller.poll({ limit: 3 })).toMatchObject([{ delivered: 3 }])
  await expect(poller.poll({ limit: 0 })).rejects.toMatchObject({ code: 'ERR_USAGE' })
})

test('a ledger of one’s own serves, and stays open', async () => {
  await using scene = await Scene.create(2)
  await using ledger = await openLedger(path.join(scene.folder, 'mine.db'))
  const calls = new Set<string>()
  const own: Ledger = new Proxy(ledger, {
    get: (target, name) => {
      calls.add(String(name))
      const member: unknown = Reflect.get(target, name)
      return typeof member === 'function' ? (member.bind(target) as unknown) : member
    },
  })
  const store = new Store()
  const options = { ...scene.options(store), ledger: own }
  await expect(createPoller(options)).rejects.toMatchObject({
    code: 'ERR_USAGE',
    message: expect.stringContaining('folder'),
  })
  await poll({ ...options, folder: path.join(scene.folder, 'beside') })
  expect(store.subjects).toEqual([0, 1])
  expect(calls).toContain('settle')
  expect((await ledger.account('work'))?.name).toBe('work')
  expect(existsSync(path.join(scene.folder, 'state.db'))).toBe(false)
})

test('a configuration from a file serves, without leaving the working directory', async () => {
  await using scene = await Scene.create(1)
  const { writeFileSync } = await import('node:fs')
  const file = path.join(scene.folder, 'config.yaml')
  const { host, port } = scene.server
  writeFileSync(
    file,
    `accounts:\n  work: { host: ${host}, port: ${port}, tls: none, user: alice, password: secret, deliver: 'maildir:in' }\n`,
    { mode: 0o600 },
  )
  const state = path.join(scene.folder, 'state.db')
  const configuration = await loadConfiguration({ file, state, env: {} })
  expect(await poll({ configuration, ledger: state })).toMatchObject([{ account: 'work', delivered: 1 }])
  expect(existsSync(path.join(scene.folder, 'in/new'))).toBe(true)
})

test.each([
  ['no options', undefined, 'expected an object'],
  ['no ledger', { accounts: {} }, 'expected a ledger'],
  ['an empty path', { accounts: {}, ledger: '' }, 'expected a ledger'],
  ['a number', { accounts: {}, ledger: 5 }, 'expected a ledger'],
  ['a folder beside a path', { accounts: {}, ledger: '/tmp/x/state.db', folder: '/tmp' }, 'expected no folder'],
])('options that are wrong are refused with words: %s', async (_, options, words) => {
  // What a program without types may give.
  const given = options as unknown as Parameters<typeof createPoller>[0]
  await expect(createPoller(given)).rejects.toMatchObject({
    code: 'ERR_USAGE',
    message: expect.stringContaining(words),
  })
})

test('a configuration that goes round in a circle is refused', async () => {
  await using scene = await Scene.create()
  const account: Record<string, unknown> = { ...scene.account() }
  account['route'] = account
  const accounts = { work: account } as unknown as { work: ReturnType<Scene['account']> }
  await expect(scene.poller(new Store(), { accounts })).rejects.toMatchObject({ code: 'ERR_CONFIG' })
})

test('an event that does not exist is refused', async () => {
  await using scene = await Scene.create()
  await using poller = await scene.poller(new Store())
  expect(() => poller.on('mesage' as 'message', () => {})).toThrow('there is no event mesage')
})

// What the server lost for good is forgotten after a month, and nothing else: polls with a clock that is moved.
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { Ledger } from '../../../src/ledger/ledger.ts'
import { MOST_KNOWN } from '../../../src/poll/plan/prune.ts'
import { openLedger } from '../../../src/ledger/sqlite/open.ts'
import { Scene } from '../scene.ts'

const HOUR = 3_600_000
const DAY = 24 * HOUR

beforeEach(() => void vi.useFakeTimers({ toFake: ['Date'], now: Date.UTC(2026, 10, 24) }))
afterEach(() => void vi.useRealTimers())

function pass(ms: number): void {
  vi.setSystemTime(Date.now() + ms)
}

/** The UIDLs that the ledger still knows. */
async function known(scene: Scene): Promise<string[]> {
  await using ledger = await openLedger(scene.path('state/state.db'))
  const slices = await Array.fromAsync(ledger.records.list('old-isp', 'all'))
  return slices
    .flat()
    .map(({ key }) => key.uidl)
    .toSorted()
}

/** Two polls an hour and more apart, so that both see the same time (S030). */
async function pollTwice(scene: Scene): Promise<void> {
  for (let polls = 0; polls < 2; polls++) {
    expect((await scene.poll()).error).toBeNull()
    pass(2 * HOUR)
  }
}

/** Ten messages, polled long enough for the clock to be believed. */
async function polled(): Promise<Scene> {
  const scene = await Scene.create()
  scene.fill(10)
  await pollTwice(scene)
  return scene
}

function messages(scene: Scene) {
  return [...scene.server.mailbox('alice').messages]
}

/** From now on the server has these and no others. */
function show(scene: Scene, shown: ReturnType<typeof messages>): void {
  scene.server.mailbox('alice').messages.splice(0, Infinity, ...shown)
}

function remove(scene: Scene, ...uidls: readonly string[]): void {
  show(
    scene,
    messages(scene).filter(({ uidl }) => !uidls.includes(uidl)),
  )
}

test('a message that three listings over thirty days lack is forgotten', async () => {
  await using scene = await polled()
  remove(scene, 'uid-3')
  await scene.poll()
  pass(29 * DAY)
  await pollTwice(scene)
  expect(await known(scene)).toContain('uid-3')
  pass(DAY)
  await pollTwice(scene)
  pass(DAY)
  await scene.poll()
  expect(await known(scene)).not.toContain('uid-3')
  expect(await known(scene)).toHaveLength(9)
  expect(scene.count('RETR')).toBe(10)
})

test('two listings are too few, however far apart', async () => {
  await using scene = await polled()
  remove(scene, 'uid-3')
  await scene.poll()
  pass(60 * DAY)
  await scene.poll()
  expect(await known(scene)).toContain('uid-3')
  // A poll that finds nothing new forgets nothing: once a day all is looked at.
  pass(DAY)
  await scene.poll()
  expect(await known(scene)).not.toContain('uid-3')
})

test('one that comes back within the month is the message that it was, and the month begins again', async () => {
  await using scene = await polled()
  const whole = messages(scene)
  remove(scene, 'uid-3')
  await scene.poll()
  pass(29 * DAY)
  show(scene, whole)
  await pollTwice(scene)
  remove(scene, 'uid-3')
  await pollTwice(scene)
  pass(2 * DAY)
  await pollTwice(scene)
  expect(await known(scene)).toContain('uid-3')
  expect(scene.count('RETR')).toBe(10)
  pass(29 * DAY)
  await pollTwice(scene)
  pass(DAY)
  await scene.poll()
  expect(await known(scene)).not.toContain('uid-3')
})

describe('nothing is forgotten where the listing may not be the whole truth', () => {
  test('an empty one of a mailbox that was full (P083)', async () => {
    await using scene = await polled()
    const whole = messages(scene)
    show(scene, [])
    for (let month = 0; month < 3; month++) {
      await pollTwice(scene)
      pass(31 * DAY)
    }
    expect(await known(scene)).toHaveLength(10)
    show(scene, whole)
    await scene.poll()
    expect(scene.count('RETR')).toBe(10)
  })

  test('one that lacks more than half (P099)', async () => {
    await using scene = await polled()
    remove(scene, ...Array.from({ length: 6 }, (_, at) => `uid-${at}`))
    for (let month = 0; month < 3; month++) {
      await pollTwice(scene)
      pass(31 * DAY)
    }
    expect(await known(scene)).toHaveLength(10)
  })

  test('a window of the newest, out of which new mail pushes the old (P100)', async () => {
    await using scene = await polled()
    const all = messages(scene)
    for (let at = 10; at < 16; at++) {
      scene.fill(1, at)
      all.push(...messages(scene).slice(-1))
      show(scene, all.slice(-10))
      await pollTwice(scene)
      pass(31 * DAY)
    }
    expect(await known(scene)).toHaveLength(16)
    show(scene, all)
    await scene.poll()
    expect(scene.count('RETR')).toBe(16)
  })

  test('a clock that jumped by years', async () => {
    await using scene = await polled()
    remove(scene, 'uid-3')
    await pollTwice(scene)
    pass(3650 * DAY)
    await scene.poll()
    expect(await known(scene)).toContain('uid-3')
  })
})

test('what popfetch deleted itself is forgotten though nothing is left on the server', async () => {
  await using scene = await Scene.create()
  scene.account = ['delete: after-delivery']
  scene.fill(10)
  await pollTwice(scene)
  expect(scene.left()).toEqual([])
  pass(31 * DAY)
  await pollTwice(scene)
  pass(DAY)
  await scene.poll()
  // One stays: an account that knows nothing would be taken for one whose ledger was lost.
  expect(await known(scene)).toHaveLength(1)
})

test('what came and is not delivered everywhere is never forgotten', async () => {
  await using scene = await Scene.create()
  scene.destinations = [...scene.destinations, "broken: { type: command, run: ['false'] }"]
  scene.deliver = '[inbox, broken]'
  scene.fill(3)
  await scene.poll()
  remove(scene, 'uid-0')
  await scene.poll()
  pass(31 * DAY)
  await scene.poll()
  pass(2 * HOUR)
  await scene.poll()
  expect(await known(scene)).toEqual(['uid-0', 'uid-1', 'uid-2'])
})

test('a server that lists other messages over maxSize at each poll makes none be remembered once it is gone (S044)', async () => {
  await using scene = await Scene.create()
  scene.account = ['maxSize: 1KB']
  for (let polls = 0; polls < 5; polls++) {
    show(scene, [])
    const mailbox = scene.server.mailbox('alice')
    for (let at = 0; at < 20; at++)
      mailbox.add(`Subject: large\r\n\r\n${'x'.repeat(5000)}\r\n`, { uidl: `${polls}-${at}-${'x'.repeat(900)}` })
    expect(await scene.poll()).toMatchObject({ new: 20, held: 20 })
    expect(await known(scene)).toHaveLength(20)
  }
})

test.each([
  [MOST_KNOWN - 3, null],
  [MOST_KNOWN - 2, 'ERR_POP3_PROTOCOL'],
] as const)('of an account that knows %i messages three more: %s (S044)', async (before, code) => {
  await using scene = await Scene.create()
  scene.fill(3)
  scene.ledgerOf = (ledger) =>
    new Proxy(ledger, {
      get(target, name) {
        const found: unknown = Reflect.get(target, name, target)
        if (name === 'admit')
          return async (...args: Parameters<Ledger['admit']>) => ({ ...(await target.admit(...args)), known: before })
        return typeof found === 'function' ? found.bind(target) : found
      },
    })
  const { error, delivered } = await scene.poll()
  expect([error?.code ?? null, delivered]).toEqual([code, code === null ? 3 : 0])
  if (error !== null) expect(error.message).toContain('popfetch state forget old-isp --all-messages --yes')
})

test('a server that lists other messages with large UIDLs at each poll, and gives none, makes nothing be remembered for long (S044)', async () => {
  await using scene = await Scene.create()
  const MESSAGES = 50
  scene.server.faults.reply.set('RETR', '-ERR no such message').set('TOP', '-ERR no such message')
  for (let polls = 0; polls < 6; polls++) {
    const mailbox = scene.server.mailbox('alice')
    mailbox.messages.splice(0)
    for (let at = 0; at < MESSAGES; at++) mailbox.add('', { uidl: `${polls}-${at}-${'x'.repeat(900)}` })
    expect(await scene.poll()).toMatchObject({ new: MESSAGES, delivered: 0 })
    expect(await known(scene)).toHaveLength(MESSAGES)
  }
  expect(scene.notes.filter((note) => note.includes('never fetched'))).toHaveLength(5)
})

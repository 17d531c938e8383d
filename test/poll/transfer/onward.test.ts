// How far one session goes: beyond its plan where nothing waits for its QUIT, and not a message further where anything does, or went
// wrong.
import { rm, writeFile } from 'node:fs/promises'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { Scene, upTo } from '../scene.ts'

/** So many fit into a plan. */
const PLAN = 3
const COUNT = 10

afterEach(() => vi.useRealTimers())

/** Polls a mailbox of ten with plans of three. */
async function poll(scene: Scene, options: Parameters<Scene['poll']>[0] = {}) {
  return await scene.poll(options, undefined, PLAN)
}

describe.each(['maildir', 'mbox'])('a mailbox of several plans, to a %s', (type) => {
  test('takes one session where nothing is to be deleted: one sign-in, one listing, one QUIT', async () => {
    await using scene = await Scene.create()
    scene.destinations = [`inbox: { type: ${type}, path: inbox }`]
    scene.fill(COUNT)
    expect(await poll(scene)).toMatchObject({ outcome: 'ok', listed: COUNT, new: COUNT, delivered: COUNT, deferred: 0 })
    for (const verb of ['AUTH', 'UIDL', 'LIST', 'QUIT']) expect(scene.count(verb)).toBe(1)
    expect(scene.count('RETR')).toBe(COUNT)
    expect(await poll(scene)).toMatchObject({ outcome: 'ok', new: 0, skipped: COUNT, delivered: 0 })
  })
})

test('messages come in the order of the listing', async () => {
  await using scene = await Scene.create()
  scene.fill(COUNT)
  await poll(scene)
  const retrieved = scene.server.journal.commands().filter((line) => line.startsWith('RETR'))
  expect(retrieved).toEqual(upTo(COUNT).map((at) => `RETR ${at + 1}`))
})

test.each([1, 3, 4, 6, 7, 9, 10, 11])('a limit of %i counts over the whole session', async (limit) => {
  await using scene = await Scene.create()
  scene.fill(COUNT)
  const delivered = Math.min(limit, COUNT)
  expect(await poll(scene, { limit })).toMatchObject({ outcome: 'ok', delivered })
  expect(scene.subjects()).toEqual(upTo(delivered))
  expect(scene.count('QUIT')).toBe(1)
})

test('what is too large is held, in the plan and beyond it', async () => {
  await using scene = await Scene.create()
  scene.account = ['maxSize: 1KB']
  scene.server.faults.listSize = ({ uidl, sizeBytes }) => (['uid-1', 'uid-8'].includes(uidl) ? 5000 : sizeBytes)
  scene.fill(COUNT)
  expect(await poll(scene)).toMatchObject({ delivered: COUNT - 2, held: 2 })
  expect(scene.count('QUIT')).toBe(1)
})

test('what came before is not asked for again, and counts', async () => {
  await using scene = await Scene.create()
  scene.fill(4)
  await poll(scene)
  scene.fill(COUNT - 4, 4)
  expect(await poll(scene)).toMatchObject({ new: 6, skipped: 4, delivered: 6 })
  expect(scene.count('QUIT')).toBe(2)
  expect(scene.subjects()).toEqual(upTo(COUNT))
  // The guard against new UIDs compares with all of them.
  await using ledger = await scene.ledger()
  expect((await ledger.account(scene.name))?.facts['alive']).toBe(String(COUNT))
})

describe('a session ends with its plan where', () => {
  test('messages are to be deleted: their deletion is committed first (P154)', async () => {
    await using scene = await Scene.create()
    scene.account = ['delete: after-delivery']
    scene.fill(COUNT)
    expect(await poll(scene)).toMatchObject({ outcome: 'ok', delivered: COUNT, deleted: COUNT })
    expect(scene.count('QUIT')).toBe(4)
    expect(scene.left()).toEqual([])
  })

  test('QUIT drops what was retrieved (P129)', async () => {
    await using scene = await Scene.create()
    scene.server.capabilities?.afterLogin.push('EXPIRE 0')
    scene.fill(COUNT)
    expect(await poll(scene)).toMatchObject({ outcome: 'ok', delivered: COUNT })
    expect(scene.count('QUIT')).toBe(4)
  })

  test.each([
    [
      'the server refused a message',
      (scene: Scene) => void scene.server.faults.reply.set('RETR 2', '-ERR no such message'),
    ],
    [
      'a message came short',
      (scene: Scene) => {
        scene.server.faults.listSize = ({ uidl, sizeBytes }) => sizeBytes + (uidl === 'uid-1' ? 40 : 0)
      },
    ],
  ])('%s; the others come all the same', async (_, spoil) => {
    await using scene = await Scene.create()
    spoil(scene)
    scene.fill(COUNT)
    await poll(scene)
    expect(scene.count('QUIT')).toBeGreaterThan(1)
    const odd = [1, 8]
    const plain = (subjects: readonly number[]): readonly number[] =>
      subjects.filter((subject) => !odd.includes(subject))
    expect(plain(scene.subjects())).toEqual(plain(upTo(COUNT)))
  })

  test('a destination did not take a message; the others come, each once', async () => {
    await using scene = await Scene.create()
    const script = 'grep -q "Subject: letter 4" && exit 75; exit 0'
    scene.deliver = '[inbox, hook]'
    scene.destinations = [
      'inbox: { type: maildir, path: inbox }',
      `hook: { type: command, run: [sh, -c, '${script}'] }`,
    ]
    scene.fill(COUNT)
    expect(await poll(scene)).toMatchObject({ delivered: COUNT - 1, deferred: 1 })
    expect(scene.subjects()).toEqual(upTo(COUNT))
    expect(scene.count('QUIT')).toBeGreaterThan(1)
  })

  test('it is five minutes old: a server may end it, and that would be blamed on a message', async () => {
    vi.useFakeTimers({ toFake: ['Date'] })
    await using scene = await Scene.create()
    scene.server.faults.onCommand = (verb, args) => {
      if (verb === 'RETR' && args === '5') vi.setSystemTime(Date.now() + 5 * 60_000)
      return 'serve'
    }
    scene.fill(COUNT)
    expect(await poll(scene)).toMatchObject({ outcome: 'ok', delivered: COUNT })
    expect(scene.count('QUIT')).toBe(2)
  })

  test('what waited for long, begun and never tried, is old enough to be deleted: by this poll, not a poll later', async () => {
    vi.useFakeTimers({ toFake: ['Date'] })
    await using scene = await Scene.create()
    scene.account = ['delete: 7d']
    scene.fill(2)
    // A person stops the first poll while its messages come: their attempts are given back.
    const stop = new AbortController()
    scene.server.faults.onCommand = (verb) => {
      if (verb === 'RETR') stop.abort()
      return 'serve'
    }
    await scene.poll({}, stop.signal, PLAN)
    scene.server.faults.onCommand = () => 'serve'
    // And then their destination cannot be used for days.
    await rm(scene.path('inbox'), { recursive: true })
    await writeFile(scene.path('inbox'), '')
    for (let day = 0; day < 9; day++) {
      vi.setSystemTime(Date.now() + 24 * 3_600_000)
      await poll(scene)
    }
    await rm(scene.path('inbox'))
    scene.fill(COUNT - 2, 2)
    // Without a limit a second session follows: what waited took the places of two new ones in the plan.
    expect(await poll(scene, { limit: 8 })).toMatchObject({ outcome: 'ok', delivered: 8, deleted: 2 })
    expect(scene.left()).toHaveLength(COUNT - 2)
  })

  test('a message is gone that may be here under a new UID: what is new is looked at first, each time (N048)', async () => {
    await using scene = await Scene.create()
    scene.fill(40)
    await scene.poll()
    const mailbox = scene.server.mailbox('alice')
    mailbox.messages.splice(20, 1)
    scene.fill(8, 100)
    // The one that is gone comes last, beyond the plan.
    scene.fill(1, 20)
    const [last] = mailbox.messages.splice(-1)
    if (last !== undefined) mailbox.add(last.bytes.toString('latin1'), { uidl: 'new-uid' })
    expect(await poll(scene)).toMatchObject({ delivered: 8 })
    expect(scene.subjects().filter((subject) => subject === 20)).toEqual([20])
  })
})

// A delivery that was cut off on another machine, into a folder that only that machine sees (DESIGN 4.6). Each of these ledgers came out of
// one that several machines shared, so that it names another machine though it is a file.
import { rmSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { expect, onTestFinished, test } from 'vitest'
import { Scene, upTo } from '../scene.ts'

const PLACES: Readonly<Record<string, readonly string[]>> = {
  'a Maildir': ['inbox: { type: maildir, path: inbox KEYS }'],
  'an mbox': ['inbox: { type: mbox, path: mbox KEYS }'],
  'the second of several': ['inbox: { type: maildir, path: inbox KEYS }', 'first: { type: maildir, path: first KEYS }'],
}

/** Three letters were delivered, and of the second it was not recorded. It was begun on `machine`. */
async function cutOff(place: string, keys: string, machine: string | null = 'nas'): Promise<Scene> {
  const scene = await Scene.create()
  onTestFinished(() => scene[Symbol.asyncDispose]())
  scene.destinations = (PLACES[place] ?? []).map((line) => line.replace('KEYS', keys))
  scene.deliver = place === 'the second of several' ? '{ first-of: [first, inbox] }' : 'inbox'
  scene.fill(3)
  await scene.poll()
  await scene.forgetOutcome('uid-1')
  const database = new DatabaseSync(scene.path('state/state.db'))
  database.prepare('UPDATE delivery SET machine = ? WHERE state = 1').run(machine)
  database.close()
  return scene
}

/** All that was delivered is elsewhere. */
function emptied(scene: Scene): Scene {
  for (const name of ['inbox', 'first']) {
    for (const file of scene.files(name)) rmSync(file)
  }
  rmSync(scene.path('mbox'), { force: true })
  return scene
}

const MESSAGE = expect.stringMatching(
  /^.+: the delivery was cut off on the machine nas, and only there can be seen .*popfetch state retry --here old-isp$/,
) as string

test.each(Object.keys(PLACES))(
  'is not made here while it does not show in %s: it waits, and that is told',
  async (place) => {
    const scene = emptied(await cutOff(place, ''))
    for (let polls = 0; polls < 3; polls++) {
      const report = await scene.poll()
      expect(report).toMatchObject({ outcome: 'partial', delivered: 0, deferred: 1, possibleDuplicates: 0 })
      expect(report.error).toMatchObject({ code: 'ERR_DELIVERY', message: MESSAGE, retry: 'soon' })
    }
    expect([scene.mail(), scene.mail('first')].flat()).toEqual([])
    expect(scene.count('RETR')).toBe(3)
  },
)

test.each(Object.keys(PLACES))('holds up no other mail to %s', async (place) => {
  const scene = emptied(await cutOff(place, ''))
  scene.fill(2, 3)
  expect(await scene.poll()).toMatchObject({
    outcome: 'partial',
    delivered: 2,
    deferred: 1,
    error: { message: MESSAGE },
  })
  await using ledger = await scene.ledger()
  const record = await ledger.account('old-isp')
  expect(record).toMatchObject({ failures: 0, facts: { waitsForMachine: '["nas"]' } })
  expect(record?.facts['deferredSince']).toBeDefined()
  expect(record?.lastSuccessMs).toBe(record?.lastPollMs)
})

test('counts as delivered where it is found here all the same', async () => {
  const scene = await cutOff('a Maildir', '')
  expect(await scene.poll()).toMatchObject({ outcome: 'ok', delivered: 1, deferred: 0 })
  expect(scene.subjects()).toEqual(upTo(3))
  expect(scene.count('RETR')).toBe(3)
})

test.each([
  ['that all machines see', 'a Maildir', ', shared: true', 'nas'],
  ['that all machines see', 'an mbox', ', shared: true', 'nas'],
  ['though nobody knows on which machine', 'a Maildir', '', null],
])('is made again, once, in a folder %s (%s)', async (_, place, keys, machine) => {
  const scene = emptied(await cutOff(place, keys, machine))
  expect(await scene.poll()).toMatchObject({ outcome: 'ok', delivered: 1 })
  expect(await scene.poll()).toMatchObject({ outcome: 'ok', delivered: 0 })
  expect(scene.count('RETR')).toBe(4)
})

test.each(Object.keys(PLACES))('is made again, once, when a person gives it up (%s)', async (place) => {
  const scene = emptied(await cutOff(place, ''))
  await scene.poll()
  {
    await using ledger = await scene.ledger()
    await using lease = await ledger.lease('old-isp')
    expect(await ledger.records.retry(lease!, ['elsewhere'])).toBe(1)
  }
  expect(await scene.poll()).toMatchObject({ outcome: 'ok', delivered: 1 })
  expect(await scene.poll()).toMatchObject({ outcome: 'ok', delivered: 0 })
  await using ledger = await scene.ledger()
  expect((await ledger.account('old-isp'))?.facts['waitsForMachine']).toBeUndefined()
})

test('stays on the server, whatever is to be deleted there', async () => {
  const scene = emptied(await cutOff('a Maildir', ''))
  scene.account = ['delete: after-delivery']
  await scene.poll({ yes: true })
  expect(scene.left()).toEqual(['uid-1'])
})

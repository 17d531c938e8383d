// Messages that another program fetched. Taken over as delivered, they are deleted after one look at their header. Quiet polls
// learn the headers of all that popfetch did not fetch.
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { openLedger } from '../../../src/ledger/sqlite/open.ts'
import { rememberSeen } from '../../../src/poll/account/amend.ts'
import { leaseOf } from '../../ledger/scene.ts'
import { letter, Scene, upTo } from '../scene.ts'

const DAY_MS = 86_400_000

beforeEach(() => void vi.useFakeTimers({ toFake: ['Date'], now: new Date('2026-11-29T12:00:00Z') }))
afterEach(() => void vi.useRealTimers())

async function imported(
  scene: Scene,
  uidls: readonly string[],
  { delivered = true, sinceMs = null as number | null } = {},
): Promise<void> {
  await using ledger = await openLedger(scene.path('state/state.db'))
  const identity = { host: scene.server.host, port: scene.server.port, user: 'alice' }
  const lease = await leaseOf(ledger, scene.name, identity)
  const seen = new Map(uidls.map((uidl) => [uidl, sinceMs]))
  await rememberSeen(ledger, lease, { identity, count: uidls.length, delivered, uidls: seen })
}

async function headers(scene: Scene): Promise<(string | null)[]> {
  await using ledger = await openLedger(scene.path('state/state.db'))
  const found: (string | null)[] = []
  for await (const slice of ledger.records.list(scene.name, 'all'))
    found.push(...slice.map(({ fingerprint, subject }) => (fingerprint === null ? null : subject)))
  return found
}

const uids = (count: number): string[] => upTo(count).map((at) => `uid-${at}`)

test('what another program delivered leaves the server as delete says, after one look at its header, and is never fetched', async () => {
  await using scene = await Scene.create()
  scene.fill(3)
  scene.account = ['delete: after-delivery']
  await imported(scene, uids(2))
  expect(await scene.poll()).toMatchObject({ outcome: 'ok', delivered: 1, deleted: 3 })
  expect([scene.left(), scene.subjects()]).toEqual([[], [2]])
  expect([scene.count('TOP'), scene.count('RETR')]).toEqual([2, 1])
})

test('what another program delivered stays with delete: never, and what was only seen stays whatever delete says', async () => {
  for (const [policy, delivered] of [
    ['never', true],
    ['after-delivery', false],
  ] as const) {
    await using scene = await Scene.create()
    scene.fill(2)
    scene.account = [`delete: ${policy}`]
    await imported(scene, uids(2), { delivered })
    for (let poll = 0; poll < 3; poll++) expect(await scene.poll()).toMatchObject({ delivered: 0, deleted: 0 })
    expect(scene.left()).toEqual(uids(2))
  }
})

test('its age counts from when the other program saw it: what is younger stays', async () => {
  await using scene = await Scene.create()
  scene.fill(2)
  scene.account = ['delete: 30d']
  const nowMs = Date.now()
  await imported(scene, ['uid-0'], { sinceMs: nowMs - 40 * DAY_MS })
  await imported(scene, ['uid-1'], { sinceMs: nowMs - 20 * DAY_MS })
  await scene.poll()
  vi.setSystemTime(Date.now() + DAY_MS / 12)
  expect(await scene.poll()).toMatchObject({ deleted: 1 })
  expect(scene.left()).toEqual(['uid-1'])
})

test('a message that came after the other program saw its UIDL is another one: kept, told once', async () => {
  await using scene = await Scene.create()
  scene.server
    .mailbox('alice')
    .add(`Received: from a by b; Tue, 24 Nov 2026 10:00:00 +0000\r\n${letter(0)}`, { uidl: 'uid-0' })
  scene.account = ['delete: after-delivery']
  await imported(scene, ['uid-0'], { sinceMs: Date.UTC(2026, 9, 1) })
  expect(await scene.poll()).toMatchObject({ deleted: 0, undeleted: 1 })
  expect(scene.left()).toEqual(['uid-0'])
})

test('another header under the UIDL than the one that was learnt is another message, and is delivered', async () => {
  await using scene = await Scene.create()
  scene.fill(1)
  await imported(scene, ['uid-0'])
  await scene.poll()
  const [message] = scene.server.mailbox('alice').messages
  scene.server.mailbox('alice').messages.splice(0)
  scene.server.mailbox('alice').add(letter(7), { uidl: message?.uidl ?? '' })
  scene.account = ['delete: after-delivery']
  expect(await scene.poll()).toMatchObject({ deleted: 0 })
  await scene.poll()
  expect(scene.subjects()).toEqual([7])
})

test('where the server shows no header, the whole message is looked at', async () => {
  await using scene = await Scene.create()
  scene.server.faults.reply.set('TOP', '-ERR unknown command')
  scene.fill(2)
  scene.account = ['delete: after-delivery']
  await imported(scene, uids(2))
  expect(await scene.poll()).toMatchObject({ outcome: 'ok', delivered: 0, deleted: 2 })
  expect(scene.left()).toEqual([])
})

test('quiet polls learn the headers of what was imported or skipped, a hundred at a time, until all are known', async () => {
  await using scene = await Scene.create()
  scene.fill(250)
  await imported(scene, uids(250), { delivered: false })
  const learnt: number[] = []
  for (let poll = 0; poll < 4; poll++) {
    await scene.poll()
    learnt.push(scene.count('TOP'))
  }
  expect(learnt).toEqual([100, 200, 250, 250])
  expect(await headers(scene)).toEqual(upTo(250).map((at) => `letter ${at}`))
})

test('what first: new skipped is learnt, too; a poll that fetches learns nothing', async () => {
  await using scene = await Scene.create()
  scene.fill(2)
  scene.account = ['first: new']
  await scene.poll()
  expect(scene.count('TOP')).toBe(2)
  await using other = await Scene.create()
  other.fill(2)
  other.account = ['first: last:1']
  await other.poll()
  expect(other.count('TOP')).toBe(0)
  await other.poll()
  expect(other.count('TOP')).toBe(1)
})

test('a server whose TOP ends the session costs one session, and is not asked again', async () => {
  await using scene = await Scene.create()
  scene.fill(3)
  await imported(scene, uids(3), { delivered: false })
  scene.server.faults.onCommand = (verb) => (verb === 'TOP' ? 'drop' : 'serve')
  expect(await scene.poll()).toMatchObject({ outcome: 'ok' })
  const asked = scene.count('TOP')
  await scene.poll()
  expect(scene.count('TOP')).toBe(asked)
})

test('fifteen imported messages whose headers are learnt do not come under new UIDs', async () => {
  await using scene = await Scene.create()
  scene.fill(15)
  await imported(scene, uids(15), { delivered: false })
  await scene.poll()
  for (const message of scene.server.mailbox('alice').messages) message.uidl = `new-${message.uidl}`
  expect(await scene.poll()).toMatchObject({ outcome: 'ok', new: 0, delivered: 0 })
  expect(scene.subjects()).toEqual([])
})

test('imported messages whose headers are learnt are all matched when the server changes its UIDs (M010)', async () => {
  await using scene = await Scene.create()
  scene.fill(30)
  await imported(scene, uids(30), { delivered: false })
  await scene.poll()
  for (const message of scene.server.mailbox('alice').messages) message.uidl = `new-${message.uidl}`
  expect((await scene.poll()).error?.code).toBe('ERR_UIDS_CHANGED')
  expect(await scene.poll({ acceptNewIds: true })).toMatchObject({ outcome: 'ok', delivered: 0 })
  expect(await scene.poll()).toMatchObject({ outcome: 'ok', new: 0, skipped: 30 })
  expect(scene.count('RETR')).toBe(0)
})

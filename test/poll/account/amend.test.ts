// What a person had forgotten comes again, past everything that guards against mail that comes again.
import { expect, test } from 'vitest'
import type { EntryKey } from '../../../src/ledger/ledger.ts'
import { openLedger } from '../../../src/ledger/sqlite/open.ts'
import { forgetMessages, retryAtOnce } from '../../../src/poll/account/amend.ts'
import { Scene, upTo } from '../scene.ts'
import { doorOf } from '../../../src/poll/rests/rests.ts'
import { freshLedger, leaseOf } from '../../ledger/scene.ts'

async function forget(scene: Scene, keys: readonly EntryKey[] | 'all'): Promise<number> {
  await using ledger = await openLedger(scene.path('state/state.db'))
  return await forgetMessages(ledger, await leaseOf(ledger, 'old-isp'), keys)
}

const keys = (count: number) => upTo(count).map((at) => ({ uidl: `uid-${at}`, copy: 0 }))

test('one message that is forgotten is delivered again, the others are not', async () => {
  await using scene = await Scene.create()
  scene.fill(3)
  await scene.poll()
  expect(await forget(scene, [{ uidl: 'uid-1', copy: 0 }])).toBe(1)
  expect(await scene.poll()).toMatchObject({ outcome: 'ok', new: 1, delivered: 1 })
  expect(scene.subjects()).toEqual([0, 1, 1, 2])
})

test.each(['all', keys(25)] as const)(
  'a mailbox that is forgotten is neither found in the Maildir nor taken for renumbered (%#)',
  async (which) => {
    await using scene = await Scene.create()
    scene.fill(25)
    await scene.poll()
    expect(await forget(scene, which)).toBe(25)
    expect(await scene.poll()).toMatchObject({ outcome: 'ok', new: 25, delivered: 25 })
    expect(await scene.poll()).toMatchObject({ outcome: 'ok', new: 0, delivered: 0 })
  },
)

test('a held message that is forgotten is released', async () => {
  await using scene = await Scene.create()
  scene.account = ['maxSize: 1KB']
  scene.server.mailbox('alice').add(`Subject: letter 7\r\n\r\n${'x'.repeat(2000)}\r\n`, { uidl: 'large' })
  expect(await scene.poll()).toMatchObject({ held: 1, delivered: 0 })
  expect(await scene.poll()).toMatchObject({ delivered: 0 })
  await forget(scene, [{ uidl: 'large', copy: 0 }])
  scene.account = []
  expect(await scene.poll()).toMatchObject({ outcome: 'ok', delivered: 1 })
  expect(scene.subjects()).toEqual([7])
})

test('a destination that is left alone is tried at once where a person asks, but for one that a person paused', async () => {
  const ledger = await freshLedger()
  const nowMs = 1e12
  const rest = {
    conclusion: 'BUSY',
    sinceMs: nowMs,
    untilMs: nowMs + 3_600_000,
    step: 2,
    askedMs: 0,
    error: { code: 'ERR_DELIVERY', message: 'not now' },
    exit: 75,
    openers: [],
    secretMark: null,
  }
  await ledger.changeDestination('a', '', (record) => ({ ...record, names: ['first'], rest }))
  await ledger.changeDestination('b', 'bob@example.net', (record) => ({ ...record, names: ['second'], rest }))
  await ledger.changeDestination('c', '', (record) => ({ ...record, names: ['third'], rest }))
  await ledger.pauses.begin([{ kind: 'destination', name: 'third' }], 'ada', null)
  const doors = async () => (await ledger.destinations()).map((record) => doorOf(record, nowMs, true))
  expect(await retryAtOnce(ledger, new Set(['first', 'third']), nowMs)).toEqual(['first'])
  expect(await doors()).toEqual(['probe', 'rest', 'rest'])
  expect(await retryAtOnce(ledger, null, nowMs)).toEqual(['second (bob@example.net)'])
  expect(await doors()).toEqual(['probe', 'probe', 'rest'])
  expect((await ledger.destination('a', '')).rest?.step).toBe(2)
})

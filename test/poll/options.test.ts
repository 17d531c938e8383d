// What `first`, `maxSize`, `limit` and the options of the command line leave out or bring again.
import { existsSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { openLedger } from '../../src/ledger/sqlite/open.ts'
import type { AccountReport } from '../../src/poll/report.ts'
import { letter, Scene, upTo } from './scene.ts'

describe('what is not fetched', () => {
  test('first: last:2 leaves the older ones unseen forever and never deletes them', async () => {
    await using scene = await Scene.create()
    scene.account = ['first: last:2', 'delete: after-delivery']
    scene.fill(5)
    expect(await scene.poll()).toMatchObject({ delivered: 2, skipped: 3, deleted: 2 })
    expect(await scene.poll()).toMatchObject({ delivered: 0, skipped: 3, deleted: 0 })
    expect(scene.subjects()).toEqual([3, 4])
    expect(scene.left()).toHaveLength(3)
  })

  test('a message over maxSize is held, reported once and never deleted', async () => {
    await using scene = await Scene.create()
    scene.account = ['maxSize: 100KB', 'delete: after-delivery']
    scene.fill(1)
    scene.server.mailbox('alice').add({ sizeBytes: 200_000 }, { uidl: 'big' })
    expect(await scene.poll()).toMatchObject({ outcome: 'partial', delivered: 1, held: 1 })
    expect(await scene.poll()).toMatchObject({ outcome: 'ok', held: 0, delivered: 0 })
    expect(scene.left()).toEqual(['big'])
  })

  describe('a message over maxSize is named by From and Subject when it is held', () => {
    const large = (number: number): string => `${letter(number)}${'x'.repeat(70)}\r\n`.padEnd(3000, 'x\r\n')
    const held = ({ problems }: AccountReport) => problems.filter(({ kind }) => kind === 'held')

    test('which its header tells, once, also later in the ledger', async () => {
      await using scene = await Scene.create()
      scene.account = ['maxSize: 1KB']
      scene.server.mailbox('alice').add(large(7), { uidl: 'big' })
      scene.fill(1)
      expect(held(await scene.poll())).toMatchObject([{ from: 'Ada <ada@example.org>', subject: 'letter 7' }])
      await scene.poll()
      expect([scene.count('TOP'), scene.count('RETR')]).toEqual([1, 1])
      await using ledger = await openLedger(scene.path('state/state.db'))
      const [message] = await ledger.records.find(scene.name, 'big')
      expect(message).toMatchObject({ state: 'held', from: 'Ada <ada@example.org>', subject: 'letter 7' })
    })

    test('twenty of them at most are asked for', async () => {
      await using scene = await Scene.create()
      scene.account = ['maxSize: 1KB']
      for (const number of upTo(25)) scene.server.mailbox('alice').add(large(number), { uidl: `big-${number}` })
      const report = await scene.poll()
      expect(report).toMatchObject({ held: 25 })
      expect(held(report).filter(({ subject }) => subject !== null)).toHaveLength(20)
      expect(scene.count('TOP')).toBe(20)
    })

    test.each(['TOP ends the session', 'TOP is refused', 'QUIT may drop what was shown'])(
      'but where %s it is held all the same, and all else comes',
      async (what) => {
        await using scene = await Scene.create()
        scene.account = ['maxSize: 1KB', 'delete: after-delivery']
        scene.server.mailbox('alice').add(large(7), { uidl: 'big' })
        scene.fill(2)
        if (what.startsWith('QUIT')) scene.server.capabilities?.afterLogin.push('EXPIRE 0')
        else
          scene.server.faults.onCommand = (verb) =>
            verb !== 'TOP' ? 'serve' : what.includes('refused') ? '-ERR no' : 'drop'
        const report = await scene.poll()
        expect(report).toMatchObject({ held: 1, delivered: 2, error: null })
        expect(held(report)).toMatchObject([{ uidl: 'big', from: null, subject: null }])
        expect(scene.left()).toEqual(['big'])
        await scene.poll()
        expect(scene.count('TOP')).toBeLessThanOrEqual(1)
      },
    )
  })

  test.each(['maxSize: 300KB', ''])(
    'one that was held for its size is due again when maxSize is raised (S051, %j)',
    async (raised) => {
      await using scene = await Scene.create()
      scene.account = ['maxSize: 100KB', 'delete: after-delivery']
      scene.server.mailbox('alice').add({ sizeBytes: 200_000 }, { uidl: 'big' })
      expect(await scene.poll()).toMatchObject({ outcome: 'partial', delivered: 0, held: 1 })
      scene.account = ['maxSize: 150KB', 'delete: after-delivery']
      expect(await scene.poll()).toMatchObject({ delivered: 0, held: 0 })
      scene.account = [...(raised === '' ? [] : [raised]), 'delete: after-delivery']
      expect(await scene.poll()).toMatchObject({ outcome: 'ok', delivered: 1, deleted: 1 })
    },
  )

  test('--limit and limit bound a poll, and the next one goes on', async () => {
    await using scene = await Scene.create()
    scene.fill(5)
    expect(await scene.poll({ limit: 2 })).toMatchObject({ delivered: 2 })
    scene.account = ['limit: 2']
    expect(await scene.poll()).toMatchObject({ delivered: 2 })
    expect(await scene.poll()).toMatchObject({ delivered: 1 })
    expect(scene.subjects()).toEqual(upTo(5))
  })

  test('a dry run says what it would do, sends neither RETR nor DELE and remembers nothing', async () => {
    await using scene = await Scene.create()
    scene.account = ['delete: after-delivery']
    scene.fill(2)
    expect(await scene.poll({ dryRun: true })).toMatchObject({
      delivered: 0,
      plan: [
        { uidl: 'uid-0', action: 'fetch', destinations: ['inbox'] },
        { uidl: 'uid-1', action: 'fetch', destinations: ['inbox'] },
      ],
    })
    expect(scene.count('RETR') + scene.count('DELE')).toBe(0)
    expect(existsSync(scene.path('inbox'))).toBe(false)
    expect(await scene.poll()).toMatchObject({ new: 2, delivered: 2 })
  })

  test('--all delivers again what was delivered', async () => {
    await using scene = await Scene.create()
    scene.fill(2)
    await scene.poll()
    expect(await scene.poll({ all: true })).toMatchObject({ delivered: 2 })
    expect(scene.subjects()).toEqual([0, 0, 1, 1])
  })
})

// What `first`, `maxSize`, `limit` and the options of the command line leave out or bring again.
import { existsSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { Scene, upTo } from './scene.ts'

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

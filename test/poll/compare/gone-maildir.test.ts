// A Maildir that mail was delivered to, and that is not there any more: its disk may not be mounted (S045).
import { existsSync, renameSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { letter, Scene, upTo } from '../scene.ts'

describe('a Maildir that mail was delivered to, and that is gone (S045)', () => {
  test('is not made again: its disk may not be mounted, and the mail stays', async () => {
    await using scene = await Scene.create()
    scene.account = ['delete: after-delivery']
    scene.fill(2)
    await scene.poll()
    renameSync(scene.path('inbox'), scene.path('away'))
    scene.fill(2, 2)
    const gone = {
      code: 'ERR_DELIVERY',
      retry: 'never',
      message: expect.stringContaining('is gone, though mail was delivered'),
    }
    expect(await scene.poll()).toMatchObject({ outcome: 'failed', delivered: 0, deleted: 0, error: gone })
    expect(existsSync(scene.path('inbox'))).toBe(false)
    renameSync(scene.path('away'), scene.path('inbox'))
    expect(await scene.poll({ eager: true })).toMatchObject({ outcome: 'ok', delivered: 2 })
    expect(scene.subjects()).toEqual(upTo(4))
  })

  test('is not made again for another account either', async () => {
    await using scene = await Scene.create()
    scene.account = ['delete: after-delivery']
    scene.fill(1)
    await scene.poll()
    renameSync(scene.path('inbox'), scene.path('away'))
    scene.name = 'another'
    scene.user = 'bob'
    scene.server.mailbox('bob', 'secret').add(letter(7), { uidl: 'uid-7' })
    expect(await scene.poll()).toMatchObject({ account: 'another', outcome: 'failed', delivered: 0, deleted: 0 })
    expect(existsSync(scene.path('inbox'))).toBe(false)
    renameSync(scene.path('away'), scene.path('inbox'))
    expect(await scene.poll()).toMatchObject({ outcome: 'ok', delivered: 1 })
    expect(scene.subjects()).toEqual([0, 7])
  })

  test('is made where the configuration names another place', async () => {
    await using scene = await Scene.create()
    scene.fill(1)
    await scene.poll()
    scene.destinations = ['inbox: { type: maildir, path: elsewhere }']
    scene.fill(1, 1)
    expect(await scene.poll()).toMatchObject({ outcome: 'ok', delivered: 1 })
    expect(scene.subjects('elsewhere')).toEqual([1])
  })
})

// How many sessions a poll takes, and what keeps one alive.
import { writeFileSync } from 'node:fs'
import { setImmediate as turn } from 'node:timers/promises'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { Scene } from './scene.ts'

test('a poll takes as many sessions as it needs, each with a QUIT of its own, and a limit counts over all (P154)', async () => {
  await using scene = await Scene.create()
  scene.account = ['delete: after-delivery']
  scene.fill(7)
  expect(await scene.poll({ limit: 5 }, undefined, 3)).toMatchObject({
    outcome: 'ok',
    listed: 7,
    delivered: 5,
    deleted: 5,
  })
  expect(scene.count('QUIT')).toBe(2)
  expect(scene.left()).toEqual(['uid-5', 'uid-6'])
})

test('where QUIT drops what was retrieved, what failed before waits for a session of its own (P129)', async () => {
  await using scene = await Scene.create()
  scene.server.capabilities?.afterLogin.push('EXPIRE 0')
  scene.fill(1)
  scene.server.faults.reply.set('RETR', '-ERR not now')
  await scene.poll()
  scene.server.faults.reply.clear()
  scene.fill(1, 1)
  const retrieved: number[] = []
  scene.server.faults.onCommand = (verb, _args, { id }) => {
    if (verb === 'RETR') retrieved.push(id)
    return 'serve'
  }
  expect(await scene.poll()).toMatchObject({ delivered: 2 })
  expect(scene.subjects()).toEqual([0, 1])
  expect(new Set(retrieved).size).toBe(2)
})

describe('a destination that takes its time', () => {
  afterEach(() => vi.useRealTimers())

  test('loses no session to a server that wants to hear something: NOOP is said (P149)', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
    await using scene = await Scene.create()
    scene.account = ['delete: after-delivery']
    const wait = `while [ ! -e ${scene.path('go')} ]; do sleep 0.02; done`
    scene.destinations = [`inbox: { type: command, run: [sh, -c, '${wait}'] }`]
    scene.fill(1)
    const poll = scene.poll()
    await scene.server.journal.when(({ kind }) => kind === 'retr')
    for (const heard of [1, 2, 3]) {
      // The session is idle some turns after the server has sent the message.
      while (scene.count('NOOP') < heard) {
        vi.advanceTimersByTime(20_000)
        await turn()
      }
    }
    writeFileSync(scene.path('go'), '')
    expect(await poll).toMatchObject({ outcome: 'ok', delivered: 1, deleted: 1 })
  })
})

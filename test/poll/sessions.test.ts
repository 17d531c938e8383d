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

describe('a session that follows at once, because the last one fetched all that one may', () => {
  /** Refuses these sign-ins, counted from 1. */
  function refuse(scene: Scene, answer: string, refused: readonly number[]): void {
    let signIns = 0
    scene.server.faults.onCommand = (verb) => (verb === 'AUTH' && refused.includes(++signIns) ? answer : 'serve')
  }

  test.each([
    ['the mailbox is still locked', '-ERR [IN-USE] locked'],
    ['it is busy', '-ERR Server busy, wait a moment'],
    ['the line is cut', 'drop'],
  ])('comes once more, after a pause, where the server is not ready: %s (P137)', async (_, answer) => {
    await using scene = await Scene.create()
    scene.account = ['delete: after-delivery']
    scene.fill(7)
    refuse(scene, answer, [2])
    expect(await scene.poll({}, undefined, 3)).toMatchObject({ outcome: 'ok', delivered: 7, deleted: 7 })
    expect(scene.notes.filter((note) => note.startsWith('reconnecting'))).toHaveLength(1)
    expect(scene.subjects()).toEqual([0, 1, 2, 3, 4, 5, 6])
  })

  test('does not wait where the server is ready', async () => {
    await using scene = await Scene.create()
    scene.account = ['delete: after-delivery']
    scene.fill(7)
    expect(await scene.poll({}, undefined, 3)).toMatchObject({ outcome: 'ok', delivered: 7 })
    expect(scene.notes.filter((note) => note.startsWith('reconnecting'))).toEqual([])
  })

  test('is the last one where the server refuses twice; what was fetched stays', async () => {
    await using scene = await Scene.create()
    scene.account = ['delete: after-delivery']
    scene.fill(7)
    refuse(scene, '-ERR [IN-USE] locked', [2, 3])
    expect(await scene.poll({}, undefined, 3)).toMatchObject({
      delivered: 3,
      deleted: 3,
      error: { code: 'ERR_POP3_REPLY', message: 'the server refused the sign-in for now: "[IN-USE] locked"' },
    })
  })
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

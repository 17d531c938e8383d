// A migration takes as many sessions as it takes: of mailboxes that show a part of themselves, are rebuilt, or want pauses.
import { describe, expect, test } from 'vitest'
import { upTo } from '../poll/scene.ts'
import { Scene } from './scene.ts'

describe('a mailbox that shows only a part of itself', () => {
  test('is emptied in as many sessions as it takes (P100)', async () => {
    await using scene = await Scene.create()
    scene.fill(60)
    scene.server.faults.window = 25
    const report = await scene.migrate({ options: { delete: true } })
    expect(report).toMatchObject({ outcome: 'ok', messages: 60, verified: 60, deleted: 60, undeleted: 0 })
    expect(scene.subjects()).toEqual(upTo(60))
    expect(scene.left()).toEqual([])
  })

  test('is moved whole without deleting when it shows others after each session (Gmail, P129)', async () => {
    await using scene = await Scene.create()
    scene.fill(70)
    scene.server.faults.window = 25
    scene.server.faults.popped = true
    const report = await scene.migrate()
    expect(report).toMatchObject({ outcome: 'ok', messages: 70, verified: 70 })
    expect(scene.subjects()).toEqual(upTo(70))
    expect(scene.left()).toHaveLength(70)
  })
})

describe('a rebuilt mailbox, all under new UIDLs,', () => {
  test('is told by its headers: what is there does not come again', async () => {
    await using scene = await Scene.create()
    scene.fill(30)
    await scene.migrate()
    for (const message of scene.server.mailbox('alice').messages) message.uidl = `new-${message.uidl}`
    scene.fill(3, 30)
    const report = await scene.migrate()
    expect(report).toMatchObject({ outcome: 'ok', verified: 33 })
    expect(scene.subjects()).toEqual(upTo(33))
  })
})

describe('LOGIN-DELAY', () => {
  test('is obeyed between sessions (P155)', async () => {
    await using scene = await Scene.create()
    scene.fill(3)
    scene.server.capabilities?.afterLogin.push('LOGIN-DELAY 300')
    let nowMs = Date.now()
    scene.server.now = () => nowMs
    scene.server.faults.loginDelayMs = 300_000
    scene.onWait = (ms) => {
      nowMs += ms + 1000
    }
    const report = await scene.migrate()
    expect(report).toMatchObject({ outcome: 'ok', verified: 3, lostSessions: 0 })
    expect(scene.waits.every((ms) => ms > 250_000)).toBe(true)
  })
})

test('a mailbox that is still locked after a lost line is tried again soon (P137)', async () => {
  await using scene = await Scene.create()
  scene.fill(4)
  let refusals = 0
  scene.server.faults.onCommand = (verb, _, session) => {
    if (verb === 'PASS' && session.id > 1 && refusals++ < 2) return '-ERR [IN-USE] locked by another session'
    return 'serve'
  }
  const report = await scene.migrate()
  expect(report).toMatchObject({ outcome: 'ok', verified: 4 })
  expect(Math.max(...scene.waits)).toBeLessThan(10_000)
})

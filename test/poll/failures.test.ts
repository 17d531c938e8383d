// What goes wrong in a poll costs what it must and no more; the next poll makes up for it.
import { mkdirSync, writeFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { SmtpSink } from '../support/smtp-server.ts'
import { Scene, upTo } from './scene.ts'

describe('what goes wrong', () => {
  test('a refused password is ERR_AUTH, once, and no message is touched', async () => {
    await using scene = await Scene.create()
    scene.server.mailbox('alice', 'another')
    scene.fill(1)
    expect(await scene.poll()).toMatchObject({ outcome: 'failed', error: { code: 'ERR_AUTH' } })
    expect(scene.server.journal.of('auth')).toHaveLength(1)
  })

  test('from the third refusal on cron leaves the account alone, and a changed password is tried at once (N009, N010)', async () => {
    await using scene = await Scene.create()
    scene.server.mailbox('alice', 'another')
    for (const outcome of ['failed', 'failed', 'failed', 'paused', 'paused']) {
      expect(await scene.poll({ eager: false })).toMatchObject({ outcome, error: { code: 'ERR_AUTH' } })
    }
    expect(scene.server.journal.of('auth')).toHaveLength(3)
    scene.server.mailbox('alice', 'changed')
    scene.account = ['# a comment']
    const password = scene.path('password')
    writeFileSync(password, 'changed\n', { mode: 0o600 })
    scene.password = `{ file: ${password} }`
    expect(await scene.poll({ eager: false })).toMatchObject({ outcome: 'ok' })
  })

  test('a Maildir that cannot be made stops the account before any RETR', async () => {
    await using scene = await Scene.create()
    scene.fill(1)
    mkdirSync(scene.path('inbox'))
    writeFileSync(scene.path('inbox/new'), 'a file')
    expect(await scene.poll()).toMatchObject({ outcome: 'failed', error: { code: 'ERR_DELIVERY', retry: 'never' } })
    expect(scene.count('RETR')).toBe(0)
  })

  test('a message that the server cannot give costs only itself (P106)', async () => {
    await using scene = await Scene.create()
    scene.account = ['delete: after-delivery']
    scene.fill(3)
    scene.server.faults.reply.set('RETR 2', '-ERR Message 2 expunged.')
    expect(await scene.poll()).toMatchObject({ outcome: 'partial', delivered: 2, deferred: 1, deleted: 2 })
    expect(scene.left()).toEqual(['uid-1'])
    scene.server.faults.reply.clear()
    expect(await scene.poll()).toMatchObject({ outcome: 'ok', delivered: 1 })
    expect(scene.subjects()).toEqual(upTo(3))
  })

  test.each([400, 700, 1000, 1300])(
    'a connection cut at byte %i loses nothing and doubles nothing (P110)',
    async (at) => {
      await using scene = await Scene.create()
      scene.account = ['delete: after-delivery']
      scene.fill(5)
      scene.server.faults.cutAfterBytes = at
      // Each session brings something, or costs one message its place.
      await scene.poll()
      scene.server.faults.cutAfterBytes = null
      expect(await scene.poll()).toMatchObject({ outcome: 'ok' })
      expect(scene.subjects()).toEqual(upTo(5))
      expect(scene.left()).toEqual([])
    },
  )

  test('a body clearly shorter than announced is fetched once more in another session, then delivered and kept (P108)', async () => {
    await using scene = await Scene.create()
    scene.account = ['delete: after-delivery']
    scene.fill(2)
    scene.server.faults.listSize = ({ uidl, sizeBytes }) => (uidl === 'uid-1' ? 10_000 : sizeBytes)
    expect(await scene.poll()).toMatchObject({ delivered: 2, deleted: 1, problems: [{ kind: 'short' }] })
    expect(scene.server.journal.of('connect')).toHaveLength(2)
    expect(scene.subjects()).toEqual([0, 1])
    expect(await scene.poll()).toMatchObject({ delivered: 0, deleted: 0 })
    expect(scene.left()).toEqual(['uid-1'])
  })

  test('an aborted run ends without QUIT and leaves what it delivered recorded (N001)', async () => {
    await using scene = await Scene.create()
    scene.account = ['delete: after-delivery']
    scene.fill(5)
    const abort = new AbortController()
    scene.server.faults.onCommand = (verb, args) => {
      if (verb !== 'RETR' || args !== '4') return 'serve'
      abort.abort()
      return 'stall'
    }
    scene.account = [...scene.account, 'pipelining: off']
    expect(await scene.poll({}, abort.signal)).toMatchObject({
      outcome: 'failed',
      error: { code: 'ERR_ABORTED' },
      deleted: 0,
    })
    expect(scene.count('QUIT')).toBe(0)
    scene.server.faults.onCommand = null
    expect(await scene.poll()).toMatchObject({ outcome: 'ok', deleted: 5 })
    expect(scene.subjects()).toEqual(upTo(5))
  })

  test('an answer lost after the dot is delivered again and said to be a possible duplicate (D035)', async () => {
    await using scene = await Scene.create()
    await using sink = await SmtpSink.start()
    scene.destinations = [`next: { type: smtp, host: 127.0.0.1, port: ${sink.port}, to: bob@example.net }`]
    scene.deliver = 'next'
    scene.fill(1)
    sink.faults.dot = 'lost'
    expect(await scene.poll()).toMatchObject({ outcome: 'partial', deferred: 1 })
    sink.faults.dot = null
    expect(await scene.poll()).toMatchObject({ outcome: 'ok', delivered: 1, possibleDuplicates: 1 })
    expect(sink.messages).toHaveLength(2)
  })
})

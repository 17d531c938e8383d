import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { SmtpSink } from '../support/smtp-server.ts'
import { letter, Scene, upTo } from './scene.ts'

describe('a poll into a Maildir', () => {
  test('brings each message once, with one Received field on top and else byte for byte', async () => {
    await using scene = await Scene.create()
    scene.fill(3)
    expect(await scene.poll()).toMatchObject({ outcome: 'ok', listed: 3, new: 3, delivered: 3, error: null })
    const bodies = scene.mail().map((text) => text.replace(/^Received: [^\n]*\n\t[^\n]*\n/, ''))
    expect(bodies.sort()).toEqual(upTo(3).map((at) => letter(at).replaceAll('\r\n', '\n')))
  })

  test('fetches nothing a second time and asks for nothing more than the lists', async () => {
    await using scene = await Scene.create()
    scene.fill(3)
    await scene.poll()
    expect(await scene.poll()).toMatchObject({ outcome: 'ok', listed: 3, new: 0, delivered: 0, skipped: 3 })
    expect(scene.count('RETR')).toBe(3)
    expect(scene.left()).toHaveLength(3)
    expect(scene.server.journal.commands(2).map((line) => line.split(' ')[0])).toEqual([
      'CAPA',
      'AUTH',
      'CAPA',
      'LIST',
      'UIDL',
      'QUIT',
    ])
  })

  test('brings 300 messages in a pipeline and deletes them after delivery, at QUIT', async () => {
    await using scene = await Scene.create()
    scene.account = ['delete: after-delivery']
    scene.fill(300)
    expect(await scene.poll()).toMatchObject({ outcome: 'ok', delivered: 300, deleted: 300 })
    expect(scene.subjects()).toEqual(upTo(300))
    expect(scene.left()).toEqual([])
  })

  test('works without PIPELINING, one command at a time', async () => {
    await using scene = await Scene.create()
    scene.account = ['pipelining: off', 'delete: after-delivery']
    scene.fill(20)
    expect(await scene.poll()).toMatchObject({ outcome: 'ok', delivered: 20, deleted: 20 })
    expect(scene.subjects()).toEqual(upTo(20))
  })

  test('works with a server that knows no CAPA (P031)', async () => {
    await using scene = await Scene.create()
    scene.server.capabilities = null
    scene.fill(2)
    expect(await scene.poll()).toMatchObject({ outcome: 'ok', delivered: 2 })
  })

  test('delivers two messages that share a UIDL, and neither again (P095)', async () => {
    await using scene = await Scene.create()
    for (const at of [0, 1]) scene.server.mailbox('alice').add(letter(at), { uidl: 'same' })
    await scene.poll()
    await scene.poll()
    expect(scene.subjects()).toEqual([0, 1])
  })
})

describe('deletion', () => {
  test('of what an earlier session delivered follows a look at its header', async () => {
    await using scene = await Scene.create()
    scene.fill(3)
    await scene.poll()
    scene.account = ['delete: after-delivery']
    expect(await scene.poll()).toMatchObject({ deleted: 3, delivered: 0 })
    expect(scene.count('TOP')).toBe(3)
    expect(scene.left()).toEqual([])
  })

  test('waits for the age', async () => {
    await using scene = await Scene.create()
    scene.account = ['delete: 30d']
    scene.fill(2)
    await scene.poll()
    expect(await scene.poll()).toMatchObject({ deleted: 0, skipped: 2 })
    expect(scene.count('DELE')).toBe(0)
  })

  test('is undone by a connection lost before QUIT, and done by the next poll without another RETR (P132)', async () => {
    await using scene = await Scene.create()
    scene.account = ['delete: after-delivery']
    scene.fill(2)
    scene.server.faults.onCommand = (verb) => (verb === 'QUIT' ? 'reset' : 'serve')
    expect(await scene.poll()).toMatchObject({ outcome: 'failed', delivered: 2, deleted: 0 })
    scene.server.faults.onCommand = null
    expect(await scene.poll()).toMatchObject({ outcome: 'ok', deleted: 2 })
    expect(scene.count('RETR')).toBe(2)
    expect(scene.subjects()).toEqual([0, 1])
  })

  test('never happens for a message that a destination did not take', async () => {
    await using scene = await Scene.create()
    await using sink = await SmtpSink.start()
    scene.destinations = [`next: { type: smtp, host: 127.0.0.1, port: ${sink.port}, to: bob@example.net }`]
    scene.deliver = 'next'
    scene.account = ['delete: after-delivery']
    scene.fill(3)
    sink.faults.dot = ({ bytes }) => (bytes.includes('letter 1') ? '554 5.7.1 no' : null)
    expect(await scene.poll()).toMatchObject({ outcome: 'partial', delivered: 2, refused: 1, deleted: 2 })
    expect(scene.left()).toEqual(['uid-1'])
    expect(sink.messages).toHaveLength(2)
    // Refused for good: not asked for again until its pause is over.
    expect(await scene.poll()).toMatchObject({ outcome: 'ok', refused: 0, delivered: 0 })
    expect(scene.count('RETR')).toBe(3)
  })

  test('does not end the session with QUIT when something retrieved is not delivered and the server says EXPIRE 0 (P129)', async () => {
    await using scene = await Scene.create()
    await using sink = await SmtpSink.start()
    scene.destinations = [`next: { type: smtp, host: 127.0.0.1, port: ${sink.port}, to: bob@example.net }`]
    scene.deliver = 'next'
    scene.server.capabilities?.afterLogin.push('EXPIRE 0')
    scene.fill(2)
    sink.faults.rcpt = '451 4.3.0 later'
    expect(await scene.poll()).toMatchObject({ deferred: 2 })
    expect(scene.count('QUIT')).toBe(0)
  })
})

describe('what is not fetched', () => {
  test('first: last:2 leaves the older ones unseen for ever and never deletes them', async () => {
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

describe('several destinations', () => {
  test('each gets its copy, and DELE waits for all', async () => {
    await using scene = await Scene.create()
    await using sink = await SmtpSink.start()
    scene.destinations = [
      'inbox: { type: maildir, path: inbox }',
      `next: { type: smtp, host: 127.0.0.1, port: ${sink.port}, to: [bob@example.net, eve@example.net] }`,
    ]
    scene.deliver = '[inbox, next]'
    scene.account = ['delete: after-delivery']
    scene.fill(3)
    sink.faults.rcpt = (address) => (address === 'eve@example.net' ? '451 4.3.0 later' : null)
    expect(await scene.poll()).toMatchObject({ outcome: 'partial', delivered: 0, deferred: 3, deleted: 0 })
    sink.faults.rcpt = null
    expect(await scene.poll()).toMatchObject({ outcome: 'ok', delivered: 3, deleted: 3 })
    expect(scene.subjects()).toEqual(upTo(3))
    const recipients = sink.messages.flatMap(({ to }) => to).sort()
    expect(recipients).toEqual([...upTo(3).map(() => 'bob@example.net'), ...upTo(3).map(() => 'eve@example.net')])
  })

  test('one that is down delays only its own copies', async () => {
    await using scene = await Scene.create()
    scene.destinations = [
      'inbox: { type: maildir, path: inbox }',
      'other: { type: maildir, path: nowhere/other, create: false }',
    ]
    scene.deliver = '[inbox, other]'
    scene.fill(2)
    expect(await scene.poll()).toMatchObject({ outcome: 'partial', deferred: 2 })
    expect(scene.subjects()).toEqual([0, 1])
    scene.destinations = [
      'inbox: { type: maildir, path: inbox }',
      'other: { type: maildir, path: nowhere/other, create: true }',
    ]
    expect(await scene.poll()).toMatchObject({ outcome: 'ok', delivered: 2 })
    expect(scene.subjects()).toEqual([0, 1])
    expect(scene.subjects('nowhere/other')).toEqual([0, 1])
  })
})

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
      expect(await scene.poll()).toMatchObject({ outcome: 'failed', error: { retry: 'soon' }, deleted: 0 })
      scene.server.faults.cutAfterBytes = null
      expect(await scene.poll()).toMatchObject({ outcome: 'ok', deleted: 5 })
      expect(scene.subjects()).toEqual(upTo(5))
    },
  )

  test('a body clearly shorter than announced is fetched once more in another session, then delivered and kept (P108)', async () => {
    await using scene = await Scene.create()
    scene.account = ['delete: after-delivery']
    scene.fill(2)
    scene.server.faults.listSize = ({ uidl, sizeBytes }) => (uidl === 'uid-1' ? 10_000 : sizeBytes)
    expect(await scene.poll()).toMatchObject({ outcome: 'partial', delivered: 1, deferred: 1 })
    expect(await scene.poll()).toMatchObject({ delivered: 1, deleted: 0, problems: [{ kind: 'short' }] })
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

describe('a check', () => {
  test('says what waits and what is new, and asks for no message', async () => {
    await using scene = await Scene.create()
    scene.fill(3)
    await scene.poll({ limit: 1 })
    expect(await scene.check()).toMatchObject({ outcome: 'ok', waiting: 3, new: 2 })
    expect(scene.count('RETR')).toBe(1)
    expect(scene.count('TOP')).toBe(0)
  })
})

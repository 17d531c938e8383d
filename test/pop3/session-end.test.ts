// How sessions end: QUIT, and everything that must not delete anything (lost, out of step, interrupted, too slow).
import { describe, expect, it } from 'vitest'
import { Pop3Server } from '../support/pop3-server.ts'
import { failure, Kept, open, signedIn, withMessages } from './sessions.ts'

describe('QUIT', () => {
  it('commits what was marked, and nothing else does', async () => {
    await using server = await withMessages(3)
    {
      await using session = await signedIn(server)
      await session.list()
      await session.remove(1)
    }
    await server.journal.when(({ kind }) => kind === 'close')
    expect(server.mailbox('alice').messages.length).toBe(3)
    await using session = await signedIn(server)
    await session.list()
    expect((await session.remove(1)).status).toBe('ok')
    expect((await session.remove(1)).status).toBe('err')
    expect((await session.quit()).status).toBe('ok')
    expect(server.mailbox('alice').messages.map(({ uidl }) => uidl)).toEqual(['uid00000002', 'uid00000003'])
  })

  it('may be refused, which is an answer (P133)', async () => {
    await using server = await withMessages(1)
    server.faults.quitError = '-ERR some deleted messages not removed'
    await using session = await signedIn(server)
    expect(await session.quit()).toMatchObject({ status: 'err', text: 'some deleted messages not removed' })
  })

  it('that is answered by a FIN is not known to have been obeyed (P135)', async () => {
    await using server = await withMessages(1)
    server.faults.quitLost = true
    await using session = await signedIn(server)
    await session.list()
    await session.remove(1)
    expect(await failure(session.quit())).toMatchObject({
      code: 'ERR_CONNECT',
      message: expect.stringContaining('in the middle of QUIT'),
    })
  })

  it('is the last: nothing is said after it', async () => {
    await using server = await withMessages(1)
    await using session = await signedIn(server)
    await session.quit()
    expect(await failure(session.noop())).toMatchObject({ code: 'ERR_ABORTED' })
    expect(server.journal.commands().at(-1)).toBe('QUIT')
  })
})

describe('a connection that is lost', () => {
  it.each(['drop', 'reset'] as const)('(%s) rejects every waiting command, each once (P016)', async (how) => {
    await using server = await withMessages(150)
    await using session = await signedIn(server)
    await session.list()
    server.faults.onCommand = (_verb, args) => (args === '20' ? how : 'serve')
    const rejections: unknown[] = []
    let resolved = 0
    await Promise.all(
      Array.from({ length: 150 }, (_, at) =>
        session.retrieve(at + 1, new Kept()).then(
          () => resolved++,
          (error: unknown) => rejections.push(error),
        ),
      ),
    )
    // An RST may overtake the answers that were under way.
    if (how === 'drop') expect(resolved).toBe(19)
    expect(resolved + rejections.length).toBe(150)
    expect(new Set(rejections).size).toBe(1)
    expect(rejections[0]).toMatchObject({ code: 'ERR_CONNECT', retry: 'soon' })
    expect(session.botched).toBe(rejections[0])
    expect(session.idle).toBe(true)
  })

  it('with [SYS/TEMP] as its last word gives that to the one command and the loss to the others (P146)', async () => {
    await using server = await withMessages(30)
    await using session = await signedIn(server)
    await session.list()
    server.faults.onCommand = (_verb, args) =>
      args === '17' ? { answer: '-ERR [SYS/TEMP] shutting down', next: 'drop' } : 'serve'
    const outcomes = await Promise.allSettled(
      Array.from({ length: 30 }, (_, at) => session.retrieve(at + 1, new Kept())),
    )
    expect(outcomes[15]).toMatchObject({ status: 'fulfilled', value: { status: 'ok' } })
    expect(outcomes[16]).toMatchObject({ status: 'fulfilled', value: { status: 'err', code: 'SYS/TEMP' } })
    expect(outcomes.slice(17).every(({ status }) => status === 'rejected')).toBe(true)
  })

  it('while nothing is asked shows at the next command', async () => {
    await using server = await withMessages(1)
    await using session = await signedIn(server)
    server.crash()
    await server.journal.when(({ kind }) => kind === 'close')
    expect(await failure(session.noop())).toMatchObject({ code: 'ERR_CONNECT' })
  })

  it('with a goodbye while nothing is asked leaves the server’s words (P146)', async () => {
    await using server = await withMessages(1)
    await using session = await signedIn(server)
    server.faults.onCommand = (verb) =>
      verb === 'NOOP' ? { answer: '+OK\r\n-ERR Disconnected for inactivity.', next: 'drop' } : 'serve'
    await session.noop()
    expect(await failure(session.noop())).toMatchObject({
      code: 'ERR_POP3_REPLY',
      message: expect.stringContaining('"Disconnected for inactivity."'),
    })
  })
})

describe('unsolicited data', () => {
  it('end the session, and nothing is deleted (P126)', async () => {
    await using server = await withMessages(2)
    await using session = await signedIn(server)
    await session.list()
    await session.remove(1)
    server.faults.reply.set('NOOP', '+OK\r\n+OK')
    await session.noop()
    const error = await failure(session.quit())
    expect(error).toMatchObject({
      code: 'ERR_POP3_PROTOCOL',
      message: 'the server sent unsolicited data: "+OK": stopping here',
    })
    await server.journal.when(({ kind }) => kind === 'close')
    expect(server.journal.commands()).not.toContain('QUIT')
    expect(server.journal.of('commit')).toEqual([])
  })
})

describe('an interruption', () => {
  it('rejects what is under way and says no QUIT', async () => {
    await using server = await withMessages(3)
    const stop = new AbortController()
    await using session = await signedIn(server, {}, stop.signal)
    await session.list()
    await session.remove(3)
    server.faults.onCommand = (verb) => (verb === 'RETR' ? 'stall' : 'serve')
    const replies = [1, 2].map((number) => failure(session.retrieve(number, new Kept())))
    await server.journal.when(({ text }) => text === 'RETR 1')
    stop.abort()
    for (const error of await Promise.all(replies)) expect(error).toMatchObject({ code: 'ERR_ABORTED' })
    await server.journal.when(({ kind }) => kind === 'close')
    expect(server.journal.commands()).not.toContain('QUIT')
    expect(server.journal.of('commit')).toEqual([])
  })

  it('after the end of a session changes nothing', async () => {
    await using server = await withMessages(1)
    const stop = new AbortController()
    const session = await open(server, {}, stop.signal)
    await session.quit()
    const { botched } = session
    stop.abort()
    expect(session.botched).toBe(botched)
  })
})

describe('a server that stops', () => {
  it.each([
    [
      'in the middle of a message',
      'RETR',
      '+OK\r\nSubject: a\r\n',
      /answer to RETR in time \(waited \d+ ms, 14 bytes came\)/,
    ],
    ['before a message', 'RETR', '+OK', /answer to RETR in time/],
    ['before an answer', 'DELE', '', /answer to DELE in time/],
  ])('%s is given up (P123)', async (_what, verb, answer, message) => {
    await using server = await withMessages(2)
    await using session = await signedIn(server, { timeoutMs: 600 })
    await session.list()
    server.faults.onCommand = (asked) =>
      asked !== verb ? 'serve' : answer === '' ? 'stall' : { answer, next: 'stall' }
    const command = verb === 'RETR' ? session.retrieve(1, new Kept()) : session.remove(1)
    const error = await failure(command)
    expect(error).toMatchObject({ code: 'ERR_TIMEOUT', scope: 'account', retry: 'soon' })
    expect(error.message).toMatch(message)
  })

  it('in the middle of a listing has no more than the usual limit, unlike one that has not begun (P103)', async () => {
    await using server = await withMessages(2)
    await using session = await signedIn(server, { timeoutMs: 600 })
    server.faults.onCommand = (verb) => (verb === 'UIDL' ? { answer: '+OK\r\n1 uid', next: 'stall' } : 'serve')
    const error = await failure(session.list())
    expect(error.message).toMatch(/answer to UIDL in time \(waited \d{3,} ms, 7 bytes came\)/)
  })

  it('while we do not read is not given up: the time is ours', async () => {
    await using server = await withMessages(1, () => 'x\n'.repeat(100_000))
    await using session = await signedIn(server, { timeoutMs: 600 })
    await session.list()
    // A session that waits twice as long for what never comes is the measure.
    await using silent = await Pop3Server.start()
    silent.faults.onCommand = () => 'stall'
    const slow = open(silent, { timeoutMs: 1200 }).then(
      () => {},
      () => {},
    )
    let first = true
    const reply = await session.retrieve(1, {
      write() {
        if (!first) return undefined
        first = false
        return slow
      },
    })
    expect(reply.status).toBe('ok')
  })
})

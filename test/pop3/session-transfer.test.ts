import { Socket } from 'node:net'
import { setImmediate as turn } from 'node:timers/promises'
import { describe, expect, it, vi } from 'vitest'
import { Pop3Server } from '../support/pop3-server.ts'
import { ScriptedServer, type Step } from '../support/scripted-server.ts'
import { failure, Kept, open, signedIn } from './sessions.ts'

async function withMessages(
  count: number,
  body = (n: number) => `Subject: ${n}\n\n.dot ${n}\n..\n`,
): Promise<Pop3Server> {
  const server = await Pop3Server.start()
  const mailbox = server.mailbox('alice')
  for (let n = 1; n <= count; n++) mailbox.add(body(n))
  return server
}

/** The most commands that were obeyed in one turn of the loop. */
function watchBursts(server: Pop3Server): { most: number } {
  const seen = { most: 0 }
  let inBurst = 0
  server.faults.onCommand = (verb) => {
    if (verb === 'CONNECT') return 'serve'
    inBurst++
    seen.most = Math.max(seen.most, inBurst)
    if (inBurst === 1) setImmediate(() => (inBurst = 0))
    return 'serve'
  }
  return seen
}

describe('the listing', () => {
  it('is asked for in one burst when the server pipelines', async () => {
    await using server = await withMessages(2)
    // Closes at a second command in one packet: so that there was one is seen.
    server.faults.pipelining = 'close'
    await using session = await signedIn(server)
    expect(await failure(session.list())).toMatchObject({ code: 'ERR_CONNECT' })
    await server.journal.when(({ kind }) => kind === 'close')
    expect(server.journal.commands().slice(2)).toEqual(['CAPA'])
  })

  it.each([
    ['the server does not say that it can', { pipelining: true }, false],
    ['it is switched off', { pipelining: false }, true],
  ] as const)('is asked for one command at a time when %s', async (_what, changes, announced) => {
    await using server = await withMessages(2)
    if (!announced) server.capabilities = { before: ['UIDL'], afterTls: [], afterLogin: ['UIDL'] }
    server.faults.pipelining = 'close'
    await using session = await signedIn(server, changes)
    const listing = await session.list()
    expect(listing.length).toBe(2)
    const replies = await Promise.all([1, 2].map((number) => session.retrieve(number, new Kept())))
    expect(replies.map(({ status }) => status)).toEqual(['ok', 'ok'])
    expect(server.journal.commands().slice(-5)).toEqual(['CAPA', 'LIST', 'UIDL', 'RETR 1', 'RETR 2'])
  })

  it('and all that follows is pipelined when the server says so only after sign-in (P036)', async () => {
    await using server = await withMessages(2)
    server.capabilities!.before = ['UIDL']
    const bursts = watchBursts(server)
    await using session = await signedIn(server)
    await session.list()
    expect(bursts.most).toBe(2)
    bursts.most = 0
    await Promise.all([session.noop(), session.noop(), session.noop()])
    expect(bursts.most).toBe(3)
  })

  it('tells a server without UIDL from one without messages (P083, P084)', async () => {
    await using server = await withMessages(2)
    server.faults.reply.set('UIDL', '-ERR unknown command')
    await using session = await signedIn(server)
    expect(await session.list()).toMatchObject({ hasUidls: false, length: 2 })
    await using empty = await withMessages(0)
    await using another = await signedIn(empty)
    expect(await another.list()).toMatchObject({ hasUidls: true, length: 0 })
  })

  it('that is cut before its end is worth nothing (P085)', async () => {
    await using server = await withMessages(3)
    server.faults.onCommand = (verb) =>
      verb === 'UIDL' ? { answer: '+OK\r\n1 uid1\r\n2 uid2', next: 'drop' } : 'serve'
    await using session = await signedIn(server)
    expect(await failure(session.list())).toMatchObject({
      code: 'ERR_CONNECT',
      message: 'the server closed the connection in the middle of UIDL: it may be busy, try again later',
    })
  })

  it('of fifty thousand messages comes through in one go', async () => {
    await using server = await Pop3Server.start()
    const mailbox = server.mailbox('alice')
    for (let n = 1; n <= 50_000; n++) mailbox.add('a\n')
    await using session = await signedIn(server)
    const listing = await session.list()
    expect(listing.length).toBe(50_000)
    expect(listing.slice(49_999, 50_000)).toMatchObject([
      { number: 50_000, uidl: 'uid00050000', copy: 0, sizeBytes: 3 },
    ])
  })
})

describe('messages', () => {
  it('come out to the byte, in any order asked for', async () => {
    await using server = await withMessages(3)
    const raw = Buffer.from('\0a\rb\n.\n\r\r\n.\r\n\xff..\r\n', 'latin1')
    server.mailbox('alice').add(raw)
    await using session = await signedIn(server)
    await session.list()
    for (const number of [4, 1, 3, 2]) {
      const kept = new Kept()
      await session.retrieve(number, kept)
      expect(kept.bytes).toEqual(server.mailbox('alice').messages[number - 1]!.bytes)
    }
  })

  it('are paired with their commands when some of 200 are refused (P106, P107, P145)', async () => {
    await using server = await withMessages(200)
    const refused = new Set([7, 23, 99, 100, 101, 200])
    for (const number of refused) server.faults.reply.set(`RETR ${number}`, `-ERR [SYS/PERM] not ${number}`)
    await using session = await signedIn(server)
    await session.list()
    const outcomes = await Promise.all(
      Array.from({ length: 200 }, async (_, at) => {
        const kept = new Kept()
        const reply = await session.retrieve(at + 1, kept)
        return { number: at + 1, reply, kept }
      }),
    )
    for (const { number, reply, kept } of outcomes) {
      const expected = refused.has(number) ? '' : server.mailbox('alice').messages[number - 1]!.bytes.toString('latin1')
      expect(reply.status).toBe(refused.has(number) ? 'err' : 'ok')
      expect(kept.text).toBe(expected)
      if (refused.has(number)) expect(reply.text).toBe(`[SYS/PERM] not ${number}`)
    }
    expect(session.botched).toBeNull()
    expect((await session.quit()).status).toBe('ok')
  })

  it('may announce themselves twice: the second line is theirs (P126)', async () => {
    await using server = await withMessages(2)
    server.faults.rawBody = ({ uidl }) => (uidl.endsWith('1') ? Buffer.from('+OK\r\nSubject: a\r\n\r\n.\r\n') : null)
    await using session = await signedIn(server)
    await session.list()
    const kept = [new Kept(), new Kept()]
    await Promise.all(kept.map((body, at) => session.retrieve(at + 1, body)))
    expect(kept[0]!.text).toBe('+OK\r\nSubject: a\r\n\r\n')
    expect(kept[1]!.bytes).toEqual(server.mailbox('alice').messages[1]!.bytes)
  })

  it('with an end in the middle end the session, and nothing is deleted (P113)', async () => {
    await using server = await withMessages(2)
    server.faults.rawBody = () => Buffer.from('Subject: a\r\n\r\na\r\n.\r\n+OK\r\nb\r\n.\r\n')
    await using session = await signedIn(server)
    await session.list()
    await session.remove(2)
    await session.retrieve(1, new Kept()).catch(() => {})
    expect(await failure(session.quit())).toMatchObject({ code: 'ERR_POP3_PROTOCOL' })
    await server.journal.when(({ kind }) => kind === 'close')
    expect(server.journal.of('commit')).toEqual([])
    expect(server.journal.of('rollback').length).toBe(1)
  })

  it('of a server that speaks in LF come out in LF (P115)', async () => {
    await using server = await withMessages(2)
    server.faults.lineEnding = '\n'
    await using session = await signedIn(server)
    await session.list()
    const kept = new Kept()
    await session.retrieve(2, kept)
    expect(kept.text).toBe('Subject: 2\n\n.dot 2\n..\n')
  })

  it('come out the same when the server sends one byte at a time', async () => {
    await using server = await withMessages(3)
    server.faults.pace = { chunkBytes: 1, pauseMs: 0 }
    await using session = await signedIn(server)
    expect((await session.list()).length).toBe(3)
    const kept = [new Kept(), new Kept(), new Kept()]
    await Promise.all(kept.map((body, at) => session.retrieve(at + 1, body)))
    expect(kept.map(({ text }) => text)).toEqual(
      server.mailbox('alice').messages.map(({ bytes }) => bytes.toString('latin1')),
    )
  })
})

describe('headers', () => {
  it('come without the body, and null when the server refuses (P127)', async () => {
    await using server = await withMessages(2)
    server.faults.reply.set('TOP 2', '-ERR unknown')
    await using session = await signedIn(server)
    await session.list()
    server.faults.reply.set('TOP 2 0', '-ERR unknown')
    const [first, second] = await Promise.all([session.header(1), session.header(2)])
    expect(first?.toString()).toBe('Subject: 1\r\n\r\n')
    expect(second).toBeNull()
  })

  it('that are huge are cut, and the session goes on', async () => {
    await using server = await withMessages(1)
    server.mailbox('alice').add(`Subject: a\r\n${`X: ${'y'.repeat(500)}\r\n`.repeat(20_000)}\r\nbody`)
    await using session = await signedIn(server)
    await session.list()
    const [header, next] = await Promise.all([session.header(2), session.header(1)])
    expect(header?.length).toBe(65_536)
    expect(next?.toString()).toBe('Subject: 1\r\n\r\n')
  })
})

describe('commands under way', () => {
  it('are a hundred in the first burst, and the next only after an answer', async () => {
    const first: readonly Step[] = Array.from({ length: 100 }, (_, at) => ({ expect: `RETR ${at + 1}` }))
    const head: readonly Step[] = [
      { send: '+OK hi' },
      { expect: 'CAPA' },
      { send: '+OK\r\nPIPELINING\r\n.' },
      { expect: 'USER alice' },
      { send: '+OK' },
      { expect: 'PASS secret' },
      { send: '+OK' },
      { expect: 'CAPA' },
      { expect: 'LIST' },
      { expect: 'UIDL' },
      { send: '+OK\r\nPIPELINING\r\n.\r\n+OK\r\n.\r\n+OK\r\n.' },
    ]
    await using server = await ScriptedServer.start([
      [...head, ...first, { send: '+OK\r\n.' }, { expect: 'RETR 101' }, { cut: 'fin' }],
    ])
    const session = await signedIn(server)
    await session.list()
    const outcomes = await Promise.allSettled(
      Array.from({ length: 150 }, (_, at) => session.retrieve(at + 1, new Kept())),
    )
    await server.done
    const heard = Buffer.concat(server.heard[0]!).toString('latin1')
    expect(heard.match(/RETR/g)?.length).toBe(101)
    expect(outcomes.filter(({ status }) => status === 'fulfilled').length).toBe(1)
  })
})

describe('commands asked for one by one in a turn of the loop', () => {
  it('go out in one write while the server has something to do', async () => {
    await using server = await withMessages(50)
    await using session = await signedIn(server)
    await session.list()
    const write = vi.spyOn(Socket.prototype, 'write')
    const answers: Promise<unknown>[] = []
    for (let number = 1; number <= 50; number++) {
      answers.push(session.retrieve(number, new Kept()))
      await Promise.resolve()
    }
    await Promise.all(answers)
    const asked = write.mock.calls.map(([bytes]) => String(bytes)).filter((text) => text.startsWith('RETR'))
    write.mockRestore()
    expect(asked.map((text) => text.split('\r\n').length - 1)).toEqual([1, 49])
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

describe('bytes that nobody asked for', () => {
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
      message: 'the server sent bytes that nobody asked for: "+OK": not going on',
    })
    await server.journal.when(({ kind }) => kind === 'close')
    expect(server.journal.commands()).not.toContain('QUIT')
    expect(server.journal.of('commit')).toEqual([])
  })
})

describe('a body that is not taken as fast as it comes', () => {
  it('stops the reading until it is (P144)', async () => {
    await using server = await Pop3Server.start()
    server.mailbox('alice').add({ sizeBytes: 64 * 1024 * 1024 })
    await using session = await signedIn(server)
    await session.list()
    const release = Promise.withResolvers<void>()
    const seen = { bytes: 0, blocked: true }
    const reply = session.retrieve(1, {
      write(chunk) {
        seen.bytes += chunk.length
        return seen.blocked ? release.promise : undefined
      },
    })
    // Until there is nothing to read any more, however often the event loop turns.
    for (let last = -1; seen.bytes === 0 || seen.bytes > last;) {
      last = seen.bytes
      for (let turns = 0; turns < 50; turns++) await turn()
    }
    expect(seen.bytes).toBeLessThan(1024 * 1024)
    seen.blocked = false
    release.resolve()
    expect((await reply).status).toBe('ok')
    expect(seen.bytes).toBe(64 * 1024 * 1024)
  })

  it.each([
    [
      'throws',
      () => {
        throw new Error('disk full')
      },
    ],
    ['rejects', () => Promise.reject(new Error('disk full'))],
  ])('and %s ends the session with that error', async (_what, write) => {
    await using server = await withMessages(3)
    await using session = await signedIn(server)
    await session.list()
    const first = session.retrieve(1, new Kept())
    const second = failure(session.retrieve(2, { write }).then(() => session.noop()))
    const third = failure(session.retrieve(3, new Kept()).then(() => session.noop()))
    expect((await first).status).toBe('ok')
    expect((await second).message).toContain('disk full')
    expect(await third).toBe(session.botched)
    await server.journal.when(({ kind }) => kind === 'close')
    expect(server.journal.commands()).not.toContain('QUIT')
  })

  it('can be held for all of a session, and goes on afterwards', async () => {
    await using server = await withMessages(2)
    await using session = await signedIn(server)
    await session.list()
    const goOn = session.pause()
    let done = false
    const reply = session.retrieve(1, new Kept()).finally(() => (done = true))
    await server.journal.when(({ kind }) => kind === 'retr')
    for (let turns = 0; turns < 20; turns++) await turn()
    expect(done).toBe(false)
    goOn()
    goOn()
    expect((await reply).status).toBe('ok')
  })
})

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
    await using session = await signedIn(server, { timeoutMs: 150 })
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
    await using session = await signedIn(server, { timeoutMs: 150 })
    server.faults.onCommand = (verb) => (verb === 'UIDL' ? { answer: '+OK\r\n1 uid', next: 'stall' } : 'serve')
    const error = await failure(session.list())
    expect(error.message).toMatch(/answer to UIDL in time \(waited \d{3} ms, 7 bytes came\)/)
  })

  it('while we do not read is not given up: the time is ours', async () => {
    await using server = await withMessages(1, () => 'x\n'.repeat(100_000))
    await using session = await signedIn(server, { timeoutMs: 150 })
    await session.list()
    // A session that waits twice as long for what never comes is the measure.
    await using silent = await Pop3Server.start()
    silent.faults.onCommand = () => 'stall'
    const slow = open(silent, { timeoutMs: 300 }).then(
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

// RETR and TOP over a session: bytes and their order, and a reader that is slower than the server.
import { setImmediate as turn } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { fingerprint, splitHeader } from '../../src/header.ts'
import { Pop3Server } from '../support/pop3-server.ts'
import { failure, Kept, signedIn, withMessages } from './sessions.ts'

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
    // One byte more than is looked at, so that the cut is seen.
    expect(header?.length).toBe(65_537)
    expect(next?.toString()).toBe('Subject: 1\r\n\r\n')
  })
})

describe('the fingerprint of a long header', () => {
  it.each([
    ['a line cut in half', 4000, ''],
    ['an end right before the limit', 0, 'end'],
    ['an end right behind the limit', 1, 'end'],
    ['an end two bytes behind the limit', 2, 'end'],
  ])('is the same by TOP and by RETR: %s (P163)', async (_what, more, fill) => {
    const start = 'Subject: many\r\nCc: '
    const line = 'somebody <somebody@example.org>,\r\n '
    const cc = fill === '' ? line.repeat(more) : 'x'.repeat(65_536 - start.length - 2 + more)
    await using server = await withMessages(0)
    const { bytes } = server.mailbox('alice').add(`${start}${cc}\r\n\r\nbody\r\n`)
    await using session = await signedIn(server)
    await session.list()
    const header = await session.header(1)
    expect(header).not.toBeNull()
    expect(fingerprint(splitHeader(header!))).toEqual(fingerprint(splitHeader(bytes)))
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

  it.each(['none', 'implicit', 'starttls'] as const)('keeps its bytes until it is: tls %s', async (tlsMode) => {
    await using server = await Pop3Server.start(tlsMode === 'none' ? {} : { tls: tlsMode })
    const line = (at: number): string => `.line ${at} of a message\r\n`
    const message = Buffer.from(Array.from({ length: 30_000 }, (_, at) => line(at)).join(''))
    for (let count = 0; count < 3; count++) server.mailbox('alice').add(message)
    await using session = await signedIn(server, { tlsMode })
    await session.list()
    const replies = [1, 2, 3].map(async (number) => {
      const pieces: Buffer[] = []
      const taken: Promise<void>[] = []
      const write = (chunk: Buffer): Promise<void> => {
        const later = (async () => {
          for (let turns = 0; turns < 5; turns++) await turn()
          pieces.push(Buffer.from(chunk))
        })()
        taken.push(later)
        return later
      }
      const { status } = await session.retrieve(number, { write })
      await Promise.all(taken)
      return { status, isWhole: Buffer.concat(pieces).equals(message) }
    })
    for (const reply of await Promise.all(replies)) expect(reply).toEqual({ status: 'ok', isWhole: true })
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

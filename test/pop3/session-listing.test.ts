// LIST, UIDL and the CAPA before them, over a session.
import { describe, expect, it } from 'vitest'
import { UnansweredCapabilities } from '../../src/pop3/recoverable.ts'
import { Pop3Server } from '../support/pop3-server.ts'
import { failure, Kept, signedIn, withMessages } from './sessions.ts'

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

  it('goes on without sizes where LIST is refused and UIDL is whole; not where the refusal is for now (P174)', async () => {
    await using server = await withMessages(2)
    server.faults.reply.set('LIST', '-ERR unknown command')
    await using session = await signedIn(server)
    const listing = await session.list()
    expect(listing.slice(0, 2)).toMatchObject([
      { number: 1, uidl: 'uid00000001', sizeBytes: null },
      { number: 2, uidl: 'uid00000002', sizeBytes: null },
    ])
    server.faults.reply.set('LIST', '-ERR [SYS/TEMP] later')
    await using later = await signedIn(server)
    expect(await failure(later.list())).toMatchObject({ code: 'ERR_POP3_REPLY' })
    server.faults.reply.set('LIST', '-ERR no').set('UIDL', '-ERR no')
    await using neither = await signedIn(server)
    expect(await failure(neither.list())).toMatchObject({ code: 'ERR_POP3_REPLY' })
  })

  it('that waits behind a CAPA without an answer fails for the sake of CAPA (P169)', async () => {
    await using server = await withMessages(2)
    let asked = 0
    server.faults.onCommand = (verb) => (verb === 'CAPA' && ++asked === 2 ? 'stall' : 'serve')
    await using session = await signedIn(server, { timeoutMs: 50 })
    expect(await failure(session.list())).toBeInstanceOf(UnansweredCapabilities)
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

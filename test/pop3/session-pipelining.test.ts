// How many commands a session sends ahead, and in how many writes.
import { Socket } from 'node:net'
import { describe, expect, it, vi } from 'vitest'
import { ScriptedServer, type Step } from '../support/scripted-server.ts'
import { Kept, signedIn, withMessages } from './sessions.ts'

describe('commands under way', () => {
  it('are 4096 bytes at most in the first burst, and the next only after an answer (P144)', async () => {
    const first: readonly Step[] = Array.from({ length: 420 }, (_, at) => ({ expect: `RETR ${at + 1}` }))
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
      [...head, ...first, { send: '+OK\r\n.' }, { expect: 'RETR 421' }, { cut: 'fin' }],
    ])
    const session = await signedIn(server)
    await session.list()
    const outcomes = await Promise.allSettled(
      Array.from({ length: 500 }, (_, at) => session.retrieve(at + 1, new Kept())),
    )
    await server.done
    const heard = Buffer.concat(server.heard[0]!).toString('latin1')
    expect(heard.match(/RETR/g)?.length).toBe(421)
    expect(outcomes.filter(({ status }) => status === 'fulfilled').length).toBe(1)
  })
})

describe('a burst', () => {
  it('tells its owner that it is over, also when nothing is on the wire', async () => {
    await using server = await withMessages(2)
    await using session = await signedIn(server)
    await session.list()
    const ends: (readonly number[])[] = []
    const came = Promise.withResolvers<void>()
    const burst = session.burst(
      {
        mayAsk: () => true,
        room: () => 100,
        came: (first, _, starts) => {
          if (first + starts.length === 2) came.resolve()
          return null
        },
        dissolved: (...end) => void ends.push(end),
      },
      Buffer.alloc(100_000),
    )
    const sizes = server.mailbox('alice').messages.map(({ bytes }) => bytes.length)
    burst?.ask([1, 2], sizes)
    await came.promise
    session.endBurst()
    session.endBurst()
    expect(ends).toEqual([[2, 2, 2]])
    await session.noop()
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

import { describe, expect, it } from 'vitest'
import { asPopfetchError } from '../../src/errors.ts'
import { Pop3Server } from '../support/pop3-server.ts'
import { Kept, signedIn } from './sessions.ts'

const messages = [
  Buffer.from('Subject: a\r\n\r\n.\r\n..\r\n.a\r\n'),
  Buffer.from('Subject: b\r\n\r\nb\r.\n.\n\r\n'),
  Buffer.from('\r\n.\r\n'),
]

/** One message after the other is retrieved, marked, committed: what a poll does, without the poll. */
async function poll(server: Pop3Server): Promise<{ kept: (Buffer | null)[]; quit: boolean; code: string | null }> {
  const kept: (Buffer | null)[] = [null, null, null]
  let code: string | null = null
  try {
    await using session = await signedIn(server)
    const listing = await session.list()
    const outcomes = await Promise.allSettled(
      listing.slice(0, 3).map(async ({ number }) => {
        const body = new Kept()
        const reply = await session.retrieve(number, body)
        if (reply.status === 'ok') kept[number - 1] = body.bytes
      }),
    )
    for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason
    await Promise.all([1, 2, 3].map((number) => session.remove(number)))
    const reply = await session.quit()
    return { kept, quit: reply.status === 'ok', code: null }
  } catch (error) {
    code = asPopfetchError(error).code
  }
  return { kept, quit: false, code }
}

function refill(server: Pop3Server): void {
  server.mailboxes.clear()
  for (const message of messages) server.mailbox('alice').add(message)
}

describe('a session cut at every byte that the server says', () => {
  it.each([
    ['a FIN, one answer after the other', 'fin', false],
    ['a FIN, pipelined', 'fin', true],
    ['an RST, pipelined', 'rst', true],
  ] as const)('keeps whole messages only, and ends (P110, P111): %s', async (_what, mode, pipelining) => {
    await using server = await Pop3Server.start()
    if (!pipelining) server.capabilities = { before: ['UIDL'], afterTls: [], afterLogin: ['UIDL'] }
    server.faults.cutMode = mode
    let cut = 0
    let most = 0
    for (let whole = false; !whole; cut++) {
      refill(server)
      server.journal.length = 0
      server.faults.cutAfterBytes = cut
      const { kept, quit, code } = await poll(server)
      await server.journal.when(({ kind }) => kind === 'close')
      const right = kept.map((bytes, at) => bytes === null || bytes.equals(messages[at]!))
      expect({ cut, right }).toEqual({ cut, right: [true, true, true] })
      const complete = kept.filter((bytes) => bytes !== null).length
      // A FIN takes nothing back of what was said before it.
      if (mode === 'fin') expect({ cut, lost: complete < most }).toEqual({ cut, lost: false })
      most = Math.max(most, complete)
      if (quit) expect(kept).toEqual(messages)
      else expect({ cut, code }).toEqual({ cut, code: 'ERR_CONNECT' })
      // Without QUIT nothing is gone.
      if (!server.journal.commands().includes('QUIT')) expect(server.mailbox('alice').messages.length).toBe(3)
      whole = quit
    }
    expect(most).toBe(3)
    expect(cut).toBeGreaterThan(300)
  })
})

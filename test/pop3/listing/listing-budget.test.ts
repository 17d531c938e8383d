import { setImmediate as turn } from 'node:timers/promises'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { FREE_BYTES, HeldRoom, type ListingRoom } from '../../../src/pop3/listing/room.ts'
import { MemoryBudget } from '../../../src/poll/run/window.ts'
import { Session } from '../../../src/pop3/session.ts'
import { Pop3Server } from '../../support/pop3-server.ts'
import { optionsFor } from '../sessions.ts'

const MB = 1024 * 1024

afterEach(() => void vi.useRealTimers())

/** Counts what is out. */
class CountedRoom implements ListingRoom {
  readonly #room = new MemoryBudget(8 * MB)
  out = 0
  most = 0

  grow(holder: object, bytes: number): Promise<void> | undefined {
    this.out += bytes
    this.most = Math.max(this.most, this.out)
    return this.#room.grow(holder, bytes)
  }

  leave(holder: object, bytes: number): void {
    this.out -= bytes
    this.#room.leave(holder, bytes)
  }
}

/** Feeds a list of this many megabytes as far as there is room; how many were taken. */
function feed(held: HeldRoom, megabytes: number): { taken: number; wait: Promise<void> | undefined } {
  for (let taken = 1; taken <= megabytes; taken++) {
    const wait = held.fed(MB)
    if (wait !== undefined) return { taken, wait }
  }
  return { taken: megabytes, wait: undefined }
}

describe('lists of many accounts at once (P165)', () => {
  it('share one room, however many they are; an ordinary list takes none of it', () => {
    const room = new CountedRoom()
    const lists = Array.from({ length: 50 }, () => new HeldRoom(room))
    for (const held of lists) expect(feed(held, FREE_BYTES / MB).wait).toBeUndefined()
    expect(room.most).toBe(0)
    const fed = lists.map((held) => feed(held, 20).taken)
    // One of them may go beyond it, the others wait with a megabyte each that is not there yet.
    expect(fed.filter((megabytes) => megabytes === 20)).toHaveLength(1)
    expect(fed.reduce((sum, megabytes) => sum + megabytes, 0)).toBeLessThanOrEqual(20 + 8 + 50)
    for (const held of lists) held.leave()
    expect(room.out).toBe(0)
  })

  it('that wait go on when another one is given up, and all is given back', async () => {
    const room = new CountedRoom()
    const [first, second, third] = [new HeldRoom(room), new HeldRoom(room), new HeldRoom(room)]
    expect(feed(first, 30).wait).toBeUndefined()
    const { wait } = feed(second, 30)
    const went = vi.fn<() => void>()
    void wait?.then(went)
    await turn()
    expect(went).not.toHaveBeenCalled()
    third.leave()
    first.leave()
    await wait
    expect(feed(second, 30).wait).toBeUndefined()
    second.leave()
    expect(room.out).toBe(0)
  })

  it('that find no room for ten minutes fail for now', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const room = new CountedRoom()
    feed(new HeldRoom(room), 30)
    const { wait } = feed(new HeldRoom(room), 30)
    const failed = expect(wait).rejects.toMatchObject({ code: 'ERR_POP3_PROTOCOL', retry: 'soon' })
    vi.advanceTimersByTime(10 * 60_000)
    await failed
  })

  it('stop being read while there is no room, and give it back with their session', async () => {
    await using server = await Pop3Server.start()
    const room = new CountedRoom()
    const other = new HeldRoom(room)
    feed(other, 30)
    const mailbox = server.mailbox('alice')
    mailbox.add('hello')
    server.faults.uidlLine = () => `1 ${'x'.repeat(12 * MB)}`
    await using session = await Session.open({ ...optionsFor(server), listings: room }, new AbortController().signal)
    await session.signIn('auto', { user: 'alice', password: 'secret' })
    const listed = vi.fn<() => void>()
    const list = session.list().then(listed)
    await vi.waitFor(() => expect(room.out).toBeGreaterThan(26 * MB), { timeout: 60_000 })
    expect(listed).not.toHaveBeenCalled()
    other.leave()
    await list
    await session[Symbol.asyncDispose]()
    expect(room.out).toBe(0)
  })
})

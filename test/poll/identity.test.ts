import { describe, expect, test } from 'vitest'
import { ageClock } from '../../src/poll/plan/age-clock.ts'
import { letter, Scene, upTo } from './scene.ts'

describe('messages that share a UIDL (P095)', () => {
  test('are told apart by their header when one of them is gone', async () => {
    await using scene = await Scene.create()
    const mailbox = scene.server.mailbox('alice')
    for (const at of [0, 1]) mailbox.add(letter(at), { uidl: 'same' })
    await scene.poll()
    mailbox.messages.shift()
    mailbox.add(letter(2), { uidl: 'same' })
    expect(await scene.poll()).toMatchObject({ listed: 2, new: 1, delivered: 1 })
    expect(scene.subjects()).toEqual([0, 1, 2])
    expect(await scene.poll()).toMatchObject({ new: 0, delivered: 0 })
  })

  test('are deleted by number, each only when it was delivered', async () => {
    await using scene = await Scene.create()
    const mailbox = scene.server.mailbox('alice')
    for (const at of [0, 1, 2]) mailbox.add(letter(at), { uidl: 'same' })
    await scene.poll({ limit: 2 })
    scene.account = ['delete: after-delivery', 'limit: 1']
    scene.server.faults.reply.set('RETR', '-ERR not now')
    expect(await scene.poll()).toMatchObject({ deleted: 2, deferred: 1 })
    expect(mailbox.messages.map(({ bytes }) => /letter (\d)/.exec(bytes.toString())?.[1])).toEqual(['2'])
  })
})

describe('a message in whose header the server has noted something since (P128)', () => {
  async function noted(field: string): Promise<Scene> {
    const scene = await Scene.create()
    scene.fill(1)
    await scene.poll()
    const mailbox = scene.server.mailbox('alice')
    mailbox.messages.splice(0)
    mailbox.add(`${field}\r\n${letter(0)}`, { uidl: 'uid-0' })
    scene.account = ['delete: after-delivery']
    return scene
  }

  test('is no new one, and is deleted', async () => {
    await using scene = await noted('X-UID: 17\r\nStatus: RO')
    expect(await scene.poll()).toMatchObject({ new: 0, delivered: 0, deleted: 1 })
    expect(scene.left()).toEqual([])
  })

  test('is kept when it grew by more than that', async () => {
    await using scene = await noted('X-UID: 17\r\nX-Other: something')
    expect(await scene.poll()).toMatchObject({ new: 0, delivered: 0, deleted: 0 })
    expect(scene.left()).toEqual(['uid-0'])
  })
})

describe('a UIDL that is used again (P096, P098)', () => {
  test('with another size brings the new message', async () => {
    await using scene = await Scene.create()
    scene.fill(1)
    await scene.poll()
    scene.server.mailbox('alice').messages.splice(0)
    scene.server.mailbox('alice').add(letter(1000), { uidl: 'uid-0' })
    expect(await scene.poll()).toMatchObject({ new: 1, delivered: 1 })
    expect(await scene.poll()).toMatchObject({ new: 0, delivered: 0 })
    expect(scene.subjects()).toEqual([0, 1000])
  })

  test('after it was gone brings the new message, also of the same size', async () => {
    await using scene = await Scene.create()
    scene.fill(2)
    await scene.poll()
    const [first] = scene.server.mailbox('alice').messages.splice(0, 1)
    await scene.poll()
    scene.server.mailbox('alice').add(letter(7), { uidl: 'uid-0' })
    expect(await scene.poll()).toMatchObject({ new: 1, delivered: 1 })
    expect(scene.subjects()).toEqual([0, 1, 7])
    expect(first?.uidl).toBe('uid-0')
  })

  test('after it was gone brings nothing when it is the same message again (P139)', async () => {
    await using scene = await Scene.create()
    scene.fill(2)
    await scene.poll()
    const mailbox = scene.server.mailbox('alice')
    const away = mailbox.messages.splice(0, 1)
    await scene.poll()
    mailbox.messages.push(...away)
    expect(await scene.poll()).toMatchObject({ new: 0, delivered: 0 })
    expect(await scene.poll()).toMatchObject({ new: 0, delivered: 0 })
    expect(scene.count('RETR')).toBe(2)
  })
})

describe('a UIDL that is used again while nothing was seen to go (S039)', () => {
  /** A server that counts a line's end as one byte. */
  const unixSize = ({ bytes }: { readonly bytes: Buffer }): number =>
    bytes.toString('latin1').replaceAll('\r\n', '\n').length

  async function polled(...account: string[]): Promise<Scene> {
    const scene = await Scene.create()
    scene.account = account
    scene.server.faults.listSize = unixSize
    scene.fill(3)
    await scene.poll()
    return scene
  }

  function replace(scene: Scene, number: number): void {
    const { messages } = scene.server.mailbox('alice')
    messages.splice(0, 1)
    scene.server.mailbox('alice').add(letter(number), { uidl: 'uid-0' })
  }

  test('with another size brings the new message, though the sizes count LF', async () => {
    await using scene = await polled()
    replace(scene, 1000)
    expect(await scene.poll()).toMatchObject({ new: 1, delivered: 1 })
    expect(await scene.poll()).toMatchObject({ new: 0, delivered: 0 })
    expect(scene.subjects()).toEqual([0, 1, 2, 1000])
  })

  test('with the same size is noticed before it would be deleted in place of the old one, and brought then', async () => {
    await using scene = await polled()
    replace(scene, 7)
    scene.account = ['delete: after-delivery']
    for (let polls = 0; polls < 4; polls++) await scene.poll()
    expect(scene.subjects()).toEqual([0, 1, 2, 7])
    expect(scene.left()).toEqual([])
  })

  test('with the same size, by a server that was told to delete the old one, brings the new one', async () => {
    await using scene = await Scene.create()
    scene.server.faults.listSize = unixSize
    scene.account = ['delete: after-delivery']
    scene.fill(3)
    expect(await scene.poll()).toMatchObject({ deleted: 3 })
    scene.server.mailbox('alice').add(letter(7), { uidl: 'uid-0' })
    for (let polls = 0; polls < 2; polls++) await scene.poll()
    expect(scene.subjects()).toEqual([0, 1, 2, 7])
  })

  test('is not suspected at each poll of a server whose sizes move by themselves', async () => {
    await using scene = await Scene.create()
    let poll = 0
    scene.server.faults.listSize = (message) => unixSize(message) + poll
    scene.fill(200)
    const looks: number[] = []
    for (; poll < 4; poll++) {
      const before = scene.count('TOP')
      expect(await scene.poll()).toMatchObject(poll === 0 ? { delivered: 200 } : { new: 0, delivered: 0 })
      looks.push(scene.count('TOP') - before)
    }
    expect(looks).toEqual([0, 64, 0, 0])
    expect(scene.count('RETR')).toBe(200)
  })

  test('is not suspected of messages of which nothing but the size is known: these stay skipped', async () => {
    await using scene = await Scene.create()
    scene.account = ['first: new']
    scene.server.faults.listSize = unixSize
    scene.fill(30)
    await scene.poll()
    scene.fill(1, 30)
    expect(await scene.poll()).toMatchObject({ delivered: 1 })
    scene.server.faults.listSize = (message) => unixSize(message) + 1
    expect(await scene.poll()).toMatchObject({ new: 0, delivered: 0 })
    expect(scene.subjects()).toEqual([30])
  })
})

describe('a listing', () => {
  test('that is empty for once forgets nothing (P083)', async () => {
    await using scene = await Scene.create()
    scene.fill(3)
    await scene.poll()
    const away = scene.server.mailbox('alice').messages.splice(0)
    expect(await scene.poll()).toMatchObject({ outcome: 'ok', listed: 0 })
    scene.server.mailbox('alice').messages.push(...away)
    expect(await scene.poll()).toMatchObject({ new: 0, delivered: 0 })
    expect(scene.count('RETR')).toBe(3)
    expect(scene.count('TOP')).toBe(0)
  })

  test('without some UIDLs still brings those messages, once (P086, P091)', async () => {
    await using scene = await Scene.create()
    scene.account = ['delete: after-delivery']
    scene.fill(3)
    scene.server.faults.ignoreDeletes = true
    scene.server.faults.uidlLine = (number, { uidl }) =>
      number === 2 ? null : number === 3 ? '3 ' : `${number} ${uidl}`
    expect(await scene.poll()).toMatchObject({ outcome: 'ok', new: 3, delivered: 3 })
    expect(await scene.poll()).toMatchObject({ outcome: 'ok', new: 0, delivered: 0 })
    expect(scene.subjects()).toEqual(upTo(3))
  })

  test('of a server without UIDL goes by the headers (P084)', async () => {
    await using scene = await Scene.create()
    scene.server.faults.reply.set('UIDL', '-ERR not implemented')
    scene.fill(3)
    expect(await scene.poll()).toMatchObject({ outcome: 'ok', new: 3, delivered: 3 })
    scene.fill(1, 3)
    expect(await scene.poll()).toMatchObject({ outcome: 'ok', new: 1, delivered: 1 })
    expect(scene.subjects()).toEqual(upTo(4))
  })

  test('of a server that had UIDLs and refuses them for a while waits: by their headers all would be new (P084)', async () => {
    await using scene = await Scene.create()
    scene.fill(3)
    await scene.poll()
    scene.server.faults.reply.set('UIDL', '-ERR no')
    scene.fill(1, 3)
    const refused = { code: 'ERR_POP3_REPLY', retry: 'soon' }
    expect(await scene.poll()).toMatchObject({ outcome: 'failed', delivered: 0, error: refused })
    scene.server.faults.reply.delete('UIDL')
    expect(await scene.poll()).toMatchObject({ outcome: 'ok', delivered: 1 })
    expect(scene.subjects()).toEqual(upTo(4))
  })

  test('of a server without UIDL and TOP is refused', async () => {
    await using scene = await Scene.create()
    scene.server.faults.reply.set('UIDL', '-ERR not implemented').set('TOP', '-ERR not implemented')
    scene.fill(3)
    expect(await scene.poll()).toMatchObject({ outcome: 'failed', error: { code: 'ERR_NO_UIDL', retry: 'never' } })
    expect(scene.count('RETR')).toBe(0)
  })
})

describe('the clock by which messages age (S030, P142)', () => {
  const HOUR = 3_600_000
  const NOW = Date.UTC(2026, 10, 24)

  test('is one that an earlier poll, at least an hour ago, saw too', () => {
    const first = ageClock({ lastMs: null, beforeMs: null }, NOW)
    expect(first.agedMs).toBeNull()
    const soon = ageClock(first.checkpoints, NOW + HOUR / 2)
    expect(soon.agedMs).toBeNull()
    const later = ageClock(soon.checkpoints, NOW + HOUR)
    expect(later.agedMs).toBe(NOW)
    expect(ageClock(later.checkpoints, NOW + HOUR + 1).agedMs).toBe(NOW)
    expect(ageClock(later.checkpoints, NOW + 2 * HOUR).agedMs).toBe(NOW + HOUR)
  })

  test('does not follow a jump ahead for one poll, nor what comes after a jump back', () => {
    const settled = { lastMs: NOW, beforeMs: NOW - HOUR }
    const ahead = ageClock(settled, NOW + 3650 * 24 * HOUR)
    expect(ahead.agedMs).toBe(NOW)
    expect(ageClock(ahead.checkpoints, NOW + HOUR).agedMs).toBeNull()
  })
})

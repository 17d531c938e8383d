// Delivered messages that stand under new UIDs, too few for the guard of S020 (N048).
import { describe, expect, test } from 'vitest'
import type { Action } from '../../support/pop3-server.ts'
import { letter, Scene, upTo } from '../scene.ts'

async function polled(count: number): Promise<Scene> {
  const scene = await Scene.create()
  scene.fill(count)
  await scene.poll()
  scene.notes.splice(0)
  return scene
}

function renumber(scene: Scene, isOne: (at: number) => boolean = () => true): void {
  for (const [at, message] of scene.server.mailbox('alice').messages.entries())
    if (isOne(at)) message.uidl = `new-${message.uidl}`
}

function told(scene: Scene): string[] {
  return scene.notes.filter((note) => note.includes('taken over'))
}

describe('messages under new UIDs, fewer than the guard looks at (N048)', () => {
  test.each([
    [1, '1 delivered message has a new UID: taken over, not delivered again'],
    [15, '15 delivered messages have new UIDs: taken over, not delivered again'],
    [19, '19 delivered messages have new UIDs: taken over, not delivered again'],
  ])('do not come again: all of %d', async (count, line) => {
    await using scene = await polled(count)
    renumber(scene)
    expect(await scene.poll()).toMatchObject({ outcome: 'ok', new: 0, delivered: 0 })
    expect(told(scene)).toEqual([line])
    expect(scene.subjects()).toEqual(upTo(count))
    expect([scene.count('TOP'), scene.count('RETR')]).toEqual([count, count])
  })

  test('are told once: the next poll asks for nothing and says nothing', async () => {
    await using scene = await polled(15)
    renumber(scene)
    await scene.poll()
    const before = scene.count('TOP')
    scene.notes.splice(0)
    expect(await scene.poll()).toMatchObject({ outcome: 'ok', new: 0, skipped: 15 })
    expect([told(scene), scene.count('TOP') - before, scene.count('RETR')]).toEqual([[], 0, 15])
  })

  test.each([3, 40])('are told from the others and from what is new: some of %d', async (count) => {
    await using scene = await polled(count)
    renumber(scene, (at) => at % 3 === 0)
    scene.fill(2, count)
    expect(await scene.poll()).toMatchObject({ outcome: 'ok', new: 2, delivered: 2 })
    expect(scene.subjects()).toEqual(upTo(count + 2))
    expect(await scene.poll()).toMatchObject({ new: 0, skipped: count + 2 })
  })

  test('do not come again where a limit lets few be asked for at a time', async () => {
    await using scene = await polled(15)
    renumber(scene)
    for (let poll = 0; poll < 4; poll++) expect(await scene.poll({ limit: 4 })).toMatchObject({ delivered: 0 })
    expect(scene.subjects()).toEqual(upTo(15))
    expect(await scene.poll()).toMatchObject({ new: 0, skipped: 15 })
  })

  test('do not come again where the sessions of a poll take few', async () => {
    await using scene = await polled(15)
    renumber(scene)
    await scene.poll({}, new AbortController().signal, 4)
    expect(await scene.poll()).toMatchObject({ new: 0, delivered: 0, skipped: 15 })
    expect(scene.subjects()).toEqual(upTo(15))
  })

  test('keep their state and age: delete takes them at the next poll', async () => {
    await using scene = await polled(3)
    renumber(scene)
    scene.account = ['delete: after-delivery']
    expect(await scene.poll()).toMatchObject({ delivered: 0 })
    await scene.poll()
    expect(scene.left()).toEqual([])
    expect(scene.subjects()).toEqual(upTo(3))
  })

  test('are shown as known by a dry run, which records nothing', async () => {
    await using scene = await polled(5)
    renumber(scene)
    scene.fill(1, 5)
    const report = await scene.poll({ dryRun: true })
    expect(report).toMatchObject({ new: 1 })
    expect(report.plan).toMatchObject([{ uidl: 'uid-5', action: 'fetch' }])
    expect(scene.count('RETR')).toBe(5)
    expect(await scene.poll()).toMatchObject({ new: 1, delivered: 1 })
    expect(told(scene)).toHaveLength(2)
  })

  test('are not retrieved by a dry run, where the server refuses TOP', async () => {
    await using scene = await polled(5)
    scene.server.faults.reply.set('TOP', '-ERR not implemented')
    renumber(scene)
    expect(await scene.poll({ dryRun: true })).toMatchObject({ new: 5 })
    expect(scene.count('RETR')).toBe(5)
  })

  test('are found again where one was gone before', async () => {
    await using scene = await polled(5)
    const { messages } = scene.server.mailbox('alice')
    const away = messages.splice(0, 1)
    await scene.poll()
    messages.push(...away)
    renumber(scene)
    expect(await scene.poll()).toMatchObject({ new: 0, delivered: 0 })
    const before = scene.count('TOP')
    expect(await scene.poll()).toMatchObject({ new: 0, skipped: 5 })
    expect(scene.count('TOP')).toBe(before)
  })

  test('are known though the record of one was cut off by a crash: it is looked for at its destination first', async () => {
    await using scene = await polled(3)
    await scene.forgetOutcome('uid-0')
    renumber(scene)
    expect(await scene.poll()).toMatchObject({ new: 0, delivered: 0 })
    expect(scene.subjects()).toEqual(upTo(3))
  })

  test('cost nothing where we deleted what is gone', async () => {
    await using scene = await Scene.create()
    scene.account = ['delete: after-delivery']
    scene.fill(5)
    await scene.poll()
    scene.fill(5, 5)
    const before = scene.count('TOP')
    expect(await scene.poll()).toMatchObject({ delivered: 5 })
    expect(scene.count('TOP')).toBe(before)
  })
})

describe('where TOP does not tell, the digest does (N048, P158)', () => {
  test('a server that refuses TOP', async () => {
    await using scene = await polled(15)
    scene.server.faults.reply.set('TOP', '-ERR not implemented')
    renumber(scene)
    scene.fill(1, 15)
    expect(await scene.poll()).toMatchObject({ outcome: 'ok', new: 1, delivered: 1 })
    expect(scene.subjects()).toEqual(upTo(16))
    expect(await scene.poll()).toMatchObject({ new: 0, delivered: 0 })
  })

  test.each<[string, Action]>([
    ['closes at TOP', 'drop'],
    ['closes in the middle of a header', { answer: '+OK\r\nFrom: Ada <ada@exam', next: 'drop' }],
    ['shows a part of the header only', '+OK\r\nFrom: Ada <ada@example.org>\r\n\r\n.'],
    ['shows another header', '+OK\r\nFrom: Eve <eve@example.org>\r\nSubject: letter 99\r\n\r\n.'],
    ['says what is no answer', 'what?'],
  ])('a server that %s', async (_what, action) => {
    await using scene = await polled(15)
    scene.server.faults.onCommand = (verb) => (verb === 'TOP' ? action : 'serve')
    renumber(scene)
    await scene.poll()
    expect(scene.subjects()).toEqual(upTo(15))
    expect(await scene.poll()).toMatchObject({ outcome: 'ok', new: 0, delivered: 0, skipped: 15 })
    expect(scene.subjects()).toEqual(upTo(15))
  })

  test('two messages of one header that came and are under new UIDs', async () => {
    await using scene = await Scene.create()
    const mailbox = scene.server.mailbox('alice')
    mailbox.add(letter(1).replace('the end of 1', 'the end of A'), { uidl: 'a' })
    mailbox.add(letter(1).replace('the end of 1', 'the end of B'), { uidl: 'b' })
    await scene.poll()
    renumber(scene)
    expect(await scene.poll()).toMatchObject({ new: 0, delivered: 0 })
    expect(scene.mail()).toHaveLength(2)
  })
})

function bodied(end: string): string {
  return letter(0).replace('the end of 0', `the end of ${end}`)
}

function ends(scene: Scene): string[] {
  return scene
    .mail()
    .map((text) => /^the end of (.+?)\r?$/m.exec(text)?.[1] ?? '')
    .toSorted()
}

describe('doubt keeps the mail (N048)', () => {
  test.each(['before', 'behind'])(
    'one of two messages with the header of a gone one is new: it comes, listed %s it',
    async (place) => {
      await using scene = await polled(1)
      renumber(scene)
      const { messages } = scene.server.mailbox('alice')
      scene.server.mailbox('alice').add(bodied('X'), { uidl: 'other' })
      if (place === 'before') messages.reverse()
      expect(await scene.poll()).toMatchObject({ new: 1, delivered: 1 })
      expect(ends(scene)).toEqual(['0', 'X'])
    },
  )

  test('a new message with the header and size of two gone ones comes', async () => {
    await using scene = await Scene.create()
    const mailbox = scene.server.mailbox('alice')
    for (const end of ['A', 'B']) mailbox.add(bodied(end), { uidl: end })
    scene.fill(2, 5)
    await scene.poll()
    mailbox.messages.splice(0, 2)
    mailbox.add(bodied('C'), { uidl: 'C' })
    expect(await scene.poll()).toMatchObject({ new: 1, delivered: 1 })
    expect(ends(scene)).toEqual(['5', '6', 'A', 'B', 'C'])
  })

  test('of three equal messages of which two came, one comes', async () => {
    await using scene = await Scene.create()
    for (const uidl of ['a', 'b']) scene.server.mailbox('alice').add(letter(0), { uidl })
    await scene.poll()
    renumber(scene)
    scene.server.mailbox('alice').add(letter(0), { uidl: 'c' })
    expect(await scene.poll()).toMatchObject({ new: 1, delivered: 1 })
    expect(scene.subjects()).toEqual([0, 0, 0])
    expect(await scene.poll()).toMatchObject({ new: 0, skipped: 3 })
  })

  test('a listing that lacks most says nothing about what is gone: what it shows comes', async () => {
    await using scene = await polled(5)
    renumber(scene)
    scene.server.mailbox('alice').messages.splice(1)
    expect(await scene.poll()).toMatchObject({ new: 1, delivered: 1 })
  })

  test('another body under the same header and another size comes', async () => {
    await using scene = await polled(1)
    const mailbox = scene.server.mailbox('alice')
    mailbox.messages.splice(0)
    mailbox.add(`${letter(0)}more\r\n`, { uidl: 'other' })
    expect(await scene.poll()).toMatchObject({ new: 1, delivered: 1 })
  })

  test('another header of the same size comes', async () => {
    await using scene = await polled(1)
    const mailbox = scene.server.mailbox('alice')
    mailbox.messages.splice(0)
    scene.fill(1, 5)
    expect(await scene.poll()).toMatchObject({ new: 1, delivered: 1 })
    expect(scene.subjects()).toEqual([0, 5])
  })

  test('a third copy of what is still listed comes', async () => {
    await using scene = await polled(2)
    scene.server.mailbox('alice').add(letter(0), { uidl: 'again' })
    expect(await scene.poll()).toMatchObject({ new: 1, delivered: 1 })
    expect(scene.subjects()).toEqual([0, 0, 1])
  })

  test('twenty and more are still for a person to decide', async () => {
    await using scene = await polled(20)
    renumber(scene)
    expect(await scene.poll()).toMatchObject({ outcome: 'failed', error: { code: 'ERR_UIDS_CHANGED' } })
    expect([scene.count('TOP'), scene.count('RETR')]).toEqual([0, 20])
  })
})

describe('a server that ignores deletions and gives new UIDs (P134)', () => {
  test.each([1, 15, 30])('brings nothing twice, and is asked again: %d messages', async (count) => {
    await using scene = await Scene.create()
    scene.account = ['delete: after-delivery']
    scene.server.faults.ignoreDeletes = true
    scene.fill(count)
    await scene.poll()
    for (const poll of upTo(3)) {
      renumber(scene)
      scene.fill(1, count + poll)
      expect(await scene.poll()).toMatchObject({ outcome: 'ok', delivered: 1, error: null })
      expect(scene.subjects()).toEqual(upTo(count + poll + 1))
      expect(await scene.undeleted()).toHaveLength(count + poll)
    }
    scene.server.faults.ignoreDeletes = false
    await scene.poll()
    expect(scene.left()).toEqual([])
  })

  test('brings what only looks like what was deleted, and a second one like it', async () => {
    await using scene = await Scene.create()
    scene.account = ['delete: after-delivery']
    const mailbox = scene.server.mailbox('alice')
    mailbox.add(bodied('A'), { uidl: 'a' })
    await scene.poll()
    mailbox.add(bodied('B'), { uidl: 'b' })
    for (const uidl of ['c', 'd']) mailbox.add(bodied('A'), { uidl })
    expect(await scene.poll()).toMatchObject({ delivered: 2 })
    expect(ends(scene)).toEqual(['A', 'A', 'B'])
  })
})

describe('a new message of the size of a gone one, whose look ends the session (P110)', () => {
  /** New messages from number 5 on, as large as one that is gone; of the first `bad` of them each RETR ends the session. */
  async function withBad(bad: number, good: number): Promise<Scene> {
    const scene = await polled(5)
    scene.server.mailbox('alice').messages.splice(0, 1)
    scene.fill(bad + good, 5)
    scene.server.faults.onCommand = (verb, args) => (verb === 'RETR' && isBad(Number(args)) ? 'drop' : 'serve')
    const isBad = (number: number): boolean => number > 4 && number <= 4 + bad
    return scene
  }

  test.each([1, 2])('is reported and costs the others nothing: %d of them', async (bad) => {
    await using scene = await withBad(bad, 4 - bad)
    const report = await scene.poll()
    expect(report).toMatchObject({ outcome: 'partial', delivered: 4 - bad, deferred: bad })
    expect(report.problems).toMatchObject(upTo(bad).map((at) => ({ uidl: `uid-${at + 5}`, kind: 'deferred' })))
    expect(scene.subjects()).toEqual([...upTo(5), ...upTo(4 - bad).map((at) => at + 5 + bad)])
  })

  test('costs the others a few polls where there are more than a poll has sessions for', async () => {
    await using scene = await withBad(4, 1)
    for (let poll = 0; poll < 2; poll++) await scene.poll()
    expect(scene.subjects()).toEqual([...upTo(5), 9])
  })

  test('is looked at once more before it counts as one that ends sessions: what came is not delivered again', async () => {
    await using scene = await polled(5)
    renumber(scene, (at) => at === 0)
    let cuts = 1
    scene.server.faults.onCommand = (verb) => {
      if (verb === 'TOP') return '+OK\r\nFrom: Eve <eve@example.org>\r\n\r\n.'
      return verb === 'RETR' && cuts-- > 0 ? 'drop' : 'serve'
    }
    expect(await scene.poll()).toMatchObject({ outcome: 'ok', new: 0, delivered: 0 })
    expect(scene.subjects()).toEqual(upTo(5))
  })
})

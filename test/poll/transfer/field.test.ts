// What was seen at servers in the field: one test for each kind, by its row (HAZARDS G1). Whole tables of them:
// containment.test.ts and ../habits.test.ts.
import { describe, expect, test } from 'vitest'
import { profiles } from '../../support/profiles.ts'
import { letter, Scene, upTo } from '../scene.ts'

const DELETING = ['delete: after-delivery']

/** Long after its end was told as `+OK 9 octets`. */
function answerOf(text: string): string {
  return `+OK ${text.length} octets\r\n${text.replace(/^\./gm, '..')}.`
}

test('TOP that shows another header than RETR is not believed: what was delivered goes, and that is told once (P158)', async () => {
  await using scene = await Scene.create()
  scene.fill(3)
  await scene.poll()
  scene.account = DELETING
  scene.server.faults.reply.set('TOP', '+OK\r\nReceived: by a gateway\r\nSubject: something else\r\n\r\n.')
  expect(await scene.poll()).toMatchObject({ outcome: 'ok', new: 0, delivered: 0, deleted: 3, undeleted: 0 })
  expect(scene.notes.filter((note) => note.includes('TOP does not show what RETR gives'))).toHaveLength(1)
  const asked = scene.count('TOP')
  scene.account = []
  scene.fill(2, 3)
  await scene.poll()
  scene.account = DELETING
  expect(await scene.poll()).toMatchObject({ delivered: 0, deleted: 2 })
  expect(scene.count('TOP')).toBe(asked)
  expect(scene.subjects()).toEqual(upTo(5))
})

describe('where QUIT drops what was retrieved (EXPIRE 0)', () => {
  test('a window of the oldest messages comes whole with delete: never, in as many polls as it takes (P161)', async () => {
    await using scene = await Scene.create()
    const gmail = profiles.find(({ name }) => name === 'Gmail')
    gmail?.apply(scene.server)
    for (const at of upTo(50)) scene.server.mailbox('alice').add(letter(at), { uidl: `GmailId${at}` })
    for (const delivered of [20, 20, 10, 0])
      expect(await scene.poll()).toMatchObject({ outcome: 'ok', delivered, error: null })
    expect(scene.subjects()).toEqual(upTo(50))
  })

  test.each([['drop'], ['-ERR internal error'], ['stall after an error']] as const)(
    'one bad message does not keep the window from moving: %s (P162)',
    async (how) => {
      await using scene = await Scene.create()
      scene.server.capabilities?.afterLogin.push('EXPIRE 0')
      Object.assign(scene.server.faults, { popped: true, window: 4, windowEnd: 'oldest' })
      scene.fill(12)
      scene.server.faults.onCommand = (verb, args) => {
        const listed = scene.server.mailbox('alice').messages.filter(({ hidden }) => !hidden)
        if (verb !== 'RETR' || listed[Number(args) - 1]?.uidl !== 'uid-1') return 'serve'
        return how === 'stall after an error' ? { answer: '-ERR no', next: 'drop' } : how
      }
      for (const _ of upTo(6)) await scene.poll()
      expect(scene.subjects()).toEqual(upTo(12).filter((at) => at !== 1))
    },
  )

  test('what was only looked at is not dropped before it is delivered (P129, P158)', async () => {
    await using scene = await Scene.create()
    scene.fill(2)
    await scene.poll()
    scene.server.mailbox('alice').messages.shift()
    await scene.poll()
    scene.server.capabilities?.afterLogin.push('EXPIRE 0')
    scene.server.faults.popped = true
    scene.server.faults.reply.set('TOP', '-ERR no')
    scene.server.mailbox('alice').add(letter(7), { uidl: 'uid-0' })
    scene.destinations = ['inbox: { type: smtp, host: 127.0.0.1, port: 1, to: bob@example.net }']
    await scene.poll()
    expect(scene.count('RETR')).toBe(3)
    scene.destinations = ['inbox: { type: maildir, path: inbox }']
    expect(await scene.poll()).toMatchObject({ delivered: 1 })
    expect(scene.subjects()).toEqual([0, 1, 7])
  })
})

test('a header of more than 64 KiB is the same by TOP and by RETR: no second RETR before the deletion (P163)', async () => {
  await using scene = await Scene.create()
  const addresses = upTo(4000).map((at) => `\r\n reader-${at}@example.net`)
  const long = letter(0).replace('\r\nDate:', `\r\nCc: ${addresses.join(',')}\r\nDate:`)
  scene.server.mailbox('alice').add(long, { uidl: 'long' })
  await scene.poll()
  scene.account = DELETING
  expect(await scene.poll()).toMatchObject({ deleted: 1 })
  expect(scene.count('RETR')).toBe(1)
})

describe('answers that overlap when they are pipelined (P164)', () => {
  /** The second answer stands within the first. */
  function overlap(scene: Scene): void {
    let at = 0
    scene.server.faults.onCommand = (verb, args, session) => {
      if (verb !== 'RETR') return 'serve'
      const together = session.id === 1 && args === '1' ? (at = 1) : at
      if (together === 0 || session.id !== 1) return 'serve'
      if (args === '1') {
        const [first, second] = [answerOf(letter(0)), answerOf(letter(1))]
        const cut = first.indexOf('\r\n\r\n') + 20
        return Buffer.from(`${first.slice(0, cut)}${second}\r\n${first.slice(cut)}\r\n`)
      }
      return args === '2' ? Buffer.alloc(0) : 'serve'
    }
  }

  test.each([
    ['exact', null],
    ['no more than hints', 13],
  ] as const)('are not delivered for one message, where sizes are %s', async (_how, more) => {
    await using scene = await Scene.create()
    if (more !== null) scene.server.faults.listSize = ({ sizeBytes }) => sizeBytes + more
    scene.fill(4)
    scene.account = DELETING
    overlap(scene)
    for (const _ of upTo(2)) await scene.poll()
    expect(scene.subjects()).toEqual(upTo(4))
    for (const text of scene.mail()) expect(text.match(/the end of/g)).toHaveLength(1)
    expect(scene.left()).toEqual([])
  })
})

describe('without UIDL', () => {
  test('and without TOP all comes once with delete: after-delivery, by its digest (P167)', async () => {
    await using scene = await Scene.create()
    scene.server.faults.reply.set('UIDL', '-ERR not implemented').set('TOP', '-ERR not implemented')
    scene.account = DELETING
    scene.fill(3)
    scene.server.faults.quitError = '-ERR nothing was removed'
    expect(await scene.poll()).toMatchObject({ delivered: 3, deleted: 0, error: null })
    scene.server.faults.quitError = null
    expect(await scene.poll()).toMatchObject({ outcome: 'ok', delivered: 0, deleted: 3 })
    expect(scene.subjects()).toEqual(upTo(3))
    expect(scene.left()).toEqual([])
  })

  test.each(upTo(4))(
    'and without TOP, a message whose RETR always ends the session does not stop the others: letter %i (P167)',
    async (bad) => {
      await using scene = await Scene.create()
      scene.server.faults.reply.set('UIDL', '-ERR not implemented').set('TOP', '-ERR not implemented')
      scene.account = DELETING
      scene.fill(4)
      scene.server.faults.onCommand = (verb, args) => {
        const uidl = scene.server.mailbox('alice').messages[Number(args) - 1]?.uidl
        return verb === 'RETR' && uidl === `uid-${bad}` ? 'drop' : 'serve'
      }
      expect(await scene.poll()).toMatchObject({ delivered: 3, deleted: 3 })
      expect(await scene.poll()).toMatchObject({ outcome: 'partial', delivered: 0, deferred: 1, error: null })
      expect(scene.subjects()).toEqual(upTo(4).filter((at) => at !== bad))
      expect(scene.left()).toEqual([`uid-${bad}`])
    },
  )

  test('TOP that is refused for one message leaves that one alone, and no other (P168)', async () => {
    await using scene = await Scene.create()
    scene.server.faults.reply.set('UIDL', '-ERR not implemented').set('TOP 2 0', '-ERR no')
    scene.fill(3)
    expect(await scene.poll()).toMatchObject({ delivered: 2, error: null })
    expect(scene.subjects()).toEqual([0, 2])
  })
})

test('a second end mark behind each message ends the session, and the message counts: all come and go (P171)', async () => {
  await using scene = await Scene.create()
  scene.account = DELETING
  scene.fill(4)
  scene.server.faults.rawBody = ({ bytes }) =>
    Buffer.from(`${bytes.toString('latin1').replace(/^\./gm, '..')}.\r\n.\r\n`, 'latin1')
  for (const _ of upTo(6)) await scene.poll()
  expect(scene.subjects()).toEqual(upTo(4))
  expect(scene.left()).toEqual([])
})

test('a download limit ends the poll politely after a few refusals, what came is deleted, and it pauses for 15 minutes (P172)', async () => {
  await using scene = await Scene.create()
  scene.account = [...DELETING, 'pipelining: off']
  scene.fill(60)
  scene.server.faults.onCommand = (verb, args) =>
    verb === 'RETR' && Number(args) > 5 ? '-ERR [SYS/TEMP] download limit exceeded' : 'serve'
  expect(await scene.poll()).toMatchObject({ delivered: 5, deleted: 5 })
  expect(scene.count('RETR')).toBeLessThan(12)
  const asked = scene.count('RETR')
  expect(await scene.poll({ eager: false })).toMatchObject({ outcome: 'paused' })
  expect(scene.count('RETR')).toBe(asked)
})

test('a poll that LOGIN-DELAY leaves out after a good one is paused, without an error (P173)', async () => {
  await using scene = await Scene.create()
  scene.server.capabilities?.afterLogin.push('LOGIN-DELAY 300')
  scene.fill(1)
  expect(await scene.poll()).toMatchObject({ outcome: 'ok' })
  expect(await scene.poll({ eager: false })).toMatchObject({ outcome: 'paused', error: null })
})

test('LIST that is refused costs the sizes only: the mail comes (P174)', async () => {
  await using scene = await Scene.create()
  scene.account = DELETING
  scene.server.faults.reply.set('LIST', '-ERR not supported')
  scene.fill(3)
  expect(await scene.poll()).toMatchObject({ outcome: 'ok', delivered: 3, deleted: 3 })
})

test('a mechanism that is listed and unknown gives way to the next one (P170)', async () => {
  await using scene = await Scene.create()
  scene.server.faults.onCommand = (verb) => (verb === 'AUTH' ? '-ERR Unrecognized authentication type' : 'serve')
  scene.fill(1)
  expect(await scene.poll()).toMatchObject({ outcome: 'ok', delivered: 1 })
})

// What some servers cannot bear is found out by a session that fails, and not asked of them any more.
import { setImmediate as turn } from 'node:timers/promises'
import { afterEach, describe, expect, test, vi } from 'vitest'
import type { AccountReport } from '../../../src/poll/report.ts'
import { Workarounds } from '../../../src/poll/sign-in/workarounds.ts'
import { UnansweredBurst, UnansweredCapabilities } from '../../../src/pop3/recoverable.ts'
import { caFile } from '../../support/certificates.ts'
import { letter, Scene, upTo } from '../scene.ts'

const DAY_MS = 86_400_000
const NOW_MS = Date.UTC(2026, 10, 24)
const facts = { scope: 'account', retry: 'soon' } as const

/** A part of the 60 s after which a silent server is given up. */
const STEP_MS = 5000

afterEach(() => void vi.useRealTimers())

const connects = (scene: Scene): number => scene.server.journal.of('connect').length

/** A poll for which time passes only while the server is known to hang, until `isOver`. */
async function pollPastLimit(scene: Scene, hangs: () => boolean, isOver: () => boolean): Promise<AccountReport> {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance', 'hrtime'] })
  const settled = new AbortController()
  const poll = scene.poll().finally(() => settled.abort())
  while (!settled.signal.aborted && !isOver()) {
    if (hangs() && scene.server.journal.of('close').length < connects(scene)) vi.advanceTimersByTime(STEP_MS)
    await turn()
  }
  vi.useRealTimers()
  return await poll
}

describe('a server that says it pipelines and does not (P037, P143)', () => {
  for (const how of ['drop-after-first', 'close'] as const) {
    test(`is asked one by one in the same run, and from then on: ${how}`, async () => {
      await using scene = await Scene.create()
      scene.account = ['delete: after-delivery']
      scene.server.faults.pipelining = how
      scene.fill(3)
      const hangs = (): boolean => how !== 'close' && scene.count('CAPA') === 2
      expect(await pollPastLimit(scene, hangs, () => connects(scene) === 2)).toMatchObject({
        outcome: 'ok',
        delivered: 3,
        deleted: 3,
        error: null,
      })
      expect(scene.server.journal.of('connect').length).toBe(2)
      scene.fill(2, 3)
      expect(await scene.poll()).toMatchObject({ outcome: 'ok', delivered: 2, deleted: 2 })
      expect(scene.server.journal.of('connect').length).toBe(3)
      expect(scene.subjects()).toEqual(upTo(5))
    })
  }

  test('is not remembered for that when it hangs anyway', async () => {
    await using scene = await Scene.create()
    scene.server.faults.onCommand = (verb) => (verb === 'UIDL' ? { answer: '+OK', next: 'stall' } : 'serve')
    scene.fill(1)
    const hangs = (): boolean => scene.count('UIDL') === connects(scene)
    expect(await pollPastLimit(scene, hangs, () => false)).toMatchObject({
      outcome: 'failed',
      error: { code: 'ERR_TIMEOUT' },
    })
    scene.server.faults.onCommand = null
    const before = scene.server.journal.of('connect').length
    expect(await scene.poll()).toMatchObject({ outcome: 'ok', delivered: 1 })
    expect(scene.server.journal.of('connect').length).toBe(before + 1)
  })
})

describe('a server that CAPA makes hang or close (P032)', () => {
  for (const next of ['stall', 'drop'] as const) {
    test(`is not asked again, and TLS is as before: ${next}`, async () => {
      await using scene = await Scene.create({ tls: 'implicit' })
      scene.account = [`ca: ${caFile}`]
      scene.server.faults.onCommand = (verb) => (verb === 'CAPA' ? next : 'serve')
      scene.fill(2)
      const hangs = (): boolean => next === 'stall' && scene.count('CAPA') === 1
      expect(await pollPastLimit(scene, hangs, () => connects(scene) === 2)).toMatchObject({
        outcome: 'ok',
        delivered: 2,
      })
      expect(scene.count('CAPA')).toBe(1)
      scene.fill(1, 2)
      expect(await scene.poll()).toMatchObject({ outcome: 'ok', delivered: 1 })
      expect(scene.count('CAPA')).toBe(1)
      expect(scene.server.journal.of('auth').every(({ secure }) => secure)).toBe(true)
    })
  }
})

describe('a message that ends far short of its size while others are asked for (P113, P148)', () => {
  /** Not stuffed: the rest of the message would be taken for the answers to the RETRs behind it. */
  function forge(scene: Scene): string {
    const forged = ['Subject: forged', '', 'not what alice was sent', ''].join('\r\n')
    const head = letter(1)
    const tail = `.\r\n+OK ${forged.length} octets\r\n${forged}.\r\n`
    const size = head.length + tail.length + 20_000
    scene.server.faults.listSize = (message) => (message.uidl === 'uid-1' ? size : message.sizeBytes)
    scene.server.faults.rawBody = (message) => (message.uidl === 'uid-1' ? Buffer.from(`${head}${tail}`) : null)
    return forged
  }

  test('ends the session without QUIT; the others come one at a time and are deleted, the message stays', async () => {
    await using scene = await Scene.create()
    scene.account = ['delete: after-delivery']
    scene.fill(4)
    forge(scene)
    const report = await scene.poll()
    expect(scene.mail().filter((text) => text.includes('Subject: forged'))).toEqual([])
    expect(scene.subjects()).toEqual([0, 2, 3])
    expect(report).toMatchObject({ outcome: 'partial', delivered: 3, deferred: 1, problems: [{ uidl: 'uid-1' }] })
    expect(scene.left()).toEqual(['uid-1'])
  })

  test('is held when that happens again and again (P122)', async () => {
    await using scene = await Scene.create()
    scene.fill(2)
    forge(scene)
    const held: AccountReport[] = []
    for (const _ of upTo(7)) {
      const report = await scene.poll()
      if (report.held > 0) held.push(report)
    }
    expect(held).toMatchObject([{ outcome: 'partial', delivered: 0, problems: [{ uidl: 'uid-1', kind: 'held' }] }])
    expect(scene.subjects()).toEqual([0])
  })

  test('is believed when it is as short again, alone (P108)', async () => {
    await using scene = await Scene.create()
    scene.account = ['delete: after-delivery']
    scene.fill(3)
    scene.server.faults.listSize = (message) => (message.uidl === 'uid-1' ? 60_000 : message.sizeBytes)
    expect(await scene.poll()).toMatchObject({
      outcome: 'ok',
      delivered: 3,
      deferred: 0,
      deleted: 2,
      problems: [{ uidl: 'uid-1', kind: 'short' }],
    })
    expect(scene.subjects()).toEqual([0, 1, 2])
    expect(scene.left()).toEqual(['uid-1'])
    expect(scene.count('QUIT')).toBe(1)
  })
})

test('a message larger than was announced and allowed is held, and only that: the others come in another session (P124)', async () => {
  await using scene = await Scene.create()
  scene.account = ['maxSize: 10KB', 'delete: after-delivery']
  scene.fill(2)
  scene.server.mailbox('alice').add({ sizeBytes: 50_000 }, { uidl: 'huge' })
  scene.fill(2, 2)
  scene.server.faults.listSize = (message) => (message.uidl === 'huge' ? 300 : message.sizeBytes)
  expect(await scene.poll()).toMatchObject({ outcome: 'partial', delivered: 4, held: 1, deleted: 4, error: null })
  expect(scene.subjects()).toEqual(upTo(4))
  expect(scene.left()).toEqual(['huge'])
})

describe('what is remembered of a server', () => {
  test.each([
    ['pipelining', 29, false],
    ['pipelining', 31, true],
    ['pipelining', -29, false],
    ['pipelining', -31, true],
    ['capa', 0.9, false],
    ['capa', 1.1, true],
  ] as const)('is forgotten in time: %s, after %d days', (name, days, asked) => {
    const workarounds = new Workarounds({ [name]: 'off', [`${name}Ms`]: String(NOW_MS - days * DAY_MS) }, NOW_MS)
    expect(name === 'capa' ? workarounds.capabilities : workarounds.pipelining).toBe(asked)
  })

  test('counts from when it was found out', () => {
    const workarounds = new Workarounds({}, NOW_MS)
    expect(workarounds.against(new UnansweredBurst('ERR_CONNECT', 'closed', facts))).toContain('one at a time')
    expect(workarounds.against(new UnansweredCapabilities('ERR_TIMEOUT', 'silence', facts))).toContain('CAPA')
    expect(workarounds.factsAfter(false)).toEqual({
      pipelining: 'off',
      pipeliningMs: String(NOW_MS),
      capa: 'off',
      capaMs: String(NOW_MS),
    })
    expect(workarounds.factsAfter(true)).toEqual({})
  })

  test('is no reason to try forever: each way around is taken once', () => {
    const workarounds = new Workarounds({}, NOW_MS)
    const closed = new UnansweredBurst('ERR_CONNECT', 'closed', facts)
    expect(workarounds.against(closed)).not.toBeNull()
    expect(workarounds.against(closed)).toBeNull()
  })
})

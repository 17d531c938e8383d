// A server, or a sender who chooses UIDLs, may give one UIDL to a hundred thousand messages (P096, P166). The work for them
// grows with their number, and no faster.
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { ComparedMessage, KnownCopy } from '../../../src/ledger/ledger.ts'
import type { Look, Looks } from '../../../src/poll/compare/looks.ts'
import { Match } from '../../../src/poll/compare/match.ts'
import type { ListingEntry } from '../../../src/pop3/listing/listing.ts'
import { letter, Scene, upTo } from '../scene.ts'

function print(at: number): Buffer {
  const bytes = Buffer.alloc(32)
  bytes.writeUInt32BE(at)
  return bytes
}

function copyOf(at: number, isReceived: boolean): KnownCopy {
  const known: ComparedMessage = {
    position: at,
    state: 'delivered',
    firstSeenMs: 0,
    listedBytes: 100,
    receivedBytes: isReceived ? 100 : null,
    fingerprint: isReceived ? print(at) : null,
    digest: isReceived ? print(at) : null,
    attempts: 0,
    retryAfterMs: 0,
    deletions: 0,
    reason: null,
    goneSinceMs: null,
    deletion: null,
    harm: null,
    from: null,
    subject: null,
    deliveries: [],
  }
  return { copy: at, known }
}

function entriesOf(count: number): ListingEntry[] {
  return upTo(count).map((index) => ({ index, number: index + 1, uidl: 'same', copy: index, sizeBytes: 100 }))
}

/** Which whole messages were looked at. */
class CountedLooks implements Pick<Looks, 'whole' | 'settle' | 'loseTop'> {
  looked = 0
  readonly #count: number

  constructor(count: number) {
    this.#count = count
  }

  whole({ number }: { readonly number: number }): Promise<Look> {
    this.looked++
    const digest = print(this.#count - number)
    return Promise.resolve({ fingerprint: digest, stateBytes: 0, receivedMs: null, whole: { bytes: 100, digest } })
  }

  settle(): void {}
  loseTop(): void {}
}

describe('messages that share one UIDL (P166)', () => {
  test.each([50, 200])('are looked at once each where headers are not shown: %i', async (count) => {
    const entries = entriesOf(count)
    const copies = upTo(count).map((at) => copyOf(at, true))
    const looks = new CountedLooks(count)
    const match = new Match(entries, copies, new Map())
    await match.byDigest(looks)
    expect(looks.looked).toBe(count)
    expect(match.identified().map(({ known }) => known?.position)).toEqual(upTo(count).toReversed())
  })
})

describe('very many messages of one UIDL (P166)', () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ['Date'], now: Date.UTC(2026, 10, 24) }))
  afterEach(() => void vi.useRealTimers())

  const MESSAGES = 300

  async function delivered(): Promise<Scene> {
    const scene = await Scene.create()
    const mailbox = scene.server.mailbox('alice')
    for (const at of upTo(MESSAGES)) mailbox.add(letter(1000 + at), { uidl: 'same' })
    expect(await scene.poll()).toMatchObject({ delivered: MESSAGES })
    expect(await scene.poll()).toMatchObject({ new: 0, delivered: 0 })
    return scene
  }

  /** This many headers are looked at in the next poll. */
  async function looked(scene: Scene, options = {}): Promise<number> {
    const before = scene.count('TOP')
    expect(await scene.poll(options)).toMatchObject({ error: null })
    return scene.count('TOP') - before
  }

  test('are told apart once, and remembered as long as the listing stays the same, for a day', async () => {
    await using scene = await delivered()
    expect(scene.count('TOP')).toBe(MESSAGES)
    expect(await looked(scene)).toBe(0)
    vi.setSystemTime(Date.now() + 23 * 3_600_000)
    expect(await looked(scene)).toBe(0)
    vi.setSystemTime(Date.now() + 2 * 3_600_000)
    expect(await looked(scene)).toBe(MESSAGES)
    expect(await looked(scene)).toBe(0)
    vi.setSystemTime(Date.now() - 3 * 24 * 3_600_000)
    expect(await looked(scene), 'a clock that was set back').toBe(MESSAGES)
  })

  test('are looked at again when another one comes, which is fetched once', async () => {
    await using scene = await delivered()
    scene.server.mailbox('alice').add(letter(5000), { uidl: 'same' })
    expect(await looked(scene)).toBe(MESSAGES + 1)
    expect(await looked(scene)).toBe(MESSAGES + 1)
    expect(await looked(scene)).toBe(0)
    expect(scene.subjects().filter((number) => number === 5000)).toHaveLength(1)
    expect(scene.files()).toHaveLength(MESSAGES + 1)
  })

  test('one that takes the place and size of another is fetched within a day', async () => {
    await using scene = await delivered()
    const { messages } = scene.server.mailbox('alice')
    messages.splice(7, 1)
    scene.server.mailbox('alice').add(letter(6000), { uidl: 'same' })
    vi.setSystemTime(Date.now() + 25 * 3_600_000)
    await scene.poll()
    expect(scene.subjects()).toContain(6000)
  })

  test.each([
    ['delete: after-delivery', {}],
    ['delete: never', { all: true }],
  ])('are looked at when something is to be done about them: %s, %j', async (deletion, options) => {
    await using scene = await delivered()
    scene.account = [deletion]
    expect(await looked(scene, { ...options, yes: true })).toBeGreaterThanOrEqual(MESSAGES)
  })

  test('are few enough to be looked at each time: 200', async () => {
    await using scene = await Scene.create()
    for (const at of upTo(200)) scene.server.mailbox('alice').add(letter(1000 + at), { uidl: 'same' })
    await scene.poll()
    for (const _ of upTo(2)) expect(await looked(scene)).toBe(200)
  })

  test('of which new ones count as seen by --mark-seen are fetched no more', async () => {
    await using scene = await delivered()
    scene.server.mailbox('alice').messages.splice(0, 1)
    await scene.poll()
    scene.server.mailbox('alice').add(letter(7000), { uidl: 'same' })
    expect(await scene.poll({ markSeen: true })).toMatchObject({ new: 1, delivered: 0 })
    expect(await scene.poll()).toMatchObject({ new: 0, delivered: 0 })
  })
})

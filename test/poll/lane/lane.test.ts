// The lane does what the usual road does, and what is not plain comes on the usual road, without being asked for twice.
import { renameSync, rmSync } from 'node:fs'
import { setImmediate as turn } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { Beginning, Ledger } from '../../../src/ledger/ledger.ts'
import { leaseLost } from '../../../src/ledger/lease.ts'
import { openLedger } from '../../../src/ledger/sqlite/open.ts'
import { fileSystems } from '../../../src/deliver/disk/filesystem.ts'
import { openFiles } from '../../../src/deliver/disk/open-files.ts'
import { EXT4, FaultyFileSystems } from '../../support/faulty-filesystem.ts'
import { Scene, upTo } from '../scene.ts'
import { failing } from './faulty-ledgers.ts'
import { filesAt, recordsOf } from './found.ts'

let scene: Scene
beforeEach(async () => {
  scene = await Scene.create()
})
afterEach(async () => {
  vi.unstubAllEnvs()
  vi.restoreAllMocks()
  await scene[Symbol.asyncDispose]()
})

function take(road: 'lane' | 'usual' | undefined): void {
  vi.stubEnv('POPFETCH_ROAD', road)
}

/** The ledger, and how often it settled and began in one commit. Only the lane does. */
function watched() {
  const seen = { begun: new Set<string>(), batches: 0, settled: 0 }
  const begin = (batch: readonly Beginning[]): void => {
    for (const { key } of batch) seen.begun.add(key.uidl)
  }
  scene.ledgerOf = (ledger) =>
    new Proxy(ledger, {
      get(target, property) {
        const value: unknown = Reflect.get(target, property, target)
        if (property === 'begin')
          return async (...given: Parameters<Ledger['begin']>) => {
            // Whoever does not wait for the record is ahead of it.
            for (let turns = 0; turns < 20; turns++) await turn()
            await target.begin(...given)
            begin(given[1])
          }
        if (property === 'settleAndBegin')
          return async (...given: Parameters<Ledger['settleAndBegin']>) => {
            seen.batches++
            await target.settleAndBegin(...given)
            seen.settled += given[1].length
            begin(given[2])
          }
        return typeof value === 'function' ? (value as (...all: unknown[]) => unknown).bind(target) : value
      },
    })
  return seen
}

function retrieved(): readonly string[] {
  return scene.server.journal.commands().filter((command) => command.startsWith('RETR'))
}

/** What the account remembers of its destination, once that took something. */
async function taken(): Promise<string | undefined> {
  await using ledger = await openLedger(scene.path('state/state.db'))
  return (await ledger.account(scene.name))?.facts['delivered to inbox']
}

describe('the lane', () => {
  test('brings what the usual road brings, and the ledger knows the same of it', async () => {
    scene.fill(150)
    scene.server.mailbox('alice').add(Buffer.from('Subject: dots\r\n\r\n.\r\n..two\r\n.end\r\n'), { uidl: 'dots' })
    const found = []
    for (const road of ['usual', 'lane'] as const) {
      take(road)
      const seen = watched()
      expect(await scene.poll()).toMatchObject({ outcome: 'ok', delivered: 151, new: 151, deleted: 0 })
      expect(seen.settled).toBe(road === 'lane' ? 151 : 0)
      found.push({ files: filesAt(scene), records: await recordsOf(scene), taken: await taken() })
      rmSync(scene.path('state'), { recursive: true })
      rmSync(scene.path('inbox'), { recursive: true })
    }
    expect(found[1]).toEqual(found[0])
    expect(found[0]?.taken).toBeTypeOf('string')
    expect(retrieved().length).toBe(2 * 151)
  })

  test.each(['lane', 'usual'] as const)('asks for nothing before its attempt is recorded (%s)', async (road) => {
    take(road)
    scene.fill(500)
    const seen = watched()
    const early: string[] = []
    scene.server.faults.onCommand = (verb, number) => {
      if (verb === 'RETR' && !seen.begun.has(`uid-${Number(number) - 1}`)) early.push(number)
      return 'serve'
    }
    expect(await scene.poll()).toMatchObject({ delivered: 500 })
    expect([early, seen.settled]).toEqual([[], road === 'lane' ? 500 : 0])
    expect(scene.subjects()).toEqual(upTo(500))
  })

  test('delivers what came while nothing more comes, and does not wait for a full batch', async () => {
    take('lane')
    scene.fill(20)
    const seen = watched()
    scene.server.faults.onCommand = async (verb, number) => {
      // The last one is kept until the others are settled.
      const isLast = verb === 'RETR' && number === '20'
      if (isLast) while (seen.settled < 19) await turn()
      return 'serve'
    }
    expect(await scene.poll()).toMatchObject({ outcome: 'ok', delivered: 20 })
    expect(seen.settled).toBe(20)
  })

  test('a server whose status lines are longer than the memory of a small batch has room for: all comes, once', async () => {
    take('lane')
    const message = 'Subject: short\r\n\r\ntext\r\n'
    for (let at = 0; at < 40; at++) scene.server.mailbox('alice').add(Buffer.from(message), { uidl: `uid-${at}` })
    scene.server.faults.onCommand = (verb) => (verb === 'RETR' ? `+OK ${'well '.repeat(90)}\r\n${message}.` : 'serve')
    expect(await scene.poll()).toMatchObject({ outcome: 'ok', delivered: 40 })
    expect(scene.files()).toHaveLength(40)
    expect(retrieved()).toHaveLength(40)
  })

  test('deletes afterwards what is delivered', async () => {
    take('lane')
    scene.account = ['delete: after-delivery']
    scene.fill(70)
    expect(await scene.poll()).toMatchObject({ outcome: 'ok', delivered: 70, deleted: 70 })
    expect(scene.server.journal.of('dele')).toHaveLength(70)
  })

  test('takes no more than leaves the space that is to stay free: the usual road tells of what does not fit (D134)', async () => {
    take('lane')
    scene.fill(40)
    const disk = new FaultyFileSystems(EXT4)
    // Room for four blocks.
    disk.freeBytes = 100_020_000
    vi.spyOn(fileSystems, 'of').mockImplementation(() => disk.of())
    // The first look at the space is made by this one.
    vi.spyOn(fileSystems, 'offLoop', 'get').mockReturnValue(disk.offLoop)
    const seen = watched()
    expect(await scene.poll()).toMatchObject({ delivered: 4, deferred: 36, error: { code: 'ERR_DELIVERY' } })
    expect([scene.files().length, seen.settled]).toEqual([4, 0])
    disk.freeBytes = null
    expect(await scene.poll()).toMatchObject({ outcome: 'ok', delivered: 36 })
    expect(scene.subjects()).toEqual(upTo(40))
  })

  test('is for many messages: by default a few take the usual road', async () => {
    take(undefined)
    const seen = watched()
    scene.fill(31)
    expect(await scene.poll()).toMatchObject({ delivered: 31 })
    expect(seen.batches).toBe(0)
    scene.fill(32, 31)
    expect(await scene.poll()).toMatchObject({ delivered: 32 })
    expect(seen.settled).toBe(32)
  })

  test('takes all small messages in one go: large ones among them come behind', async () => {
    take(undefined)
    scene.fill(90)
    const isLarge = (uidl: string): boolean => Number(uidl.slice(4)) % 30 === 15
    const { messages } = scene.server.mailbox('alice')
    for (const [at, { uidl }] of messages.entries())
      if (isLarge(uidl)) {
        const [message] = messages.splice(at, 1)
        scene.server.mailbox('alice').add(`${message!.bytes.toString()}${'x'.repeat(70_000)}`, { uidl })
        messages.splice(at, 0, messages.pop()!)
      }
    const seen = watched()
    expect(await scene.poll()).toMatchObject({ outcome: 'ok', delivered: 90 })
    expect(seen.settled).toBe(87)
    const large = ['RETR 16', 'RETR 46', 'RETR 76']
    expect(retrieved().slice(-3)).toEqual(large)
    expect(scene.subjects()).toEqual(upTo(90))
  })

  test('is not taken where the process may open too few files besides: all comes on the usual road', async () => {
    take('lane')
    scene.fill(40)
    const seen = watched()
    const lend = vi.spyOn(openFiles, 'lend').mockReturnValue(false)
    expect(await scene.poll()).toMatchObject({ outcome: 'ok', delivered: 40 })
    expect(seen.batches).toBe(0)
    lend.mockRestore()
    scene.fill(40, 40)
    const lent = vi.spyOn(openFiles, 'lend')
    const given = vi.spyOn(openFiles, 'give')
    expect(await scene.poll()).toMatchObject({ outcome: 'ok', delivered: 40 })
    expect(seen.settled).toBe(40)
    // Two batches, or three where another file of the tests has left a thread.
    expect([80, 120]).toContain(lent.mock.calls[0]?.[0])
    expect(given.mock.calls).toEqual(lent.mock.calls)
  })

  test.each([
    ['the server does not pipeline', () => (scene.server.capabilities!.afterLogin = ['TOP', 'UIDL'])],
    ['there are two destinations', () => twoDestinations()],
    ['the destination is no Maildir', () => (scene.destinations = ['inbox: { type: mbox, path: inbox }'])],
    ['sizes are not announced', () => (scene.server.faults.listLine = (number) => (number > 0 ? `${number} x` : null))],
    ['messages are large', () => (scene.server.faults.listSize = () => 70_000)],
  ])('is not taken where %s', async (_, change) => {
    take('lane')
    scene.fill(40)
    change()
    const seen = watched()
    await scene.poll()
    expect(seen.batches).toBe(0)
  })
})

function twoDestinations(): void {
  scene.deliver = '[inbox, other]'
  scene.destinations = ['inbox: { type: maildir, path: inbox }', 'other: { type: maildir, path: other }']
}

/** As it is on the wire, without its end. */
function stuffed(bytes: Buffer, more: string): Buffer {
  return Buffer.from(bytes.toString('latin1').replaceAll(/^\./gm, '..') + more, 'latin1')
}

describe('what is not plain', () => {
  beforeEach(() => {
    take('lane')
    scene.account = ['delete: after-delivery']
    scene.fill(100)
  })

  test('a refusal costs only the message that is refused, and nothing is asked for twice', async () => {
    scene.server.faults.reply.set('RETR 40', '-ERR no such message')
    expect(await scene.poll()).toMatchObject({ outcome: 'partial', delivered: 99, deferred: 1, deleted: 99 })
    expect(scene.subjects()).toEqual(upTo(100).filter((number) => number !== 39))
    expect(new Set(retrieved()).size).toBe(retrieved().length)
  })

  test('a message that is longer than announced ends the session, and others come in another one', async () => {
    let lies = 1
    scene.server.faults.rawBody = ({ uidl, bytes }) =>
      uidl === 'uid-50' && lies-- > 0 ? stuffed(bytes, 'more\r\n.\r\n') : null
    const report = await scene.poll()
    expect(report).toMatchObject({ delivered: 100 })
    expect(scene.subjects()).toEqual(upTo(100))
    expect(scene.server.journal.of('connect')).toHaveLength(2)
  })

  test('the last message, shorter than announced, may be mixed with another: it is asked for again in another session (P164)', async () => {
    scene.server.faults.listSize = ({ uidl, sizeBytes }) => (uidl === 'uid-99' ? 10_000 : sizeBytes)
    expect(await scene.poll()).toMatchObject({ delivered: 100, problems: [{ kind: 'short' }] })
    expect(scene.server.journal.of('connect')).toHaveLength(2)
    expect(scene.server.journal.commands(1).filter((command) => /DELE|QUIT/.test(command))).toEqual([])
    expect(scene.subjects()).toEqual(upTo(100))
  })

  test.each(['fin', 'rst'] as const)(
    'a connection that is lost in the middle: what came is delivered (%s)',
    async (mode) => {
      Object.assign(scene.server.faults, { cutAfterBytes: 12_000, cutMode: mode, cutTimes: 1 })
      const seen = watched()
      expect(await scene.poll()).toMatchObject({ outcome: 'ok', delivered: 100 })
      expect(scene.subjects()).toEqual(upTo(100))
      // A reset may take away what had come.
      if (mode === 'fin') expect(seen.batches).toBeGreaterThan(0)
    },
  )

  test('unsolicited data behind the last answer ends the session, and nothing is deleted in it', async () => {
    scene.server.faults.rawBody = ({ uidl, bytes }) =>
      uidl === 'uid-99' ? stuffed(bytes, '.\r\n+OK and more\r\n') : null
    expect(await scene.poll()).toMatchObject({ delivered: 100 })
    expect(scene.server.journal.commands(1).filter((command) => /DELE|QUIT/.test(command))).toEqual([])
    expect(scene.subjects()).toEqual(upTo(100))
  })

  test('the end of the poll: what came is delivered and recorded, nothing is deleted', async () => {
    const stop = new AbortController()
    const seen = watched()
    scene.server.faults.onCommand = (verb, number) => {
      if (verb === 'RETR' && number === '90') stop.abort()
      return 'serve'
    }
    const report = await scene.poll({}, stop.signal)
    expect(report).toMatchObject({ outcome: 'failed', error: { code: 'ERR_ABORTED' }, deleted: 0 })
    expect(scene.subjects().length).toBe(report.delivered)
    expect(seen.settled).toBe(report.delivered)
    scene.ledgerOf = (ledger) => ledger
    expect(await scene.poll()).toMatchObject({ outcome: 'ok', delivered: 100 - report.delivered, deleted: 100 })
    expect(scene.subjects()).toEqual(upTo(100))
  })

  test.each(['lane', 'usual'] as const)(
    'a ledger that cannot record what is delivered: nothing is deleted, QUIT is not said, and it is found there afterwards (%s)',
    async (road) => {
      take(road)
      scene.ledgerOf = (ledger) => failing(ledger, 'settle', 'uid-50')
      expect(await scene.poll()).toMatchObject({ outcome: 'failed', error: { code: 'ERR_LEDGER' }, deleted: 0 })
      expect(scene.server.journal.commands().filter((command) => /DELE|QUIT/.test(command))).toEqual([])
      const there = scene.subjects().length
      expect(there).toBeGreaterThan(0)
      scene.ledgerOf = (ledger) => ledger
      expect(await scene.poll()).toMatchObject({ outcome: 'ok' })
      await scene.poll()
      expect(scene.left()).toEqual([])
      expect(scene.subjects()).toEqual(upTo(100))
    },
  )

  test('a lease that was lost: nothing more becomes visible, and nothing is deleted', async () => {
    let isLost = false
    scene.ledgerOf = (ledger) => {
      const claim = ledger.claim.bind(ledger)
      ledger.claim = async (account, how) => {
        const claimed = await claim(account, how)
        if (claimed.lease === null) return claimed
        const requireHeld = claimed.lease.requireHeld.bind(claimed.lease)
        claimed.lease.requireHeld = () => {
          if (isLost) throw leaseLost(account)
          requireHeld()
        }
        return claimed
      }
      return ledger
    }
    scene.server.faults.onCommand = (verb) => {
      isLost ||= verb === 'RETR'
      return 'serve'
    }
    const report = await scene.poll()
    expect(report).toMatchObject({ delivered: 0, deleted: 0 })
    expect(scene.files()).toEqual([])
  })

  test('a Maildir that fails in the middle: what it did not take waits, and nothing is asked for again and again', async () => {
    let gone = false
    scene.server.faults.onCommand = (verb, number) => {
      if (verb === 'RETR' && number === '70') {
        rmSync(scene.path('inbox/tmp'), { recursive: true })
        gone = true
      }
      return 'serve'
    }
    const report = await scene.poll()
    expect(gone).toBe(true)
    expect(scene.subjects().length).toBe(report.delivered)
    expect(report.delivered + report.deferred).toBe(100)
    expect(retrieved().length).toBe(100)
  })

  test.each(['lane', 'apart', 'usual'])(
    'a Maildir whose new/ is gone takes nothing more: the rest is not asked for (%s)',
    async (road) => {
      vi.stubEnv('POPFETCH_ROAD', road)
      scene.fill(900, 100)
      scene.server.faults.onCommand = (verb, number) => {
        if (verb === 'RETR' && number === '30') renameSync(scene.path('inbox/new'), scene.path('inbox/away'))
        return 'serve'
      }
      expect(await scene.poll()).toMatchObject({ outcome: 'failed', deleted: 0, error: { code: 'ERR_DELIVERY' } })
      expect(retrieved().length).toBeLessThan(900)
      scene.server.faults.onCommand = () => 'serve'
      renameSync(scene.path('inbox/away'), scene.path('inbox/new'))
      await scene.poll()
      expect(scene.subjects()).toEqual(upTo(1000))
    },
  )
})

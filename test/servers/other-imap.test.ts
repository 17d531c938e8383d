// Into real IMAP servers other than Dovecot: once each, unchanged, in the folder that was meant, whatever breaks on the way.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startAppendCuttingProxy } from './cutting-proxy.ts'
import { startDovecot, type Dovecot } from './dovecot.ts'
import { folderOf, letterFor, localParts, recipient } from './domain.ts'
import { imaplibFolder } from './imaplib.ts'
import { afterField, damaged, makeMessage, messageId } from './mail.ts'
import { otherImaps, type OtherImap } from './other-imap.ts'
import { type Desk, only, openDesk } from './popfetch.ts'
import { cannotRun, password } from './unpacked.ts'

const servers = new AsyncDisposableStack()
let source: Dovecot
beforeAll(async () => {
  expect(cannotRun).toBeNull()
  source = servers.use(await startDovecot())
}, 120_000)
afterAll(() => servers.disposeAsync())

describe.each(otherImaps)('$name', ({ name, prefix, delimiter, start }) => {
  const ofThis = new AsyncDisposableStack()
  let server: OtherImap
  beforeAll(async () => {
    server = ofThis.use(await start())
  }, 300_000)
  afterAll(() => ofThis.disposeAsync())

  const config = (user: string, keys: object = {}, account: object = {}): object => ({
    destinations: {
      archive: { type: 'imap', host: '127.0.0.1', port: server.port, user: 'alice', password, ...keys },
    },
    accounts: {
      [user]: { host: '127.0.0.1', port: source.pop3Port, tls: 'none', user, password, deliver: 'archive', ...account },
    },
  })
  /** As popfetch delivered it: each message by its Message-ID, none twice. */
  const arrivedIn = async (folder: string): Promise<Map<string, Buffer>> => {
    const arrived = new Map<string, Buffer>()
    for (const bytes of (await imaplibFolder(server.port, 'alice', password, folder)).messages) {
      expect(bytes.toString('latin1')).toMatch(/^X-Popfetch-Delivery: [0-9a-f]{24} [0-9a-f]{16}\n/)
      expect(arrived.has(messageId(bytes))).toBe(false)
      arrived.set(messageId(bytes), afterField(bytes))
    }
    return arrived
  }
  const seed = async (user: string, count: number): Promise<string> => {
    const box = `${name}-${user}`.toLowerCase()
    await source.seed(box, count, makeMessage)
    return box
  }
  const polled = async (desk: Desk, box: string, folder: string, count: number) => {
    for (let poll = 0; poll < count / 5 && (await arrivedIn(folder)).size < count; poll++) await desk.run(box)
    return only(await desk.run(box))
  }

  test('mail is there once, unchanged, in a folder that was made for it; a second poll brings nothing', async () => {
    await using desk = await openDesk()
    const box = await seed('plain', 150)
    await desk.configure(config(box, { folder: 'Old/Entwürfe', flags: ['\\Flagged'] }))
    const polled = await desk.run()
    expect(only(polled), polled.stdout + polled.stderr + server.output()).toMatchObject({
      outcome: 'ok',
      delivered: 150,
      possibleDuplicates: 0,
    })
    expect(only(await desk.run())).toMatchObject({ outcome: 'ok', new: 0, delivered: 0 })
    const folder = `${prefix}Old${delimiter}Entw&APw-rfe`
    expect(damaged(await arrivedIn(folder), 150)).toEqual([])
    const { subscribed } = await imaplibFolder(server.port, 'alice', password, folder)
    expect(subscribed.join('\n')).toContain(folder)
  })

  test('mail is there once although the server is killed in the middle of messages, and answers are lost', async () => {
    await using desk = await openDesk()
    const box = await seed('killed', 120)
    await using proxy = await startAppendCuttingProxy(server.port, 10, () => server.killSessions())
    await desk.configure(config(box, { port: proxy.port, concurrency: 1, folder: 'Killed' }))
    expect(await polled(desk, box, `${prefix}Killed`, 120)).toMatchObject({ outcome: 'ok', possibleDuplicates: 0 })
    expect(proxy.cuts).toBeGreaterThan(2)
    expect(damaged(await arrivedIn(`${prefix}Killed`), 120)).toEqual([])
  })

  test('mail comes again to nobody when the ledger is lost', async () => {
    await using desk = await openDesk()
    const box = await seed('lost', 80)
    await desk.configure(config(box, { folder: 'Lost' }))
    expect(only(await desk.run())).toMatchObject({ outcome: 'ok', delivered: 80 })
    await using other = await openDesk()
    await other.configure(config(box, { folder: 'Lost' }))
    expect(only(await other.run())).toMatchObject({ outcome: 'ok', delivered: 0 })
    expect(damaged(await arrivedIn(`${prefix}Lost`), 80)).toEqual([])
  })

  test('mail of a whole domain lands in the folders of its addresses, whatever is in their names', async () => {
    await using desk = await openDesk()
    const locals = localParts(20)
    const box = `${name}-domain`.toLowerCase()
    await source.seed(box, 100, (at) => letterFor(locals, at))
    await desk.configure(config(box, { folder: 'People/{local}' }, { recipient, first: 'all' }))
    const polled = await desk.run()
    expect(only(polled), polled.stdout + polled.stderr).toMatchObject({ outcome: 'ok', delivered: 100 })
    for (const [at, local] of locals.entries()) {
      const folder = `${prefix}People${delimiter}${folderOf(local, delimiter)}`
      const ids = [...(await arrivedIn(folder)).keys()]
      expect([folder, ids.toSorted()]).toEqual([
        folder,
        Array.from({ length: 5 }, (_, round) => `${at + 20 * round}.4711@source.test`).toSorted(),
      ])
    }
  })

  test('empty levels in the name of a folder are left out, and a folder below the inbox is one', async () => {
    await using desk = await openDesk()
    const box = await seed('levels', 3)
    for (const [folder, place] of [
      ['Levels//2026/', `${prefix}Levels${delimiter}2026`],
      ['inbox/Levels', `INBOX${delimiter}Levels`],
    ] as const) {
      await desk.configure(config(box, { folder }))
      const polled = await desk.run('--all')
      expect(only(polled), polled.stdout + polled.stderr).toMatchObject({ outcome: 'ok', delivered: 3 })
      expect((await arrivedIn(place)).size).toBe(3)
    }
  })

  test('labels are a mistake there (73), and no mail is fetched for them', async () => {
    await using desk = await openDesk()
    const box = await seed('labels', 3)
    await desk.configure(config(box, { folder: 'Labels', labels: ['Old'] }))
    const result = await desk.run()
    expect(result.exitCode).toBe(73)
    expect(only(result).error?.message).toContain('X-GM-EXT-1')
  })

  test('a full mailbox is told as that (75), and mail waits for room', async () => {
    await using full = await start(60_000)
    await using desk = await openDesk()
    const box = await seed('full', 100)
    await desk.configure(config(box, { port: full.port }))
    const result = await desk.run('--yes')
    expect(result.exitCode, result.stdout + result.stderr).toBe(75)
    const { delivered, deferred, refused } = only(result)
    expect(delivered + deferred).toBe(100)
    expect(delivered).toBeGreaterThan(10)
    expect(refused).toBe(0)
    expect(only(result).error?.message ?? '').toMatch(/make room/)
    expect((await imaplibFolder(full.port, 'alice', password, 'INBOX')).messages).toHaveLength(delivered)
  })
})

// From a real Dovecot to real SMTP servers: what arrives is what was sent, under the fields of those who carried it.
import { setTimeout as wait } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startDovecot, type Dovecot } from './dovecot.ts'
import { afterField, damaged, makeMessage, messageId } from './mail.ts'
import { only, openDesk } from './popfetch.ts'
import { startPostfix, startSink } from './postfix.ts'

const servers = new AsyncDisposableStack()
let dovecot: Dovecot
beforeAll(async () => {
  dovecot = servers.use(await startDovecot())
})
afterAll(() => servers.disposeAsync())

function config(user: string, port: number, to: string, keys: object = {}) {
  const { pop3Port, password } = dovecot
  const account = { host: '127.0.0.1', port: pop3Port, tls: 'none', user, password, deliver: 'next', ...keys }
  return { accounts: { here: account }, destinations: { next: { type: 'smtp', host: '127.0.0.1', port, to } } }
}

test('three hundred messages reach smtp-sink once each and unchanged, and are deleted then', async () => {
  await using sink = await startSink({ dump: true })
  await using desk = await openDesk()
  await dovecot.seed('sink', 300, makeMessage)
  await desk.configure(
    config('sink', sink.port, 'someone@destination.test', { delete: 'after-delivery', first: 'all' }),
  )

  const result = await desk.run()

  expect(only(result)).toMatchObject({ outcome: 'ok', delivered: 300, possibleDuplicates: 0, deleted: 300 })
  expect(sink.count()).toBe(300)
  const messages = await sink.messages()
  expect(messages.length).toBe(300)
  expect(damaged(new Map(messages.map((message) => [messageId(message), message])), 300)).toEqual([])
  expect(await dovecot.remaining('sink')).toBe(0)
})

test('through a real Postfix into a mailbox, content and envelope sender are the same', async () => {
  await using postfix = await startPostfix()
  await using desk = await openDesk()
  await dovecot.seed('postfix', 60, makeMessage)
  await desk.configure(config('postfix', postfix.port, `inbox@${postfix.domain}`))

  const result = await desk.run()

  expect(only(result)).toMatchObject({ outcome: 'ok', delivered: 60 })
  const delivered = await waitForMessages(60, () => postfix.delivered())
  const arrived = new Map<string, Buffer>()
  for (const message of delivered) {
    const text = message.toString('latin1')
    expect(text).toMatch(
      /^Return-Path: <sender@source\.test>\nX-Original-To: inbox@.+\nDelivered-To: inbox@.+\nReceived: from /,
    )
    // Postfix's four fields go; then popfetch's Received field must be above the original.
    arrived.set(messageId(message), afterField(afterField(afterField(afterField(message)))))
  }
  // Postfix drops a Return-Path field that a message brings with it (message_drop_headers): the first line of ours.
  const original = (index: number): Buffer => afterField(makeMessage(index))
  expect(damaged(arrived, 60, original)).toEqual([])
})

test('a message that Postfix refuses is reported and stays on the server; the others go on', async () => {
  await using postfix = await startPostfix()
  await using desk = await openDesk()
  const refused = Buffer.concat([Buffer.from(`${postfix.refusedField}\n`), makeMessage(2)])
  await dovecot.seed('refused', 5, (index) => (index === 2 ? refused : makeMessage(index)))
  await desk.configure(config('refused', postfix.port, `inbox@${postfix.domain}`, { delete: 'after-delivery' }))

  const result = await desk.run()

  expect(only(result)).toMatchObject({ outcome: 'partial', delivered: 4, refused: 1, deleted: 4 })
  expect(result.exitCode).toBe(75)
  expect(result.stderr).toContain('not wanted here')
  expect(await dovecot.remaining('refused')).toBe(1)
})

test('a recipient that Postfix refuses is reported, and all mail stays on the server', async () => {
  await using postfix = await startPostfix()
  await using desk = await openDesk()
  await dovecot.seed('elsewhere', 3, makeMessage)
  await desk.configure(config('elsewhere', postfix.port, 'inbox@elsewhere.test', { delete: 'after-delivery' }))

  const result = await desk.run()

  expect(only(result)).toMatchObject({ delivered: 0, possibleDuplicates: 0, deleted: 0 })
  expect(result.exitCode).not.toBe(0)
  expect(result.stderr).toContain('Relay access denied')
  expect(await dovecot.remaining('elsewhere')).toBe(3)
})

/** A copy that the recipient's own server delivered before, as a mailbox at a provider has it. */
function deliveredBefore(index: number): Buffer {
  const to = ['inbox@destination.test', 'Inbox@Destination.TEST', 'somebody@source.test'][index % 3] ?? ''
  return Buffer.concat([Buffer.from(`Delivered-To: ${to}\nX-Original-To: ${to}\n`), makeMessage(index)])
}

test('a real Postfix with local(8) bounces mail that carries a Delivered-To of its own recipient as a loop (D115)', async () => {
  await using postfix = await startPostfix('local')
  await using desk = await openDesk()
  await dovecot.seed('kept', 3, deliveredBefore)
  const configuration = config('kept', postfix.port, `inbox@${postfix.domain}`)
  await desk.configure(withKeys(configuration, { deliveredTo: 'keep' }))

  // Postfix says 250 to all of them.
  expect(only(await desk.run())).toMatchObject({ outcome: 'ok', delivered: 3 })

  const loop = /status=bounced \(mail forwarding loop for inbox@destination\.test\)/gi
  expect((await waitForLog(postfix, loop, 2)).match(loop)).toHaveLength(2)
  expect(await waitForMessages(1, () => postfix.delivered())).toHaveLength(1)
})

test('a real Postfix with local(8) loses nothing of mail that carries Delivered-To (D115)', async () => {
  await using postfix = await startPostfix('local')
  await using desk = await openDesk()
  await dovecot.seed('renamed', 120, deliveredBefore)
  const to = `inbox@${postfix.domain}`
  await desk.configure(config('renamed', postfix.port, to, { delete: 'after-delivery' }))

  expect(only(await desk.run())).toMatchObject({ outcome: 'ok', delivered: 120, deleted: 120, held: 0 })

  const delivered = await waitForMessages(120, () => postfix.delivered())
  expect(new Set(delivered.map(messageId)).size).toBe(120)
  expect(delivered).toHaveLength(120)
  expect(await postfix.log()).not.toMatch(/forwarding loop|status=bounced/)
  // Only the field that names the very recipient was renamed; all below it is as it was.
  const texts = delivered.map((message) => message.toString('latin1'))
  expect(texts.filter((text) => /^X-Delivered-To: inbox@destination\.test$/im.test(text))).toHaveLength(80)
  expect(texts.filter((text) => /^Delivered-To: somebody@source\.test$/m.test(text))).toHaveLength(40)
  expect(await dovecot.remaining('renamed')).toBe(0)
})

test('with deliveredTo: hold such mail stays on the server, and is told', async () => {
  await using postfix = await startPostfix('local')
  await using desk = await openDesk()
  await dovecot.seed('held', 3, deliveredBefore)
  const configuration = config('held', postfix.port, `inbox@${postfix.domain}`, { delete: 'after-delivery' })
  await desk.configure(withKeys(configuration, { deliveredTo: 'hold' }))

  expect(only(await desk.run())).toMatchObject({ outcome: 'partial', delivered: 1, held: 2, deleted: 1 })

  expect(await waitForMessages(1, () => postfix.delivered())).toHaveLength(1)
  expect(await dovecot.remaining('held')).toBe(2)
})

/** Keys of the destination. */
function withKeys(configuration: ReturnType<typeof config>, keys: object): object {
  const { accounts, destinations } = configuration
  return { accounts, destinations: { next: { ...destinations.next, ...keys } } }
}

async function waitForLog(postfix: { log(): Promise<string> }, pattern: RegExp, count: number): Promise<string> {
  const deadline = performance.now() + 20_000
  for (;;) {
    const log = await postfix.log()
    if ((log.match(pattern) ?? []).length >= count || performance.now() > deadline) return log
    await wait(50)
  }
}

/** Postfix delivers a moment after it has taken responsibility. */
async function waitForMessages(count: number, read: () => Promise<readonly Buffer[]>): Promise<readonly Buffer[]> {
  const deadline = performance.now() + 20_000
  for (;;) {
    const messages = await read()
    if (messages.length >= count || performance.now() > deadline) return messages
    await wait(50)
  }
}

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

function config(user: string, port: number, to: string, keys: object = {}): object {
  const { pop3Port, password } = dovecot
  const account = { host: '127.0.0.1', port: pop3Port, tls: 'none', user, password, deliver: 'next', ...keys }
  return { accounts: { here: account }, destinations: { next: { type: 'smtp', host: '127.0.0.1', port, to } } }
}

test('three hundred messages reach smtp-sink once each and unchanged, and are deleted then', async () => {
  await using sink = await startSink({ dump: true })
  await using desk = await openDesk()
  await dovecot.seed('sink', 300, makeMessage)
  await desk.configure(config('sink', sink.port, 'someone@destination.test', { delete: 'after-delivery' }))

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
    // Postfix's four fields go; then popfetch's Received field must stand above the original.
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

/** Postfix delivers a moment after it has taken responsibility. */
async function waitForMessages(count: number, read: () => Promise<readonly Buffer[]>): Promise<readonly Buffer[]> {
  const deadline = performance.now() + 20_000
  for (;;) {
    const messages = await read()
    if (messages.length >= count || performance.now() > deadline) return messages
    await wait(50)
  }
}

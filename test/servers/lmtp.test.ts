// From a real Dovecot over POP3 into a real Dovecot over LMTP: over a Unix socket and over TCP, an answer per recipient.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startDovecot, type Dovecot } from './dovecot.ts'
import { afterField, damaged, makeMessage, messageId, readMaildir } from './mail.ts'
import { only, openDesk } from './popfetch.ts'

const servers = new AsyncDisposableStack()
let dovecot: Dovecot
beforeAll(async () => {
  dovecot = servers.use(await startDovecot({ lmtp: true }))
})
afterAll(() => servers.disposeAsync())

function config(user: string, deliver: object | string): object {
  const { pop3Port, password } = dovecot
  return {
    accounts: {
      [user]: { host: '127.0.0.1', port: pop3Port, tls: 'none', user, password, delete: 'after-delivery', deliver },
    },
  }
}

/** What lies in a mailbox, without the fields of Dovecot's LMTP server: Return-Path, Delivered-To and its Received. */
async function arrivedFor(user: string): Promise<Map<string, Buffer>> {
  const arrived = new Map<string, Buffer>()
  for (const bytes of (await readMaildir((await dovecot.mailbox(user)).maildir)).values()) {
    expect(bytes.toString('latin1')).toMatch(/^Return-Path: <sender@source\.test>\nDelivered-To: .*\nReceived: from /)
    arrived.set(messageId(bytes), afterField(afterField(afterField(bytes))))
  }
  return arrived
}

test('over a Unix socket, as a URL, to a user without a domain: once each, unchanged', async () => {
  await using desk = await openDesk()
  await dovecot.seed('socket', 200, makeMessage)
  await desk.configure(config('socket', `lmtp:${dovecot.lmtpSocket}?to={account}-in`))

  expect(only(await desk.run())).toMatchObject({ outcome: 'ok', delivered: 200, deleted: 200, possibleDuplicates: 0 })

  expect(damaged(await arrivedFor('socket-in'), 200)).toEqual([])
  expect(await dovecot.remaining('socket')).toBe(0)
})

test('over TCP to two recipients: each gets every message once', async () => {
  await using desk = await openDesk()
  await dovecot.seed('tcp', 60, makeMessage)
  const to = ['one@in.test', 'two@in.test']
  await desk.configure(config('tcp', { type: 'lmtp', host: '127.0.0.1', port: dovecot.lmtpPort, to }))

  expect(only(await desk.run())).toMatchObject({ outcome: 'ok', delivered: 60, deleted: 60 })

  for (const user of to) expect(damaged(await arrivedFor(user), 60)).toEqual([])
})

// From real servers other than Dovecot: every message once, exactly as Python's poplib reads it, and deleted only where that
// was asked for. What makes each of them odd is in HAZARDS A10; here they are simply themselves.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { makeMessage, messageId, withoutTrace } from './mail.ts'
import { otherServers, type OtherServer } from './other-server.ts'
import { only, openDesk, type Desk } from './popfetch.ts'
import { poplibMessages } from './poplib.ts'
import { cannotRun, password } from './unpacked.ts'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'

const COUNT = 60

function letters(from: number, to: number): readonly Buffer[] {
  return Array.from({ length: to - from }, (_, at) => makeMessage(from + at))
}

/** The texts in a Maildir without our own field, sorted. */
async function arrived(maildir: string): Promise<readonly string[]> {
  const names = await readdir(join(maildir, 'new'))
  const messages = await Promise.all(names.map((name) => readFile(join(maildir, 'new', name))))
  return messages.map((message) => withoutTrace(message).toString('latin1')).sort()
}

/** mailutils writes down what it knows of a message in its header, at the end of a session (P128). */
function withoutState(message: string): string {
  return message.replaceAll(/^(?:X-UIDL|X-UID|X-IMAPbase|Status): .*\n/gm, '')
}

function configFor({ port, tls, ca }: OtherServer, desk: Desk, keys: object = {}): object {
  const account = { host: '127.0.0.1', port, tls, user: 'alice', password, deliver: 'inbox', poll: '1m', ...keys }
  return {
    accounts: { here: ca === null ? account : { ...account, ca } },
    destinations: { inbox: { type: 'maildir', path: desk.maildir } },
  }
}

describe.each(otherServers)('$name', ({ start }) => {
  const servers = new AsyncDisposableStack()
  let server: OtherServer
  beforeAll(async () => {
    expect(cannotRun).toBeNull()
    server = servers.use(await start())
    await server.put(letters(0, COUNT))
  }, 300_000)
  afterAll(() => servers.disposeAsync())

  test('every message comes once, as poplib reads it, and stays; then it is deleted, and nothing comes twice', async () => {
    await using desk = await openDesk()
    const seen = await poplibMessages(server, 'alice', password)
    expect(new Set(seen.map(messageId)).size).toBe(COUNT)

    await desk.configure(configFor(server, desk))
    expect(only(await desk.run('here')), server.output()).toMatchObject({
      outcome: 'ok',
      new: COUNT,
      delivered: COUNT,
      deleted: 0,
      error: null,
    })
    const first = await arrived(desk.maildir)
    expect(first.map(withoutState)).toEqual(seen.map((message) => withoutState(message.toString('latin1'))).sort())
    expect(only(await desk.run('here'))).toMatchObject({ outcome: 'ok', listed: COUNT, new: 0, delivered: 0 })

    await server.put(letters(COUNT, COUNT + 5))
    await desk.configure(configFor(server, desk, { delete: 'after-delivery' }))
    expect(only(await desk.run('here', '--yes'))).toMatchObject({
      outcome: 'ok',
      new: 5,
      delivered: 5,
      deleted: COUNT + 5,
      error: null,
    })
    expect(await arrived(desk.maildir)).toHaveLength(COUNT + 5)
    expect(only(await desk.run('here'))).toMatchObject({ outcome: 'ok', listed: 0, delivered: 0 })
    expect(await poplibMessages(server, 'alice', password)).toEqual([])
  })
})

test('Courier gives mail with 8-bit text in its header as it is, not wrapped (P040)', async () => {
  const courier = otherServers.find(({ name }) => name === 'Courier')
  await using server = await courier!.start()
  await using desk = await openDesk()
  const letter = Buffer.from('From: a@b\nSubject: Gr\u00fc\u00dfe\nMessage-ID: <8bit@x>\n\nGr\u00fc\u00dfe\n', 'utf8')
  await server.put([letter])
  await desk.configure(configFor(server, desk))
  expect(only(await desk.run('here'))).toMatchObject({ outcome: 'ok', delivered: 1 })
  expect(await arrived(desk.maildir)).toEqual([letter.toString('latin1')])
})

// What only an imap destination does: folders, flags, dates, labels, limits, and which connections it keeps.
import { expect, onTestFinished, test } from 'vitest'
import type { ImapConfig } from '../../../src/deliver/imap/settings.ts'
import { ImapServer, type ImapServerOptions } from '../../support/imap-server.ts'
import { attempt, failure, message, never, SMALL } from '../scene.ts'
import { imapAt } from './imap-settings.ts'

async function scene(options: ImapServerOptions = {}, keys: Partial<ImapConfig> = {}) {
  const server = await ImapServer.start(options)
  const imap = imapAt(server.port, keys)
  onTestFinished(async () => {
    await imap[Symbol.asyncDispose]()
    await server[Symbol.asyncDispose]()
  })
  return { server, imap }
}

test('a missing folder is made and subscribed, below the namespace and with the delimiter of the server', async () => {
  const { server, imap } = await scene({ prefix: 'INBOX.', delimiter: '.' }, { folder: 'Old/2026' })
  await imap.ready(never)
  await imap.deliver(attempt(), message(SMALL), never)
  const folder = server.folders.get('INBOX.Old.2026')
  expect(folder?.subscribed).toBe(true)
  expect(folder?.messages).toHaveLength(1)
})

test('a name beyond ASCII goes in modified UTF-7', async () => {
  const { server, imap } = await scene({}, { folder: 'Entwürfe' })
  await imap.deliver(attempt(), message(SMALL), never)
  expect([...server.folders.keys()]).toContain('Entw&APw-rfe')
})

test.each([
  ['UTF8=ACCEPT', 'Entw&APw-rfe'],
  // Nothing else is taken there (RFC 6855).
  ['UTF8=ACCEPT UTF8=ONLY', 'Entwürfe'],
])('with %s the same name is %s there', async (capability, name) => {
  const { server, imap } = await scene(
    { capabilities: `LITERAL+ UIDPLUS NAMESPACE AUTH=PLAIN ENABLE ${capability}` },
    { folder: 'Entwürfe' },
  )
  await imap.ready(never)
  await imap.deliver(attempt(), message(SMALL), never)
  // The server of the tests reads bytes.
  const written = Buffer.from(name).toString('latin1')
  expect([...server.folders.keys()]).toEqual(['INBOX', written])
  expect(server.folder(written).messages).toHaveLength(1)
})

test('a missing folder stays away with create: false, and somebody has to act (73)', async () => {
  const { server, imap } = await scene({}, { folder: 'Old', create: false })
  expect(await failure(imap.ready(never))).toMatchObject({ exit: 73, scope: 'destination' })
  expect(server.folders.has('Old')).toBe(false)
})

test('a folder that vanished is made again when the server asks for it ([TRYCREATE])', async () => {
  const { server, imap } = await scene({}, { folder: 'Old' })
  await imap.ready(never)
  server.folders.delete('Old')
  await imap.deliver(attempt(), message(SMALL), never)
  expect(server.folder('Old').messages).toHaveLength(1)
})

test('a special use finds the folder whatever its name', async () => {
  const { server, imap } = await scene(
    { capabilities: 'LITERAL+ UIDPLUS NAMESPACE AUTH=PLAIN SPECIAL-USE' },
    { folder: '\\Junk' },
  )
  server.folder('Unwanted').specialUse = '\\Junk'
  await imap.deliver(attempt(), message(SMALL), never)
  expect(server.folder('Unwanted').messages).toHaveLength(1)
})

test('flags are set where the folder keeps them, and the date is that of the topmost Received', async () => {
  const { server, imap } = await scene({}, { flags: ['\\Seen', '$Odd'] })
  server.inbox.permanentFlags = '\\Seen'
  await imap.deliver(attempt(), message(SMALL), never)
  expect(server.inbox.messages[0]).toMatchObject({ flags: ['\\Seen'], date: '23-Nov-2026 10:00:00 +0000' })
})

test('a date that nobody can believe is left out (D113)', async () => {
  const { server, imap } = await scene()
  const odd = Buffer.from('Received: from a by b; Mon, 23 Nov 1950 10:00:00 +0000\r\n\r\nx\r\n')
  await imap.deliver(attempt(), message(odd), never)
  expect(server.inbox.messages[0]?.date).toBeNull()
})

test('a message over APPENDLIMIT is refused without being sent', async () => {
  const { server, imap } = await scene({ capabilities: 'LITERAL+ UIDPLUS NAMESPACE AUTH=PLAIN APPENDLIMIT=100' })
  expect(await failure(imap.deliver(attempt(), message(SMALL), never))).toMatchObject({
    verdict: 'refused',
    conclusion: 'FORM',
  })
  expect(server.said.filter((line) => line.includes('APPEND'))).toEqual([])
})

test('a message with NUL goes as a binary literal where the server has BINARY', async () => {
  const { server, imap } = await scene({ capabilities: 'LITERAL+ UIDPLUS NAMESPACE AUTH=PLAIN BINARY' })
  await imap.deliver(attempt(), message(Buffer.from('A: b\r\n\r\n\0\r\n')), never)
  expect(server.said.find((line) => line.includes('APPEND'))).toMatch(/~\{\d+\+?\}$/)
})

test('labels are set where the server has them, and are a mistake elsewhere', async () => {
  const gmail = await scene(
    { capabilities: 'LITERAL+ UIDPLUS NAMESPACE AUTH=PLAIN X-GM-EXT-1' },
    { labels: ['Old', 'From work'] },
  )
  await gmail.imap.ready(never)
  await gmail.imap.deliver(attempt(), message(SMALL), never)
  expect(gmail.server.inbox.messages[0]?.labels).toBe('Old "From work"')
  const other = await scene({}, { labels: ['Old'] })
  expect(await failure(other.imap.ready(never))).toMatchObject({ exit: 73 })
})

test('a throttled answer that names more than a minute is a rest as long as it says, and is not waited for', async () => {
  const { server, imap } = await scene()
  server.answer = ({ command }) =>
    command === 'APPEND' ? 'BAD Request is throttled. Suggested Backoff Time: 92415 milliseconds' : null
  const error = await failure(imap.deliver(attempt(), message(SMALL), never))
  expect(error).toMatchObject({ conclusion: 'BUSY', pauseMs: 92_415, verdict: 'temporary' })
})

test('a pause of up to a minute is waited out by all that were told to wait, and each is offered again, once', async () => {
  const { server, imap } = await scene()
  let throttled = 0
  const throttle = 'BAD Request is throttled. Suggested Backoff Time: 20 milliseconds'
  server.answer = ({ command }) => (command === 'APPEND' && throttled++ === 0 ? throttle : null)
  await Promise.all(['a', 'b', 'c', 'd'].map((uidl) => imap.deliver(attempt(uidl), message(SMALL), never)))
  expect(server.folder('INBOX').messages).toHaveLength(4)
  server.answer = ({ command }) => (command === 'APPEND' ? throttle : null)
  const before = throttled
  const error = await failure(imap.deliver(attempt('e'), message(SMALL), never))
  expect(error).toMatchObject({ conclusion: 'BUSY', pauseMs: 20 })
  expect(before).toBeGreaterThan(0)
})

test('a pause ends with the signal, and with the destination', async () => {
  const throttle = 'BAD Request is throttled. Suggested Backoff Time: 59999 milliseconds'
  for (const end of ['signal', 'destination'] as const) {
    const { server, imap } = await scene()
    const stop = new AbortController()
    const asked = Promise.withResolvers<void>()
    server.answer = ({ command }) => {
      if (command !== 'APPEND') return null
      asked.resolve()
      return throttle
    }
    const error = failure(imap.deliver(attempt(), message(SMALL), stop.signal))
    await asked.promise
    if (end === 'signal') stop.abort()
    else await imap[Symbol.asyncDispose]()
    // Its answer may have been cut off by that, too.
    expect(['temporary', 'unknown']).toContain((await error).verdict)
  }
})

test('a wrong password is a refused sign-in (77), and is not printed', async () => {
  const { imap } = await scene({}, { secret: () => Promise.resolve('a-wrong-password-1') })
  const error = await failure(imap.ready(never))
  expect(error).toMatchObject({ conclusion: 'SIGN', exit: 77 })
  expect(error.message).not.toContain('a-wrong-password-1')
})

test('a token that is refused is asked for once more, and goes by XOAUTH2', async () => {
  const tokens = ['old', 'secret']
  const asked: (string | undefined)[] = []
  const secret = (refused?: string): Promise<string> => {
    asked.push(refused)
    return Promise.resolve(tokens[asked.length === 1 ? 0 : 1] ?? '')
  }
  const { server, imap } = await scene({}, { byToken: true, secret })
  await imap.ready(never)
  expect(asked).toEqual([undefined, 'old', 'old'])
  expect(server.said.filter((line) => line.includes('XOAUTH2'))).toHaveLength(2)
})

test('what is no IMAP server is told as that (76)', async () => {
  const { imap } = await scene({ greeting: '220 smtp.example ESMTP' })
  expect(await failure(imap.ready(never))).toMatchObject({ exit: 76, conclusion: 'TLS' })
})

test('a server that signs us in unasked is not believed', async () => {
  const { imap } = await scene({ greeting: '* PREAUTH welcome' })
  expect(await failure(imap.ready(never))).toMatchObject({ exit: 76 })
})

test.each(['implicit', 'starttls'] as const)(
  'with tls: %s, a certificate of another name is refused before the password',
  async (tls) => {
    const { server, imap } = await scene({ tls, certificate: 'good' }, { tls, host: '127.0.0.1' })
    expect(await failure(imap.ready(never))).toMatchObject({ exit: 76, conclusion: 'TLS' })
    expect(server.said.filter((line) => /LOGIN|AUTHENTICATE/.test(line))).toEqual([])
  },
)

test('many large messages go over as many connections as configured, which are kept', async () => {
  const { server, imap } = await scene({}, { concurrency: 3 })
  const large = message(Buffer.from(`A: b\r\n\r\n${'x'.repeat(70)}\r\n`.repeat(5_000)))
  await Promise.all(Array.from({ length: 12 }, (_, at) => imap.deliver(attempt(`u${at}`), large, never)))
  expect(server.inbox.messages).toHaveLength(12)
  expect(server.connections).toBe(3)
})

test('small messages to this machine go together over one connection', async () => {
  const { server, imap } = await scene({}, { concurrency: 3 })
  await Promise.all(Array.from({ length: 40 }, (_, at) => imap.deliver(attempt(`u${at}`), message(SMALL), never)))
  expect(server.inbox.messages).toHaveLength(40)
  expect(server.connections).toBe(1)
})

test('a server that takes one message after the other gets a connection for each', async () => {
  const { server, imap } = await scene({ capabilities: 'UIDPLUS NAMESPACE AUTH=PLAIN' }, { concurrency: 3 })
  await Promise.all(Array.from({ length: 12 }, (_, at) => imap.deliver(attempt(`u${at}`), message(SMALL), never)))
  expect(server.inbox.messages).toHaveLength(12)
  expect(server.connections).toBe(3)
})

test.each(['UIDPLUS NAMESPACE AUTH=PLAIN', 'LITERAL+ UIDPLUS NAMESPACE AUTH=PLAIN'])(
  'a folder that was only looked at is closed before a message goes there, as Courier wants it (%s)',
  async (capabilities) => {
    const { server, imap } = await scene({ capabilities })
    let isReadOnly = false
    server.answer = ({ command }) => {
      if (['SELECT', 'EXAMINE', 'CLOSE', 'UNSELECT'].includes(command)) isReadOnly = command === 'EXAMINE'
      return command.startsWith('APPEND') && isReadOnly ? 'NO Current box is selected READ-ONLY.' : null
    }
    const first = attempt('u1')
    await imap.deliver(first, message(SMALL), never)
    expect(await imap.recall(first, never)).not.toBeNull()
    await imap.deliver(attempt('u2'), message(SMALL), never)
    expect(server.inbox.messages).toHaveLength(2)
  },
)

test('a server that only says LITERAL+ gets no message for commands, and its leave is asked from then on', async () => {
  const { server, imap } = await scene()
  server.liesOfLiterals = true
  await imap.ready(never)
  const hostile = message(Buffer.from('A: b\r\n\r\nx CREATE Stolen\r\n'))
  await Promise.all(['u1', 'u2'].map((uidl) => imap.deliver(attempt(uidl), hostile, never)))
  expect([...server.folders.keys()]).toEqual(['INBOX'])
  expect(server.inbox.messages).toHaveLength(2)
  expect(server.said.filter((line) => /APPEND.*\+\}$/.test(line))).toEqual([])
})

// What only an imap destination does: folders, flags, dates, labels, limits, and which connections it keeps.
import { expect, onTestFinished, test } from 'vitest'
import type { ImapConfig } from '../../../src/deliver/imap/settings.ts'
import { ImapServer, type ImapServerOptions } from '../../support/imap-server.ts'
import { attempt, failure, message, never, NOW_MS, SMALL } from '../scene.ts'
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

test.each<[string, string, readonly string[]]>([
  ['\\Seen', 'only what is there', ['\\Seen']],
  ['\\Deleted \\*', 'any keyword, but not the flags of the server', ['$Old']],
  ['\\Seen \\*', 'any keyword', ['\\Seen', '$Old']],
  ['$old', 'this keyword, as it is written there', ['$old']],
  ['', 'nothing', []],
])('of the flags a folder with PERMANENTFLAGS (%s) gets %s', async (permanentFlags, _, flags) => {
  for (const capabilities of ['LITERAL+ UIDPLUS NAMESPACE AUTH=PLAIN', 'UIDPLUS NAMESPACE AUTH=PLAIN']) {
    const { server, imap } = await scene({ capabilities }, { flags: ['\\Seen', '\\Flagged', '$Old'] })
    server.inbox.permanentFlags = permanentFlags
    await imap.deliver(attempt(), message(SMALL), never)
    expect(server.inbox.messages[0]?.flags).toEqual(flags)
  }
})

test('without PERMANENTFLAGS a folder keeps all of them (RFC 3501 7.1)', async () => {
  const { server, imap } = await scene({}, { flags: ['\\Seen', '$Old'] })
  server.inbox.permanentFlags = null
  await imap.deliver(attempt(), message(SMALL), never)
  expect(server.inbox.messages[0]?.flags).toEqual(['\\Seen', '$Old'])
})

const DAY_MS = 86_400_000
const at = (ms: number): string => new Date(ms).toUTCString().replace('GMT', '+0000')

test.each<[string, string, boolean]>([
  ['of 1950', 'Mon, 23 Nov 1950 10:00:00 +0000', false],
  ['of the last second of 1989', at(Date.UTC(1990, 0, 1) - 1_000), false],
  ['of the first second of 1990', at(Date.UTC(1990, 0, 1)), true],
  ['of today', at(NOW_MS), true],
  ['of tomorrow at this time', at(NOW_MS + DAY_MS), true],
  ['a second later', at(NOW_MS + DAY_MS + 1_000), false],
  ['of the year 0', 'Mon, 23 Nov 0000 10:00:00 +0000', false],
  ['of the year 9999', 'Mon, 23 Nov 9999 10:00:00 +0000', false],
  ['that is none', 'yesterday', false],
  ['of a day that no month has', 'Mon, 31 Feb 2026 10:00:00 +0000', false],
  ['in another zone', 'Mon, 23 Nov 2026 10:00:00 -0500', true],
])('a date %s is believed or left out (D113)', async (_, date, isBelieved) => {
  for (const capabilities of ['LITERAL+ UIDPLUS NAMESPACE AUTH=PLAIN', 'UIDPLUS NAMESPACE AUTH=PLAIN']) {
    const { server, imap } = await scene({ capabilities })
    await imap.deliver(attempt(), message(Buffer.from(`Received: from a by b; ${date}\r\n\r\nx\r\n`)), never)
    const stored = server.inbox.messages[0]?.date ?? null
    expect(stored === null ? null : Date.parse(stored.replaceAll('-', ' ').replace(/ (\d{4})$/, ' -$1'))).toBe(
      isBelieved ? Date.parse(date) : null,
    )
  }
})

test.each([
  'NO Invalid internal date',
  'BAD Error in IMAP command APPEND: Invalid internal date',
  'BAD [CLIENTBUG] bad date',
])('a date that the server does not like ("%s") is left out the second time (D113)', async (answer) => {
  for (const capabilities of ['LITERAL+ UIDPLUS NAMESPACE AUTH=PLAIN', 'UIDPLUS NAMESPACE AUTH=PLAIN']) {
    const { server, imap } = await scene({ capabilities })
    server.answer = ({ command, rest }) => (command === 'APPEND' && rest.includes('-2026') ? answer : null)
    await imap.deliver(attempt(), message(SMALL), never)
    expect(server.inbox.messages.map(({ date }) => date)).toEqual([null])
  }
})

test('what is over maxSize or APPENDLIMIT is refused among others, too, which go on', async () => {
  const capabilities = 'LITERAL+ MULTIAPPEND UIDPLUS NAMESPACE AUTH=PLAIN'
  for (const [more, keys] of [
    ['', { maxSize: 2_000 }],
    [' APPENDLIMIT=2200', {}],
  ] as const) {
    const { server, imap } = await scene({ capabilities: `${capabilities}${more}` }, { concurrency: 1, ...keys })
    const outcomes = await Promise.allSettled(
      Array.from({ length: 60 }, (_, number) => {
        const bytes = Buffer.from(`Subject: ${number}\r\n\r\n${'x'.repeat(number % 7 === 3 ? 2_300 : 10)}\r\n`)
        return imap.deliver(attempt(`u${number}`), message(bytes), never)
      }),
    )
    const refused = outcomes.flatMap((outcome, number) => (outcome.status === 'rejected' ? [number] : []))
    expect(refused).toEqual(Array.from({ length: 60 }, (_, number) => number).filter((number) => number % 7 === 3))
    expect(server.inbox.messages).toHaveLength(60 - refused.length)
    expect(server.inbox.messages.every(({ bytes }) => bytes.length < 1_000)).toBe(true)
    for (const outcome of outcomes)
      if (outcome.status === 'rejected')
        expect(outcome.reason).toMatchObject({ conclusion: 'FORM', verdict: 'refused' })
  }
})

test.each(['LITERAL+ ', ''])('a limit of 0 is asked of the server itself (%s)', async (literals) => {
  const { server, imap } = await scene({ capabilities: `${literals}UIDPLUS NAMESPACE AUTH=PLAIN APPENDLIMIT=0` })
  await imap.deliver(attempt('u1'), message(SMALL), never)
  expect(server.inbox.messages).toHaveLength(1)
  server.answer = ({ command }) => (command.startsWith('APPEND') ? 'NO [CANNOT] nothing is taken here' : null)
  expect(await failure(imap.deliver(attempt('u2'), message(SMALL), never))).toMatchObject({
    conclusion: 'ACT',
    exit: 73,
  })
})

test.each(['LITERAL+ MULTIAPPEND ', 'LITERAL+ ', ''])(
  'a limit of each folder is asked for, and kept to before anything is sent (%s)',
  async (literals) => {
    const capabilities = `${literals}UIDPLUS NAMESPACE AUTH=PLAIN APPENDLIMIT`
    const folder = 'Entw\u00fcrfe "2026"'
    const { server, imap } = await scene({ capabilities }, { folder })
    const there = server.folder('Entw&APw-rfe "2026"')
    there.limit = 2_000
    const large = message(Buffer.from(`Subject: x\r\n\r\n${'x'.repeat(2_000)}\r\n`))
    const outcomes = await Promise.allSettled([
      imap.deliver(attempt('u1'), message(SMALL), never),
      imap.deliver(attempt('u2'), large, never),
      imap.deliver(attempt('u3'), message(SMALL), never),
    ])
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
    expect(outcomes[1]).toMatchObject({ reason: { conclusion: 'FORM', verdict: 'refused' } })
    expect(server.received).toBe(2)
    // NIL: this one has none.
    there.limit = null
    await imap.ready(never)
    await imap.deliver(attempt('u2'), large, never)
    // It takes nothing at all: that is not the fault of a message.
    there.limit = 0
    expect(await failure(imap.ready(never))).toMatchObject({ conclusion: 'ACT', exit: 73, ofFolder: true })
  },
)

test('a server that says APPENDLIMIT and does not know the question takes mail', async () => {
  const { server, imap } = await scene({ capabilities: 'LITERAL+ UIDPLUS NAMESPACE AUTH=PLAIN APPENDLIMIT' })
  server.answer = ({ rest }) => (rest.includes('(APPENDLIMIT)') ? 'BAD what is that' : null)
  await imap.deliver(attempt(), message(SMALL), never)
  expect(server.inbox.messages).toHaveLength(1)
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

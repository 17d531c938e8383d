// Servers that change their mind between two commands, and what is done about it: no message twice, none lost, nobody blamed who is
// not to blame.
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

const GMAIL = 'LITERAL+ UIDPLUS NAMESPACE AUTH=PLAIN X-GM-EXT-1'

test('new UIDs between a lost answer and the search for it hide nothing, even where SEARCH finds nothing', async () => {
  const { server, imap } = await scene()
  server.inbox.uidNext = 5_000
  server.answer = ({ command }) => {
    if (command === 'APPEND') {
      // The folder is built again just then.
      server.inbox.uidNext = 1
      server.inbox.uidValidity = 8
      server.answer = ({ command: next }) => {
        // A later message: the last one is always in a range.
        if (next === 'EXAMINE' && server.inbox.messages.length === 1)
          server.inbox.messages.push({ uid: 2, bytes: SMALL, flags: [], date: null, labels: '' })
        return next === 'SEARCH' ? 'NO no such thing' : null
      }
      return 'lost'
    }
    return null
  }
  await imap.deliver(attempt(), message(SMALL), never)
  expect(server.inbox.messages).toHaveLength(2)
})

test('a folder that somebody else makes in the same moment is as good as our own ([ALREADYEXISTS])', async () => {
  const { server, imap } = await scene({}, { folder: 'Old' })
  await imap.ready(never)
  server.folders.delete('Old')
  server.answer = ({ command }) => {
    if (command !== 'CREATE') return null
    server.folder('Old')
    return 'NO [ALREADYEXISTS] it is there'
  }
  await imap.deliver(attempt(), message(SMALL), never)
  expect(server.folder('Old').messages).toHaveLength(1)
})

test('a server that asks for the folder again and again is asked once more, and then somebody has to act (73)', async () => {
  const { server, imap } = await scene({}, { folder: 'Old' })
  server.answer = ({ command }) => (command === 'APPEND' ? 'NO [TRYCREATE] make it' : null)
  expect(await failure(imap.deliver(attempt(), message(SMALL), never))).toMatchObject({ conclusion: 'ACT', exit: 73 })
  expect(server.said.filter((line) => line.includes('APPEND'))).toHaveLength(2)
})

test.each([
  ['NO [OVERQUOTA] full', 'ROOM'],
  ['NO [LIMIT] enough for now', 'ROOM'],
  ['NO [UNAVAILABLE] later', 'BUSY'],
  ['* BYE going down', 'LOST'],
])('%s to a message is %s, whoever else is under way over the same connection', async (answer, conclusion) => {
  const { server, imap } = await scene()
  await imap.ready(never)
  let appends = 0
  server.answer = ({ command }) => (command === 'APPEND' && ++appends === 2 ? answer : null)
  const outcomes = await Promise.allSettled(
    ['u1', 'u2'].map((uidl) => imap.deliver(attempt(uidl), message(SMALL), never)),
  )
  expect(outcomes.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected'])
  const reason: unknown = outcomes.find(({ status }) => status === 'rejected')
  expect(reason).toMatchObject({ reason: { conclusion } })
  expect(server.inbox.messages).toHaveLength(1)
})

test('one cut costs none of the messages that were under way: what arrived is found, what did not is sent again', async () => {
  const { server, imap } = await scene({}, { concurrency: 4 })
  await imap.ready(never)
  let appends = 0
  server.answer = ({ command }) => (command === 'APPEND' && ++appends === 3 ? 'lost' : null)
  const uidls = Array.from({ length: 8 }, (_, at) => `u${at}`)
  const attempts = uidls.map((uidl) => attempt(uidl))
  const first = await Promise.allSettled(attempts.map((one) => imap.deliver(one, message(SMALL), never)))
  server.answer = () => null
  await imap.ready(never)
  for (const [at, one] of attempts.entries()) {
    if (first[at]?.status === 'fulfilled') continue
    if ((await imap.recall(one, never)) === null) await imap.deliver(one, message(SMALL), never)
  }
  const marks = server.inbox.messages.map(
    ({ bytes }) => /^X-Popfetch-Delivery: (.*)$/m.exec(bytes.toString('latin1'))?.[1],
  )
  expect(new Set(marks).size).toBe(8)
  expect(marks).toHaveLength(8)
})

test('labels are set after a lost answer, too', async () => {
  const { server, imap } = await scene({ capabilities: GMAIL }, { labels: ['Old'] })
  await imap.ready(never)
  server.answer = ({ command }) => {
    if (command !== 'APPEND') return null
    server.answer = () => null
    return 'lost'
  }
  await imap.deliver(attempt(), message(SMALL), never)
  expect(server.inbox.messages).toMatchObject([{ labels: 'Old' }])
})

test('labels that are refused leave the message there, to be labelled when it is looked for again', async () => {
  const { server, imap } = await scene({ capabilities: GMAIL }, { labels: ['Old'] })
  await imap.ready(never)
  server.answer = ({ command }) => (command === 'STORE' ? 'NO [CANNOT] no such label' : null)
  const one = attempt()
  expect(await failure(imap.deliver(one, message(SMALL), never))).toMatchObject({
    conclusion: 'ACT',
    verdict: 'unknown',
  })
  server.answer = () => null
  await imap.ready(never)
  expect(await imap.recall(one, never)).not.toBeNull()
  expect(server.inbox.messages).toMatchObject([{ labels: 'Old' }])
})

test('messages with labels go one after the other over one connection: none is labelled in the wrong folder', async () => {
  const { server, imap } = await scene({ capabilities: GMAIL }, { labels: ['Old'], concurrency: 2 })
  await Promise.all(Array.from({ length: 12 }, (_, at) => imap.deliver(attempt(`u${at}`), message(SMALL), never)))
  expect(server.inbox.messages.map(({ labels }) => labels)).toEqual(Array(12).fill('Old'))
})

test('many attempts of a poll that was killed are looked for with few questions, and late ones are found too', async () => {
  const { server, imap } = await scene()
  const attempts = Array.from({ length: 40 }, (_, at) => attempt(`u${at}`))
  for (const one of attempts.slice(0, 20)) await imap.deliver(one, message(SMALL), never)
  const next = imapAt(server.port)
  onTestFinished(() => next[Symbol.asyncDispose]())
  await next.ready(never)
  server.said.length = 0
  for (const [at, one] of attempts.entries()) {
    // The server comes to the end of what the killed one sent.
    if (at === 30) await imap.deliver(attempts[35] ?? one, message(SMALL), never)
    expect((await next.recall(one, never)) !== null, `u${at}`).toBe(at < 20 || at === 35)
  }
  expect(server.said.filter((line) => line.includes('SEARCH')).length).toBeLessThan(8)
  expect(server.said.filter((line) => /FETCH \S+:\*/.test(line)).length).toBeLessThan(12)
})

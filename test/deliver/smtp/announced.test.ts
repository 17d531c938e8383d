// The next message is announced with the end of the one before, in one write (RFC 2920 3.1). Nothing else of it goes before its own hand-over
// is noted, and whatever becomes of the one before, it is not lost and not sent twice.
import { Socket } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import type { Attempt, Following } from '../../../src/deliver/destination.ts'
import { PopfetchError } from '../../../src/errors.ts'
import type { Message } from '../../../src/message.ts'
import { ca } from '../../support/certificates.ts'
import { attempt, content, destination, failure, MAIL, message, never, scripted, sink } from './scene.ts'

const wrong = new PopfetchError('ERR_LEDGER', 'disk full', { scope: 'process', retry: 'later' })

/** What each socket of this process writes from now on, write by write. */
function writes(): string[] {
  const written = Reflect.get(Socket.prototype, '_writeGeneric') as (this: Socket, ...given: unknown[]) => void
  const texts: string[] = []
  Reflect.set(Socket.prototype, '_writeGeneric', function count(this: Socket, ...given: unknown[]) {
    texts.push(String(given[1]))
    written.apply(this, given)
  })
  onTestFinished(() => void Reflect.set(Socket.prototype, '_writeGeneric', written))
  return texts
}

/** Two messages over one connection, the second one known while the first is sent. */
async function two(handingOver: () => Promise<void> = () => Promise.resolve()) {
  const server = await sink()
  const smtp = destination(server.port, { concurrency: 1 })
  const texts = writes()
  const second: { readonly attempt: Attempt; readonly message: Message } = {
    attempt: { ...attempt('2'), handingOver },
    message: message(`${MAIL}second\r\n`),
  }
  const following = (): Following => second
  const first = smtp.deliver({ ...attempt('1'), handingOver: () => Promise.resolve(), following }, message(MAIL), never)
  const deliverSecond = (signal = never) => smtp.deliver(second.attempt, second.message, signal)
  return { server, smtp, texts, first, second: deliverSecond }
}

function ofMessages(texts: readonly string[]): readonly string[] {
  return texts.filter((text) => /^MAIL|Body/m.test(text)).map((text) => text.replace(/^(?:MAIL FROM).*$/gm, 'MAIL'))
}

test('the end of a message and the commands for the next one are one write', async () => {
  const { server, texts, first, second } = await two()
  await first
  await second()
  const commands = 'MAIL\nRCPT TO:<me@example.com>\r\nDATA\r\n'
  expect(ofMessages(texts).map((text) => text.replaceAll('MAIL\r', 'MAIL'))).toEqual([
    commands,
    `${MAIL}.\r\n${commands}`,
    `${MAIL}second\r\n.\r\n`,
  ])
  expect([server.messages.length, server.connections]).toEqual([2, 1])
})

test.each(['implicit', 'starttls'] as const)('with tls: %s too, each is there once', async (tls) => {
  const server = await sink({ tls })
  const smtp = destination(server.port, { concurrency: 1, tls, ca, host: 'localhost' })
  const numbers = ['1', '2', '3', '4']
  const offers = numbers.map((number): { attempt: Attempt; message: Message } => {
    const following = (): Following | null => offers[Number(number)] ?? null
    return {
      attempt: { ...attempt(number), handingOver: () => Promise.resolve(), following },
      message: message(`${MAIL}number ${number}\r\n`),
    }
  })
  for (const offer of offers) await smtp.deliver(offer.attempt, offer.message, never)
  const arrived = server.messages.map(({ bytes }) => /number (\d)/.exec(bytes.toString('latin1'))?.[1])
  expect([arrived, server.connections]).toEqual([numbers, 1])
})

test('one that was announced and cannot be noted does not go', async () => {
  const { server, first, second } = await two(() => Promise.reject(wrong))
  await first
  await expect(second()).rejects.toBe(wrong)
  expect(server.messages).toHaveLength(1)
})

test.each(['554 5.7.1 no', 'drop', 'lost'] as const)(
  'where the one before is answered by %s, the one that was announced goes over another connection, once',
  async (answer) => {
    const { server, first, second } = await two()
    server.faults.dot = answer
    await failure(first)
    server.faults.dot = null
    const before = server.messages.length
    await second()
    expect([server.messages.length - before, server.connections]).toEqual([1, 2])
  },
)

test('one that was announced may be refused, and the connection goes on', async () => {
  const { server, smtp, first, second } = await two()
  let recipients = 0
  server.faults.rcpt = () => (++recipients === 2 ? '550 5.1.1 nobody' : null)
  await first
  const error = await failure(second())
  expect(error.conclusion).toBe('RCPT')
  await smtp.deliver(attempt('3'), message(MAIL), never)
  expect([server.messages.length, server.connections]).toEqual([2, 1])
})

test('nothing is announced where the message before is refused before its end', async () => {
  const { server, texts, first } = await two()
  server.faults.rcpt = '550 5.1.1 nobody'
  await failure(first)
  expect(ofMessages(texts)).toHaveLength(1)
})

test('an answer too many behind the end of a message is seen as one, whatever was announced (D049)', async () => {
  const all = [{ expect: /^MAIL/ }, { expect: /^RCPT/ }, { expect: 'DATA' }]
  const server = await scripted([
    { send: '220 mx ESMTP' },
    { expect: /^EHLO/ },
    { send: '250-mx\r\n250 PIPELINING' },
    ...all,
    { send: '250 ok\r\n250 ok\r\n354 go on' },
    ...content,
    ...all,
    { send: '250 taken\r\n250 taken\r\n250 ok\r\n250 ok\r\n354 go on' },
    { ignore: true },
  ])
  const following = (): Following => ({ attempt: attempt('2'), message: message(MAIL) })
  const error = await failure(destination(server.port).deliver({ ...attempt('1'), following }, message(MAIL), never))
  expect(error.message).toContain('which is not an answer to it')
})

test('one that was announced waits for no room: those who have it all may wait for its session', async () => {
  const { server, smtp, first, second } = await two()
  const asked = Promise.withResolvers<void>()
  const answer = Promise.withResolvers<null>()
  server.faults.dot = () => {
    asked.resolve()
    return answer.promise
  }
  await asked.promise
  const others = ['3', '4', '5'].map((uidl) => smtp.deliver(attempt(uidl), message(`${MAIL}number ${uidl}\r\n`), never))
  answer.resolve(null)
  await first
  await second()
  await Promise.all(others)
  expect([server.messages.length, server.connections]).toEqual([5, 1])
})

test('where somebody waits for a session, nothing is announced', async () => {
  const server = await sink()
  const smtp = destination(server.port, { concurrency: 1 })
  const asked = Promise.withResolvers<void>()
  const answer = Promise.withResolvers<null>()
  server.faults.rcpt = () => {
    asked.resolve()
    return answer.promise
  }
  let known = 0
  const following = (): Following => {
    known++
    return { attempt: attempt('2'), message: message(MAIL) }
  }
  const first = smtp.deliver({ ...attempt('1'), following }, message(MAIL), never)
  await asked.promise
  const other = smtp.deliver(attempt('3'), message(MAIL), never)
  answer.resolve(null)
  await Promise.all([first, other])
  expect([known, server.messages.length]).toEqual([0, 2])
})

test('one that was announced and is given up leaves no session behind that waits for it', async () => {
  const { server, smtp, first, second } = await two()
  await first
  await failure(second(AbortSignal.abort()))
  await smtp.deliver(attempt('3'), message(MAIL), never)
  expect([server.messages.length, server.connections]).toEqual([2, 2])
})

test('a server that ends the session behind what was announced is asked over another one (RFC 5321 3.8)', async () => {
  const all = [{ expect: /^MAIL/ }, { expect: /^RCPT/ }, { expect: 'DATA' }]
  const begin = [{ send: '220 mx ESMTP' }, { expect: /^EHLO/ }, { send: '250-mx\r\n250 PIPELINING' }]
  const envelope = [...all, { send: '250 ok\r\n250 ok\r\n354 go on' }]
  const server = await scripted(
    [
      ...begin,
      ...envelope,
      ...content,
      ...all,
      { send: '250 taken\r\n250 ok\r\n250 ok\r\n354 go on\r\n421 closing' },
      { ignore: true },
    ],
    [...begin, ...envelope, ...content, { send: '250 taken' }, { ignore: true }],
  )
  const smtp = destination(server.port, { concurrency: 1 })
  const next: Following = { attempt: attempt('2'), message: message(MAIL) }
  await smtp.deliver({ ...attempt('1'), following: () => next }, message(MAIL), never)
  await smtp.deliver(next.attempt, next.message, never)
  expect(server.connections).toBe(2)
})

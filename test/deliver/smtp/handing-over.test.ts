// Before the server can have a whole message, whoever asked for it is told, and waited for (S042).
import { writeFile } from 'node:fs/promises'
import { Socket } from 'node:net'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { PopfetchError } from '../../../src/errors.ts'
import type { Message } from '../../../src/message.ts'
import {
  attempt,
  destination,
  directory,
  envelope,
  failure,
  hello,
  MAIL,
  message,
  never,
  scripted,
  sink,
} from './scene.ts'

async function inFile(text: string): Promise<Message> {
  const path = join(directory(), 'spooled')
  await writeFile(path, text, 'latin1')
  return message(text, { kind: 'file', path, form: { lineEndings: 'crlf', prefixBytes: 0 } })
}

const LARGE = `${MAIL}${'z'.repeat(100)}\r\n`.padEnd(300_000, 'y\r\n')

test.each([
  ['a small message', async () => message(MAIL), MAIL],
  ['a message in a file', async () => inFile(LARGE), LARGE],
] as const)('the end of %s waits until the hand-over is noted', async (_, make, text) => {
  const server = await sink()
  const events: string[] = []
  server.faults.dot = () => {
    events.push('dot')
    return null
  }
  const noted = Promise.withResolvers<void>()
  const handingOver = async (): Promise<void> => {
    events.push('asked')
    await noted.promise
    events.push('noted')
  }
  const delivering = destination(server.port).deliver({ ...attempt(), handingOver }, await make(), never)
  while (events.length === 0) await new Promise(setImmediate)
  noted.resolve()
  await delivering
  expect(events).toEqual(['asked', 'noted', 'dot'])
  expect(server.messages.map(({ bytes }) => bytes.toString('latin1').trimEnd())).toEqual([text.trimEnd()])
})

test('a small message and its end are one write, whether anybody is told or not', async () => {
  const written = Reflect.get(Socket.prototype, '_writeGeneric') as (this: Socket, ...given: unknown[]) => void
  const writes: string[] = []
  Reflect.set(Socket.prototype, '_writeGeneric', function count(this: Socket, ...given: unknown[]) {
    const [several, data] = given
    const chunks =
      several === true && Array.isArray(data) ? data.map((each: { readonly chunk: Buffer }) => each.chunk) : [data]
    writes.push(chunks.map(String).join(''))
    written.apply(this, given)
  })
  onTestFinished(() => void Reflect.set(Socket.prototype, '_writeGeneric', written))
  const server = await sink()
  const smtp = destination(server.port)
  await smtp.deliver(attempt('1'), message(MAIL), never)
  await smtp.deliver({ ...attempt('2'), handingOver: () => Promise.resolve() }, message(MAIL), never)
  expect(writes.filter((text) => text.includes('Body') || text.startsWith('.'))).toEqual([
    `${MAIL}.\r\n`,
    `${MAIL}.\r\n`,
  ])
})

test('nothing is asked for a message that is refused before its content', async () => {
  const server = await sink()
  server.faults.rcpt = '550 5.1.1 nobody'
  const handingOver = (): Promise<void> => Promise.reject(new Error('asked'))
  const error = await failure(destination(server.port).deliver({ ...attempt(), handingOver }, message(MAIL), never))
  expect(error.conclusion).toBe('RCPT')
})

test.each([
  ['in memory', () => message(MAIL)],
  ['in a file', () => inFile(MAIL)],
])('where it cannot be noted the server gets no end, and the error is untouched: a message %s', async (_, make) => {
  const server = await scripted([...hello, ...envelope, { ignore: true }])
  const wrong = new PopfetchError('ERR_LEDGER', 'disk full', { scope: 'process', retry: 'later' })
  const handingOver = (): Promise<void> => Promise.reject(wrong)
  const delivering = destination(server.port).deliver({ ...attempt(), handingOver }, await make(), never)
  await expect(delivering).rejects.toBe(wrong)
  // nodemailer writes on the errors of streams: with ESTREAM the poll would end as a bug (70).
  expect(wrong.code).toBe('ERR_LEDGER')
  expect(Buffer.concat(server.heard[0] ?? []).toString('latin1')).not.toContain('Body')
})

/** A destination with one connection, over which a message was offered already. */
async function secondOver(first: 'taken' | 'refused') {
  const server = await sink()
  const smtp = destination(server.port, { concurrency: 1 })
  server.faults.dot = first === 'taken' ? null : '554 5.7.1 no'
  const offered = smtp.deliver({ ...attempt('1'), handingOver: () => Promise.resolve() }, message(MAIL), never)
  await (first === 'taken' ? offered : expect(offered).rejects.toThrow('554'))
  server.faults.dot = null
  const events: string[] = []
  const asked = Promise.withResolvers<null>()
  const noted = Promise.withResolvers<void>()
  const handingOver = async (): Promise<void> => {
    events.push('asked')
    asked.resolve(null)
    await noted.promise
    events.push('noted')
  }
  return { server, smtp, events, asked: asked.promise, noted, handingOver }
}

test('behind a message that was taken it is noted while the server is asked, and the end waits for that all the same', async () => {
  const { server, smtp, events, asked, noted, handingOver } = await secondOver('taken')
  // The server wants it only after that.
  server.faults.rcpt = () => asked
  server.faults.dot = () => {
    events.push('dot')
    return null
  }
  const delivering = smtp.deliver({ ...attempt('2'), handingOver }, message(MAIL), never)
  await asked
  for (let turns = 0; turns < 50; turns++) await new Promise(setImmediate)
  noted.resolve()
  await delivering
  expect(events).toEqual(['asked', 'noted', 'dot'])
  expect([server.messages.length, server.connections]).toEqual([2, 1])
})

test('behind a message that was refused it is not', async () => {
  const { server, smtp, events, handingOver } = await secondOver('refused')
  server.faults.rcpt = '550 5.1.1 nobody'
  const error = await failure(smtp.deliver({ ...attempt('2'), handingOver }, message(MAIL), never))
  expect([error.conclusion, events, server.connections]).toEqual(['RCPT', [], 1])
})

test('behind a message that was taken, one that cannot be noted does not go', async () => {
  const { server, smtp, noted, handingOver } = await secondOver('taken')
  const wrong = new PopfetchError('ERR_LEDGER', 'disk full', { scope: 'process', retry: 'later' })
  noted.reject(wrong)
  await expect(smtp.deliver({ ...attempt('2'), handingOver }, message(MAIL), never)).rejects.toBe(wrong)
  expect(server.messages).toHaveLength(1)
})

test('behind a message that was taken, one that is refused is refused while it is being noted', async () => {
  const { server, smtp, events, handingOver } = await secondOver('taken')
  server.faults.rcpt = '550 5.1.1 nobody'
  const error = await failure(smtp.deliver({ ...attempt('2'), handingOver }, message(MAIL), never))
  expect([error.conclusion, events]).toEqual(['RCPT', ['asked']])
})

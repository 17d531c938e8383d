// A `Delivered-To` of the very recipient (D115), and a first line `From …` (D131), on their way over SMTP.
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { changeFor, changed, changedChunks, wasDeliveredTo } from '../../../src/deliver/smtp/wire-header.ts'
import type { Message } from '../../../src/message.ts'
import { attempt, destination, directory, failure, message, never, outcome, sink, TRACE } from './scene.ts'

const REST = 'Subject: hello\r\n\r\nDelivered-To: me@example.com\r\n\r\nFrom here on\r\n'

/** What may be in a field that names me@example.com. */
const OURS = [
  'Delivered-To: me@example.com',
  'delivered-to: me@example.com',
  'DELIVERED-TO: me@example.com',
  'Delivered-To:me@example.com',
  'Delivered-To : me@example.com',
  'Delivered-To\t:\tme@example.com\t',
  'Delivered-To: <me@example.com>',
  'Delivered-To: < me@example.com >',
  'Delivered-To: Me@Example.COM',
  'Delivered-To: me@example.com (the very one)',
  'Delivered-To:\r\n me@example.com',
  'Delivered-To:\r\n\t<me@example.com>',
  'Delivered-To: me@example.com\r\n ',
  'Delivered-To:\n me@example.com',
]
const OTHERS = [
  'Delivered-To: you@example.com',
  'Delivered-To: me@example.com.example',
  'Delivered-To: xme@example.com',
  'Delivered-To: me',
  'Delivered-To: mailing list me@example.com',
  'Delivered-To:',
  'X-Delivered-To: me@example.com',
  'Delivered-To-Me: me@example.com',
  'Undelivered-To: me@example.com',
  'X-Note: a\r\n Delivered-To: me@example.com',
  'To: me@example.com',
]

const wire = (text: string, recipient: string | null = 'me@example.com'): string =>
  changed(Buffer.from(text, 'latin1'), changeFor(recipient)).toString('latin1')

async function inChunks(text: string, size: number): Promise<string> {
  async function* chunks(): AsyncGenerator<Buffer> {
    for (let at = 0; at < text.length; at += size) yield Buffer.from(text.slice(at, at + size), 'latin1')
  }
  const parts: Buffer[] = []
  for await (const chunk of changedChunks(chunks(), changeFor('me@example.com'))) parts.push(chunk)
  return Buffer.concat(parts).toString('latin1')
}

async function inFile(text: string): Promise<Message> {
  const path = join(directory(), 'spooled')
  await writeFile(path, text, 'latin1')
  return message(text, { kind: 'file', path, form: { lineEndings: 'crlf', prefixBytes: 0 } })
}

describe('a Delivered-To of the very recipient', () => {
  test.each(OURS)('is renamed, and nothing else is changed: %j', (field) => {
    const before = `Received: from x\r\n\tby y; z\r\n`
    const text = `${before}${field}\r\n${REST}`
    expect(wire(text)).toBe(`${before}X-${field}\r\n${REST}`)
    expect(wire(`${field}\r\n${text}`)).toBe(`X-${field}\r\n${before}X-${field}\r\n${REST}`)
    expect(wasDeliveredTo(Buffer.from(text), 'me@example.com')).toBe(true)
  })

  test.each(OTHERS)('is not what names somebody else, or is another field: %j', (field) => {
    const text = `${field}\r\n${REST}`
    expect(wire(text)).toBe(text)
    expect(wasDeliveredTo(Buffer.from(text), 'me@example.com')).toBe(false)
  })

  test('is one among several of others, with an address beyond ASCII as well', () => {
    const utf8 = Buffer.from('Delivered-To: J\u00fcrgen@example.com\r\n').toString('latin1')
    const text = `Delivered-To: a@example.com\r\n${utf8}Delivered-To: b@example.com\r\n${REST}`
    expect(wire(text, 'j\u00fcrgen@example.com')).toBe(text.replace(utf8, `X-${utf8}`))
  })

  test.each(['\r\n', '\n', '\r'])('is found with line ends of %j, and not behind the header', (end) => {
    const text = `A: b\r\nDelivered-To: me@example.com\r\n${REST}`.replaceAll('\r\n', end)
    expect(wire(text)).toBe(text.replace('Delivered', 'X-Delivered'))
    expect(wire(`${end}${text}`)).toBe(`${end}${text}`)
  })

  test('is found however the bytes are cut', async () => {
    const text = `From x\r\nA: b\r\nDelivered-To:\r\n me@example.com\r\n${REST}`
    for (const size of [1, 2, 3, 7, 1000]) expect(await inChunks(text, size)).toBe(wire(text))
    expect(await inChunks('Delivered-To: me@example.com', 5)).toBe('X-Delivered-To: me@example.com')
    expect(await inChunks('', 1)).toBe('')
  })

  test('is found in linear time', () => {
    const steps = (lines: number): string => wire('Delivered-To: a\r\n b\r\n'.repeat(lines))
    expect(steps(40_000)).toHaveLength(40_000 * 21)
  })
})

describe('over SMTP', () => {
  const MAIL = `Delivered-To: me@example.com\r\nDelivered-To: you@example.com\r\n${REST}`
  const RENAMED = `X-${MAIL}`

  test.each([
    ['in memory', async () => message(MAIL)],
    ['in a file', async () => inFile(MAIL)],
    ['with a header of more than 64 KiB', async () => inFile(`${'To: a@example.org\r\n'.repeat(6_000)}${MAIL}`)],
  ] as const)('a message %s goes without it, so that it is not taken for a loop (D115)', async (_, make) => {
    const server = await sink()
    await destination(server.port, { trace: true }).deliver(attempt(), await make(), never)
    const sent = server.messages[0]?.bytes.toString('latin1') ?? ''
    expect(sent.startsWith(TRACE)).toBe(true)
    expect(sent.endsWith(RENAMED)).toBe(true)
  })

  test('with deliveredTo: keep it goes as it came', async () => {
    const server = await sink()
    await destination(server.port, { deliveredTo: 'keep' }).deliver(attempt(), message(MAIL), never)
    expect(server.messages[0]?.bytes.toString('latin1')).toBe(MAIL)
  })

  test('with deliveredTo: hold it is held, and the server hears nothing of it', async () => {
    const server = await sink()
    const smtp = destination(server.port, { deliveredTo: 'hold' })
    const error = await failure(smtp.deliver(attempt(), message(MAIL), never))
    expect(outcome(error)).toBe('HELD held message 75')
    expect(error.message).toContain('it has a Delivered-To of me@example.com')
    await smtp.deliver(attempt('2'), message(MAIL.replace('me@', 'other@')), never)
    expect(server.messages).toHaveLength(1)
  })

  test.each(['rename', 'keep', 'hold'] as const)(
    'a first line "From …" is no field, and becomes one (D131), with deliveredTo: %s',
    async (deliveredTo) => {
      const server = await sink()
      const smtp = destination(server.port, { deliveredTo, trace: true })
      for (const line of ['From a@b.example Mon Jan  1 00:00:00 2024', '>From a']) {
        await smtp.deliver(attempt(), message(`${line}\r\n${REST}`), never)
      }
      const sent = server.messages.map(({ bytes }) => bytes.toString('latin1'))
      const as = (value: string): string => `${TRACE}X-From-Line: ${value}\r\n${REST}`
      expect(sent).toEqual([as('a@b.example Mon Jan  1 00:00:00 2024'), as('a')])
    },
  )

  test.each(['From: a@b.example', 'FROM a', ' From a', 'A: b\r\nFrom c'])('a first line %j is left alone', (line) => {
    expect(wire(`${line}\r\n${REST}`)).toBe(`${line}\r\n${REST}`)
  })
})

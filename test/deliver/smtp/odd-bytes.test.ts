// What happens to messages whose bytes a server may not like: bare line ends, 8-bit text, NUL, long lines; `bareNewlines`
// and `wrap` (D038–D041, D051).
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { oddities } from '../../../src/deliver/smtp/wrap.ts'
import type { Message } from '../../../src/message.ts'
import { attempt, destination, failure, message, never, outcome, scripted, sink, TRACE } from './scene.ts'

const ODD: Readonly<Record<string, string>> = {
  '8-bit characters': 'Return-Path: <list@example.org>\r\nSubject: Gr\u00fc\u00dfe\r\n\r\nna\u00efve\r\n',
  'a NUL': 'Return-Path: <list@example.org>\r\nSubject: x\r\n\r\na\u0000b\r\n',
  'a line over 998 bytes': `Return-Path: <list@example.org>\r\nSubject: x\r\n\r\n${'y'.repeat(999)}\r\n`,
}
const BARE = 'Return-Path: <list@example.org>\r\nSubject: x\r\n\r\none\ntwo\rthree\r\n'

const GOOD = 'From: a@b.example\r\nDate: Tue, 24 Nov 2026 13:10:22 +0000\r\nMessage-ID: <1@b.example>\r\n\r\nx\r\n'

/** The attachment of a wrapped message, decoded. */
function attached(bytes: Buffer): string {
  const [, encoded = ''] =
    /filename=message\.eml\r\n\r\n([A-Za-z0-9+/=\r\n]*)\r\n--/.exec(bytes.toString('latin1')) ?? []
  return Buffer.from(encoded, 'base64').toString('latin1')
}

async function inFile(text: string): Promise<Message> {
  const directory = await mkdtemp(join(tmpdir(), 'popfetch-bytes-'))
  onTestFinished(() => rm(directory, { recursive: true }))
  const path = join(directory, 'spooled')
  await writeFile(path, text, 'latin1')
  return message(text, { kind: 'file', path, form: { lineEndings: 'crlf', prefixBytes: 0 } })
}

describe('a message with odd bytes', () => {
  test.each(Object.entries(ODD))(
    'with %s is delivered as it is where the server takes it (D039–D041)',
    async (_, text) => {
      const server = await sink()
      await destination(server.port, { wrap: 'when-refused' }).deliver(attempt(), message(text), never)
      expect(server.messages.map(({ bytes }) => bytes.toString('latin1'))).toEqual([text])
    },
  )

  test('with 8-bit characters goes as it is to a server without 8BITMIME, which is not asked for it (D040)', async () => {
    const server = await scripted([
      { send: '220 mx' },
      { expect: 'EHLO host.example' },
      { send: '250 mx' },
      { expect: 'MAIL FROM:<list@example.org>' },
      { send: '250 ok' },
      { expect: /^RCPT/ },
      { send: '250 ok' },
      { expect: 'DATA' },
      { send: '354 go on' },
      { expectUntil: 'na\u00efve\r\n.\r\n' },
      { send: '250 ok' },
      { ignore: true },
    ])
    await destination(server.port).deliver(attempt(), message(ODD['8-bit characters'] ?? ''), never)
  })

  test.each(Object.entries(ODD))('with %s that the server refuses stays, with the reason', async (_, text) => {
    const server = await sink()
    server.faults.dot = '554 5.6.1 not these bytes'
    const error = await failure(destination(server.port).deliver(attempt(), message(text), never))
    expect(outcome(error)).toBe('FORM refused message 75')
    expect(error.message).toContain('"554 5.6.1 not these bytes"')
    expect(server.messages).toEqual([])
  })
})

describe('bareNewlines: refuse', () => {
  test.each([
    ['memory', message(BARE)],
    ['a bare CR at the end', message(`${BARE}\r`)],
  ])('sends nothing of a message that has one (%s)', async (_, odd) => {
    const server = await sink()
    const error = await failure(destination(server.port, { bareNewlines: 'refuse' }).deliver(attempt(), odd, never))
    expect(outcome(error)).toBe('FORM refused message 75')
    expect(error.message).toMatch(/has a bare CR or LF/)
    expect(server.connections).toBe(0)
  })

  test('sends nothing of one in a file, and all of one that has none', async () => {
    const server = await sink()
    const smtp = destination(server.port, { bareNewlines: 'refuse' })
    const error = await failure(smtp.deliver(attempt(), await inFile(BARE), never))
    expect(error.message).toMatch(/has a bare CR or LF/)
    const clean = BARE.replaceAll(/[\r\n]+/g, '\r\n')
    await smtp.deliver(attempt(), await inFile(clean), never)
    await smtp.deliver(attempt(), message(clean), never)
    expect(server.messages).toHaveLength(2)
  })
})

describe('wrap: when-refused', () => {
  test.each([...Object.entries(ODD), ['a bare CR or LF', BARE]])(
    'sends a message with %s that was refused for it as an attachment, unchanged, under the same fields on top',
    async (odd, text) => {
      const server = await sink()
      server.faults.dot = ({ bytes }) => (bytes.includes('message.eml') ? null : '554 5.6.1 not these bytes')
      const smtp = destination(server.port, { wrap: 'when-refused', trace: true, user: null })
      const receipt = await smtp.deliver(attempt(), message(text), never)
      expect(receipt.text).toMatch(/^sent as an attachment: 250 /)
      expect(server.messages).toHaveLength(1)
      const [sunk] = server.messages
      if (sunk === undefined) throw new Error('nothing came')
      expect(attached(sunk.bytes)).toBe(text)
      // Without the soft line ends of quoted-printable.
      const whole = sunk.bytes.toString('latin1').replaceAll('=\r\n', '')
      expect(whole.startsWith(TRACE)).toBe(true)
      expect(whole).toContain('Content-Type: message/rfc822')
      expect(whole).toContain(`has ${odd}`)
      expect(whole).toContain('554 5.6.1 not these bytes')
      // Nothing in it that could be refused for the same reason.
      expect(await oddities(one(sunk.bytes))).toEqual([])
      expect(sunk.from).toBe('me@example.com')
      expect(sunk.to).toEqual(['me@example.com'])
    },
  )

  const form = (text: string): string => text.replaceAll('\n', '\r\n')
  test.each([
    ['550 5.7.26 unauthenticated mail from b.example is not accepted', GOOD],
    ['550 5.7.1 Email rejected per DMARC policy, it looks like spam', GOOD],
    ['554 5.7.1 message rejected: SPF check of the sender failed', GOOD],
    ['554 5.7.1 refused', GOOD],
    ['550 5.7.1 Message is not RFC 5322 compliant: missing Message-ID header', GOOD.replace(/Message-ID.*\r\n/, '')],
    ["554 Transaction failed: Duplicate header 'From'", `From: x@b.example\r\n${GOOD}`],
    ['550 5.6.0 missing Date', GOOD.replace(/Date.*\r\n/, '')],
    ['550 5.6.0 multiple Date fields', `Date: x\r\n${GOOD}`],
    ['554 5.6.0 bad message', form('no field at all\n') + GOOD],
    ['521 5.5.2 malformed header', form('X y: z\n') + GOOD],
    ['554 5.7.1 spam: header malformed', form('X y: z\n') + GOOD],
  ])('sends what was refused for its author or its form ("%s") as an attachment (D122)', async (answer, text) => {
    const server = await sink()
    server.faults.dot = ({ bytes }) => (bytes.includes('message.eml') ? null : answer)
    await destination(server.port, { wrap: 'when-refused' }).deliver(attempt(), message(text), never)
    expect(server.messages.map(({ bytes }) => attached(bytes))).toEqual([text])
  })

  test('does so with a message in a file, and twice the same', async () => {
    const server = await sink()
    server.faults.dot = ({ bytes }) => (bytes.includes('message.eml') ? null : '550 line too long')
    const text = `Subject: x\r\n\r\n${'y'.repeat(300_000)}\r\n`
    const smtp = destination(server.port, { wrap: 'when-refused' })
    await smtp.deliver(attempt(), await inFile(text), never)
    await smtp.deliver(attempt(), await inFile(text), never)
    const [first, second] = server.messages
    expect(attached(first?.bytes ?? Buffer.alloc(0))).toBe(text)
    // The same Message-ID, so that the next hop can tell that it is one message (D051).
    expect(second?.bytes).toEqual(first?.bytes)
  })

  test('does so with what bareNewlines: refuse does not send', async () => {
    const server = await sink()
    const smtp = destination(server.port, { wrap: 'when-refused', bareNewlines: 'refuse' })
    await smtp.deliver(attempt(), message(BARE), never)
    expect(server.messages.map(({ bytes }) => attached(bytes))).toEqual([BARE])
  })

  test('keeps the null sender', async () => {
    const server = await sink()
    server.faults.dot = ({ bytes }) => (bytes.includes('message.eml') ? null : '554 5.6.1 no')
    const bounce = message('Return-Path: <>\r\n\r\n\u00e9\r\n')
    await destination(server.port, { wrap: 'when-refused' }).deliver(attempt(), bounce, never)
    expect(server.messages[0]?.from).toBe('')
  })

  test.each([
    ['for another reason', '554 5.7.1 this is spam', ODD['a NUL']],
    ['for the time being', '451 4.6.1 not now', ODD['a NUL']],
    ['though there is nothing odd about it', '554 5.6.0 bad message', GOOD],
    ['for a fault that it does not have', '554 5.6.0 line too long', ODD['a NUL']],
    ['as spam, whatever else is odd', '554 5.7.1 spam message rejected from 192.0.2.1', ODD['a NUL']],
    ['for a virus', '554 5.7.1 infected with a virus', 'Subject: x\r\n\r\nx\r\n'],
    ['for an attachment', '552 5.7.0 this attachment type is blocked', GOOD],
    ['for its size', '552 5.3.4 message size exceeds limit', ODD['a NUL']],
    ['for going in circles', '554 5.4.6 too many hops', ODD['a NUL']],
  ])('leaves alone what was refused %s', async (_, answer, text = '') => {
    const server = await sink()
    let asked = 0
    server.faults.dot = () => (asked++, answer)
    const error = await failure(
      destination(server.port, { wrap: 'when-refused' }).deliver(attempt(), message(text), never),
    )
    expect(error.message).toContain(answer)
    expect(asked).toBe(1)
  })

  test.each([
    ['554 5.7.1 no attachments', 'BAD refused message 75'],
    ['451 4.3.0 later', 'TEMP temporary message 75'],
    ['lost', 'LOST unknown message 75'],
  ])('says of the attachment what became of it: "%s" is %s', async (answer, expected) => {
    const server = await sink()
    server.faults.dot = ({ bytes }) => (bytes.includes('message.eml') ? answer : '554 5.6.1 not these bytes')
    const smtp = destination(server.port, { wrap: 'when-refused' })
    expect(outcome(await failure(smtp.deliver(attempt(), message(ODD['a NUL'] ?? ''), never)))).toBe(expected)
  })
})

describe('oddities', () => {
  test('are the same however the bytes are cut', async () => {
    const text = Buffer.from(`a\r\n${'y'.repeat(998)}\r\n\u00e9\u0000\r\n${'y'.repeat(999)}\r\nx\rz`, 'latin1')
    const all = ['8-bit characters', 'a NUL', 'a bare CR or LF', 'a line over 998 bytes']
    for (const step of [1, 2, 3, 1000, text.length]) {
      expect([...(await oddities(pieces(text, step)))].sort()).toEqual(all)
    }
    expect(await oddities(one(Buffer.from(`a\r\n${'y'.repeat(998)}\r\n${'y'.repeat(998)}`)))).toEqual([])
  })
})

async function* one(bytes: Buffer): AsyncGenerator<Buffer> {
  yield bytes
}

async function* pieces(bytes: Buffer, step: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += step) yield bytes.subarray(at, at + step)
}

// What an smtp destination sends: the bytes of the message, its size, its sender; nothing where the file is not whole.
import { appendFile, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import {
  attempt,
  content,
  destination,
  directory,
  envelope,
  failure,
  heardBy,
  hello,
  MAIL,
  message,
  never,
  outcome,
  scripted,
  sink,
  TRACE,
} from './scene.ts'

describe('what is sent', () => {
  test('is the message, byte for byte, with the fields on top, to the configured recipient alone (D042, D043, D067)', async () => {
    const server = await sink()
    const smtp = destination(server.port, { trace: true, label: true })
    const text = 'Return-Path: <list@example.org>\r\nTo: other@example.net\r\n\r\n.dot\r\n..\r\n\u0000\u00e9 \r\n\r\n'
    const receipt = await smtp.deliver(attempt(), message(text), never)
    const [sunk] = server.messages
    expect(sunk?.bytes.toString('latin1')).toBe(`${TRACE}X-Popfetch-Account: old-isp\r\n${text}`)
    expect(sunk?.from).toBe('list@example.org')
    expect(sunk?.to).toEqual(['me@example.com'])
    expect(receipt.text).toMatch(/^250 /)
    expect(await smtp.recall(attempt(), never)).toBeNull()
  })

  test.each([
    ['without a last line end', 'Subject: x\r\n\r\nno end', 'Subject: x\r\n\r\nno end\r\n'],
    ['that is empty', '', '\r\n'],
    ['that is a dot', '.', '.\r\n'],
  ])('a message %s arrives (D075)', async (_, text, arrived) => {
    const server = await sink()
    await destination(server.port).deliver(attempt(), message(text), never)
    expect(server.messages[0]?.bytes.toString('latin1')).toBe(arrived)
  })

  test.each(['\n.\n', '\r.\r', '\n.\r\n', '\r.\r\n', '\r\n.\r', '\n.\n\r\n', '\r\r\n.\r\n', '\u0000\r.\r\n'])(
    'has no end of a message within it, though the message has %j (D038, D068)',
    async (trap) => {
      const server = await scripted([
        ...hello,
        ...envelope,
        { expectUntil: 'END\r\n.\r\n' },
        { send: '250 ok' },
        { ignore: true },
      ])
      const text = `Return-Path: <list@example.org>\r\n\r\na${trap}MAIL FROM:<evil@example.com>\r\nEND`
      await destination(server.port).deliver(attempt(), message(text), never)
      const wire = heardBy(server).slice(heardBy(server).indexOf('DATA\r\n') + 6)
      expect(wire).not.toMatch(/\r(?!\n)|(?<!\r)\n/)
      expect(wire.indexOf('\r\n.\r\n')).toBe(wire.length - 5)
    },
  )

  test('declares the size after repair, and eight-bit content; asks for no notices (D033, D052, D069)', async () => {
    const server = await scripted([...hello, ...envelope, ...content, { send: '250 ok' }, { ignore: true }])
    const text = 'Return-Path: <list@example.org>\r\n\r\n\u00e9\n'
    await destination(server.port).deliver(attempt(), message(text), never)
    const heard = heardBy(server)
    expect(heard).toContain(`MAIL FROM:<list@example.org> BODY=8BITMIME SIZE=${text.length + 1}\r\n`)
    expect(heard).not.toContain('NOTIFY')
  })

  test('is refused before MAIL when the server says it takes no such size (D033, D070)', async () => {
    const server = await scripted([...hello, { expect: 'QUIT' }, { send: '221 bye' }])
    const smtp = destination(server.port)
    const error = await failure(smtp.deliver(attempt(), message(`Subject: x\r\n\r\n${'x'.repeat(10_000)}`), never))
    expect(outcome(error)).toBe('FORM refused message 75')
    expect(error.message).toMatch(/10014 bytes, and the server accepts at most 10000/)
    await smtp[Symbol.asyncDispose]()
    await server.done
  })

  test('comes from a file as well, whatever its line ends, without the fields another destination put on top', async () => {
    const server = await sink()
    const smtp = destination(server.port, { trace: true })
    const line = `${'.'.repeat(70)}\r\n`
    const text = `Subject: large\r\n\r\n${line.repeat(30_000)}`
    const path = join(directory(), 'spooled')
    await writeFile(path, `X: y\r\n${text}`)
    const form = { lineEndings: 'crlf', prefixBytes: 6 } as const
    await smtp.deliver(attempt('1'), message(text, { kind: 'file', path, form }), never)
    await writeFile(path, text.replaceAll('\r\n', '\n'))
    await smtp.deliver(
      attempt('2'),
      message(text, { kind: 'file', path, form: { lineEndings: 'lf', prefixBytes: 0 } }),
      never,
    )
    expect(server.messages.map((sunk) => sunk.bytes.equals(Buffer.from(TRACE + text)))).toEqual([true, true])
  })

  test('ends without a dot when the file stops early (D037, D060, D061)', async () => {
    const text = `Return-Path: <list@example.org>\r\n\r\n${'x'.repeat(78)}\r\n`.padEnd(600_000, 'y')
    const path = join(directory(), 'spooled')
    await writeFile(path, text)
    const server = await sink()
    server.faults.rcpt = async () => {
      await truncate(path, 300_000)
      return null
    }
    const body = { kind: 'file', path, form: { lineEndings: 'crlf', prefixBytes: 0 } } as const
    const smtp = destination(server.port)
    const error = await failure(smtp.deliver(attempt(), message(text, body), never))
    expect(outcome(error)).toBe('TEMP temporary message 75')
    expect(error.message).toMatch(/300000 bytes where 600000/)
    // It was seen before anything was said, the second time.
    expect(outcome(await failure(smtp.deliver(attempt(), message(text, body), never)))).toBe(
      'TEMP temporary message 75',
    )
    expect(server.messages).toEqual([])
  })

  test('ends without a dot when a file in another form than received changes between count and sending', async () => {
    const text = `Return-Path: <list@example.org>\n\n${'x'.repeat(78)}\n`.padEnd(600_000, 'y')
    const path = join(directory(), 'spooled')
    const form = { lineEndings: 'lf', prefixBytes: 0 } as const
    const server = await sink()
    const smtp = destination(server.port)
    for (const change of [() => truncate(path, 300_000), () => appendFile(path, 'more')]) {
      await writeFile(path, text)
      server.faults.rcpt = async () => {
        await change()
        return null
      }
      const error = await failure(smtp.deliver(attempt(), message(text, { kind: 'file', path, form }), never))
      expect(outcome(error)).toBe('TEMP temporary message 75')
    }
    expect(server.messages).toEqual([])
  })

  test('uses the null sender where the message came with it, and the user where it names nobody (D044)', async () => {
    const server = await sink({ users: { 'me@example.com': 'secret' } })
    const smtp = destination(server.port, { user: 'me@example.com', secret: () => Promise.resolve('secret') })
    await smtp.deliver(attempt('1'), message('Return-Path: <>\r\n\r\n'), never)
    await smtp.deliver(attempt('2'), message('Subject: x\r\n\r\n'), never)
    await destination(server.port, {
      user: 'me@example.com',
      secret: () => Promise.resolve('secret'),
      from: { kind: 'address', address: 'old-isp@example.com' },
    }).deliver(attempt('3'), message(MAIL), never)
    expect(server.messages.map((sunk) => sunk.from)).toEqual(['', 'me@example.com', 'old-isp@example.com'])
  })

  test.each(['', 'a b@example.com', 'a@example.com>\r\nRCPT TO:<b@example.com', '<a@example.com>'])(
    'never goes to %j, which is no address (D045, D069)',
    async (recipient) => {
      const server = await sink()
      const error = await failure(destination(server.port).deliver(attempt('1', recipient), message(MAIL), never))
      expect(outcome(error)).toBe('RCPT temporary recipient 73')
      expect(server.connections).toBe(0)
    },
  )
})

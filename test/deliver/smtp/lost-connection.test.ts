// A connection that ends at any stage and at any byte, and one that was kept and is gone.
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { describe, expect, onTestFinished, test } from 'vitest'
import { DeliveryError } from '../../../src/errors.ts'
import { ca } from '../../support/certificates.ts'
import { ScriptedServer, type Step } from '../../support/smtp-server.ts'
import {
  attempt,
  closed,
  content,
  destination,
  envelope,
  failure,
  hello,
  MAIL,
  mail,
  message,
  never,
  outcome,
  rcpt,
  scripted,
  sink,
  stalling,
} from './scene.ts'

/** Answers each of `asks` with one of `says`, and closes once it has said this many bytes. */
async function cutting(
  says: readonly string[],
  asks: readonly RegExp[],
  bytes: number,
): Promise<AsyncDisposable & { port: number }> {
  const server = createServer((socket) => {
    socket.on('error', () => {})
    let left = bytes
    let next = 0
    let heard = ''
    const answer = (): void => {
      if (!asks[next]?.test(heard)) return
      heard = ''
      const text = says[next++] ?? ''
      socket.write(text.slice(0, left))
      left -= text.length
      if (left < 0) socket.end()
    }
    answer()
    socket.on('data', (chunk: Buffer) => {
      heard += chunk.toString('latin1')
      answer()
    })
  })
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  return {
    port: (server.address() as AddressInfo).port,
    [Symbol.asyncDispose]: () => new Promise((resolve) => void server.close(() => resolve())),
  }
}

describe('a lost connection', () => {
  const large = `Return-Path: <list@example.org>\r\n\r\n${'x'.repeat(998)}\r\n`.padEnd(16_000_000, 'y')

  test('after the dot leaves the message unknown (D035, D064)', async () => {
    const server = await sink()
    server.faults.dot = 'lost'
    const error = await failure(destination(server.port).deliver(attempt(), message(MAIL), never))
    expect(outcome(error)).toBe('LOST unknown message 75')
    expect(error.message).toMatch(/it may have been delivered, and may come twice/)
  })

  test('in the middle of the content leaves it temporary (D036, D037, D073)', async () => {
    const server = await stalling(async (socket) => {
      socket.destroy()
    })
    const error = await failure(destination(server.port).deliver(attempt(), message(large), never))
    expect(outcome(error)).toBe('CUT temporary message 75')
  })

  test('in the middle of the content with TLS leaves it temporary, and after the dot unknown', async () => {
    const tls: Step = { tls: 'good' }
    const sizeless: readonly Step[] = [{ send: '220 mx' }, { expect: /^EHLO/ }, { send: '250 mx' }]
    const middle = await scripted([tls, ...sizeless, ...envelope, { expectUntil: 'xxxx' }, { cut: 'rst' }])
    const more = { tls: 'implicit', ca, host: 'localhost' } as const
    const cut = await failure(
      destination(middle.port, more).deliver(
        attempt(),
        message(MAIL.replace('Body', large.slice(40, 9_000_000))),
        never,
      ),
    )
    expect(outcome(cut)).toBe('CUT temporary message 75')
    const end = await scripted([tls, ...hello, ...envelope, ...content, { cut: 'rst' }])
    expect(outcome(await failure(destination(end.port, more).deliver(attempt(), message(MAIL), never)))).toBe(
      'LOST unknown message 75',
    )
  })

  test.each(['greeting', 'EHLO', 'MAIL', 'RCPT', 'DATA'])(
    'instead of an answer to %s delivers nothing (D065, D066)',
    async (stage) => {
      const stages: Readonly<Record<string, readonly Step[]>> = {
        greeting: [],
        EHLO: [{ send: '220 mx' }, { expect: /^EHLO/ }],
        MAIL: [...hello, { expect: /^MAIL/ }],
        RCPT: [...hello, ...mail, { expect: /^RCPT/ }],
        DATA: [...hello, ...mail, ...rcpt, { expect: 'DATA' }],
      }
      for (const cut of ['fin', 'rst'] as const) {
        const server = await scripted([...(stages[stage] ?? []), { cut }])
        const error = await failure(destination(server.port).deliver(attempt(), message(MAIL), never))
        expect(error.verdict).toBe('temporary')
        const opening = stage === 'greeting' || stage === 'EHLO'
        expect(error.conclusion).toBe(opening ? 'DOWN' : 'CUT')
      }
    },
  )

  test('that breaks off the final answer is no answer, unless it was a refusal', async () => {
    const half = await scripted([...hello, ...envelope, ...content, { send: Buffer.from('250 o') }, { cut: 'fin' }])
    const error = await failure(destination(half.port).deliver(attempt(), message(MAIL), never))
    expect(outcome(error)).toBe('LOST unknown message 75')
    const less = await scripted([...hello, ...envelope, ...content, { send: Buffer.from('2') }, { cut: 'fin' }])
    expect(outcome(await failure(destination(less.port).deliver(attempt(), message(MAIL), never)))).toBe(
      'LOST unknown message 75',
    )
    const no = await scripted([...hello, ...envelope, ...content, { send: Buffer.from('554 n') }, { cut: 'fin' }])
    expect(outcome(await failure(destination(no.port).deliver(attempt(), message(MAIL), never)))).toBe(
      'BAD refused message 75',
    )
  })

  test('at any byte of what the server says delivers only with the whole final answer', async () => {
    const says = [
      '220 mx\r\n',
      '250-mx\r\n250 SIZE 9999\r\n',
      '250 ok\r\n',
      '250 ok\r\n',
      '354 go\r\n',
      '250 taken\r\n',
    ]
    const asks = [/^/, /^EHLO/, /^MAIL/, /^RCPT/, /^DATA/, /Body\r\n\.\r\n$/]
    const total = says.join('').length
    const seen: string[] = []
    for (let bytes = 0; bytes <= total; bytes++) {
      await using server = await cutting(says, asks, bytes)
      await using smtp = destination(server.port, {}, { quitMs: 1 })
      const result = await smtp.deliver(attempt(), message(MAIL), never).then(
        () => 'delivered',
        (error: unknown) => (error instanceof DeliveryError ? error.verdict : 'bug'),
      )
      seen.push(result)
    }
    const beforeContent = says.slice(0, 5).join('').length
    expect(seen.slice(0, beforeContent)).toEqual(Array(beforeContent).fill('temporary'))
    expect(seen.slice(beforeContent, total)).toEqual(Array(total - beforeContent).fill('unknown'))
    expect(seen[total]).toBe('delivered')
  })

  test('byte by byte is no loss: a server that sends single bytes is understood', async () => {
    const steps = [...hello, ...envelope, ...content, { send: '250-ok\r\n250 ok' }, { ignore: true } as const]
    const server = closed(await ScriptedServer.start([steps], { split: 1 }))
    const receipt = await destination(server.port).deliver(attempt(), message(MAIL), never)
    expect(receipt.text).toBe('250-ok 250 ok')
  })

  test('that was idle is replaced, and the message is delivered once', async () => {
    const server = await sink()
    const smtp = destination(server.port)
    await smtp.deliver(attempt('1'), message(MAIL), never)
    server.crash()
    await smtp.deliver(attempt('2'), message(MAIL), never)
    expect(server.messages).toHaveLength(2)
    expect(server.connections).toBe(2)
  })

  test('that the server ends with 421 at the next MAIL is replaced (D049)', async () => {
    const server = await scripted(
      [
        ...hello,
        ...envelope,
        ...content,
        { send: '250 ok' },
        { expect: /^MAIL/ },
        { send: '421 enough' },
        { cut: 'fin' },
      ],
      [...hello, ...envelope, ...content, { send: '250 ok' }, { ignore: true }],
    )
    const smtp = destination(server.port)
    await smtp.deliver(attempt('1'), message(MAIL), never)
    await smtp.deliver(attempt('2'), message(MAIL), never)
    expect(server.connections).toBe(2)
  })

  test('announced with 421 behind the final answer leaves the message delivered', async () => {
    const server = await scripted([...hello, ...envelope, ...content, { send: '250 ok\r\n421 bye' }, { ignore: true }])
    const receipt = await destination(server.port).deliver(attempt(), message(MAIL), never)
    expect(receipt.text).toBe('250 ok')
  })
})

test('a session that ends in the moment in which it is used again is no server that cannot be reached', async () => {
  const server = await sink()
  const smtp = destination(server.port, { concurrency: 1 })
  const dialled: Socket[] = []
  const note = (said: unknown): void => void dialled.push((said as { readonly socket: Socket }).socket)
  subscribe('net.client.socket', note)
  onTestFinished(() => void unsubscribe('net.client.socket', note))
  await smtp.deliver(attempt('1'), message(MAIL), never)
  // Its end is told in the next turn of the event loop only.
  for (const socket of dialled) socket.destroy()
  await smtp.deliver(attempt('2'), message(MAIL), never)
  expect([server.messages.length, server.connections]).toEqual([2, 2])
})

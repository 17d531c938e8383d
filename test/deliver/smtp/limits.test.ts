// The time limits of SMTP.
import { Socket } from 'node:net'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { raisedSmtp, RFC_LIMITS } from '../../../src/deliver/smtp/limits.ts'
import { ca } from '../../support/certificates.ts'
import {
  attempt,
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

describe('time limits', () => {
  // Short only where the answer never comes: a busy machine must not make another wait too long. Commands share a limit.
  test.each([
    ['the greeting', { greetingMs: 20 }, [], 'DOWN temporary destination 75'],
    ['EHLO', { commandMs: 600 }, [{ send: '220 mx' }, { expect: /^EHLO/ }], 'DOWN temporary destination 75'],
    ['MAIL FROM <list@example.org>', { commandMs: 600 }, [...hello, { expect: /^MAIL/ }], 'CUT temporary message 75'],
    [
      'RCPT TO <me@example.com>',
      { commandMs: 600 },
      [...hello, ...mail, { expect: /^RCPT/ }],
      'CUT temporary message 75',
    ],
    [
      'DATA for <me@example.com>',
      { dataMs: 20 },
      [...hello, ...mail, ...rcpt, { expect: 'DATA' }],
      'CUT temporary message 75',
    ],
    [
      'the message for <me@example.com>',
      { contentMs: 20 },
      [...hello, ...envelope, ...content],
      'LOST unknown message 75',
    ],
  ] as const)('end a wait for %s', async (name, limits, steps, expected) => {
    const server = await scripted([...steps, { cut: 'stall' }])
    const error = await failure(destination(server.port, {}, limits).deliver(attempt(), message(MAIL), never))
    expect(outcome(error)).toBe(expected)
    expect(error.message).toMatch(`smtp mx: ${name} was not answered in time: `)
  })

  test('end a content that does not get through as temporary', async () => {
    const server = await stalling(async (socket) => {
      socket.pause()
    })
    const text = 'x'.repeat(998).concat('\r\n').repeat(16_000)
    const error = await failure(destination(server.port, {}, { blockMs: 20 }).deliver(attempt(), message(text), never))
    expect(outcome(error)).toBe('CUT temporary message 75')
  })

  test('hold for the message as a whole, so that a drip keeps nobody waiting (D061, D072)', async () => {
    const server = await stalling(
      async () => {},
      (socket) => {
        const drip = setInterval(() => socket.write('2'), 5)
        socket.on('close', () => clearInterval(drip))
      },
    )
    // The limit of silence is never reached, the one for the whole is.
    const limits = { commandMs: 600, dataMs: 1, blockMs: 1, contentMs: 1, bytesPerSecond: 1_000_000 }
    const error = await failure(destination(server.port, {}, limits).deliver(attempt(), message(MAIL), never))
    expect(outcome(error)).toBe('CUT temporary message 75')
  })

  // What the socket does not take at once goes out later, by itself.
  test.each((['none', 'implicit'] as const).flatMap((tls) => [1, 100, 8000].map((kilobytes) => ({ tls, kilobytes }))))(
    'give the server its ten minutes as soon as $kilobytes kB have gone, TLS: $tls (D035)',
    async ({ tls, kilobytes }) => {
      const limit = Reflect.get(Socket.prototype, 'setTimeout') as (this: Socket, ...given: unknown[]) => Socket
      const set: number[] = []
      vi.spyOn(Socket.prototype, 'setTimeout').mockImplementation(function noted(this: Socket, ...given) {
        set.push(given[0])
        return limit.apply(this, given)
      })
      onTestFinished(() => void vi.restoreAllMocks())
      const server = await sink(tls === 'none' ? {} : { tls })
      server.faults.dot = async () => {
        await vi.waitFor(() => expect(set.at(-1)).toBe(599_999), { timeout: 60_000 })
        return null
      }
      const text = `Subject: a\r\n\r\n${'x'.repeat(998).concat('\r\n').repeat(kilobytes)}`
      const more = { tls, ca, host: 'localhost' }
      await destination(server.port, tls === 'none' ? {} : more, { contentMs: 599_999 }).deliver(
        attempt(),
        message(text),
        never,
      )
      expect(server.messages).toHaveLength(1)
    },
  )

  test('hold for a TLS handshake', async () => {
    const server = await scripted([{ cut: 'stall' }])
    const error = await failure(destination(server.port, { tls: 'implicit', ca }, { tlsMs: 20 }).ready(never))
    expect(error.message).toMatch(/^smtp mx: the TLS handshake was not answered in time/)
  })

  test('hold for QUIT when it is closed', async () => {
    const server = await scripted([...hello, { expect: 'QUIT' }, { cut: 'stall' }])
    const smtp = destination(server.port, {}, { quitMs: 20 })
    await smtp.ready(never)
    await smtp[Symbol.asyncDispose]()
    await server.done
  })

  test('are raised by the configuration, and never lowered (D072)', () => {
    expect(raisedSmtp(RFC_LIMITS, 1000)).toEqual(RFC_LIMITS)
    expect(raisedSmtp(RFC_LIMITS, null)).toEqual(RFC_LIMITS)
    const { contentMs, dataMs, greetingMs, quitMs } = raisedSmtp(RFC_LIMITS, 400_000)
    expect([contentMs, dataMs, greetingMs, quitMs]).toEqual([600_000, 400_000, 400_000, RFC_LIMITS.quitMs])
  })
})

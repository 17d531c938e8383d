// A server whose answers do not belong to what was asked (D049): nothing is taken for delivered on its word.
import { describe, expect, test } from 'vitest'
import type { Step } from '../../support/smtp-server.ts'
import {
  attempt,
  content,
  destination,
  envelope,
  failure,
  heardBy,
  hello,
  MAIL,
  mail,
  message,
  never,
  outcome,
  rcpt,
  scripted,
  stalling,
} from './scene.ts'

describe('a server out of step', () => {
  test('that answers 250 to DATA gets no content, and the message is unknown (D049)', async () => {
    const server = await scripted([
      ...hello,
      ...mail,
      ...rcpt,
      { expect: 'DATA' },
      { send: '250 weird' },
      { ignore: true },
    ])
    const error = await failure(destination(server.port).deliver(attempt(), message(MAIL), never))
    expect(outcome(error)).toBe('LOST unknown destination 76')
    expect(error.message).toMatch(
      /DATA for <me@example.com> was answered "250 weird", which is not an answer to it: it may have been delivered/,
    )
    expect(heardBy(server)).not.toContain('Body')
  })

  test('that says one thing too much with its last answer makes the message unknown (D049)', async () => {
    const server = await scripted([...hello, ...envelope, ...content, { send: '250 ok\r\n250 ok' }, { ignore: true }])
    const error = await failure(destination(server.port).deliver(attempt(), message(MAIL), never))
    expect(outcome(error)).toBe('LOST unknown destination 76')
  })

  test('that says it with the answer to the next MAIL never makes a refused message a delivered one', async () => {
    const shifted: readonly Step[] = [
      { expect: /^MAIL/ },
      { send: '250 surplus\r\n250 ok' },
      { expect: /^RCPT/ },
      { send: '250 ok' },
      { expect: 'DATA' },
      { send: '354 go on' },
      { ignore: true },
    ]
    const server = await scripted([...hello, ...envelope, ...content, { send: '250 ok' }, ...shifted])
    const smtp = destination(server.port, { concurrency: 1 })
    await smtp.deliver(attempt('1'), message(MAIL), never)
    const error = await failure(smtp.deliver(attempt('2'), message(MAIL), never))
    expect(outcome(error)).toBe('LOST unknown destination 76')
    expect(heardBy(server).split('Body')).toHaveLength(2)
  })

  test('that agrees before it has heard everything makes the message unknown, and gets no dot', async () => {
    const text = `Return-Path: <list@example.org>\r\n\r\n${'x'.repeat(998)}\r\n`.padEnd(16_000_000, 'y')
    const server = await stalling(async (socket) => {
      socket.pause()
      socket.write('250 taken\r\n')
    })
    const error = await failure(destination(server.port).deliver(attempt(), message(text), never))
    expect(outcome(error)).toBe('LOST unknown destination 76')
    expect(server.heard()).not.toContain('\r\n.\r\n')
  })

  test.each([
    ['a greeting that is none', [{ send: 'hello' }]],
    ['two greetings', [{ send: '220 mx\r\n220 mx' }]],
    ['a reply with two codes', [{ send: '220 mx' }, { expect: /^EHLO/ }, { send: '250-mx\r\n550 no' }]],
  ] as const)('with %s is not spoken to', async (_, steps) => {
    const server = await scripted([...steps, { ignore: true }])
    const error = await failure(destination(server.port).ready(never))
    expect(outcome(error)).toBe('TLS temporary destination 76')
    expect(heardBy(server)).not.toContain('MAIL')
  })

  test('at RSET takes back the refusal that it may never have said', async () => {
    const server = await scripted([
      ...hello,
      ...mail,
      { expect: /^RCPT/ },
      { send: '550 no' },
      { expect: 'RSET' },
      { send: '250 ok\r\n250 ok' },
      { ignore: true },
    ])
    const error = await failure(destination(server.port).deliver(attempt(), message(MAIL), never))
    expect(outcome(error)).toBe('TLS temporary destination 76')
  })
})

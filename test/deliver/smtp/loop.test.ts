// An smtp destination does not send on what it sent before (D046, D047).
import { describe, expect, test } from 'vitest'
import { attempt, destination, failure, MAIL, message, never, outcome, sink } from './scene.ts'

describe('an smtp destination', () => {
  test('puts the token into its trace, and holds what comes back with it', async () => {
    const server = await sink()
    const smtp = destination(server.port, { trace: true })
    await smtp.deliver(attempt(), message(MAIL), never)
    const [sunk] = server.messages
    if (sunk === undefined) throw new Error('nothing came')
    const error = await failure(smtp.deliver(attempt('2'), message(sunk.bytes), never))
    expect(outcome(error)).toBe('HELD held message 75')
    expect(error.verdict === 'held').toBe(true)
    expect(error.message).toMatch(/^smtp mx: a possible loop: .*; it stays on the server and is not sent again$/)
    expect(server.messages).toHaveLength(1)
  })

  test('sends it on to another recipient, and from another mailbox', async () => {
    const server = await sink()
    const smtp = destination(server.port, { trace: true, to: ['me@example.com', 'you@example.com'] })
    await smtp.deliver(attempt(), message(MAIL), never)
    const came = message(server.messages[0]?.bytes ?? Buffer.alloc(0))
    await smtp.deliver(attempt('2', 'you@example.com'), came, never)
    const elsewhere = attempt('3')
    await smtp.deliver({ ...elsewhere, origin: { ...elsewhere.origin, user: 'v' } }, came, never)
    expect(server.messages).toHaveLength(3)
  })

  test('a notice about what it sent goes on from nobody, so that no notice comes of it (D047)', async () => {
    const server = await sink()
    const smtp = destination(server.port, { from: { kind: 'address', address: 'me@example.com' } })
    const notice =
      'From: MAILER-DAEMON@example.org\r\nTo: me@example.com\r\n' +
      'Content-Type: multipart/report; report-type=delivery-status; boundary=x\r\n\r\n--x--\r\n'
    await smtp.deliver(attempt(), message(notice), never)
    expect(server.messages[0]?.from).toBe('')
  })
})

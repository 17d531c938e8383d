// Mail that goes in a circle is held, not sent on for ever (D046, D047).
import { describe, expect, test } from 'vitest'
import { traceField } from '../../src/deliver/envelope.ts'
import { loopOf, loopToken } from '../../src/deliver/envelope.ts'
import { attempt, destination, failure, MAIL, message, never, nowMs, origin, outcome, sink } from './smtp-scene.ts'

const by = { hostName: 'host.example', nowMs }
const token = loopToken(origin, 'me@example.com')
const header = (text: string): Buffer => Buffer.from(text, 'latin1')

describe('loopToken', () => {
  test('differs with the mailbox and the recipient, not with the name of the account or the message', () => {
    expect(loopToken({ ...origin, account: 'other', uidl: '2' }, 'me@example.com')).toBe(token)
    expect(loopToken({ ...origin, user: 'v' }, 'me@example.com')).not.toBe(token)
    expect(loopToken({ ...origin, host: 'h' }, 'me@example.com')).not.toBe(token)
    expect(loopToken(origin, 'you@example.com')).not.toBe(token)
    expect(token).toMatch(/^[0-9a-f]{20}$/)
  })
})

describe('loopOf', () => {
  test('knows its own trace among others, however a server folded it', () => {
    const own = traceField(origin, { ...by, id: token })
    expect(loopOf(header(`Received: by x; y\r\n${own}Subject: x\r\n`), token)).toMatch(/it came back/)
    expect(loopOf(header(own.replace(' id ', '\r\n id ')), token)).toMatch(/it came back/)
  })

  test('is not misled by the trace of another mailbox, one without an id, or a token elsewhere', () => {
    const other = traceField(origin, { ...by, id: loopToken({ ...origin, user: 'v' }, 'me@example.com') })
    expect(loopOf(header(`${other}${traceField(origin, by)}Subject: id ${token} (popfetch; x)\r\n`), token)).toBeNull()
    expect(loopOf(header(`Received: from a by b id ${token}; x\r\n`), token)).toBeNull()
  })

  test('counts fifty Received fields as a long way, and one more as a circle', () => {
    expect(loopOf(header('Received: by x; y\r\n'.repeat(50)), token)).toBeNull()
    expect(loopOf(header('Received: by x; y\r\n'.repeat(51)), token)).toBe('it has 51 Received fields')
  })
})

describe('an smtp destination', () => {
  test('puts the token into its trace, and holds what comes back with it', async () => {
    const server = await sink()
    const smtp = destination(server.port, { trace: true })
    await smtp.deliver(attempt(), message(MAIL), never)
    const [sunk] = server.messages
    if (sunk === undefined) throw new Error('nothing came')
    const error = await failure(smtp.deliver(attempt('2'), message(sunk.bytes), never))
    expect(outcome(error)).toBe('refused message never')
    expect(error.hold).toBe(true)
    expect(error.message).toMatch(/^smtp mx: a possible loop: .*: it is kept on the server and not sent again$/)
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

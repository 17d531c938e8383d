// LMTP: over a Unix socket and over TCP, one recipient and one answer at a time (D062, D080, D081).
import { mkdtemp, rm } from 'node:fs/promises'
import { connect, createServer, Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { isPrivate } from '../../../src/deliver/network/private-network.ts'
import type { SmtpConfig } from '../../../src/deliver/smtp/smtp.ts'
import { conclude, notBegun } from '../../../src/deliver/smtp/fault.ts'
import { isLocal } from '../../../src/deliver/network/dial.ts'
import { checkPlace } from '../../../src/deliver/smtp/place.ts'
import type { Step } from '../../support/smtp-server.ts'
import { attempt, destination, failure, heardBy, MAIL, message, never, outcome, scripted, sink } from './scene.ts'

const lmtp: Partial<SmtpConfig> = { protocol: 'lmtp', description: 'lmtp here' }
const hello: readonly Step[] = [
  { send: '220 mx LMTP' },
  { expect: 'LHLO host.example' },
  { send: '250-mx\r\n250-PIPELINING\r\n250 8BITMIME' },
]
/** Up to the end of the message. */
const transaction: readonly Step[] = [
  { expect: /^MAIL FROM:<list@example.org>/ },
  { expect: 'RCPT TO:<me@example.com>' },
  { expect: 'DATA' },
  { send: '250 ok\r\n250 ok\r\n354 go on' },
  { expectUntil: '\r\n.\r\n' },
]

describe('lmtp', () => {
  test('hands over each recipient by itself, and goes on with the same connection', async () => {
    const server = await sink({ lmtp: true })
    const to = destination(server.port, { ...lmtp, to: ['a@example.com', 'b@example.com'] })
    expect((await to.deliver(attempt('1', 'a@example.com'), message(MAIL), never)).text).toMatch(/^250 /)
    await to.deliver(attempt('1', 'b@example.com'), message(MAIL), never)
    expect(server.messages.map(({ to: recipients }) => recipients)).toEqual([['a@example.com'], ['b@example.com']])
    expect(server.connections).toBe(1)
  })

  test('a user of this machine needs no domain, which SMTP would want', async () => {
    const [mail, , ...rest] = transaction
    const server = await scripted([
      ...hello,
      ...(mail === undefined ? [] : [mail]),
      { expect: 'RCPT TO:<bob>' },
      ...rest,
      { send: '250 saved' },
      { ignore: true },
    ])
    await destination(server.port, lmtp).deliver(attempt('1', 'bob'), message(MAIL), never)
    const error = await failure(destination(server.port).deliver(attempt('1', 'bob'), message(MAIL), never))
    expect(error.message).toContain('this is not an address')
  })

  test('a refusal after the dot, which libraries call a success, is one; the next message goes through (D062)', async () => {
    const server = await scripted([
      ...hello,
      ...transaction,
      { send: '552 5.2.2 mailbox full' },
      ...transaction,
      { send: '451 4.2.0 locked' },
      ...transaction,
      { send: '250 2.0.0 saved' },
      { ignore: true },
    ])
    const to = destination(server.port, lmtp)
    const full = await failure(to.deliver(attempt('1'), message(MAIL), never))
    expect(outcome(full)).toBe('ROOM temporary recipient 75')
    expect(full.message).toContain('552 5.2.2 mailbox full')
    expect(outcome(await failure(to.deliver(attempt('2'), message(MAIL), never)))).toBe('TEMP temporary message 75')
    expect((await to.deliver(attempt('3'), message(MAIL), never)).text).toBe('250 2.0.0 saved')
  })

  test('a recipient that is refused gets no message, although 503 answers DATA (D080)', async () => {
    const server = await scripted([
      ...hello,
      ...transaction.slice(0, 3),
      { send: '250 ok\r\n550 5.1.1 nobody\r\n503 5.5.1 no recipient' },
      { expect: 'RSET' },
      { send: '250 ok' },
      { ignore: true },
    ])
    const error = await failure(destination(server.port, lmtp).deliver(attempt(), message(MAIL), never))
    expect(outcome(error)).toBe('RCPT temporary recipient 75')
    expect(error.message).toContain('550 5.1.1 nobody')
  })

  test('a connection that ends instead of the answer leaves it unknown (D080)', async () => {
    const server = await scripted([...hello, ...transaction, { cut: 'fin' }])
    const error = await failure(destination(server.port, lmtp).deliver(attempt(), message(MAIL), never))
    expect(outcome(error)).toBe('LOST unknown message 75')
  })

  test('one answer too many makes the message unknown', async () => {
    const server = await scripted([...hello, ...transaction, { send: '250 saved\r\n250 saved' }, { ignore: true }])
    const error = await failure(destination(server.port, lmtp).deliver(attempt(), message(MAIL), never))
    expect(outcome(error)).toBe('LOST unknown destination 76')
  })

  test('a server that speaks only SMTP is not spoken to in SMTP', async () => {
    const server = await scripted([
      { send: '220 mx ESMTP' },
      { expect: 'LHLO host.example' },
      { send: '500 5.5.1 what' },
      { ignore: true },
    ])
    const error = await failure(destination(server.port, lmtp).deliver(attempt(), message(MAIL), never))
    expect(outcome(error)).toBe('TLS temporary destination 76')
    expect(heardBy(server)).not.toContain('HELO')
  })

  test('mail that names no sender comes from nobody', async () => {
    const server = await sink({ lmtp: true })
    await destination(server.port, lmtp).deliver(attempt(), message('Subject: x\r\n\r\nx\r\n'), never)
    expect(server.messages[0]?.from).toBe('')
  })

  test.each([
    ['127.0.0.1', null, true],
    ['127.9.9.9', null, true],
    ['::1', null, true],
    ['::ffff:127.0.0.1', null, true],
    ['192.0.2.1', null, false],
    ['::ffff:192.0.2.1', null, false],
    ['2001:db8::1', null, false],
    [undefined, null, false],
    [undefined, '/run/lmtp', true],
  ])('a peer at %s, socket %s, is this machine itself: %s (D081)', (remoteAddress, socketPath, local) => {
    const socket = Object.defineProperty(new Socket(), 'remoteAddress', { value: remoteAddress })
    expect(isLocal(socket, { socketPath })).toBe(local)
  })

  test.each([
    ['10.0.0.1', true],
    ['172.16.0.1', true],
    ['172.31.255.255', true],
    ['192.168.9.9', true],
    ['::ffff:192.168.9.9', true],
    ['fd12::1', true],
    ['172.32.0.1', false],
    ['192.169.0.1', false],
    ['169.254.0.1', false],
    ['100.64.0.1', false],
    ['fe80::1', false],
    ['2001:db8::1', false],
    ['', false],
    ['no address', false],
  ])('the address %s is of a private network: %s (D123)', (address, is) => {
    expect(isPrivate(address)).toBe(is)
  })

  test('a name that turns out to be public is a matter of the configuration (D123)', () => {
    const at = (remoteAddress: string): Socket =>
      Object.defineProperty(new Socket(), 'remoteAddress', { value: remoteAddress })
    const peer = { host: 'mail', socketPath: null, protocol: 'lmtp', tls: 'none' } as const
    const fault = checkPlace(at('203.0.113.1'), peer)
    if (fault === null) throw new Error('it was taken')
    expect(fault.text).toMatch(/^mail is 203\.0\.113\.1, on a public network/)
    const circumstances = {
      protocol: 'lmtp',
      filled: false,
      ownSender: true,
      othersOpen: false,
      used: false,
      probe: null,
    } as const
    const answer = conclude(notBegun('connect', fault), circumstances)
    expect([answer.conclusion, answer.scope, answer.exit]).toEqual(['TLS', 'destination', 78])
    for (const address of ['127.0.0.1', '10.0.0.1']) expect(checkPlace(at(address), peer)).toBeNull()
    expect(checkPlace(at('203.0.113.1'), { ...peer, tls: 'starttls' })).toBeNull()
    expect(checkPlace(at('203.0.113.1'), { ...peer, protocol: 'smtp' })).toBeNull()
  })
})

describe('a Unix socket', () => {
  test('is connected to by its path, even one that looks like a port, and a password may go over it (D080)', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'popfetch-lmtp-'))
    onTestFinished(() => rm(directory, { recursive: true }))
    const server = await sink({ lmtp: true, users: { me: 'secret' } })
    const socketPath = join(directory, '24')
    const front = createServer((socket) => {
      const behind = connect(server.port, '127.0.0.1')
      socket
        .on('error', () => {})
        .pipe(behind.on('error', () => {}))
        .pipe(socket)
    })
    await new Promise<void>((resolve) => void front.listen(socketPath, resolve))
    onTestFinished(() => void front.close())
    const to = destination(0, { ...lmtp, socketPath, user: 'me', secret: () => Promise.resolve('secret') })
    await to.deliver(attempt(), message(MAIL), never)
    expect(server.messages.map(({ user }) => user)).toEqual(['me'])
  })

  test('where nobody listens is a destination that is down', async () => {
    const to = destination(0, { ...lmtp, socketPath: '/nonexistent/lmtp', description: 'lmtp /nonexistent/lmtp' })
    const error = await failure(to.ready(never))
    expect(outcome(error)).toBe('DOWN temporary destination 75')
    expect(error.message).toMatch(/^lmtp \/nonexistent\/lmtp: connecting failed: .*ENOENT/)
  })
})

// What the tests of smtp and lmtp share: a destination, a message, servers, and the beginning of a session.
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { onTestFinished } from 'vitest'
import type { Attempt, Destination } from '../../../src/deliver/destination.ts'
import { loopToken } from '../../../src/deliver/envelope.ts'
import { RFC_LIMITS, type SmtpLimits } from '../../../src/deliver/smtp/limits.ts'
import { openSmtp, type SmtpConfig } from '../../../src/deliver/smtp/smtp.ts'
import type { DeliveryError } from '../../../src/errors.ts'
import type { Body, Message, Origin } from '../../../src/message.ts'
import { ScriptedServer, SmtpSink, type Step } from '../../support/smtp-server.ts'

export { directory, failure } from '../scene.ts'

export const nowMs = Date.UTC(2026, 10, 24, 13, 10, 22)
export const never = new AbortController().signal

/** Closed at the end of the test. */
export function closed<T extends AsyncDisposable>(opened: T): T {
  onTestFinished(async () => opened[Symbol.asyncDispose]())
  return opened
}

export function destination(
  port: number,
  more: Partial<SmtpConfig> = {},
  limits: Partial<SmtpLimits> = {},
): Destination {
  const config: SmtpConfig = {
    protocol: 'smtp',
    host: '127.0.0.1',
    port,
    socketPath: null,
    tls: 'none',
    ca: null,
    pin: null,
    tlsName: null,
    helo: null,
    user: null,
    secret: null,
    auth: 'auto',
    to: ['me@example.com'],
    from: { kind: 'original' },
    concurrency: 4,
    timeoutMs: null,
    trace: false,
    label: false,
    bareNewlines: 'fix',
    wrap: 'never',
    deliveredTo: 'rename',
    description: 'smtp mx',
    ...more,
  }
  const context = { hostName: 'host.example', nowMs: () => nowMs }
  return closed(openSmtp(config, context, { ...RFC_LIMITS, quitMs: 20, ...limits }))
}

export const origin: Origin = {
  account: 'old-isp',
  host: 'pop.example.net',
  user: 'u',
  uidl: '1',
  copy: 0,
  protocol: 'POP3S',
}
export const TRACE =
  `Received: from pop.example.net by host.example with POP3S id ${loopToken(origin, 'me@example.com')}\r\n` +
  '\t(popfetch; account old-isp); Tue, 24 Nov 2026 13:10:22 +0000\r\n'
export const attempt = (uidl = '1', recipient = 'me@example.com'): Attempt => ({
  intent: '0123456789abcdef',
  origin: { ...origin, uidl },
  recipient,
})

export function message(text: string | Buffer, body?: Body): Message {
  const bytes = Buffer.isBuffer(text) ? text : Buffer.from(text, 'latin1')
  const end = bytes.indexOf('\r\n\r\n')
  return {
    origin,
    sizeBytes: bytes.length,
    digest: Buffer.alloc(32),
    fingerprint: Buffer.alloc(16),
    messageId: null,
    header: bytes.subarray(0, end < 0 ? bytes.length : end + 2),
    body: body ?? { kind: 'memory', bytes },
    receivedMs: nowMs,
  }
}

export const MAIL = 'Return-Path: <list@example.org>\r\nSubject: hello\r\n\r\nBody\r\n'

export async function sink(options: Parameters<typeof SmtpSink.start>[0] = {}): Promise<SmtpSink> {
  return closed(await SmtpSink.start(options))
}

export async function scripted(...scripts: readonly (readonly Step[])[]): Promise<ScriptedServer> {
  return closed(await ScriptedServer.start(scripts))
}

export const outcome = ({ conclusion, verdict, scope, exit }: DeliveryError): string =>
  `${conclusion} ${verdict} ${scope} ${exit}`

export const hello: readonly Step[] = [
  { send: '220 mx ESMTP' },
  { expect: 'EHLO host.example' },
  { send: '250-mx\r\n250-SIZE 10000\r\n250 8BITMIME' },
]
export const mail: readonly Step[] = [{ expect: /^MAIL FROM:<list@example.org>/ }, { send: '250 ok' }]
export const rcpt: readonly Step[] = [{ expect: 'RCPT TO:<me@example.com>' }, { send: '250 ok' }]
export const envelope: readonly Step[] = [...mail, ...rcpt, { expect: 'DATA' }, { send: '354 go on' }]
export const content: readonly Step[] = [{ expectUntil: '\r\n.\r\n' }]
export const heardBy = (server: ScriptedServer, connection = 0): string =>
  Buffer.concat(server.heard[connection] ?? []).toString('latin1')

/** A server that asks for the content and then does `then`, without reading on by itself. */
export async function stalling(
  then: (socket: Socket) => Promise<void>,
  atMail: (socket: Socket) => void = (socket) => socket.write('250 ok\r\n'),
): Promise<{ port: number; heard: () => string }> {
  let heard = ''
  const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.write('220 mx\r\n')
    socket.on('data', (chunk: Buffer) => {
      const text = chunk.toString('latin1')
      heard += text
      if (text.startsWith('DATA')) socket.write('354 go\r\n')
      else if (text.startsWith('MAIL')) atMail(socket)
      else if (/^(?:EHLO|RCPT)/.test(text)) socket.write('250 ok\r\n')
      else void then(socket)
    })
  })
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  onTestFinished(() => {
    server.close()
  })
  return { port: (server.address() as AddressInfo).port, heard: () => heard }
}

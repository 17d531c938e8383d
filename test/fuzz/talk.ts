// What other processes say: the control socket, HTTP clients, SMTP servers; and the headers that senders write.
import { connect } from 'node:net'
import { Lines, parseLine, parseRequest } from '../../src/daemon/control/protocol.ts'
import { HttpServer } from '../../src/daemon/http/server.ts'
import { readReply, sameReply } from '../../src/deliver/answers/reply.ts'
import { envelopeSender } from '../../src/deliver/envelope.ts'
import { readEntry } from '../../src/cli/commands/log/entry.ts'
import { mechanismOf, sizeLimitOf, takesUtf8 } from '../../src/deliver/smtp/capabilities.ts'
import { splitHeader } from '../../src/header.ts'
import { fits, matches } from '../../src/poll/route/conditions.ts'
import { RememberedCapabilities } from '../../src/poll/sign-in/remembered-capabilities.ts'
import { anyPort, noNames, watched } from '../daemon/http/scene.ts'
import { asBytes, same, type Target } from './target.ts'

const LIMIT = 20_000

/** The lines that came, and whether they were too long. */
function taken(pieces: readonly string[]): string {
  const lines = new Lines(LIMIT)
  const all: string[] = []
  for (const piece of pieces) {
    const ended = lines.take(piece)
    if (ended === null) return `${all.length === 0 ? '' : all.join('\n')}…`
    all.push(...ended)
  }
  return all.join('\n')
}

/** One server for all inputs; it does not keep the process. */
let http: Promise<HttpServer> | null = null

async function asked(bytes: Buffer): Promise<void> {
  http ??= HttpServer.listen(anyPort, noNames, watched)
  const { port } = await http
  await new Promise<void>((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.end(bytes))
    socket
      .on('data', () => {})
      .on('error', () => {})
      .on('close', () => resolve())
  })
  const { status } = await fetch(`http://127.0.0.1:${port}/healthz`, { headers: { connection: 'close' } })
  if (status !== 200) throw new Error(`the server answers ${status} afterwards`)
}

export const talkTargets: readonly Target[] = [
  {
    name: 'control protocol',
    seeds: [
      '{"verb":"status"}\n',
      '{"verb":"wake","accounts":["a","b"],"eager":true,"wait":false,"mark":null}\n',
      '{"kind":"working"}\n{"kind":"answer","answer":{"pid":1}}\n{"kind":"refusal","error":{"code":"ERR_BUSY"}}\n',
      '[[[[{"__proto__":{"verb":"stop"}}]]]]\n',
    ].map(asBytes),
    run(input, random) {
      const text = input.toString('latin1').slice(0, LIMIT)
      same(taken([text]), taken(random.pieces(asBytes(text)).map((piece) => piece.toString('latin1'))))
      for (const line of text.split('\n').slice(0, 20)) {
        const request = parseRequest(line)
        if (request?.verb === 'wake' && request.accounts.some((name) => typeof name !== 'string'))
          throw new Error('names')
        parseLine(line)
      }
    },
  },
  {
    name: 'HTTP requests',
    seeds: [
      'GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n',
      'POST /healthz?x HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n0\r\n\r\n',
      'GET http://a/ HTTP/1.0\r\nContent-Length: 5\r\n\r\n',
    ].map(asBytes),
    run: asked,
  },
  {
    name: 'JSON that was remembered',
    seeds: [
      '{"of":"implicit h:995","sinceMs":1800000000000,"names":["PIPELINING"],"sasl":["PLAIN"],"mark":"x"}',
      '{"of":1,"sinceMs":null,"names":{},"sasl":[[]],"mark":"x","__proto__":{"of":"implicit h:995"}}',
    ].map(asBytes),
    run(input) {
      const server = { tls: 'implicit', host: 'h', port: 995, auth: 'auto' }
      const remembered = new RememberedCapabilities(
        server as ConstructorParameters<typeof RememberedCapabilities>[0],
        input.toString('utf8'),
        1_800_000_000_000,
      )
      for (const name of remembered.current?.names ?? [])
        if (typeof name !== 'string') throw new Error('that is no name')
    },
  },
  {
    name: 'lines of a log',
    seeds: [
      '{"level":30,"time":"2026-11-29T08:00:00.000Z","pid":7,"account":"work","delivered":3,"msg":"polled"}',
      '2026-11-29 08:00:00 warning: work: a message is held (uidl "x", reason "y")',
    ].map(asBytes),
    run(input) {
      const { text } = readEntry(input.toString('utf8'))
      // oxlint-disable-next-line no-control-regex
      if (/[\u0000-\u001f\u007f]/.test(text)) throw new Error('that can act on a terminal')
    },
  },
  {
    name: 'SMTP replies',
    seeds: [
      '250-mx.example\r\n250-SIZE 1000\r\n250-AUTH PLAIN LOGIN XOAUTH2\r\n250 SMTPUTF8\r\n',
      '451 4.7.1 greylisted, try again in 5 minutes <a@b>\r\n',
      '552-5.3.4 too big\r\n552 5.3.4 limit 10\r\n',
    ].map(asBytes),
    run(input) {
      const text = input.toString('latin1')
      for (const auth of ['auto', 'plain', 'cram-md5'] as const) mechanismOf(text, auth)
      takesUtf8(text)
      sizeLimitOf(text)
      sameReply(readReply(Number(text.slice(0, 3)) || 0, text))
    },
  },
  {
    name: 'addresses and encoded words',
    seeds: [
      'From: =?utf-8?B?R3LDvMOfZQ==?= <a@b.c>, "x \\" y" <d@e>\r\nTo: g: a@b, c@d;\r\nSubject: =?iso-2022-jp?b?GyRCJEIbKEI=?=\r\n =?utf-8?q?=C3=A4_?=\r\nReturn-Path: <>\r\n\r\n',
      'Return-Path: <a@b>\r\nContent-Type: multipart/report; report-type="delivery-status"\r\nSender: (c) a@b\r\n\r\n',
    ].map(asBytes),
    run(input) {
      const header = splitHeader(input)
      const when = { from: '*a@*', to: '*c*d', subject: '*\u00e4*', header: [{ name: 'x', pattern: '*' }], size: null }
      fits(when, { header, sizeBytes: input.length } as Parameters<typeof fits>[1])
      matches(input.toString('latin1', 0, 200), input.toString('utf8'))
      envelopeSender({ kind: 'original' }, header, 'me@example.net')
    },
  },
]

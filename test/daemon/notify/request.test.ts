// An address that is told something may answer with anything, slowly, or not at all. Real servers on loopback, one for each.
import { createServer as createHttpServer, type IncomingMessage } from 'node:http'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { describe, expect, onTestFinished, test } from 'vitest'
import { requestFailure } from '../../../src/daemon/notify/request.ts'

/** Speaks raw bytes; gives its port, and what it was told. */
async function server(answer: (socket: Socket) => void): Promise<{ readonly port: number; readonly heard: Buffer[] }> {
  const heard: Buffer[] = []
  const sockets = new Set<Socket>()
  const listening = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    let isAnswered = false
    socket.on('data', (bytes) => {
      heard.push(bytes)
      if (!isAnswered) answer(socket)
      isAnswered = true
    })
  })
  await new Promise<void>((resolve) => void listening.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy()
    listening.close()
  })
  return { port: (listening.address() as AddressInfo).port, heard }
}

const ask = (port: number, signal: AbortSignal = new AbortController().signal): Promise<string | null> =>
  requestFailure({
    method: 'POST',
    url: new URL(`http://127.0.0.1:${port}/secret-topic?key=secret-key`),
    headers: { Authorization: 'Bearer secret-token' },
    body: 'mail is not arriving',
    env: {},
    signal,
  })

/** Writes for as long as somebody takes it. */
function endless(socket: Socket, bytes: string): void {
  const piece = Buffer.from(bytes)
  const write = (): void => {
    while (!socket.destroyed && socket.write(piece));
  }
  socket.on('drain', write)
  write()
}

const ANSWERS: readonly (readonly [what: string, answer: (socket: Socket) => void, failure: RegExp | null])[] = [
  ['200', (socket) => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'), null],
  ['204', (socket) => socket.end('HTTP/1.1 204 No Content\r\n\r\n'), null],
  ['500', (socket) => socket.end('HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n'), /answered 500$/],
  ['100 and then 200', (socket) => socket.end('HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n'), null],
  ['101', (socket) => socket.write('HTTP/1.1 101 Go\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n'), /answered 101$/],
  [
    'ten megabytes',
    (socket) => socket.end(`HTTP/1.1 200 OK\r\nContent-Length: 10000000\r\n\r\n${'x'.repeat(10_000_000)}`),
    null,
  ],
  [
    'a body without an end',
    (socket) => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n')
      endless(socket, 'x'.repeat(65_536))
    },
    null,
  ],
  [
    'headers without an end',
    (socket) => {
      socket.write('HTTP/1.1 200 OK\r\n')
      endless(socket, 'X-Y: z\r\n'.repeat(1000))
    },
    /HPE_HEADER_OVERFLOW/,
  ],
  ['no HTTP', (socket) => socket.end('220 mail.example.org ESMTP\r\n'), /HPE_/],
  ['nothing, and the end', (socket) => socket.end(), /ECONNRESET/],
  ['a reset', (socket) => socket.resetAndDestroy(), /ECONNRESET/],
]

test.each(ANSWERS)('an answer of %s', async (_, answer, failure) => {
  const { port, heard } = await server(answer)
  const said = await ask(port)
  if (failure === null) expect(said).toBeNull()
  else expect(said).toMatch(failure)
  expect(said ?? '').not.toMatch(/secret/)
  expect(Buffer.concat(heard).toString()).toMatch(/^POST \/secret-topic\?key=secret-key HTTP\/1\.1\r\n/)
})

test.each([301, 302, 303, 307, 308])('a redirect (%i) is not followed: the secrets in it stay here', async (status) => {
  const other = await server((socket) => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'))
  const { port } = await server((socket) =>
    socket.end(`HTTP/1.1 ${status} There\r\nLocation: http://127.0.0.1:${other.port}/\r\nContent-Length: 0\r\n\r\n`),
  )
  expect(await ask(port)).toBe(`127.0.0.1:${port} answered ${status}, a redirect, which is not followed`)
  expect(other.heard).toEqual([])
})

describe('one that does not answer', () => {
  test.each([
    ['says nothing', (): void => {}],
    ['says a letter', (socket: Socket): void => void socket.write('H')],
    ['says half of it', (socket: Socket): void => void socket.write('HTTP/1.1 200 OK\r\nX: ')],
  ])('but %s is left at the limit', async (_, answer) => {
    const limit = new AbortController()
    const { port } = await server((socket) => {
      answer(socket)
      setImmediate(() => limit.abort())
    })
    expect(await ask(port, limit.signal)).toBe(`asking 127.0.0.1:${port}: no answer in time`)
  })
})

test('nobody there, and a header that cannot be sent, are told without what is secret', async () => {
  expect(await ask(1)).toBe('asking 127.0.0.1:1: ECONNREFUSED')
  const { port, heard } = await server(() => {})
  const failure = await requestFailure({
    method: 'POST',
    url: new URL(`http://127.0.0.1:${port}/`),
    headers: { Authorization: 'Bearer g\u00f6tter\u20ac-secret' },
    body: '',
    env: {},
    signal: new AbortController().signal,
  })
  expect(failure).toMatch(/^asking 127\.0\.0\.1:\d+: /)
  expect(failure).not.toMatch(/secret/)
  expect(heard).toEqual([])
})

test('the proxy of the environment is asked, but not for this machine, nor for what NO_PROXY names', async () => {
  const asked: string[] = []
  const proxy = createHttpServer((request: IncomingMessage, response) => {
    asked.push(`${request.method} ${request.url}`)
    response.writeHead(200).end()
  })
  await new Promise<void>((resolve) => void proxy.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    proxy.closeAllConnections()
    proxy.close()
  })
  const env = { HTTP_PROXY: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`, NO_PROXY: 'near.invalid' }
  const get = (url: string): Promise<string | null> =>
    requestFailure({
      method: 'GET',
      url: new URL(url),
      headers: {},
      body: null,
      env,
      signal: new AbortController().signal,
    })
  expect(await get('http://ntfy.invalid/topic')).toBeNull()
  expect(asked).toEqual(['GET http://ntfy.invalid/topic'])
  expect(await get('http://near.invalid/topic')).toMatch(/^asking near\.invalid: (?:ENOTFOUND|EAI_AGAIN)/)
  const { port } = await server((socket) => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'))
  expect(await get(`http://127.0.0.1:${port}/`)).toBeNull()
  expect(asked).toHaveLength(1)
})

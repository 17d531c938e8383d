// Requests as nobody's browser sends them: other methods, paths that lead elsewhere, names that are not ours, broken HTTP. Byte by byte
// over a socket; what is answered is in the table.
import { once } from 'node:events'
import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { HttpServer } from '../../../src/daemon/http/server.ts'
import { anyPort, asked, watched } from './scene.ts'

const TOKEN = 'correct horse'

let server: HttpServer
beforeAll(async () => {
  server = await HttpServer.listen(anyPort, { hosts: ['nas.example'], token: TOKEN }, watched)
})
afterAll(() => server[Symbol.asyncDispose]())

/** What comes back until the connection ends. */
async function said(bytes: string): Promise<string> {
  const socket = connect(server.port, '127.0.0.1')
  const chunks: Buffer[] = []
  socket.on('data', (chunk) => void chunks.push(chunk))
  socket.on('error', () => {})
  socket.write(Buffer.from(bytes, 'latin1'))
  await once(socket, 'close')
  return Buffer.concat(chunks).toString('latin1')
}

const statusOf = (answer: string): number => Number(/^HTTP\/1\.1 (\d{3}) /.exec(answer)?.[1] ?? 0)

function request(line: string, fields: readonly string[] = ['Host: 127.0.0.1']): string {
  return [`${line} HTTP/1.1`, ...fields, 'Connection: close', '', ''].join('\r\n')
}

const PATHS = ['/', '/status.json', '/metrics', '/healthz', '/livez'] as const

describe.each(PATHS)('%s', (path) => {
  test('is given to GET, without its text to HEAD, and to nothing else', async () => {
    const whole = await said(request(`GET ${path}`))
    expect(statusOf(whole)).toBe(200)
    const [head = '', body] = (await said(request(`HEAD ${path}`))).split('\r\n\r\n')
    expect([statusOf(head), body]).toEqual([200, ''])
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'PROPFIND']) {
      const answer = await said(request(`${method} ${path}`))
      expect([method, statusOf(answer)]).toEqual([method, 405])
      expect(answer).toMatch(/^Allow: GET\r$/m)
      // Nobody else’s page is told that it may ask.
      expect(answer).not.toMatch(/^Access-Control-/im)
    }
  })
})

test.each([
  '/..',
  '/../../etc/passwd',
  '/%2e%2e/%2e%2e/etc/passwd',
  '/..%2f..%2fetc%2fpasswd',
  '//etc/passwd',
  '/./',
  '/status.json/',
  '/STATUS.JSON',
  '/%2f',
  '/\\..\\',
  '/metrics;x',
  '/__proto__',
  '/constructor',
  '/hasOwnProperty',
  '/toString',
  'http://127.0.0.1/',
  'http://evil.example/status.json',
])('nothing is at %s', async (path) => {
  expect(statusOf(await said(request(`GET ${path}`)))).toBe(404)
})

test.each([
  ['127.0.0.1', 200],
  ['127.0.0.1:1', 200],
  ['localhost', 200],
  ['LocalHost:8080', 200],
  ['nas.example', 200],
  ['nas.example.', 403],
  ['nas.example.evil.example', 403],
  ['evil.example', 403],
  ['127.0.0.1.evil.example', 403],
  ['127.0.0.1@evil.example', 403],
  ['localhost, evil.example', 403],
  ['0.0.0.0', 403],
  ['127.0.0.2', 403],
  ['127.1', 403],
  ['2130706433', 403],
  ['[::1]', 403],
  ['', 403],
])('who calls us %j gets %i, but health in any case', async (host, status) => {
  expect(statusOf(await said(request('GET /status.json', [`Host: ${host}`])))).toBe(status)
  expect(statusOf(await said(request('GET /livez', [`Host: ${host}`])))).toBe(200)
})

test.each([
  ['no Host', 'GET / HTTP/1.1\r\nConnection: close\r\n\r\n', 400],
  ['no HTTP', 'hello\r\n\r\n', 400],
  ['a version that is none', 'GET / HTTP/9.9\r\nHost: 127.0.0.1\r\n\r\n', 400],
  ['NUL in its path', request('GET /\0'), 400],
  ['a field without a name', request('GET /', ['Host: 127.0.0.1', ': x']), 400],
  ['a folded field', request('GET /', ['Host: 127.0.0.1', 'X: y', ' z']), 400],
  ['two lengths', `${request('POST /wake', ['Host: 127.0.0.1', 'Content-Length: 1', 'Content-Length: 2'])}xx`, 400],
  [
    'a length and pieces',
    `${request('POST /wake', ['Host: 127.0.0.1', 'Content-Length: 5', 'Transfer-Encoding: chunked'])}0\r\n\r\n`,
    400,
  ],
  ['a header of 20 kB', request('GET /', ['Host: 127.0.0.1', `X: ${'x'.repeat(20_000)}`]), 431],
  ['a path of 20 kB', request(`GET /${'x'.repeat(20_000)}`), 431],
])('a request with %s is refused', async (_, bytes, status) => {
  expect(statusOf(await said(bytes))).toBe(status)
})

test('nobody is led elsewhere through us, and nobody gets another protocol', async () => {
  expect(await said('CONNECT evil.example:80 HTTP/1.1\r\nHost: evil.example:80\r\n\r\n')).not.toMatch(/^HTTP\/1\.1 2/)
  const upgrade = ['Host: 127.0.0.1', 'Upgrade: websocket', 'Sec-WebSocket-Key: eHg=', 'Sec-WebSocket-Version: 13']
  expect(await said(request('GET /', upgrade))).not.toMatch(/^HTTP\/1\.1 101/)
})

describe('what changes something', () => {
  const change = (path: string, ...fields: string[]): Promise<string> =>
    said(request(path, ['Host: 127.0.0.1', ...fields]))

  test.each([
    ['nothing', []],
    ['a wrong token', ['Authorization: Bearer wrong']],
    ['the token in another scheme', [`Authorization: Basic ${Buffer.from(`x:${TOKEN}`).toString('base64')}`]],
    ['the token as a cookie', [`Cookie: token=${TOKEN}`]],
    ['a token in a field of its own', [`X-Token: ${TOKEN}`]],
  ])('is refused with %s', async (_, fields) => {
    asked.length = 0
    for (const path of ['POST /wake', 'POST /retry', `POST /wake?token=correct%20horse`])
      expect(statusOf(await change(path, ...fields))).toBe(401)
    expect(asked).toEqual([])
  })

  test.each(['__proto__', 'constructor', 'no-such', '', 'work%00', '%FF', '../work'])(
    'is refused for the account %j, which nobody has',
    async (account) => {
      asked.length = 0
      // A token of two words cannot be sent: the header knows one.
      await using own = await HttpServer.listen(anyPort, { hosts: [], token: 'horse' }, watched)
      const response = await fetch(`http://127.0.0.1:${own.port}/wake?account=${account}`, {
        method: 'POST',
        headers: { Authorization: 'Bearer horse' },
      })
      expect(response.status).toBe(404)
      expect(asked).toEqual([])
    },
  )
})

import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import { expect, test } from 'vitest'
import { HttpServer } from '../../../src/daemon/http/server.ts'
import { anyPort, get, ledger, plan, watched } from './scene.ts'

test('all is well unless an account is overdue; nothing else is served, and nothing by another method', async () => {
  await using server = await HttpServer.listen(anyPort, watched)
  expect(await get(server.port, '/healthz')).toEqual({ status: 200, text: 'ok\n' })
  const late = plan.map((planned) => ({ ...planned, overdue: planned.account === 'work' }))
  await using other = await HttpServer.listen(anyPort, { ledger, plan: late })
  expect(await get(other.port, '/healthz')).toEqual({ status: 503, text: 'overdue: work\n' })
  expect((await get(other.port, '/')).status).toBe(404)
  expect((await get(other.port, '/metrics', 'POST')).status).toBe(404)
})

test('an account that fails, and a destination that is left alone, are not well, and named (N041, D126)', async () => {
  const failing = { name: 'home', failures: 2 }
  const departed = { name: 'old', failures: 9 }
  const rest = { names: ['next'], rest: { untilMs: 1 } }
  const troubled = {
    ...ledger,
    accounts: () => Promise.resolve([failing, departed] as never),
    destinations: () => Promise.resolve([rest, { names: ['inbox'], rest: null }] as never),
  }
  await using server = await HttpServer.listen(anyPort, { plan, ledger: troubled })
  expect(await get(server.port, '/healthz')).toEqual({ status: 503, text: 'failing: home\nleft alone: next\n' })
})

test('an address that is taken is told', async () => {
  const taken = createServer()
  taken.listen(0, '127.0.0.1')
  await once(taken, 'listening')
  const address = taken.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  await expect(HttpServer.listen({ host: '127.0.0.1', port, hosts: [] }, watched)).rejects.toMatchObject({
    code: 'ERR_CONFIG',
    message: expect.stringContaining('EADDRINUSE'),
  })
  taken.close()
})

async function client(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => {})
  await once(socket, 'connect')
  return socket
}

/** What comes back for these bytes until the server ends the connection. */
async function answered(port: number, bytes: string): Promise<string> {
  const socket = await client(port)
  socket.write(bytes)
  return await text(socket)
}

test('a request for a name that is not ours gets nothing but the health', async () => {
  await using server = await HttpServer.listen(anyPort, watched)
  const asked = (path: string, host: string): Promise<string> =>
    answered(server.port, `GET ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`)
  expect(await asked('/metrics', 'mallory.example')).toMatch(/^HTTP\/1\.1 403 [^]*daemon\.httpHosts/)
  expect(await asked('/', 'mallory.example')).toMatch(/^HTTP\/1\.1 403 /)
  expect(await asked('/healthz', 'mallory.example')).toMatch(/^HTTP\/1\.1 200 /)
  expect(await asked('/metrics', 'localhost')).toMatch(/^HTTP\/1\.1 200 /)
  server.call(['mallory.example'])
  expect(await asked('/metrics', 'mallory.example')).toMatch(/^HTTP\/1\.1 200 /)
})

test('answers may not be kept, taken for another type, or framed', async () => {
  await using server = await HttpServer.listen(anyPort, watched)
  const { headers } = await fetch(`http://127.0.0.1:${server.port}/metrics`)
  expect(headers.get('cache-control')).toBe('no-store')
  expect(headers.get('x-content-type-options')).toBe('nosniff')
  expect(headers.get('content-security-policy')).toContain("frame-ancestors 'none'")
})

test('a client that sends a thousand requests and reads nothing costs one answer', async () => {
  let made = 0
  const counted = { ...ledger, accounts: () => (made++, ledger.accounts()) }
  await using server = await HttpServer.listen(anyPort, { plan, ledger: counted })
  const greedy = await client(server.port)
  greedy.pause()
  const closed = once(greedy, 'close')
  greedy.write('GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n'.repeat(1000))
  greedy.resume()
  await closed
  expect(made).toBeLessThanOrEqual(1)
  expect((await get(server.port, '/metrics')).status).toBe(200)
})

test('who asks again within a second gets the same text', async () => {
  let made = 0
  const counted = { ...ledger, accounts: () => (made++, ledger.accounts()) }
  await using server = await HttpServer.listen(anyPort, { plan, ledger: counted })
  await Promise.all([1, 2, 3, 4].map(() => get(server.port, '/metrics')))
  expect(made).toBe(1)
})

test.each([
  ['a header of 10 kB', `X: ${'x'.repeat(10_000)}`],
  ['sixty kB of fields', 'X: y\r\n'.repeat(10_000).trimEnd()],
])('%s is refused', async (_what, fields) => {
  await using server = await HttpServer.listen(anyPort, watched)
  const bytes = `GET /metrics HTTP/1.1\r\nHost: localhost\r\n${fields}\r\n\r\n`
  expect(await answered(server.port, bytes)).toMatch(/^HTTP\/1\.1 431 /)
})

test('more than sixty-four connections are not taken', async () => {
  await using server = await HttpServer.listen(anyPort, watched)
  const clients: Socket[] = []
  for (let n = 0; n < 64; n++) clients.push(await client(server.port))
  const surplus = await client(server.port)
  await once(surplus.resume(), 'close')
  clients[0]?.destroy()
  for (const each of clients) each.destroy()
})

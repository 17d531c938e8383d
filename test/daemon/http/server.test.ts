import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { rename, stat } from 'node:fs/promises'
import { type IncomingMessage, request } from 'node:http'
import { connect, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { expect, test } from 'vitest'
import { HttpServer } from '../../../src/daemon/http/server.ts'
import { temporaryDirectory } from '../../ledger/scene.ts'
import { record, resting } from '../../status/scene.ts'
import { anyPort, get, ledger, noNames, plan, watched } from './scene.ts'

test('all is well unless an account is overdue; nothing else is served, and nothing by another method', async () => {
  await using server = await HttpServer.listen(anyPort, noNames, watched)
  expect(await get(server.port, '/healthz')).toEqual({ status: 200, text: 'ok\n' })
  const late = plan.map((planned) => ({ ...planned, overdue: planned.account === 'work' }))
  await using other = await HttpServer.listen(anyPort, noNames, { ...watched, ledger, plan: late })
  expect(await get(other.port, '/healthz')).toEqual({ status: 503, text: 'overdue: work\n' })
  expect((await get(other.port, '/other')).status).toBe(404)
  expect((await get(other.port, '/metrics', 'POST')).status).toBe(405)
})

test('an account that fails, and a destination that is left alone, are not well, and named (N041, D126)', async () => {
  const failing = record('home', { failures: 2 })
  const departed = record('old', { failures: 9 })
  const rest = resting('forward')
  const troubled = {
    ...ledger,
    accounts: () => Promise.resolve([failing, departed]),
    destinations: () => Promise.resolve([rest, { ...rest, names: ['inbox'], rest: null }]),
  }
  await using server = await HttpServer.listen(anyPort, noNames, { ...watched, plan, ledger: troubled })
  expect(await get(server.port, '/healthz')).toEqual({ status: 503, text: 'failing: home\npaused: forward\n' })
})

test('an address that is taken is told', async () => {
  const taken = createServer()
  taken.listen(0, '127.0.0.1')
  await once(taken, 'listening')
  const address = taken.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  await expect(HttpServer.listen({ kind: 'port', host: '127.0.0.1', port }, noNames, watched)).rejects.toMatchObject({
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
  await using server = await HttpServer.listen(anyPort, noNames, watched)
  const asked = (path: string, host: string): Promise<string> =>
    answered(server.port, `GET ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`)
  expect(await asked('/metrics', 'mallory.example')).toMatch(/^HTTP\/1\.1 403 [^]*daemon\.httpHosts/)
  expect(await asked('/', 'mallory.example')).toMatch(/^HTTP\/1\.1 403 /)
  expect(await asked('/healthz', 'mallory.example')).toMatch(/^HTTP\/1\.1 200 /)
  expect(await asked('/metrics', 'localhost')).toMatch(/^HTTP\/1\.1 200 /)
  server.call({ hosts: ['mallory.example'], token: null })
  expect(await asked('/metrics', 'mallory.example')).toMatch(/^HTTP\/1\.1 200 /)
})

test('answers may not be kept, taken for another type, or framed', async () => {
  await using server = await HttpServer.listen(anyPort, noNames, watched)
  const { headers } = await fetch(`http://127.0.0.1:${server.port}/metrics`)
  expect(headers.get('cache-control')).toBe('no-store')
  expect(headers.get('x-content-type-options')).toBe('nosniff')
  expect(headers.get('content-security-policy')).toContain("frame-ancestors 'none'")
})

test('a client that sends a thousand requests and reads nothing costs one answer', async () => {
  let made = 0
  const counted = { ...ledger, accounts: () => (made++, ledger.accounts()) }
  await using server = await HttpServer.listen(anyPort, noNames, { ...watched, plan, ledger: counted })
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
  await using server = await HttpServer.listen(anyPort, noNames, { ...watched, plan, ledger: counted })
  await Promise.all([1, 2, 3, 4].map(() => get(server.port, '/metrics')))
  expect(made).toBe(1)
})

test.each([
  ['a header of 10 kB', `X: ${'x'.repeat(10_000)}`],
  ['sixty kB of fields', 'X: y\r\n'.repeat(10_000).trimEnd()],
])('%s is refused', async (_what, fields) => {
  await using server = await HttpServer.listen(anyPort, noNames, watched)
  const bytes = `GET /metrics HTTP/1.1\r\nHost: localhost\r\n${fields}\r\n\r\n`
  expect(await answered(server.port, bytes)).toMatch(/^HTTP\/1\.1 431 /)
})

test('more than sixty-four connections are not taken', async () => {
  await using server = await HttpServer.listen(anyPort, noNames, watched)
  const clients: Socket[] = []
  for (let n = 0; n < 64; n++) clients.push(await client(server.port))
  const surplus = await client(server.port)
  await once(surplus.resume(), 'close')
  clients[0]?.destroy()
  for (const each of clients) each.destroy()
})

test('the page, its JSON and the health say the same; the policy allows exactly the style and the script that are there', async () => {
  await using server = await HttpServer.listen(anyPort, noNames, watched)
  const response = await fetch(`http://127.0.0.1:${server.port}/`)
  const page = await response.text()
  const policy = response.headers.get('content-security-policy') ?? ''
  for (const tag of ['style', 'script']) {
    const [, text = ''] = new RegExp(`<${tag}>([^]*?)</${tag}>`).exec(page) ?? []
    expect(policy).toContain(`${tag}-src 'sha256-${createHash('sha256').update(text).digest('base64')}'`)
  }
  for (const rule of ["default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'none'"])
    expect(policy).toContain(rule)
  expect(policy).not.toMatch(/unsafe|https?:|\*/)
  expect(response.headers.get('referrer-policy')).toBe('no-referrer')
  const json = JSON.parse((await get(server.port, '/status.json')).text)
  expect(json).toMatchObject({
    ok: true,
    accounts: [
      { account: 'work', waiting: 4, refused: 3, held: 2, undeleted: 1, nextPoll: '2027-01-15T08:01:00.000Z' },
      { account: 'home', lastPoll: null },
    ],
    daemon: { running: true, pid: 7 },
    destinations: [],
    signIns: [],
  })
  expect(page).toContain('<title>3 things need attention · popfetch</title>')
})

test('a share of accounts that may fail is asked for in the address', async () => {
  const troubled = { ...ledger, accounts: () => Promise.resolve([record('work', { failures: 1 }), record('home')]) }
  await using server = await HttpServer.listen(anyPort, noNames, { ...watched, ledger: troubled })
  const status = async (query: string) => (await get(server.port, `/healthz${query}`)).status
  expect([await status(''), await status('?tolerate=49%25'), await status('?tolerate=50%')]).toEqual([503, 503, 200])
  expect(await status('?tolerate=much')).toBe(400)
})

test('a process that cannot read its ledger, or hangs, is not alive; accounts that fail are no reason to restart it', async () => {
  const broken = { ...ledger, memo: () => Promise.reject(new Error('disk')) }
  const late = plan.map((planned) => ({ ...planned, overdue: true }))
  const failing = { ...ledger, accounts: () => Promise.resolve([record('work', { failures: 9 })]) }
  const alive = async (change: Partial<typeof watched>) => {
    await using server = await HttpServer.listen(anyPort, noNames, { ...watched, ...change })
    return (await get(server.port, '/livez')).status
  }
  expect(await alive({})).toBe(200)
  expect(await alive({ ledger: failing })).toBe(200)
  expect(await alive({ ledger: broken })).toBe(503)
  expect(await alive({ plan: late })).toBe(503)
})

test('a Unix socket is served to its owner alone, asks for no token, and one that a killed process left is replaced', async () => {
  const directory = await temporaryDirectory()
  const place = { kind: 'socket', path: join(directory, 'http.socket') } as const
  const ask = async (): Promise<number> => {
    const [response] = (await once(
      request({ socketPath: place.path, path: '/', headers: { host: 'localhost' } }).end(),
      'response',
    )) as [IncomingMessage]
    response.resume()
    return response.statusCode ?? 0
  }
  {
    await using _ = await HttpServer.listen(place, { hosts: [], token: 'secret' }, watched)
    expect((await stat(place.path)).mode & 0o777).toBe(0o600)
    expect(await ask()).toBe(200)
    await expect(HttpServer.listen(place, noNames, watched)).rejects.toMatchObject({ code: 'ERR_CONFIG' })
    expect(await ask()).toBe(200)
  }
  // As a kill leaves it: nobody listens there any more.
  const left = createServer().listen(`${place.path}.2`)
  await once(left, 'listening')
  await rename(`${place.path}.2`, place.path)
  left.close()
  await once(left, 'close')
  await using _ = await HttpServer.listen(place, noNames, watched)
  expect(await ask()).toBe(200)
})

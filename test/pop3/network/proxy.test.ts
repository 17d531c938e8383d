// Proxies (P020): the proxy looks up the name, TLS is with the server, and what goes wrong is told as the proxy's doing.
import { describe, expect, it } from 'vitest'
import type { ProxyOptions } from '../../../src/pop3/network/proxy.ts'
import { Pop3Server } from '../../support/pop3-server.ts'
import { ProxyServer } from '../../support/proxy-server.ts'
import { alice, failure, open } from '../sessions.ts'

const KINDS = ['socks5', 'http'] as const

function through(
  proxy: ProxyServer,
  credentials: { user: string; password: string | null } | null = null,
): ProxyOptions {
  const { kind, host, port } = proxy
  return { kind, host, port, user: credentials?.user ?? null, password: credentials?.password ?? null }
}

/** A host that only the proxy knows. */
function target(proxy: ProxyServer, server: Pop3Server, host = 'pop.test.invalid') {
  proxy.names.set(`${host}:${server.port}`, server)
  return { host, proxy: through(proxy) }
}

describe.each(KINDS)('through a proxy of kind %s', (kind) => {
  it('a mailbox is read, and the name is looked up there', async () => {
    await using server = await Pop3Server.start()
    await using proxy = await ProxyServer.start(kind)
    server.mailbox('alice').add('Subject: x\r\n\r\nhello\r\n')
    await using session = await open(server, target(proxy, server))
    await session.signIn('auto', alice)
    expect((await session.list()).length).toBe(1)
    expect((await session.quit()).status).toBe('ok')
    expect(proxy.asked).toEqual([`pop.test.invalid:${server.port}`])
  })

  it.each(['implicit', 'starttls'] as const)('TLS is with the server: %s', async (tlsMode) => {
    await using server = await Pop3Server.start({ tls: tlsMode })
    await using proxy = await ProxyServer.start(kind)
    server.mailbox('alice')
    await using session = await open(server, { ...target(proxy, server, 'localhost'), tlsMode })
    await session.signIn('auto', alice)
    expect(proxy.said).not.toContain('secret')
    expect(session.tlsFacts?.protocol).toBe('TLSv1.3')
  })

  it('a server with a certificate for another name gets no password', async () => {
    await using server = await Pop3Server.start({ tls: 'implicit', certificate: 'wrong-host' })
    await using proxy = await ProxyServer.start(kind)
    const error = await failure(open(server, { ...target(proxy, server, 'localhost'), tlsMode: 'implicit' }))
    expect(error).toMatchObject({
      code: 'ERR_TLS',
      message: expect.stringContaining('its certificate is for another name'),
    })
  })

  it('a greeting that comes together with the proxy’s answer is heard', async () => {
    await using server = await Pop3Server.start()
    await using proxy = await ProxyServer.start(kind)
    proxy.coalesce = true
    server.faults.greeting = '+OK quick'
    await using session = await open(server, target(proxy, server))
    expect(session.greeting).toBe('quick')
  })

  it('bytes of the proxy’s own are not taken for TLS', async () => {
    await using server = await Pop3Server.start()
    await using proxy = await ProxyServer.start(kind)
    proxy.coalesce = true
    const error = await failure(open(server, { ...target(proxy, server), tlsMode: 'implicit' }))
    expect(error).toMatchObject({
      code: 'ERR_TLS',
      message: expect.stringContaining('sent unencrypted bytes where TLS begins'),
    })
  })

  it('the proxy’s user and password go to the proxy', async () => {
    await using server = await Pop3Server.start()
    await using proxy = await ProxyServer.start(kind)
    proxy.wants = 'bob:s€cret word'
    const way = { ...target(proxy, server), proxy: through(proxy, { user: 'bob', password: 's€cret word' }) }
    await using session = await open(server, way)
    expect(session.botched).toBeNull()
    expect(proxy.credentials).toEqual(['bob:s€cret word'])
  })

  it.each([null, { user: 'bob', password: 'wrong' }])(
    'a refused password of the proxy is not the mailbox’s: %j',
    async (credentials) => {
      await using server = await Pop3Server.start()
      await using proxy = await ProxyServer.start(kind)
      proxy.wants = 'bob:right'
      const error = await failure(open(server, { ...target(proxy, server), proxy: through(proxy, credentials) }))
      expect(error).toMatchObject({
        code: 'ERR_CONNECT',
        retry: 'later',
        message: `the proxy ${kind}://127.0.0.1:${proxy.port} did not connect us to pop.test.invalid:${server.port}: it requires a user and password, or different ones: write them into the URL of proxy`,
      })
      expect(JSON.stringify(error.cause ?? '')).not.toContain('wrong')
    },
  )

  it('a host that the proxy does not know is told so', async () => {
    await using server = await Pop3Server.start()
    await using proxy = await ProxyServer.start(kind)
    const error = await failure(open(server, { host: 'nowhere.invalid', proxy: through(proxy) }))
    expect(error).toMatchObject({
      code: 'ERR_CONNECT',
      retry: 'soon',
      message: expect.stringMatching(/^the proxy \S+ did not connect us to nowhere\.invalid:\d+: .*reach/),
    })
  })

  it('a proxy that says nothing is given up in time', async () => {
    await using server = await Pop3Server.start()
    await using proxy = await ProxyServer.start(kind)
    proxy.answer = 'stall'
    const error = await failure(open(server, { ...target(proxy, server), timeoutMs: 100 }))
    expect(error).toMatchObject({
      code: 'ERR_TIMEOUT',
      message: expect.stringMatching(
        /^being connected to pop\.test\.invalid:\d+ by the proxy \S+ took longer than 0\.1 s/,
      ),
    })
  })

  it('a signal ends the wait for the proxy', async () => {
    await using server = await Pop3Server.start()
    await using proxy = await ProxyServer.start(kind)
    proxy.answer = 'stall'
    const controller = new AbortController()
    const opening = failure(open(server, target(proxy, server), controller.signal))
    while (proxy.asked.length === 0) await new Promise((resolve) => setImmediate(resolve))
    controller.abort()
    expect(await opening).toMatchObject({ code: 'ERR_ABORTED' })
  })

  it.each([
    ['nothing', 'drop'],
    ['something else', Buffer.from('+OK POP3 server ready\r\n'.repeat(3))],
    ['a lot', Buffer.from(`HTTP/1.1 200 OK\r\nX: ${'x'.repeat(100_000)}`)],
  ] as const)('a proxy that answers with %s is told by its name', async (_what, answer) => {
    await using server = await Pop3Server.start()
    await using proxy = await ProxyServer.start(kind)
    proxy.answer = answer
    const error = await failure(open(server, target(proxy, server)))
    expect(error).toMatchObject({ code: 'ERR_CONNECT', message: expect.stringMatching(/^the proxy /) })
  })

  it('a proxy that is not there is told by its name', async () => {
    await using server = await Pop3Server.start()
    const proxy = await ProxyServer.start(kind)
    const way = target(proxy, server)
    await proxy[Symbol.asyncDispose]()
    expect(await failure(open(server, way))).toMatchObject({
      code: 'ERR_CONNECT',
      message: expect.stringMatching(/^cannot connect to the proxy \S+: connection refused/),
    })
  })
})

describe('an HTTP proxy', () => {
  it.each([
    ['HTTP/1.1 403 \u001b[2JForbidden\r\n\r\n', 'later', '"403 \\x1b[2JForbidden": it does not allow that'],
    ['HTTP/1.0 503 Service Unavailable\r\n\r\n', 'soon', '"503 Service Unavailable": it cannot reach the server'],
    ['HTTP/1.1 302 Found\r\nLocation: http://evil.example/\r\n\r\n', 'later', '"302 Found": it does not allow that'],
  ])('may refuse: %j', async (answer, retry, said) => {
    await using server = await Pop3Server.start()
    await using proxy = await ProxyServer.start('http')
    proxy.answer = Buffer.from(answer)
    const error = await failure(open(server, target(proxy, server)))
    expect(error).toMatchObject({ code: 'ERR_CONNECT', retry, message: expect.stringContaining(said) })
  })
})

describe('a SOCKS proxy', () => {
  it.each([
    [1, 'soon', 'Failure'],
    [2, 'later', 'it does not allow that'],
    [3, 'soon', 'the network cannot be reached'],
    [5, 'soon', 'the connection was refused'],
    [99, 'soon', ''],
  ])('may refuse with reply %i', async (code, retry, said) => {
    await using server = await Pop3Server.start()
    await using proxy = await ProxyServer.start('socks5')
    proxy.answer = Buffer.from([5, code, 0, 1, 0, 0, 0, 0, 0, 0])
    const error = await failure(open(server, target(proxy, server)))
    expect(error).toMatchObject({ code: 'ERR_CONNECT', retry, message: expect.stringContaining(said) })
  })

  it('is given an address as it is', async () => {
    await using server = await Pop3Server.start()
    await using proxy = await ProxyServer.start('socks5')
    await using session = await open(server, target(proxy, server, '127.0.0.1'))
    expect(session.botched).toBeNull()
    expect(proxy.asked).toEqual([`127.0.0.1:${server.port}`])
  })
})

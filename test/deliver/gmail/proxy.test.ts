// The way to Gmail: over TLS that is verified, and through the proxy of the environment where there is one.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { GmailServer } from '../../support/gmail-server.ts'
import type { CertificateKind } from '../../support/certificates.ts'
import { ProxyServer } from '../../support/proxy-server.ts'
import { attempt, message, never } from '../scene.ts'
import { failureOf, opened, outcome } from './scene.ts'

const letter = () => message(Buffer.from('From: ada@example.org\r\nMessage-ID: <1@x>\r\nSubject: x\r\n\r\nhello\r\n'))
const ca = readFileSync(join(import.meta.dirname, '../../support/certificates/ca.pem'), 'utf8')

async function overTls(certificate: CertificateKind = 'good') {
  const server = await GmailServer.start({ tls: certificate })
  const proxy = await ProxyServer.start('http')
  onTestFinished(async () => {
    await proxy[Symbol.asyncDispose]()
    await server[Symbol.asyncDispose]()
  })
  const { port } = new URL(server.endpoint)
  proxy.names.set(`localhost:${port}`, { host: '127.0.0.1', port: Number(port) })
  return { server, proxy, env: { HTTPS_PROXY: `http://127.0.0.1:${proxy.port}` } }
}

// Before the first connection: what Node trusts is read once.
beforeAll(() => setDefaultCACertificates([...getCACertificates('default'), ca]))

test('a certificate that nobody vouches for ends it before a token is sent', async () => {
  const { server } = await overTls('unknown-ca')
  const error = await failureOf(opened(server).ready(never))
  expect([error.conclusion, error.exit]).toEqual(['TLS', 76])
  expect(server.asked).toEqual([])
})

describe('where the authority is known', () => {
  test('messages go straight to Gmail', async () => {
    const { server, proxy } = await overTls()
    await opened(server).deliver(attempt(), letter(), never)
    expect([server.messages.length, proxy.asked]).toEqual([1, []])
  })

  test.each(['HTTPS_PROXY', 'https_proxy'])(
    'they go through the proxy that %s names, as TLS from end to end',
    async (name) => {
      const { server, proxy } = await overTls()
      const env = { [name]: `http://127.0.0.1:${proxy.port}` }
      const to = opened(server, {}, {}, '', env)
      await to.ready(never)
      await to.deliver(attempt(), letter(), never)
      expect(server.messages).toHaveLength(1)
      expect(new Set(proxy.asked)).toEqual(new Set([new URL(server.endpoint).host]))
      expect(proxy.said).not.toContain('Bearer')
    },
  )

  test.each<CertificateKind>(['wrong-host', 'unknown-ca', 'expired', 'self-signed'])(
    'a certificate that is %s ends it through a proxy as well, before a token is sent',
    async (kind) => {
      const { server, env } = await overTls(kind)
      const error = await failureOf(opened(server, {}, {}, '', { ...env }).ready(never))
      expect([error.conclusion, error.exit]).toEqual(['TLS', 76])
      expect(server.asked).toEqual([])
    },
  )

  test.each(['localhost', '*', 'example.org,localhost'])('not where NO_PROXY is %s', async (hosts) => {
    const { server, proxy, env } = await overTls()
    await opened(server, {}, {}, '', { ...env, NO_PROXY: hosts }).deliver(attempt(), letter(), never)
    expect([server.messages.length, proxy.asked]).toEqual([1, []])
  })

  test('a proxy that refuses, or is not there, is Gmail that is down: nothing is lost', async () => {
    const { server, proxy, env } = await overTls()
    proxy.answer = Buffer.from('HTTP/1.1 403 Forbidden\r\n\r\n')
    expect(await outcome(opened(server, {}, {}, '', { ...env }).ready(never))).toMatch(
      /^(?:DOWN|TLS) temporary destination/,
    )
    const gone = { HTTPS_PROXY: 'http://127.0.0.1:9' }
    expect(await outcome(opened(server, {}, {}, '', gone).ready(never))).toBe('DOWN temporary destination 75')
    expect(server.asked).toEqual([])
  })
})

// Connects through a proxy: SOCKS5 (RFC 1928, RFC 1929) or HTTP CONNECT (RFC 9110 §9.3.6). The proxy looks up the server's name;
// TLS with the server comes afterwards. The one rule: a failure here is reported as the proxy's, never as the mailbox's (P020).
// SOCKS5 is done by a library, CONNECT by Node's own HTTP client: both distrust the proxy's answer.
import type { Socket } from 'node:net'
import { setImmediate as turn } from 'node:timers/promises'
import { display } from '../../display.ts'
import { errnoOf, PopfetchError, type Retry } from '../../errors.ts'

export interface ProxyOptions {
  readonly kind: 'socks5' | 'http'
  readonly host: string
  readonly port: number
  /** Null: the proxy needs no sign-in. */
  readonly user: string | null
  readonly password: string | null
}

export interface Target {
  readonly host: string
  readonly port: number
}

/** Asks the proxy, to which `socket` is connected, to connect to the target. On return the socket is paused, and everything read
 *  from it and written to it is the target's; no byte was lost. Rejects with ERR_CONNECT. The caller destroys the socket, also to
 *  end the wait after `limitMs`. */
export function goThrough(proxy: ProxyOptions, socket: Socket, target: Target, limitMs: number): Promise<void> {
  return proxy.kind === 'socks5' ? socks(proxy, socket, target, limitMs) : connect(proxy, socket, target)
}

/** The connection to the proxy was closed instead of an answer. */
export function lostProxy(proxy: ProxyOptions, target: Target, cause: unknown): PopfetchError {
  return refused(proxy, target, { said: 'it closed the connection', retry: 'soon', cause })
}

/** `socks5://host:port`, without user and password. */
export function proxyName({ kind, host, port }: ProxyOptions): string {
  return `${kind}://${authority({ host, port })}`
}

async function socks(proxy: ProxyOptions, socket: Socket, target: Target, limitMs: number): Promise<void> {
  // Loaded at first use, because few people have a proxy.
  const { SocksClient } = await import('socks')
  const { host, port, user, password } = proxy
  await SocksClient.createConnection({
    proxy: { host, port, type: 5, ...(user === null ? {} : { userId: user, password: password ?? '' }) },
    command: 'connect',
    destination: { host: target.host, port: target.port },
    existing_socket: socket,
    // The caller's limit ends the wait; this one only makes the library (2.8) free its memory.
    timeout: limitMs + 1000,
  }).catch((error: unknown) => {
    // The library's error holds its options, and among them the password: only its message is used.
    throw refused(proxy, target, socksReason(error instanceof Error ? error.message : ''))
  })
  // Bytes after the proxy's answer are emitted again one turn later, and the socket then flows (socks 2.8).
  const early: Buffer[] = []
  const keep = (chunk: Buffer): number => early.push(chunk)
  socket.on('data', keep)
  await turn()
  socket.pause()
  socket.off('data', keep)
  if (early.length > 0) socket.unshift(Buffer.concat(early))
}

function socksReason(text: string): Reason {
  if (/authentication failed|no accepted authentication/i.test(text)) return credentialsWanted
  if (text.includes('NotAllowed')) return { said: 'it does not allow that', retry: 'later' }
  if (text.includes('ConnectionRefused'))
    return { said: 'the connection was refused: is the port right?', retry: 'soon' }
  if (text.includes('HostUnreachable')) return { said: 'the host cannot be reached: is its name right?', retry: 'soon' }
  if (text.includes('NetworkUnreachable')) return { said: 'the network cannot be reached', retry: 'soon' }
  if (text.includes('TTLExpired')) return { said: 'no answer in time', retry: 'soon' }
  if (/socket closed/i.test(text)) return { said: 'it closed the connection', retry: 'soon' }
  if (/invalid Socks5/i.test(text)) return { said: 'it does not speak SOCKS5: is its port right?', retry: 'later' }
  return { said: display(text, 120), retry: 'soon' }
}

async function connect(proxy: ProxyOptions, socket: Socket, target: Target): Promise<void> {
  const { user, password } = proxy
  const authorization = `Basic ${Buffer.from(`${user}:${password ?? ''}`).toString('base64')}`
  // Loaded at first use: importing it also loads undici, 12 ms.
  const { request } = await import('node:http')
  const asked = request({
    method: 'CONNECT',
    path: authority(target),
    setHost: false,
    headers: { Host: authority(target), ...(user === null ? {} : { 'Proxy-Authorization': authorization }) },
    createConnection: () => socket,
  })
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  asked.once('connect', ({ statusCode = 0, statusMessage = '' }, _socket, head) => {
    socket.pause()
    if (statusCode < 200 || statusCode > 299)
      return reject(refused(proxy, target, httpReason(statusCode, statusMessage)))
    // The bytes of a server that spoke at once.
    if (head.length > 0) socket.unshift(head)
    resolve()
  })
  asked.on('error', (error) => {
    const errno = errnoOf(error) ?? ''
    const said = errno.startsWith('HPE_')
      ? `it does not speak HTTP: is its port right? (${errno})`
      : 'it closed the connection'
    reject(refused(proxy, target, { said, retry: 'soon', cause: error }))
  })
  asked.end()
  await promise
}

function httpReason(status: number, words: string): Reason {
  if (status === 407) return credentialsWanted
  const answer = `"${status} ${display(words, 80)}"`
  if (status >= 500) return { said: `${answer}: it cannot reach the server`, retry: 'soon' }
  return { said: `${answer}: it does not allow that`, retry: 'later' }
}

interface Reason {
  readonly said: string
  readonly retry: Retry
  readonly cause?: unknown
}

const credentialsWanted: Reason = {
  said: 'it requires a user and password, or different ones: write them into the URL of proxy',
  retry: 'later',
}

function refused(proxy: ProxyOptions, target: Target, { said, retry, cause }: Reason): PopfetchError {
  const text = `the proxy ${proxyName(proxy)} did not connect us to ${authority(target)}: ${said}`
  return new PopfetchError('ERR_CONNECT', text, { scope: 'account', retry, cause })
}

function authority({ host, port }: Target): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`
}

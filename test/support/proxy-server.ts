// A SOCKS5 and HTTP proxy on 127.0.0.1 for tests. It knows hosts that nobody else knows, keeps what it was asked, and
// misbehaves as told by assignment.
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'

export class ProxyServer implements AsyncDisposable {
  readonly host = '127.0.0.1'
  readonly kind: 'socks5' | 'http'
  /** What clients asked for, as `host:port`, and with which credentials. */
  readonly asked: string[] = []
  readonly credentials: string[] = []
  /** The whole of what clients said before the tunnel. */
  said = ''
  /** Where names lead; what is not in it leads nowhere. */
  readonly names = new Map<string, { readonly host: string; readonly port: number }>()
  /** `user:password` that is asked for; null: none. */
  wants: string | null = null
  /** Instead of an answer to the request: these bytes, or nothing more (`stall`), or the end (`drop`). */
  answer: Buffer | 'stall' | 'drop' | null = null
  /** The answer is held back until the server has spoken, and both go in one piece. */
  coalesce = false
  readonly #listener: Server
  readonly #sockets = new Set<Socket>()

  private constructor(kind: 'socks5' | 'http') {
    this.kind = kind
    this.#listener = createServer((socket) => this.#accept(socket))
  }

  static async start(kind: 'socks5' | 'http'): Promise<ProxyServer> {
    const proxy = new ProxyServer(kind)
    await new Promise<void>((resolve) => {
      proxy.#listener.listen(0, proxy.host, resolve)
    })
    return proxy
  }

  get port(): number {
    return (this.#listener.address() as AddressInfo).port
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    await new Promise<void>((resolve) => {
      this.#listener.close(() => resolve())
    })
  }

  #accept(client: Socket): void {
    this.#keep(client)
    const serve = this.kind === 'http' ? http(this, client) : socks(this, client)
    let heard: Buffer = Buffer.alloc(0)
    const receive = (chunk: Buffer): void => {
      this.said += chunk.toString('latin1')
      heard = Buffer.concat([heard, chunk])
      for (let taken = serve(heard); taken > 0; taken = serve(heard)) heard = heard.subarray(taken)
    }
    client.on('data', receive)
    client.once('tunnel', () => client.off('data', receive))
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => this.#sockets.delete(socket))
  }

  /** Goes on to where the name leads, `yes` first; `no` when it leads nowhere. */
  tunnel(client: Socket, name: string, yes: Buffer, no: Buffer): void {
    this.asked.push(name)
    const place = this.names.get(name)
    if (this.answer === 'stall') return
    if (this.answer === 'drop') return void client.end()
    if (this.answer !== null || place === undefined) return void client.write(this.answer ?? no)
    const server = connect(place.port, place.host)
    this.#keep(server)
    client.emit('tunnel')
    client.pipe(server)
    if (!this.coalesce) client.write(yes)
    else server.once('data', (first: Buffer) => client.write(Buffer.concat([yes, first])))
    if (!this.coalesce) return void server.pipe(client)
    server.once('data', () => server.pipe(client))
  }
}

/** Gives how many bytes it took; 0: it waits for more. */
type Serve = (heard: Buffer) => number

function http(proxy: ProxyServer, client: Socket): Serve {
  return (heard) => {
    const end = heard.indexOf('\r\n\r\n')
    if (end < 0) return 0
    const head = heard.toString('latin1', 0, end)
    const name = /^CONNECT (\S+) HTTP\/1\.1\r\n/.exec(head)?.[1] ?? ''
    const encoded = /^Proxy-Authorization: Basic (\S+)$/im.exec(head)?.[1]
    const credentials = encoded === undefined ? null : Buffer.from(encoded, 'base64').toString()
    if (credentials !== null) proxy.credentials.push(credentials)
    if (proxy.wants !== null && credentials !== proxy.wants) {
      client.write(
        'HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm="x"\r\nContent-Length: 0\r\n\r\n',
      )
    } else {
      const yes = Buffer.from('HTTP/1.1 200 Connection established\r\n\r\n')
      proxy.tunnel(client, name, yes, Buffer.from('HTTP/1.1 502 Bad Gateway\r\nContent-Length: 4\r\n\r\nnone'))
    }
    return end + 4
  }
}

/** RFC 1928, RFC 1929. */
function socks(proxy: ProxyServer, client: Socket): Serve {
  let state: 'greeting' | 'credentials' | 'request' | 'over' = 'greeting'
  return (heard) => {
    if (state === 'greeting' && heard.length >= 2 && heard.length >= 2 + (heard[1] ?? 0)) {
      const offered = heard.subarray(2, 2 + (heard[1] ?? 0))
      const method = proxy.wants === null ? 0 : offered.includes(2) ? 2 : 0xff
      client.write(Buffer.from([5, method]))
      state = method === 0 ? 'request' : 'credentials'
      return 2 + offered.length
    }
    if (state === 'credentials' && heard.length > 2) {
      const userEnd = 2 + (heard[1] ?? 0)
      const end = userEnd + 1 + (heard[userEnd] ?? 0)
      const sent = `${heard.toString('utf8', 2, userEnd)}:${heard.toString('utf8', userEnd + 1, end)}`
      proxy.credentials.push(sent)
      client.write(Buffer.from([1, sent === proxy.wants ? 0 : 1]))
      state = 'request'
      return end
    }
    if (state === 'request' && heard.length >= 7) {
      state = 'over'
      const type = heard[3]
      const start = type === 3 ? 5 : 4
      const end = start + (type === 3 ? (heard[4] ?? 0) : type === 4 ? 16 : 4)
      const host = type === 3 ? heard.toString('latin1', start, end) : [...heard.subarray(start, end)].join('.')
      const place = Buffer.from([0, 1, 0, 0, 0, 0, 0, 0])
      const reply = (code: number): Buffer => Buffer.concat([Buffer.from([5, code]), place])
      proxy.tunnel(client, `${host}:${heard.readUInt16BE(end)}`, reply(0), reply(4))
      return end + 2
    }
    return 0
  }
}

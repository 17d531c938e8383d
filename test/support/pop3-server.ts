// A real POP3 server on 127.0.0.1 for tests, benches and the demo: mailboxes in memory, deletions committed at QUIT only, a
// journal of all it saw, and faults set by assignment. It is the oracle's witness (HAZARDS F2), so it is plain.
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer, type TLSSocket, type Server as TlsServer, type TlsOptions } from 'node:tls'
import { certificates, type CertificateKind } from './certificates.ts'
import { Faults } from './faults.ts'
import { Journal } from './journal.ts'
import { Mailbox } from './mailbox.ts'
import { Pop3Session, type Capabilities, type Premises } from './pop3-session.ts'
import { defaultMechanisms } from './sasl-server.ts'

export type { Action, Answer, ServedSession } from './faults.ts'
export { Faults } from './faults.ts'
export { Journal, tick, type JournalEntry, type JournalKind } from './journal.ts'
export { Mailbox, type Sparse, type StoredMessage } from './mailbox.ts'
export type { Capabilities } from './pop3-session.ts'

export interface Pop3ServerOptions {
  readonly tls?: 'none' | 'implicit' | 'starttls'
  readonly certificate?: CertificateKind
  /** For TLS versions, client certificates and the like. */
  readonly tlsOptions?: TlsOptions
  /** To come back on the port of a server that is gone; 0: any. */
  readonly port?: number
}

export class Pop3Server implements Premises, AsyncDisposable {
  readonly host = '127.0.0.1'
  readonly journal = new Journal()
  readonly faults = new Faults()
  readonly mailboxes = new Map<string, Mailbox>()
  /** What AUTH knows, whatever CAPA says. */
  readonly mechanisms = defaultMechanisms()
  readonly tls: 'none' | 'implicit' | 'starttls'
  /** null: CAPA is answered -ERR (P031). */
  capabilities: Capabilities | null
  /** The server's clock, for LOGIN-DELAY. */
  now: () => number = Date.now
  /** The most connections that were open at once. */
  peak = 0
  readonly #listener: Server
  readonly #tlsServer: TlsServer | null
  readonly #sockets = new Set<Socket>()
  /** By the client's port: who waits for the TLS side of that connection. */
  readonly #handshakes = new Map<number, (socket: TLSSocket | null) => void>()
  readonly #problems: unknown[] = []
  #sessions = 0

  private constructor(options: Pop3ServerOptions) {
    this.tls = options.tls ?? 'none'
    const common = ['TOP', 'UIDL', 'RESP-CODES', 'PIPELINING', 'USER', 'SASL PLAIN LOGIN']
    this.capabilities = {
      before: this.tls === 'starttls' ? [...common, 'STLS'] : [...common],
      afterTls: [...common],
      afterLogin: [...common],
    }
    this.#listener = createServer((socket) => this.#accept(socket))
    this.#tlsServer = this.tls === 'none' ? null : this.#createTls(options)
  }

  static async start(options: Pop3ServerOptions = {}): Promise<Pop3Server> {
    const server = new Pop3Server(options)
    await new Promise<void>((resolve, reject) => {
      server.#listener.once('error', reject)
      server.#listener.listen(options.port ?? 0, server.host, resolve)
    })
    return server
  }

  get port(): number {
    return (this.#listener.address() as AddressInfo).port
  }

  /** Connections now. */
  get open(): number {
    return this.#sockets.size
  }

  /** The mailbox of that user, made if need be; a password that is given is set. */
  mailbox(user: string, password?: string): Mailbox {
    const mailbox = this.mailboxes.get(user) ?? new Mailbox(user, 'secret')
    if (password !== undefined) mailbox.password = password
    this.mailboxes.set(user, mailbox)
    return mailbox
  }

  /** Cuts every connection, as a server that crashes does. */
  crash(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy()
  }

  /** Throws what a hook of the test threw. */
  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise<void>((resolve) => {
      this.#listener.close(() => resolve())
    })
    for (const socket of this.#sockets) socket.destroy()
    await closed
    if (this.#problems.length > 0)
      throw new AggregateError(this.#problems, 'the fake POP3 server had problems of its own')
  }

  /** For sessions: the TLS side of a raw connection, null when the handshake failed. */
  secure(raw: Socket): Promise<TLSSocket | null> {
    const port = raw.remotePort ?? 0
    return new Promise<TLSSocket | null>((resolve) => {
      this.#handshakes.set(port, resolve)
      raw.once('close', () => resolve(null))
      this.#tlsServer?.emit('connection', raw)
    }).finally(() => this.#handshakes.delete(port))
  }

  #createTls(options: Pop3ServerOptions): TlsServer {
    const { certificate, key } = certificates[options.certificate ?? 'good']
    const server = createTlsServer({ cert: certificate, key, ...options.tlsOptions })
    server.on('secureConnection', (socket) => this.#handshakes.get(socket.remotePort ?? 0)?.(socket))
    server.on('tlsClientError', (_error, socket) => {
      this.#handshakes.get(socket.remotePort ?? 0)?.(null)
      socket.destroy()
    })
    return server
  }

  #accept(socket: Socket): void {
    this.#sockets.add(socket)
    this.peak = Math.max(this.peak, this.#sockets.size)
    this.#sessions += 1
    const session = new Pop3Session(this, socket, this.#sessions)
    socket.on('close', () => {
      this.#sockets.delete(socket)
      if (session.problem !== null) this.#problems.push(session.problem)
    })
    session.greet().catch((error: unknown) => {
      this.#problems.push(error)
      socket.destroy()
    })
  }
}

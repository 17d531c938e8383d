// A real POP3 server on 127.0.0.1 for tests, benches and the demo. It has mailboxes in memory, commits deletions only at QUIT,
// keeps a journal of all it saw, and has faults set by assignment. It is the oracle's witness (HAZARDS F2), so it is plain.
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import type { TlsOptions } from 'node:tls'
import type { CertificateKind } from './certificates.ts'
import { Faults, type Capabilities } from './faults.ts'
import { Journal } from './journal.ts'
import { Mailbox } from './mailbox.ts'
import { Pop3Session, type Premises } from './pop3-session.ts'
import { defaultMechanisms } from './sasl-server.ts'
import { TlsSide } from './tls-side.ts'

export type { Action, Answer, Capabilities, ServedSession } from './faults.ts'
export { Faults } from './faults.ts'
export { Journal, tick, type JournalEntry, type JournalKind } from './journal.ts'
export { Mailbox, type Sparse, type StoredMessage } from './mailbox.ts'

export interface Pop3ServerOptions {
  readonly tls?: 'none' | 'implicit' | 'starttls'
  readonly certificate?: CertificateKind
  /** For TLS versions, client certificates and the like. */
  readonly tlsOptions?: TlsOptions
  /** To come back on the port of a server that is gone; 0: any. */
  readonly port?: number
  /** Another address of loopback. */
  readonly host?: string
}

export class Pop3Server implements Premises, AsyncDisposable {
  readonly host: string
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
  readonly #tlsSide: TlsSide | null
  readonly #sockets = new Set<Socket>()
  readonly #problems: unknown[] = []
  #sessions = 0

  private constructor(options: Pop3ServerOptions) {
    this.host = options.host ?? '127.0.0.1'
    this.tls = options.tls ?? 'none'
    const common = ['TOP', 'UIDL', 'RESP-CODES', 'PIPELINING', 'USER', 'SASL PLAIN LOGIN']
    this.capabilities = {
      before: this.tls === 'starttls' ? [...common, 'STLS'] : [...common],
      afterTls: [...common],
      afterLogin: [...common],
    }
    this.#listener = createServer((socket) => this.#accept(socket))
    this.#tlsSide = this.tls === 'none' ? null : new TlsSide(options.certificate ?? 'good', options.tlsOptions)
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

  /** For sessions: see Premises. */
  secure(raw: Socket): Promise<Socket | null> {
    return this.#tlsSide?.secure(raw) ?? Promise.resolve(null)
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

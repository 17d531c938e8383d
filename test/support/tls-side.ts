// The server's side of TLS for the fakes, begun on a connection that already exists: at its first byte or after STLS.
import type { Socket } from 'node:net'
import { createServer, type Server, type TLSSocket, type TlsOptions } from 'node:tls'
import { certificates, type CertificateKind } from './certificates.ts'

export class TlsSide {
  readonly #server: Server
  /** By the client's port: who waits for the TLS side of that connection. */
  readonly #waiting = new Map<number, (socket: TLSSocket | null) => void>()

  constructor(certificate: CertificateKind, options: TlsOptions = {}) {
    const { certificate: cert, key } = certificates[certificate]
    // A tls.Server that never listens: it does client certificates and errors right, which a bare TLSSocket does not.
    this.#server = createServer({ cert, key, ...options })
    this.#server.on('secureConnection', (socket) => this.#waiting.get(socket.remotePort ?? 0)?.(socket))
    this.#server.on('tlsClientError', (_error, socket) => {
      this.#waiting.get(socket.remotePort ?? 0)?.(null)
      socket.destroy()
    })
  }

  /** The connection under TLS; null when the handshake failed or the client went away. */
  async secure(raw: Socket): Promise<TLSSocket | null> {
    const port = raw.remotePort ?? 0
    try {
      return await new Promise<TLSSocket | null>((resolve) => {
        this.#waiting.set(port, resolve)
        raw.once('close', () => resolve(null))
        this.#server.emit('connection', raw)
      })
    } finally {
      this.#waiting.delete(port)
    }
  }
}

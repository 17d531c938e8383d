// The line to a database, as it breaks: a TCP proxy in front of the server's port. It sees when the client has sent something after an
// answer, which is one exchange, and loses the answer to a chosen one, or stops to pass anything on without ending a connection.
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'

export class BreakingLine implements AsyncDisposable {
  /** Exchanges so far, on all connections. */
  exchanges = 0
  /** The exchange whose answer is lost, counted from 1: the server has done what was asked, and the connection ends. Null: none. */
  losesAnswer: number | null = null
  /** The exchange that the server never hears of: the connection ends instead. Null: none. */
  losesQuestion: number | null = null
  /** Connections that were ended on purpose. */
  cuts = 0
  #isFrozen = false
  readonly #sockets = new Set<Socket>()
  readonly #server = createServer((client) => this.#accept(client))
  readonly #target: number

  private constructor(target: number) {
    this.#target = target
  }

  static async start(target: number): Promise<BreakingLine> {
    const line = new BreakingLine(target)
    await new Promise<void>((resolve) => line.#server.listen(0, '127.0.0.1', resolve))
    return line
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  /** From now on nothing passes, and no connection ends: as with a network that is gone. */
  freeze(): void {
    this.#isFrozen = true
    for (const socket of this.#sockets) socket.pause()
  }

  thaw(): void {
    this.#isFrozen = false
    for (const socket of this.#sockets) socket.resume()
  }

  #accept(client: Socket): void {
    const target = connect(this.#target, '127.0.0.1')
    let asks = false
    let loses = false
    const end = (): void => {
      client.destroy()
      target.destroy()
    }
    for (const socket of [client, target]) {
      this.#sockets.add(socket)
      socket.on('error', end).on('close', () => {
        this.#sockets.delete(socket)
        end()
      })
      if (this.#isFrozen) socket.pause()
    }
    client.on('data', (chunk: Buffer) => {
      if (!asks) {
        asks = true
        this.exchanges += 1
        if (this.exchanges === this.losesQuestion) {
          this.cuts += 1
          return end()
        }
        loses = this.exchanges === this.losesAnswer
      }
      target.write(chunk)
    })
    target.on('data', (chunk: Buffer) => {
      asks = false
      if (loses) {
        this.cuts += 1
        return end()
      }
      client.write(chunk)
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    await new Promise((resolve) => this.#server.close(resolve))
  }
}

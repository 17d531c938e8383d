// A line to the database that freezes: nothing is lost and nothing ends, as behind a firewall that forgot a connection, or a network
// that is split. What was said meanwhile arrives when it thaws.
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'

export class Link implements AsyncDisposable {
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  #frozen = false

  private constructor(target: string) {
    this.#server = createServer((near) => {
      const far = connect(target)
      for (const [from, to] of [
        [near, far],
        [far, near],
      ] as const) {
        this.#sockets.add(from)
        from.on('data', (bytes) => void to.write(bytes))
        from.on('error', () => to.destroy())
        from.on('close', () => {
          this.#sockets.delete(from)
          to.destroy()
        })
        if (this.#frozen) from.pause()
      }
    })
  }

  /** To the socket of a database. */
  static async to(target: string): Promise<Link> {
    const link = new Link(target)
    await new Promise<void>((resolve) => link.#server.listen(0, '127.0.0.1', resolve))
    return link
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  freeze(): void {
    this.#frozen = true
    for (const socket of this.#sockets) socket.pause()
  }

  thaw(): void {
    this.#frozen = false
    for (const socket of this.#sockets) socket.resume()
  }

  [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    return new Promise((resolve) => void this.#server.close(() => resolve()))
  }
}

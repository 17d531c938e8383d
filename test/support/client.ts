// The plainest client there is: a socket and what came. For tests of the fakes and for saying things no real client says.
import { connect, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { ca } from './certificates.ts'

export class RawClient implements AsyncDisposable {
  /** Resolves when the connection is over, with `end` for a FIN, else the error's code. */
  readonly closed: Promise<string>
  #socket: Socket
  #wake: () => void = () => {}
  #over = false
  #chunks: string[] = []
  #taken = 0

  private constructor(socket: Socket) {
    this.#socket = socket
    const { promise, resolve } = Promise.withResolvers<string>()
    this.closed = promise
    let how = 'end'
    socket.on('error', (error: NodeJS.ErrnoException) => {
      how = error.code ?? error.message
    })
    socket.on('close', () => {
      this.#over = true
      resolve(how)
      this.#wake()
    })
    this.#listen(socket)
  }

  /** All that came, latin1. */
  get heard(): string {
    if (this.#chunks.length > 1) this.#chunks = [this.#chunks.join('')]
    return this.#chunks[0] ?? ''
  }

  static async connect(port: number, options: { readonly tls?: boolean } = {}): Promise<RawClient> {
    const socket = options.tls === true ? connectTls({ port, host: '127.0.0.1', ca }) : connect(port, '127.0.0.1')
    const client = new RawClient(socket)
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject)
      socket.once(options.tls === true ? 'secureConnect' : 'connect', () => resolve())
    })
    return client
  }

  /** Sends lines, a CRLF behind each, in one packet. */
  say(...lines: readonly string[]): void {
    this.write(lines.map((line) => `${line}\r\n`).join(''))
  }

  write(bytes: string): void {
    this.#socket.write(bytes, 'latin1')
  }

  /** What came since the last call, up to and with `end`; all there is when the connection ended first. */
  async until(end: string): Promise<string> {
    while (!this.heard.includes(end, this.#taken) && !this.#over) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
    const at = this.heard.indexOf(end, this.#taken)
    const upTo = at === -1 ? this.heard.length : at + end.length
    const taken = this.heard.slice(this.#taken, upTo)
    this.#taken = upTo
    return taken
  }

  /** Says a command and gives the first line of the answer. */
  async ask(line: string): Promise<string> {
    this.say(line)
    return (await this.until('\r\n')).replace(/\r\n$/, '')
  }

  async secure(): Promise<void> {
    this.#socket.removeAllListeners('data')
    const secured = connectTls({ socket: this.#socket, ca, servername: 'localhost' })
    await new Promise<void>((resolve, reject) => {
      secured.once('secureConnect', resolve)
      secured.once('error', reject)
    })
    this.#socket = secured
    this.#listen(secured)
  }

  pause(): void {
    this.#socket.pause()
  }

  resume(): void {
    this.#socket.resume()
  }

  /** FIN; what comes still comes. */
  end(): void {
    this.#socket.end()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.destroy()
    await this.closed
  }

  #listen(socket: Socket): void {
    socket.on('data', (chunk: Buffer) => {
      this.#chunks.push(chunk.toString('latin1'))
      this.#wake()
    })
  }
}

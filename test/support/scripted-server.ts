// A server that plays a list of steps, for any protocol of lines: says this, insists on hearing that, cuts there. One list
// for each connection, in the order in which they come. What does not go by the script is in `done`.
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { setImmediate } from 'node:timers/promises'
import type { CertificateKind } from './certificates.ts'
import { TlsSide } from './tls-side.ts'

/** `where` is put into the message when the step fails ("line 12"). */
export type Step = { readonly where?: string } & (
  | /** A line or lines without the last CRLF, latin1, or exact bytes. Sends in a row are one packet. */
    { readonly send: string | Buffer } /** The next line the client says, without its line end, latin1. */
  | {
      readonly expect: string | RegExp
    } /** Reads up to and with these bytes, whatever comes before: a message after DATA. */
  | {
      readonly expectUntil: string
    } /** What was sent goes out now, and the event loop turns once: the next bytes are a packet of their own. */
  | { readonly pause: true } /** From here on everything is sent in pieces of so many bytes; 0: whole again. */
  | { readonly split: number } /** TLS begins. As the first step: from the first byte. */
  | { readonly tls: CertificateKind } /** Ends the server's side: FIN, RST, or not a word more. */
  | { readonly cut: 'fin' | 'rst' | 'stall' } /** From here on the client may say what it likes, until it closes. */
  | { readonly ignore: true }
)

class Deviation extends Error {
  override readonly name = 'Deviation'
}

/** One connection and its script. */
class Performance {
  readonly #raw: Socket
  #socket: Socket
  #input = ''
  #outgoing: Buffer[] = []
  #split: number
  #closed = false
  #wake: () => void = () => {}
  readonly #heard: Buffer[]

  constructor(raw: Socket, split: number, heard: Buffer[]) {
    this.#raw = raw
    this.#socket = raw
    this.#split = split
    this.#heard = heard
    raw.setNoDelay(true)
    this.#listen(raw)
    raw.on('close', () => {
      this.#closed = true
      this.#wake()
    })
  }

  async play(steps: readonly Step[]): Promise<void> {
    try {
      for (const step of steps) await this.#do(step)
      await this.#flush()
      if (!this.#raw.destroyed) this.#socket.end()
      await this.#until(() => this.#closed)
      if (this.#input !== '')
        throw new Deviation(`the client said ${JSON.stringify(this.#input)} after the end of the script`)
    } finally {
      this.#raw.destroy()
    }
  }

  async #do(step: Step): Promise<void> {
    if ('send' in step) {
      this.#outgoing.push(typeof step.send === 'string' ? Buffer.from(`${step.send}\r\n`, 'latin1') : step.send)
      return
    }
    // Before the client can have read what is flushed, or its first bytes of TLS would be taken for a line.
    if ('tls' in step) this.#socket.removeAllListeners('data').pause()
    await this.#flush()
    if ('expect' in step) await this.#expect(step.expect, step.where)
    else if ('expectUntil' in step) await this.#take(step.expectUntil, step.where, JSON.stringify(step.expectUntil))
    else if ('pause' in step) await setImmediate()
    else if ('split' in step) this.#split = step.split
    else if ('tls' in step) await this.#secure(step.tls, step.where)
    else await this.#leave('cut' in step ? step.cut : 'stall')
  }

  async #expect(wanted: string | RegExp, where: string | undefined): Promise<void> {
    const name = typeof wanted === 'string' ? JSON.stringify(wanted) : String(wanted)
    const line = (await this.#take('\n', where, name)).replace(/\r?\n$/, '')
    const fits = typeof wanted === 'string' ? line === wanted : wanted.test(line)
    if (!fits) throw new Deviation(`${where ?? 'script'}: expected ${name}, the client said ${JSON.stringify(line)}`)
  }

  async #take(end: string, where: string | undefined, name: string): Promise<string> {
    await this.#until(() => this.#input.includes(end) || this.#closed)
    const at = this.#input.indexOf(end)
    if (at === -1) throw new Deviation(`${where ?? 'script'}: expected ${name}, the client closed the connection`)
    const taken = this.#input.slice(0, at + end.length)
    this.#input = this.#input.slice(at + end.length)
    return taken
  }

  /** The server's part is over; the client may say what it likes. */
  async #leave(how: 'fin' | 'rst' | 'stall'): Promise<void> {
    if (how === 'fin') this.#socket.end()
    if (how === 'rst') this.#raw.resetAndDestroy()
    await this.#until(() => this.#closed)
    this.#input = ''
  }

  async #secure(certificate: CertificateKind, where: string | undefined): Promise<void> {
    if (this.#input !== '')
      throw new Deviation(`${where ?? 'script'}: the client said ${JSON.stringify(this.#input)} before TLS`)
    const secured = await new TlsSide(certificate).secure(this.#raw)
    if (!secured) throw new Deviation(`${where ?? 'script'}: the TLS handshake failed`)
    this.#socket = secured
    this.#listen(secured)
  }

  #listen(socket: Socket): void {
    socket.on('error', () => {})
    socket.on('data', (chunk: Buffer) => {
      this.#heard.push(chunk)
      this.#input += chunk.toString('latin1')
      this.#wake()
    })
  }

  async #flush(): Promise<void> {
    const bytes = Buffer.concat(this.#outgoing)
    this.#outgoing = []
    const size = this.#split > 0 ? this.#split : bytes.length
    for (let from = 0; from < bytes.length && this.#socket.writable; from += size) {
      await new Promise<void>((resolve) => {
        this.#socket.write(bytes.subarray(from, from + size), () => resolve())
      })
      if (this.#split > 0) await setImmediate()
    }
  }

  async #until(ready: () => boolean): Promise<void> {
    while (!ready()) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }
}

export class ScriptedServer implements AsyncDisposable {
  readonly host = '127.0.0.1'
  /** Resolves when every script has been played and its client is gone; rejects at the first deviation. */
  readonly done: Promise<void>
  /** What was heard, of each connection that came, to the byte. */
  readonly heard: Buffer[][] = []
  readonly #listener: Server
  readonly #sockets = new Set<Socket>()

  private constructor(scripts: readonly (readonly Step[])[], split: number) {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    this.done = promise
    // A test that does not ask is not told.
    promise.catch(() => {})
    let played = 0
    this.#listener = createServer((socket) => {
      const heard: Buffer[] = []
      const script = scripts[this.heard.length]
      this.heard.push(heard)
      this.#sockets.add(socket)
      socket.on('close', () => this.#sockets.delete(socket))
      socket.on('error', () => {})
      if (!script) {
        socket.destroy()
        reject(new Deviation(`connection ${this.heard.length} came, the script has ${scripts.length}`))
        return
      }
      new Performance(socket, split, heard).play(script).then(() => {
        played += 1
        if (played === scripts.length) resolve()
      }, reject)
    })
  }

  /** One list of steps for each connection that is to come. `split`: see the step. */
  static async start(
    scripts: readonly (readonly Step[])[],
    options: { readonly split?: number } = {},
  ): Promise<ScriptedServer> {
    const server = new ScriptedServer(scripts, options.split ?? 0)
    await new Promise<void>((resolve, reject) => {
      server.#listener.once('error', reject)
      server.#listener.listen(0, server.host, resolve)
    })
    return server
  }

  get port(): number {
    return (this.#listener.address() as AddressInfo).port
  }

  /** How many connections came. */
  get connections(): number {
    return this.heard.length
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise<void>((resolve) => {
      this.#listener.close(() => resolve())
    })
    for (const socket of this.#sockets) socket.destroy()
    await closed
  }
}

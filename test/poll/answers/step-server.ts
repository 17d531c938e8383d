// A next hop, SMTP or LMTP, that fails at one step of the conversation in one way, and is healthy at all others. Remembers what
// it took, and what it was asked.
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { TlsSide } from '../../support/tls-side.ts'

export const STEPS = [
  'connect',
  'greeting',
  'EHLO',
  'STARTTLS',
  'TLS',
  'AUTH',
  'MAIL',
  'RCPT',
  'DATA',
  'dot',
  'RSET',
  'QUIT',
] as const
export type Step = (typeof STEPS)[number]

/** An answer with its code, or: the connection is cut (`taken, cut`: once the message was taken), nothing is said, or
 *  something that is no answer. */
export type Failure = `${number} ${string}` | 'cut' | 'taken, cut' | 'silence' | 'garbage'

/** Told of each sign of life, and of each silence. */
interface Told {
  heard(): void
  silent(): void
}

export interface Habits {
  readonly lmtp: boolean
  /** What is offered. */
  readonly tls: boolean
  readonly signIn: boolean
}

const GARBAGE = 'HTTP/1.1 400 Bad Request'

export class StepServer implements AsyncDisposable {
  readonly host = '127.0.0.1'
  /** Null: it is healthy. */
  failure: { readonly step: Step; readonly what: Failure; /** Only each n-th time. */ readonly every?: number } | null =
    null
  #times = 0
  /** Of all messages that were taken, to the byte. */
  readonly taken: string[] = []
  connections = 0
  /** Messages that came whole. */
  contents = 0
  readonly #told: Told
  readonly #habits: Habits
  readonly #listener: Server
  readonly #sockets = new Set<Socket>()

  private constructor(habits: Habits, told: Told) {
    ;[this.#habits, this.#told] = [habits, told]
    this.#listener = createServer((socket) => {
      this.connections++
      this.#keep(socket)
      void this.#serve(socket)
    })
  }

  static async start(habits: Habits, told: Told): Promise<StepServer> {
    const server = new StepServer(habits, told)
    await new Promise<void>((resolve) => server.#listener.listen(0, server.host, resolve))
    return server
  }

  get port(): number {
    return (this.#listener.address() as AddressInfo).port
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#listener.close(() => resolve()))
    for (const socket of this.#sockets) socket.destroy()
    await closed
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => this.#sockets.delete(socket))
  }

  /** Does what the failure says, if this is its step. False: the conversation ends here, or waits forever. */
  #fails(step: Step, socket: Socket, usual: string, onTaken: () => void = () => {}): 'usual' | 'refused' | 'over' {
    this.#told.heard()
    const isMeant = this.failure?.step === step && this.#times++ % (this.failure.every ?? 1) === 0
    const what = isMeant ? (this.failure?.what ?? null) : null
    if (what === 'silence') {
      this.#told.silent()
      return 'over'
    }
    if (what === 'cut' || what === 'taken, cut') {
      if (what === 'taken, cut') onTaken()
      socket.destroy()
      return 'over'
    }
    if (what === 'garbage') {
      onTaken()
      socket.write(`${GARBAGE}\r\n`)
      return 'refused'
    }
    if (what === null) onTaken()
    if (step !== 'connect') socket.write(`${what ?? usual}\r\n`)
    return what === null ? 'usual' : 'refused'
  }

  async #serve(raw: Socket): Promise<void> {
    let socket = raw
    let secured = false
    if (this.#fails('connect', socket, '') === 'over') return
    if (this.#fails('greeting', socket, `220 test ${this.#habits.lmtp ? 'LMTP' : 'ESMTP'}`) === 'over') return
    for (let lines = linesOf(socket); ;) {
      const line = await lines.next()
      if (line === null) return
      const verb = (/^[A-Za-z]+/.exec(line)?.[0] ?? '').toUpperCase()
      if (verb === 'EHLO' || verb === 'LHLO') {
        const offers = ['8BITMIME', 'ENHANCEDSTATUSCODES']
        if (this.#habits.tls && !secured) offers.push('STARTTLS')
        if (this.#habits.signIn) offers.push('AUTH PLAIN')
        if (
          this.#fails(
            'EHLO',
            socket,
            ['250-test', ...offers.map((one) => `250-${one}`), '250 SIZE 10000000'].join('\r\n'),
          ) === 'over'
        )
          return
      } else if (verb === 'HELO' && this.failure?.what.startsWith('502') !== true) {
        if (this.#fails('EHLO', socket, '250 test') === 'over') return
      } else if (verb === 'STARTTLS') {
        const end = this.#fails('STARTTLS', socket, '220 go ahead')
        if (end === 'over') return
        if (end === 'refused') continue
        lines.release()
        if (this.failure?.step === 'TLS') {
          if (this.#fails('TLS', socket, '') === 'over') return
          continue
        }
        const tls = await new TlsSide('good').secure(raw)
        if (tls === null) return
        this.#keep(tls)
        secured = true
        socket = tls
        lines = linesOf(socket)
      } else if (verb === 'AUTH') {
        if (this.#fails('AUTH', socket, '235 2.7.0 welcome') === 'over') return
      } else if (verb === 'MAIL' || verb === 'RCPT' || verb === 'RSET') {
        if (this.#fails(verb, socket, '250 2.0.0 ok') === 'over') return
      } else if (verb === 'DATA') {
        const end = this.#fails('DATA', socket, '354 go on')
        if (end === 'over') return
        if (end === 'refused') continue
        const text = await lines.message()
        if (text === null) return
        this.contents++
        if (this.#fails('dot', socket, '250 2.0.0 taken', () => this.taken.push(text)) === 'over') return
      } else if (verb === 'QUIT') {
        if (this.#fails('QUIT', socket, '221 bye') !== 'over') socket.end()
        return
      } else socket.write('250 ok\r\n')
    }
  }
}

interface Lines {
  /** Without its line end; null: the client is gone. */
  next(): Promise<string | null>
  /** Up to the dot. */
  message(): Promise<string | null>
  /** The socket is somebody else's from now on. */
  release(): void
}

function linesOf(socket: Socket): Lines {
  let input = ''
  let closed = false
  let wake = (): void => {}
  const onData = (chunk: Buffer): void => {
    input += chunk.toString('latin1')
    wake()
  }
  socket.on('data', onData)
  socket.once('close', () => {
    closed = true
    wake()
  })
  const upTo = async (end: string): Promise<string | null> => {
    while (!input.includes(end)) {
      if (closed) return null
      await new Promise<void>((resolve) => (wake = resolve))
    }
    const at = input.indexOf(end)
    const found = input.slice(0, at)
    input = input.slice(at + end.length)
    return found
  }
  return {
    next: () => upTo('\r\n'),
    message: () => upTo('\r\n.\r\n'),
    release: () => void socket.off('data', onData).pause(),
  }
}

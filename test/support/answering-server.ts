// A mail server for tests that can answer anything at any step of any transaction, and whose answers come in pieces as one likes: what a
// healthy SmtpSink cannot do, and a ScriptedServer only for a conversation that is known beforehand. It offers PIPELINING, and works
// through all that came together before it answers.
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { setImmediate as turn } from 'node:timers/promises'
import type { TLSSocket } from 'node:tls'
import { TlsSide } from './tls-side.ts'

export type Stage = 'MAIL' | 'RCPT' | 'DATA' | 'dot'

export interface Odd {
  /** With its line ends; '': no answer. */
  readonly text: string
  /** What becomes of the connection behind it. `silent`: not a word more. */
  readonly next: 'go on' | 'end' | 'reset' | 'silent'
  /** At `DATA` and `dot`: the message is taken, whatever is answered. */
  readonly isTaken: boolean
  /** From here on nobody can know which answer belongs to what. */
  readonly isDoubtful: boolean
}

export interface AnsweringOptions {
  readonly protocol?: 'smtp' | 'lmtp'
  readonly tls?: boolean
  /** How answers come: as many as there are in one piece, one by one, or byte by byte. */
  readonly pieces?: 'together' | 'replies' | 'bytes'
}

/** A healthy server's answers. */
export const HEALTHY: Readonly<Record<Stage, string>> = {
  MAIL: '250 sender\r\n',
  RCPT: '250 recipient\r\n',
  DATA: '354 go on\r\n',
  dot: '250 taken\r\n',
}

export class AnsweringServer implements AsyncDisposable {
  /** All that it took, in their order. */
  readonly messages: string[] = []
  /** What it answers to this step of this transaction (they are counted from 1 on, over all connections), and at `dot` to this message;
   *  null: as a healthy server. */
  oddAt: (stage: Stage, transaction: number, message: string) => Odd | null = () => null
  connections = 0
  /** Messages that came over a connection behind a transaction with a doubtful answer. */
  takenBehind = 0
  /** Messages with commands behind their end in one piece. */
  announced = 0
  transactions = 0
  readonly options: Required<AnsweringOptions>
  readonly #listener: Server
  readonly #sockets = new Set<Socket>()

  private constructor(options: AnsweringOptions) {
    this.options = { protocol: 'smtp', tls: false, pieces: 'together', ...options }
    const side = this.options.tls ? new TlsSide('good') : null
    this.#listener = createServer({ noDelay: true }, (raw) => {
      this.connections++
      this.#sockets.add(raw)
      raw.on('error', () => {}).on('close', () => this.#sockets.delete(raw))
      if (side === null) new Served(this, raw, raw).greet()
      else
        void side.secure(raw).then((socket) => {
          if (socket !== null) new Served(this, socket, raw).greet()
        })
    })
  }

  static async start(options: AnsweringOptions = {}): Promise<AnsweringServer> {
    const server = new AnsweringServer(options)
    await new Promise<void>((resolve) => void server.#listener.listen(0, '127.0.0.1', resolve))
    return server
  }

  get port(): number {
    return (this.#listener.address() as AddressInfo).port
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise<void>((resolve) => void this.#listener.close(() => resolve()))
    for (const socket of this.#sockets) socket.destroy()
    await closed
  }
}

class Served {
  readonly #server: AnsweringServer
  readonly #socket: Socket | TLSSocket
  readonly #raw: Socket
  #input = ''
  #recipients = 0
  #isInMessage = false
  #transaction = 0
  /** The message of this transaction is taken, unless its end is answered otherwise. */
  #isWanted = true
  #answers: string[] = []
  /** What becomes of the connection as soon as the answers are out; null: it goes on. */
  #last: Odd['next'] | null = null
  #isOver = false
  /** The transaction with a doubtful answer; Infinity: there is none. */
  #doubtful = Infinity
  #going: Promise<void> = Promise.resolve()

  constructor(server: AnsweringServer, socket: Socket | TLSSocket, raw: Socket) {
    this.#server = server
    this.#socket = socket
    this.#raw = raw
    socket.on('error', () => {})
    socket.on('data', (chunk: Buffer) => this.#came(chunk.toString('latin1')))
  }

  greet(): void {
    this.#answers.push('220 mx ESMTP\r\n')
    this.#flush()
  }

  #came(text: string): void {
    if (this.#isOver) return
    this.#input += text
    while (!this.#isOver && (this.#isInMessage ? this.#message() : this.#command()));
    this.#flush()
  }

  #command(): boolean {
    const end = this.#input.indexOf('\r\n')
    if (end < 0) return false
    const line = this.#input.slice(0, end)
    this.#input = this.#input.slice(end + 2)
    const [verb = ''] = line.split(/[ :]/)
    if (verb === 'EHLO' || verb === 'LHLO') this.#answers.push('250-mx\r\n250-PIPELINING\r\n250 8BITMIME\r\n')
    else if (verb === 'MAIL') {
      this.#transaction = ++this.#server.transactions
      this.#recipients = 0
      this.#isWanted = true
      this.#answer('MAIL')
    } else if (verb === 'RCPT') this.#answer('RCPT')
    else if (verb === 'DATA') this.#answer('DATA')
    else if (verb === 'QUIT') {
      this.#answers.push('221 bye\r\n')
      this.#leave('end')
    } else this.#answers.push('250 ok\r\n')
    return true
  }

  #message(): boolean {
    const end = this.#input.startsWith('.\r\n') ? -2 : this.#input.indexOf('\r\n.\r\n')
    if (end === -1) return false
    const text = this.#input.slice(0, Math.max(0, end + 2))
    this.#input = this.#input.slice(end + 5)
    if (this.#input !== '') this.#server.announced++
    this.#isInMessage = false
    this.#answer('dot', text)
    return true
  }

  #answer(stage: Stage, message = ''): void {
    const odd = this.#server.oddAt(stage, this.#transaction, message)
    const text = odd?.text ?? HEALTHY[stage]
    this.#answers.push(text)
    if (stage === 'RCPT' && text.startsWith('2')) this.#recipients++
    if (stage === 'DATA' && text.startsWith('354')) this.#isInMessage = true
    if (stage === 'DATA') this.#isWanted = odd?.isTaken ?? true
    if (stage === 'dot' && this.#recipients > 0 && (odd?.isTaken ?? this.#isWanted)) {
      this.#server.messages.push(message)
      if (this.#transaction > this.#doubtful) this.#server.takenBehind++
    }
    if (odd?.isDoubtful === true) this.#doubtful = this.#transaction
    // LMTP: an answer for each recipient.
    if (stage === 'dot' && this.#server.options.protocol === 'lmtp')
      for (let more = 1; more < this.#recipients; more++) this.#answers.push(HEALTHY.dot)
    if (odd !== null && odd.next !== 'go on') this.#leave(odd.next)
  }

  #leave(how: Odd['next']): void {
    this.#isOver = true
    this.#last = how
  }

  #flush(): void {
    const answers = this.#answers
    const last = this.#last
    this.#answers = []
    this.#last = null
    this.#going = this.#going.then(() => this.#say(answers, last))
  }

  async #say(answers: readonly string[], last: Odd['next'] | null): Promise<void> {
    const { pieces } = this.#server.options
    const texts = pieces === 'together' ? [answers.join('')] : pieces === 'replies' ? answers : [...answers.join('')]
    for (const text of texts) {
      if (this.#raw.destroyed) return
      if (text !== '') await new Promise<void>((resolve) => void this.#socket.write(text, 'latin1', () => resolve()))
      if (pieces !== 'together') await turn()
    }
    if (last === 'end') this.#socket.end()
    if (last === 'reset') this.#raw.resetAndDestroy()
  }
}

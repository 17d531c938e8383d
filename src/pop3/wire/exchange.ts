// The queue that keeps commands and answers in step. It knows which answer belongs to which command, how many may be
// outstanding, and how long each may take. It does not know what a command means. The one rule: out of step means dead. A line
// that answers no command, a time limit or a lost connection botches the queue. Every waiting command is rejected once, and
// nothing is sent any more.
import { displayBytes } from '../../display.ts'
import { asPopfetchError, PopfetchError } from '../../errors.ts'
import { AnswerClock, type ClockKind } from './answer-clock.ts'
import { Burst, type BurstOwner } from './burst.ts'
import { command as commandOf, type Command } from './command.ts'
import type { Connection, ConnectionSink } from '../network/connection.ts'
import { Decoder, type DecoderSink, UnaskedBytesError } from './decoder.ts'
import { closedByServer, GREETING, strayChallenge, tooLate, unaskedBytes } from './out-of-step.ts'
import { parseReply, type Reply } from './reply.ts'

/** Takes the bytes of a multi-line answer. When it returns a promise, reading stops until that resolves. The bytes hold until then;
 *  when it returns none, until it returns. An error thrown or
 *  rejected ends the session, because the rest of the answer can neither be used nor be skipped. */
export interface BodySink {
  write(chunk: Buffer): Promise<void> | undefined
}

/** RFC 2449 §6.6 leaves this to the client. Our waiting commands must always fit into a TCP window (P144, deadlock): some 340
 *  RETR. How many messages may be under way, the poll says (window.ts). */
const OUTSTANDING_BYTES_LIMIT = 4096

/** Where in the queue a session ended: the command whose answer was due, or what was refused just before the end. */
export interface Place extends Pick<Command, 'verb' | 'number'> {
  /** Was no other command under way? */
  readonly alone: boolean
}

const NO_BYTES = Buffer.alloc(0)

interface Exchange {
  /** Null for the greeting and for lines of a SASL exchange. */
  readonly command: Command | null
  readonly bytes: Buffer
  readonly clock: ClockKind
  readonly body: BodySink | null
  readonly resolve: (reply: Reply) => void
  readonly reject: (error: PopfetchError) => void
  reply: Reply | null
  bodyBytes: number
  /** Was another command under way at the same time? */
  together: boolean
}

export class ExchangeQueue implements DecoderSink, ConnectionSink {
  /** May commands be sent before the previous one is answered? */
  pipelining = false
  readonly #connection: Connection
  readonly #decoder = new Decoder(this)
  readonly #trace: ((direction: 'C' | 'S', text: string) => void) | null
  /** Commands from index #next on are still to be sent. */
  #waiting: Exchange[] = []
  #next = 0
  #outstanding: Exchange[] = []
  #outstandingBytes = 0
  #pumpDue = false
  #botched: PopfetchError | null = null
  #place: Place | null = null
  /** What was answered last. */
  #answered: Exchange | null = null
  readonly #clock: AnswerClock
  #pauses = 0
  #begun: PromiseWithResolvers<void> | null = null
  /** Has the line for itself while it lasts. */
  #burst: Burst | null = null
  /** The messages of one that is over: they are on the wire, and are asked for again without being sent. */
  #onWire: readonly number[] = []
  #onWireTogether = 0

  constructor(connection: Connection, timeoutMs: number, trace: ((direction: 'C' | 'S', text: string) => void) | null) {
    this.#connection = connection
    this.#clock = new AnswerClock(timeoutMs, (waitedMs) => this.#late(waitedMs))
    this.#trace = trace
  }

  get botched(): PopfetchError | null {
    return this.#botched
  }
  /** Where the queue was botched; null: it was not, or at no command's place. */
  get place(): Place | null {
    return this.#place
  }
  get idle(): boolean {
    return this.#burst === null && this.#outstanding.length === 0 && this.#next === this.#waiting.length
  }

  /** Resolves when the next answer that is due has begun, when none is due, or when the queue is botched. */
  nextAnswer(): Promise<void> {
    const head = this.#outstanding[0]
    if (head === undefined || head.reply !== null) return Promise.resolve()
    this.#begun ??= Promise.withResolvers()
    return this.#begun.promise
  }

  #answerBegun(): void {
    this.#begun?.resolve()
    this.#begun = null
  }

  expectGreeting(): Promise<Reply> {
    const { exchange, promise } = this.#exchange(null, Buffer.alloc(0), 'step', null)
    this.#outstanding.push(exchange)
    this.#clock.start(this.#outstanding[0]?.clock ?? null)
    return promise
  }

  /** Resolves with the reply when the whole answer has come, its multi-line part included. Rejects when the queue is botched. */
  run(command: Command, clock: ClockKind, body: BodySink | null = null): Promise<Reply> {
    return this.#enqueue(command, command.bytes, clock, body)
  }

  /** A line of a SASL exchange, right after a `continue`. */
  runSasl(line: Buffer): Promise<Reply> {
    return this.#enqueue(null, line, 'sasl', null)
  }

  #enqueue(command: Command | null, bytes: Buffer, clock: ClockKind, body: BodySink | null): Promise<Reply> {
    if (this.#botched !== null) return Promise.reject(this.#botched)
    const { exchange, promise } = this.#exchange(command, bytes, clock, body)
    if (this.#isOnWire(command)) {
      this.#onWire = this.#onWire.slice(1)
      exchange.together = this.#onWireTogether-- > 0
      this.#outstanding.push(exchange)
      this.#outstandingBytes += bytes.length
      return promise
    }
    this.#waiting.push(exchange)
    this.#pumpSoon()
    return promise
  }

  #isOnWire(command: Command | null): boolean {
    return command?.verb === 'RETR' && command.number !== null && command.number === this.#onWire[0]
  }

  /** Many small messages at once (burst.ts), which have the line for themselves until `endBurst`, or until one is not plain. Null: not on
   *  this server, or not now. */
  burst(owner: BurstOwner, memory: Buffer): Burst | null {
    if (!this.pipelining || !this.idle || this.#botched !== null || this.#trace !== null) return null
    if (!this.#decoder.isBetweenCrlfLines) return null
    this.#burst = new Burst(
      owner,
      {
        mostBytes: OUTSTANDING_BYTES_LIMIT,
        send: (commands) => this.#connection.write(Buffer.from(commands, 'latin1')),
        heard: (bytes, ended, more) => {
          if (ended) this.#clock.start(more ? 'message' : null)
          this.#clock.progress(bytes)
        },
        dissolve: () => this.#dissolve(),
      },
      memory,
    )
    return this.#burst
  }

  /** Other commands may follow. Call it when all has come; does nothing where it is over already. */
  endBurst(): void {
    this.#dissolve()
  }

  /** What is on the wire goes on as ordinary commands, from the first byte of the first answer that was not given out. */
  #dissolve(): void {
    const burst = this.#burst
    if (burst === null) return
    this.#burst = null
    const { last } = burst
    if (last !== null) {
      const { exchange, promise } = this.#exchange(commandOf('RETR', last.number), NO_BYTES, 'message', null)
      promise.catch(() => {})
      exchange.together = last.together
      this.#answered = exchange
    }
    const { onWire, together, rest } = burst.end()
    this.#onWire = onWire
    this.#onWireTogether = together
    burst.giveBack()
    if (this.#onWire.length > 0) {
      const text = 'messages on the wire that nobody waits for'
      this.#onWire = []
      return this.botch(new PopfetchError('ERR_BUG', text, { scope: 'account', retry: 'later' }))
    }
    this.#clock.start(this.#outstanding[0]?.clock ?? null)
    if (this.#waiting.length > this.#next) this.#pumpSoon()
    if (rest.length > 0) this.#decode(rest)
  }

  /** Sends later in this turn of the event loop, so that commands queued together are written together. While the server is busy
   *  with others, that is at the turn's end: writing them one by one costs a tenth of a poll. */
  #pumpSoon(): void {
    if (this.#pumpDue) return
    this.#pumpDue = true
    if (this.#outstanding.length === 0) queueMicrotask(this.#pump)
    else setImmediate(this.#pump)
  }

  #exchange(command: Command | null, bytes: Buffer, clock: ClockKind, body: BodySink | null) {
    const { promise, resolve, reject } = Promise.withResolvers<Reply>()
    const exchange: Exchange = {
      command,
      bytes,
      clock,
      body,
      resolve,
      reject,
      reply: null,
      bodyBytes: 0,
      together: false,
    }
    return { exchange, promise }
  }

  readonly #pump = (): void => {
    this.#pumpDue = false
    if (this.#botched !== null || this.#burst !== null) return
    const wasIdle = this.#outstanding.length === 0
    const burst: Buffer[] = []
    for (let exchange = this.#waiting[this.#next]; exchange !== undefined; exchange = this.#waiting[this.#next]) {
      if (!this.#mayWrite(exchange.bytes.length)) break
      this.#next++
      const before = this.#outstanding.at(-1)
      if (before !== undefined) before.together = true
      exchange.together = before !== undefined
      this.#outstanding.push(exchange)
      this.#outstandingBytes += exchange.bytes.length
      burst.push(exchange.bytes)
      this.#trace?.('C', exchange.command?.shown ?? '****')
    }
    if (burst.length === 0) return
    // Only when half is sent: otherwise fifty thousand waiting DELEs would be copied at every burst.
    if (this.#next * 2 > this.#waiting.length) {
      this.#waiting = this.#waiting.slice(this.#next)
      this.#next = 0
    }
    if (wasIdle) this.#clock.start(this.#outstanding[0]?.clock ?? null)
    this.#connection.write(burst.length === 1 && burst[0] !== undefined ? burst[0] : Buffer.concat(burst))
  }

  #mayWrite(bytes: number): boolean {
    if (this.#outstanding.length === 0) return true
    return this.pipelining && this.#outstandingBytes + bytes <= OUTSTANDING_BYTES_LIMIT
  }

  // DecoderSink

  expects(): boolean {
    return this.#outstanding.length > 0
  }

  status(line: Buffer): boolean {
    const exchange = this.#outstanding[0]
    if (exchange === undefined) return false
    const reply = parseReply(line)
    if (this.#trace !== null)
      this.#trace('S', exchange.clock === 'sasl' && reply.status === 'continue' ? '+ ****' : displayBytes(line))
    if (reply.status === 'continue' && exchange.clock !== 'sasl') {
      throw strayChallenge(line, nameOf(exchange))
    }
    exchange.reply = reply
    this.#answerBegun()
    if (reply.status === 'ok' && exchange.command?.multiline === true) return true
    this.#complete(exchange, reply)
    return false
  }

  body(bytes: Buffer): void {
    const exchange = this.#outstanding[0]
    if (exchange === undefined) return
    exchange.bodyBytes += bytes.length
    this.#clock.progress(bytes.length)
    const wait = exchange.body?.write(bytes)
    if (wait === undefined) return
    this.pause()
    wait.then(
      () => this.resume(),
      (error: unknown) => this.botch(asPopfetchError(error)),
    )
  }

  end(): void {
    const exchange = this.#outstanding[0]
    if (exchange?.reply === undefined || exchange.reply === null) return
    this.#trace?.('S', `(${exchange.bodyBytes} bytes) .`)
    this.#complete(exchange, exchange.reply)
  }

  #complete(exchange: Exchange, reply: Reply): void {
    this.#outstanding.shift()
    this.#outstandingBytes -= exchange.bytes.length
    this.#clock.start(this.#outstanding[0]?.clock ?? null)
    this.#answered = exchange
    exchange.resolve(reply)
    if (this.#next < this.#waiting.length) this.#pumpSoon()
  }

  // ConnectionSink

  data(chunk: Buffer): void {
    this.#clock.progress(0)
    try {
      if (this.#burst?.take(chunk) === true) return
    } catch (error) {
      return this.botch(asPopfetchError(error))
    }
    this.#decode(chunk)
  }

  #decode(chunk: Buffer): void {
    try {
      this.#decoder.feed(chunk)
    } catch (error) {
      if (error instanceof UnaskedBytesError) this.botch(unaskedBytes(error), this.#answered)
      else this.botch(asPopfetchError(error))
    }
  }

  closed(error: PopfetchError | null): void {
    this.#dissolve()
    const head = this.#outstanding[0]
    this.botch(error ?? closedByServer(head === undefined ? null : nameOf(head)), this.#suspect)
  }

  /** Some servers close or hang after they refuse a message: that is not the fault of the command behind it (P160). */
  get #suspect(): Exchange | null {
    const head = this.#outstanding[0] ?? null
    const answered = this.#answered
    const isOfMessage = (answered?.command?.number ?? null) !== null
    const isRefused = isOfMessage && (head?.reply ?? null) === null && answered?.reply?.status === 'err'
    return isRefused ? answered : head
  }

  /** Commands that were not sent yet are not sent, and rejected. What is under way goes on. */
  withdraw(reason: PopfetchError): void {
    const unsent = this.#waiting.slice(this.#next)
    this.#waiting = []
    this.#next = 0
    for (const exchange of unsent) exchange.reject(reason)
  }

  /** Ends the connection without QUIT and rejects every waiting command, once. Only the first reason counts. `blamed`: the
   *  command to blame; else it is the one whose answer is due. */
  botch(error: PopfetchError, blamed?: Exchange | null): void {
    this.#dissolve()
    if (this.#botched !== null) return
    this.#botched = error
    const { command = null, together = false } = (blamed === undefined ? this.#outstanding[0] : blamed) ?? {}
    this.#place = command === null ? null : { verb: command.verb, number: command.number, alone: !together }
    this.#answerBegun()
    this.close()
    const all = [...this.#outstanding, ...this.#waiting.slice(this.#next)]
    this.#outstanding = []
    this.#waiting = []
    this.#next = 0
    for (const exchange of all) exchange.reject(error)
  }

  /** Closes the connection. Commands that still wait are rejected. */
  close(): void {
    this.#clock.stop()
    this.#connection.destroy()
    if (this.#botched !== null) return
    const isIdle = this.#outstanding.length === 0 && this.#next >= this.#waiting.length
    this.botch(isIdle ? (closedIdle ??= closed()) : closed())
  }

  /** Stops reading, so that the server has to wait. Each call needs its own resume(). */
  pause(): void {
    if (this.#pauses++ > 0) return
    this.#clock.pause()
    this.#connection.pause()
  }

  resume(): void {
    if (--this.#pauses > 0) return
    this.#clock.resume()
    this.#connection.resume()
  }

  #late(waitedMs: number): void {
    this.#dissolve()
    const head = this.#outstanding[0]
    if (head !== undefined) this.botch(tooLate(nameOf(head), waitedMs, head.bodyBytes), this.#suspect)
  }
}

/** One for all sessions that end as they should: a poll each makes thousands, and nobody looks at them. */
let closedIdle: PopfetchError | null = null

function closed(): PopfetchError {
  return new PopfetchError('ERR_ABORTED', 'the session was closed', { scope: 'account', retry: 'soon' })
}

function nameOf(exchange: Exchange): string {
  return exchange.command?.verb ?? (exchange.clock === 'sasl' ? 'AUTH' : GREETING)
}

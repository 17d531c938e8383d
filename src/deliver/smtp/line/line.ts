// A connection from the sign-in on: commands, replies and messages. nodemailer opens it, with TLS and the sign-in; sending a
// message with it costs four turns of the event loop and three streams, and takes the answers one at a time. Here a message is
// two writes, where the server offers PIPELINING (RFC 2920): the envelope with DATA, and the content with its dot. Every command
// and every reply is told to the conversation first, which decides whether it may go on. One rule: no content without 354, and no
// end of it without `handingOver`. After a message was taken, `handingOver` of the next is called together with its envelope. So both
// records share one commit, and the content need not wait after 354. At most one message a connection is in doubt after a kill (S042).
//
// Where the next message is known, its envelope and DATA go in one write with the end of the one before (RFC 2920 3.1): one write and
// one wait a message. What is answered to them is looked at only when that message is sent: so everybody else sees one message after the
// other. Until then the connection is for that message alone, and whoever gives it up can only destroy it.
import type { Socket } from 'node:net'
import type { Readable } from 'node:stream'
import { Dots } from './dots.ts'

export interface Envelope {
  /** '' is the null sender. */
  readonly from: string
  readonly to: string
  /** Without stuffed dots. */
  readonly sizeBytes: number
  readonly eightBit: boolean
}

/** One message as it is sent: a mail transaction (RFC 5321 3.3). */
export interface Transaction extends Envelope {
  /** As DATA carries it. */
  readonly wireBytes: number
  /** All of it as DATA carries it; or in pieces, which wait for `handingOver` by themselves before the last one. */
  readonly content: Buffer | Readable
  /** Before the content goes out; rejects: it does not. Null: nobody wants to know. */
  readonly handingOver: (() => Promise<void>) | null
  /** The envelope of the message that is sent next over this connection, if all goes well; null: it is not known. Asked for just before
   *  the content goes out. */
  readonly following: (() => Envelope | null) | null
}

/** What came of a message: `reply` is the final answer, and a success; it was refused, which the conversation knows; or the rest of it
 *  could not be read or not be handed over. */
export type Outcome =
  | { readonly kind: 'taken'; readonly reply: string }
  | { readonly kind: 'refused' }
  | { readonly kind: 'broken-off'; readonly error: unknown }

/** Whoever follows what is said. After each reply it may have destroyed the socket. */
export interface Listener {
  asked(line: string): void
  answered(reply: string): void
  /** `isFollowed`: in one write with commands behind it. */
  contentWritten(isSmall: boolean, isFollowed: boolean): void
}

/** Which command a reply answers. `empty`: the dot of a message without recipients. */
type Awaited = 'MAIL' | 'RCPT' | 'DATA' | 'dot' | 'empty' | 'other'

interface Sending {
  readonly transaction: Transaction
  readonly done: (outcome: Outcome) => void
  /** The first command that was refused; null: none. */
  refused: 'MAIL' | 'RCPT' | null
  /** It is being noted that it is handed over; null: not yet. */
  noting: Promise<void> | null
}

export class Line {
  readonly #socket: Socket
  readonly #conversation: Listener
  readonly #mostBytes: number
  readonly #hangUp: (error: Error | null) => void
  readonly #offered: ReadonlySet<string>
  readonly #awaited: Awaited[] = []
  #sending: Sending | null = null
  #other: ((isTaken: boolean) => void) | null = null
  /** The last message was taken. */
  #hasTaken = false
  /** The commands that went with the last content, for a message that is not sent yet; null: none. */
  #ahead: string | null = null
  /** The beginning of a line whose end has not come; and before that the lines that answer to `#ahead`. */
  #held = ''
  /** The lines of a reply whose last one has not come. */
  #reply = ''
  /** All of the content has gone, often long after it was written: only now the server has its ten minutes (D035). */
  readonly #written = (): void => this.#conversation.contentWritten(false, false)

  /** Takes over what is read. `offers`: the answer to EHLO. `mostBytes`: of one reply. `hangUp` ends the session: null, because the
   *  server says that it is over. */
  constructor(
    socket: Socket,
    conversation: Listener,
    { offers, mostBytes, hangUp }: { offers: string; mostBytes: number; hangUp: (error: Error | null) => void },
  ) {
    this.#socket = socket
    this.#conversation = conversation
    this.#mostBytes = mostBytes
    this.#hangUp = hangUp
    this.#offered = offeredIn(offers)
    socket.removeAllListeners('data')
    socket.on('data', (chunk: Buffer) => this.#came(chunk))
    // Before nodemailer, which tells of the end.
    socket.prependOnceListener('close', () => this.#closed())
  }

  /** One message, from MAIL to the answer to its dot. */
  send(transaction: Transaction, done: (outcome: Outcome) => void): void {
    if (!isSayable(transaction)) return done({ kind: 'broken-off', error: new Error('an address that is none') })
    const sending: Sending = { transaction, done, refused: null, noting: null }
    this.#sending = sending
    if (this.#pipelines) {
      this.#together(this.#envelopeOf(transaction))
      // The server took the last message and will probably take this one. So the hand-over is recorded while it answers.
      if (this.#hasTaken && Buffer.isBuffer(transaction.content)) sending.noting = noted(transaction.handingOver)
      // What was answered already.
      if (this.#held.includes('\n')) this.#linesCame()
    } else this.#command(['MAIL'], [this.#mailOf(transaction)])
  }

  /** Was the next message announced, and is not sent yet? Then the connection is good for nothing else. */
  get isAhead(): boolean {
    return this.#ahead !== null
  }

  get #pipelines(): boolean {
    return this.#offered.has('PIPELINING')
  }

  #envelopeOf(envelope: Envelope): readonly [mail: string, recipient: string, data: string] {
    return [this.#mailOf(envelope), recipientOf(envelope), 'DATA']
  }

  #mailOf({ from, to, sizeBytes, eightBit }: Envelope): string {
    const parameters =
      (this.#offered.has('SMTPUTF8') && /[^\0-\x7f]/.test(from + to) ? ' SMTPUTF8' : '') +
      (eightBit && this.#offered.has('8BITMIME') ? ' BODY=8BITMIME' : '') +
      (sizeBytes > 0 && this.#offered.has('SIZE') ? ` SIZE=${sizeBytes}` : '')
    return `MAIL FROM:<${from}>${parameters}`
  }

  #together(lines: readonly string[]): void {
    const ahead = this.#ahead
    this.#ahead = null
    if (ahead === null) this.#command(['MAIL', 'RCPT', 'DATA'], lines)
    else if (ahead === textOf(lines)) this.#asked(['MAIL', 'RCPT', 'DATA'], lines)
    else this.#hangUp(new Error('another message was announced'))
  }

  /** A command by itself, of one line. `done` hears whether it was answered with a success. */
  ask(command: string, done: (isTaken: boolean) => void): void {
    if (/[\r\n]/.test(command)) return this.#hangUp(new Error('a command of several lines'))
    this.#other = done
    this.#command(['other'], [command])
  }

  #command(awaited: readonly Awaited[], lines: readonly string[]): void {
    // Where it is gone already, what fails is this, and not the connecting.
    this.#asked(awaited, lines)
    if (!this.#socket.destroyed) this.#socket.write(textOf(lines))
  }

  #asked(awaited: readonly Awaited[], lines: readonly string[]): void {
    for (const line of lines) this.#conversation.asked(line)
    this.#awaited.push(...awaited)
  }

  #came(chunk: Buffer): void {
    const text = chunk.toString('latin1')
    this.#held += text
    // Not looked through again with each piece of it.
    if (text.includes('\n')) this.#linesCame()
    if (this.#held.length + this.#reply.length > this.#mostBytes) this.#hangUp(new Error('a reply without an end'))
  }

  #linesCame(): void {
    const lines = this.#held.split('\n')
    this.#held = lines.pop() ?? ''
    for (const [at, line] of lines.entries()) {
      if (this.#ahead !== null && this.#sending === null) {
        this.#held = [...lines.slice(at), this.#held].join('\n')
        this.#checkAhead()
        return
      }
      this.#lineCame(line.endsWith('\r') ? line.slice(0, -1) : line)
      if (this.#socket.destroyed) return
    }
  }

  /** Is an answer one too many? What was asked ahead has three replies, of which the last is no 2xx: else something was answered twice, and nobody knows what the
   *  message before was answered (D049). */
  #checkAhead(): void {
    const replies = this.#held
      .split('\n')
      .slice(0, -1)
      .filter((line) => !/^\d+-/.test(line) && line.trim() !== '')
    const [, , third, fourth] = replies
    const isOneTooMany = third?.startsWith('2') === true || (fourth !== undefined && !fourth.startsWith('421'))
    // Behind the answer to a message that nothing was announced with, that one would be too many.
    const told = replies.find((reply) => !reply.startsWith('421'))
    if (isOneTooMany && told !== undefined) this.#conversation.answered(decoded(told.trimEnd()))
    // RFC 5321 3.8: the server is about to close, and has not answered anything with that.
    else if (fourth !== undefined) this.#hangUp(null)
  }

  #lineCame(line: string): void {
    if (this.#reply === '' && line.trim() === '') return
    const reply = this.#reply === '' ? line : `${this.#reply}\n${line}`
    if (/^\d+-/.test(line)) {
      this.#reply = reply
      return
    }
    this.#reply = ''
    this.#replied(decoded(reply))
  }

  /** The rest of a line when the connection is gone: a refusal counts. */
  #closed(): void {
    // Nobody asked for that message yet: it goes over another connection.
    if (this.#ahead !== null && this.#sending === null) return
    const rest = this.#held.trim()
    if (rest !== '') this.#conversation.answered(decoded(rest))
  }

  #replied(reply: string): void {
    this.#conversation.answered(reply)
    // It was given up.
    if (this.#socket.destroyed) return
    this.#goOn(this.#awaited.shift(), reply)
    // RFC 5321 4.2: whatever it answers, the server is about to close.
    if (/^421[ -]/.test(reply)) this.#hangUp(null)
  }

  #goOn(awaited: Awaited | undefined, reply: string): void {
    const isTaken = reply.startsWith('2')
    if (awaited === 'other') {
      const done = this.#other
      this.#other = null
      done?.(isTaken)
      return
    }
    const sending = this.#sending
    if (awaited === undefined || sending === null) return
    switch (awaited) {
      case 'MAIL':
      case 'RCPT':
        if (!isTaken) sending.refused ??= awaited
        if (this.#awaited.length > 0) return
        if (sending.refused !== null) this.#end({ kind: 'refused' })
        else if (awaited === 'MAIL') this.#command(['RCPT'], [recipientOf(sending.transaction)])
        else this.#command(['DATA'], ['DATA'])
        return
      case 'DATA':
        this.#mayGoOut(sending, reply)
        return
      case 'dot':
      case 'empty':
        this.#end(isTaken && awaited === 'dot' ? { kind: 'taken', reply } : { kind: 'refused' })
    }
  }

  #mayGoOut(sending: Sending, reply: string): void {
    if (!reply.startsWith('3')) this.#end({ kind: 'refused' })
    else if (sending.refused === null) {
      this.#awaited.push('dot')
      void this.#content(sending)
    } else {
      // Who takes DATA without a sender cannot be trusted with an empty message either.
      if (sending.refused === 'MAIL') this.#end({ kind: 'refused' })
      else this.#command(['empty'], ['.'])
    }
  }

  async #content(sending: Sending): Promise<void> {
    const { content, wireBytes, handingOver } = sending.transaction
    const isOver = (): boolean => this.#sending !== sending || this.#socket.destroyed
    try {
      if (!Buffer.isBuffer(content)) return await this.#pieces(content, wireBytes, isOver)
      await (sending.noting ?? handingOver?.())
      if (isOver()) return
      const isSmall = wireBytes < this.#socket.writableHighWaterMark
      const next = isSmall && this.#pipelines ? (sending.transaction.following?.() ?? null) : null
      if (next === null || !isSayable(next)) this.#socket.write(content, this.#written)
      else {
        this.#ahead = textOf(this.#envelopeOf(next))
        this.#socket.write(Buffer.concat([content, Buffer.from(this.#ahead)]), this.#written)
      }
      this.#conversation.contentWritten(isSmall, this.#ahead !== null)
    } catch (error) {
      if (!isOver()) this.#end({ kind: 'broken-off', error })
    }
  }

  async #pieces(content: Readable, wireBytes: number, isOver: () => boolean): Promise<void> {
    const dots = new Dots()
    for await (const piece of content as AsyncIterable<Buffer>) {
      if (isOver()) return
      const isFull = !this.#socket.write(dots.add(piece))
      if (isFull) await this.#room()
    }
    // Whoever answered before had not seen the dot, and must not see it now.
    if (isOver()) return
    const end = dots.end()
    if (dots.wireBytes !== wireBytes) throw new Error('the message was counted wrong')
    this.#socket.write(end, this.#written)
    this.#conversation.contentWritten(false, false)
  }

  #room(): Promise<void> {
    return new Promise((resolve) => {
      const over = (): void => {
        this.#socket.off('drain', over).off('close', over)
        resolve()
      }
      if (this.#socket.destroyed) resolve()
      else this.#socket.on('drain', over).on('close', over)
    })
  }

  #end(outcome: Outcome): void {
    const sending = this.#sending
    this.#sending = null
    this.#hasTaken = outcome.kind === 'taken'
    sending?.done(outcome)
  }
}

/** Whoever waits for it hears how it ended, and perhaps nobody waits. */
function noted(handingOver: Transaction['handingOver']): Promise<void> | null {
  const noting = handingOver?.() ?? null
  noting?.catch(() => {})
  return noting
}

function recipientOf({ to }: Envelope): string {
  return `RCPT TO:<${to}>`
}

function textOf(lines: readonly string[]): string {
  return `${lines.join('\r\n')}\r\n`
}

function isSayable({ from, to }: Envelope): boolean {
  return !/[\r\n<>]/.test(from + to)
}

/** The names of what the server offers, in capitals. The first line has its own name. */
function offeredIn(offers: string): ReadonlySet<string> {
  const lines = offers.split('\n').slice(1)
  return new Set(lines.map((line) => (/^\d{3}[ -]([A-Z0-9-]+)/i.exec(line)?.[1] ?? '').toUpperCase()))
}

/** Replies have no charset (RFC 5321 4.2.1): UTF-8 where it is that, else byte by byte. */
function decoded(reply: string): string {
  if (!/[^\0-\x7f]/.test(reply)) return reply
  const text = Buffer.from(reply, 'latin1').toString('utf8')
  return text.includes('\uFFFD') ? reply : text
}

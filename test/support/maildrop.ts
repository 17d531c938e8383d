// One session's view of a mailbox in the TRANSACTION state (RFC 1939 section 5): numbers fixed at sign-in, marks that count
// only at QUIT. Gives answers as pieces to send; sends nothing itself.
import type { Faults } from './faults.ts'
import type { JournalKind } from './journal.ts'
import { stuff, top, type Mailbox, type StoredMessage } from './mailbox.ts'

export type Record = (kind: JournalKind, text: string, uidl: string) => void
export type Pieces = Iterable<string | Buffer>

/** A list is sent in pieces of about that size. */
const PIECE_BYTES = 64 * 1024

export class Maildrop {
  readonly mailbox: Mailbox
  readonly #faults: Faults
  readonly #record: Record
  /** Message n is at n - 1. */
  readonly #messages: readonly StoredMessage[]
  readonly #marked = new Set<StoredMessage>()
  readonly #retrieved = new Set<StoredMessage>()
  #last = 0

  constructor(mailbox: Mailbox, faults: Faults, record: Record) {
    const listed = mailbox.messages.filter((message) => !message.hidden)
    const { window } = faults
    this.mailbox = mailbox
    this.#faults = faults
    this.#record = record
    if (window === null || window >= listed.length) this.#messages = listed
    else this.#messages = faults.windowEnd === 'oldest' ? listed.slice(0, window) : listed.slice(listed.length - window)
  }

  /** What to say to a command; null: no command of this state. */
  answer(verb: string, args: string): Pieces | null {
    switch (verb) {
      case 'STAT':
        return this.#stat()
      case 'LIST':
        return this.#list(args, (number, message) => {
          const line = this.#faults.listLine
          return line ? line(number, message) : `${number} ${this.#sizeOf(message)}`
        })
      case 'UIDL':
        return this.#list(args, (number, message) => {
          const line = this.#faults.uidlLine
          return line ? line(number, message) : `${number} ${message.uidl}`
        })
      case 'RETR':
        return this.#with(args, (message, number) => this.#retrieve(message, number))
      case 'TOP':
        return this.#top(args)
      case 'DELE':
        return this.#with(args, (message) => {
          this.#marked.add(message)
          this.#record('dele', args, message.uidl)
          return this.#line('+OK marked')
        })
      case 'NOOP':
        return this.#line('+OK')
      case 'LAST':
        return this.#line(`+OK ${this.#last}`)
      case 'RSET':
        this.#marked.clear()
        this.#last = 0
        return this.#line('+OK')
      default:
        return null
    }
  }

  /** The UPDATE state (RFC 1939 section 6). */
  quit(): Pieces {
    if (this.#faults.quitError !== null) {
      this.rollback()
      return this.#line(this.#faults.quitError)
    }
    const removed = new Set<StoredMessage>()
    for (const message of this.#marked) {
      if (this.#faults.ignoreDeletes || this.#faults.undeletable.has(message.uidl)) continue
      removed.add(message)
      this.#record('commit', '', message.uidl)
    }
    if (removed.size > 0) this.mailbox.remove(removed)
    if (this.#faults.popped) for (const message of this.#retrieved) message.hidden = true
    this.#marked.clear()
    return this.#line('+OK bye')
  }

  /** The session ends without QUIT: what was marked stays. */
  rollback(): void {
    for (const message of this.#marked) this.#record('rollback', '', message.uidl)
    this.#marked.clear()
  }

  #line(text: string): Pieces {
    return [`${text}${this.#faults.lineEnding}`]
  }

  #sizeOf(message: StoredMessage): number {
    return this.#faults.listSize?.(message) ?? message.sizeBytes
  }

  #with(args: string, use: (message: StoredMessage, number: number) => Pieces): Pieces {
    const number = /^[0-9]{1,10}$/.test(args) ? Number(args) : 0
    const message = this.#messages[number - 1]
    if (!message || this.#marked.has(message)) return this.#line('-ERR no such message')
    return use(message, number)
  }

  #stat(): Pieces {
    const left = this.#messages.filter((message) => !this.#marked.has(message))
    return this.#line(`+OK ${left.length} ${left.reduce((sum, message) => sum + this.#sizeOf(message), 0)}`)
  }

  #list(args: string, line: (number: number, message: StoredMessage) => string | null): Pieces {
    if (args === '') return this.#listing(line)
    return this.#with(args, (message, number) => this.#line(`+OK ${line(number, message) ?? ''}`))
  }

  *#listing(line: (number: number, message: StoredMessage) => string | null): Pieces {
    const end = this.#faults.lineEnding
    let piece = `+OK${end}`
    for (const [index, message] of this.#messages.entries()) {
      const text = this.#marked.has(message) ? null : line(index + 1, message)
      if (text !== null) piece += `${text}${end}`
      if (piece.length < PIECE_BYTES) continue
      yield piece
      piece = ''
    }
    yield `${piece}.${end}`
  }

  #top(args: string): Pieces {
    const [number = '', lines = ''] = args.split(' ')
    if (!/^[0-9]+$/.test(lines)) return this.#line('-ERR how many lines?')
    return this.#with(number, (message) => this.#multiLine('+OK', [top(message.bytes, Number(lines))]))
  }

  #retrieve(message: StoredMessage, number: number): Pieces {
    this.#last = Math.max(this.#last, number)
    this.#retrieved.add(message)
    this.#record('retr', String(number), message.uidl)
    const status = `+OK ${this.#sizeOf(message)} octets`
    const raw = this.#faults.rawBody?.(message) ?? null
    return raw ? [...this.#line(status), raw] : this.#multiLine(status, message.chunks())
  }

  *#multiLine(status: string, chunks: Iterable<Buffer>): Pieces {
    const end = this.#faults.lineEnding
    yield `${status}${end}`
    let atLineStart = true
    for (const chunk of chunks) {
      const stuffed = stuff(chunk, atLineStart)
      yield end === '\n' ? Buffer.from(stuffed.toString('latin1').replaceAll('\r\n', '\n'), 'latin1') : stuffed
      atLineStart = chunk.subarray(-2).toString('latin1') === '\r\n'
    }
    yield `.${end}`
  }
}

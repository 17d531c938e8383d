// What goes over the wire for one message: the fields on top and the body, complete and counted before SMTP sees it. Every CR
// and LF becomes part of a CRLF, so that no later server sees the end of a message too early (D038). Never a live stream:
// one that stops early would be ended with a dot, and the server takes the half for the whole (D060). A file is counted
// first (D064) and must give exactly that when it is read again, else it fails without a dot.
import { isAscii } from 'node:buffer'
import { Readable } from 'node:stream'
import type { Message } from '../../message.ts'
import { BodyChanged, bodyChunks } from '../disk/body.ts'
import { offLoop } from '../disk/filesystem.ts'
import { MOST_ENDING, wireForm } from './line/dots.ts'
import { changed, changedChunks, type HeaderChange } from './wire-header.ts'

export interface Content {
  /** With CRLF line ends and the fields on top, without stuffed dots: what SIZE declares (RFC 1870, D033). */
  readonly sizeBytes: number
  /** As DATA carries it, with stuffed dots and the final one. */
  readonly wireBytes: number
  readonly eightBit: boolean
  /** A bare CR or LF was made a line end. */
  readonly repaired: boolean
  /** As DATA carries it; null: it comes in pieces. */
  readonly wire: Buffer | null
  /** All of it, from the beginning, at every call, without stuffed dots. A stream that cannot give it all ends with an error. */
  open(): Buffer | Readable
}

/** The body is not what was received: somebody changed the spool file, or it is gone. */
export class SpoolError extends Error {}

/** `prefix`: the fields on top, latin1. `change`: what is changed in the header below them; null: nothing. */
export function contentOf(message: Message, prefix: string, change: HeaderChange | null): Content | Promise<Content> {
  const { body, sizeBytes } = message
  if (body.kind === 'file') {
    const source = (): AsyncIterable<Buffer> =>
      change === null ? receivedChunks(message) : changedChunks(receivedChunks(message), change)
    const isAsReceived = body.form.lineEndings === 'crlf'
    // In a file with LF line ends nobody can tell which of them were bare.
    return streamedContent(prefix, source).then((content) => ({
      ...content,
      repaired: content.repaired && isAsReceived,
    }))
  }
  if (body.bytes.length !== sizeBytes) throw new SpoolError(otherSize(sizeBytes, body.bytes.length))
  const received = change === null ? body.bytes : changed(body.bytes, change)
  return wholeContent(prefix, received)
}

/** The fields on top end with a CRLF. */
function wholeContent(prefix: string, received: Buffer): Content {
  const mended = withCrlf(received)
  const sizeBytes = prefix.length + mended.length
  // Nearly always there are no dots to be stuffed, and this is what goes out.
  const room = Buffer.allocUnsafe(sizeBytes + MOST_ENDING)
  room.write(prefix, 'latin1')
  mended.copy(room, prefix.length)
  const whole = room.subarray(0, sizeBytes)
  const count = new WireCount()
  count.add(whole)
  const { wireBytes, eightBit } = count
  const wire = wireForm(room, sizeBytes, wireBytes)
  if (wire === null) throw new Error('the message was counted wrong')
  return { sizeBytes, wireBytes, eightBit, repaired: mended !== received, wire, open: () => whole }
}

/** Content that is made again at every reading, the same each time. */
export async function streamedContent(prefix: string, source: () => AsyncIterable<Buffer>): Promise<Content> {
  const top = Buffer.from(prefix, 'latin1')
  const count = new WireCount()
  const repair = new NewlineRepair()
  for await (const chunk of repairedChunks(top, source(), repair)) count.add(chunk)
  const { sizeBytes: total, wireBytes, eightBit } = count
  const chunks = (): AsyncGenerator<Buffer> => repairedChunks(top, source(), new NewlineRepair())
  return {
    sizeBytes: total,
    wireBytes,
    eightBit,
    repaired: repair.repaired,
    wire: null,
    open: () => Readable.from(exactly(chunks(), total), { objectMode: false }),
  }
}

/** The bytes of a message as they were received, without the fields that a destination has put on top of its file. */
export async function* receivedChunks(message: Message): AsyncGenerator<Buffer, void, void> {
  try {
    yield* bodyChunks(message, offLoop)
  } catch (error) {
    throw error instanceof BodyChanged ? new SpoolError(otherSize(message.sizeBytes, error.fileBytes)) : error
  }
}

async function* repairedChunks(
  top: Buffer,
  source: AsyncIterable<Buffer>,
  repair: NewlineRepair,
): AsyncGenerator<Buffer, void, void> {
  yield top
  for await (const chunk of source) yield repair.repair(chunk)
  yield repair.end()
}

async function* exactly(chunks: AsyncGenerator<Buffer>, total: number): AsyncGenerator<Buffer, void, void> {
  let given = 0
  for await (const chunk of chunks) {
    given += chunk.length
    if (given > total) break
    if (chunk.length > 0) yield chunk
  }
  if (given !== total) throw new SpoolError(otherSize(total, given))
}

function otherSize(wanted: number, got: number): string {
  return `the stored message has ${got} bytes where ${wanted} were received`
}

/** The same, whose last piece waits for `handingOver`: without it no server has the whole. */
export function heldEnd(whole: Readable, handingOver: () => Promise<void>): Readable {
  const pieces = async function* (): AsyncGenerator<Buffer, void, void> {
    let last: Buffer | null = null
    for await (const piece of whole as AsyncIterable<Buffer>) {
      if (last !== null) yield last
      last = piece
    }
    await handingOver()
    if (last !== null) yield last
  }
  return Readable.from(pieces(), { objectMode: false })
}

const BARE = /\r(?!\n)|(?<!\r)\n/
const CR = 0x0d
const DOT = 0x2e
const LF = 0x0a

/** Repairs a message that comes in chunks: what all of them and `end()` give has CRLF line ends only. */
export class NewlineRepair {
  /** Something had to be mended so far. */
  repaired = false
  /** The chunk before ended in a CR, which is held back until the next byte is known. */
  #heldCr = false

  repair(chunk: Buffer): Buffer {
    if (chunk.length === 0) return chunk
    const endsInCr = chunk.at(-1) === CR
    const whole = this.#heldCr ? Buffer.concat([Buffer.of(CR), chunk]) : chunk
    this.#heldCr = endsInCr
    const known = endsInCr ? whole.subarray(0, -1) : whole
    const mended = repaired(known)
    if (mended !== known) this.repaired = true
    return mended
  }

  end(): Buffer {
    const held = this.#heldCr
    this.#heldCr = false
    if (held) this.repaired = true
    return held ? Buffer.from('\r\n') : Buffer.alloc(0)
  }
}

/** A complete message with CRLF line ends only. */
export function withCrlf(bytes: Buffer): Buffer {
  const repair = new NewlineRepair()
  const body = repair.repair(bytes)
  const end = repair.end()
  return end.length === 0 ? body : Buffer.concat([body, end])
}

function repaired(bytes: Buffer): Buffer {
  const text = bytes.toString('latin1')
  return BARE.test(text) ? Buffer.from(text.replace(/\r\n|\r|\n/g, '\r\n'), 'latin1') : bytes
}

/** Counts repaired content, chunk by chunk. */
export class WireCount {
  sizeBytes = 0
  eightBit = false
  /** Lines that begin with a dot; each gets a second dot (RFC 5321 4.5.2). */
  #dots = 0
  #last = LF

  add(chunk: Buffer): void {
    if (chunk.length === 0) return
    this.sizeBytes += chunk.length
    if (!this.eightBit && !isAscii(chunk)) this.eightBit = true
    if (this.#last === LF && chunk[0] === DOT) this.#dots++
    if (chunk.includes('\n.')) this.#dots += chunk.toString('latin1').match(/\n\./g)?.length ?? 0
    this.#last = chunk.at(-1) ?? LF
  }

  /** On the wire, with the end of the message: a line end where the last one is missing, the dot, a line end. */
  get wireBytes(): number {
    const terminator = this.sizeBytes > 0 && this.#last === LF ? 3 : 5
    return this.sizeBytes + this.#dots + terminator
  }
}

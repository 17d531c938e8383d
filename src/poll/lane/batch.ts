// Messages of the lane that are delivered together: one piece of memory in which their bytes lie as they were received, the volley that
// has their files, and what is remembered of each. Columns, not objects: row i of each belongs to one message.
import type { Volley, Volleys } from '../../deliver/destination.ts'
import { messageFacts, sha256 } from '../../header.ts'
import { keptOf } from '../../heading.ts'
import type { Message, Origin, ReceivedFacts } from '../../message.ts'
import { useOutside } from '../run/garbage.ts'

/** The largest message that the lane takes: larger ones come in several pieces anyway, and are few. */
export const MOST_PLAIN_BYTES = 64 << 10
/** Messages in a batch; as many files are open at once. */
export const MOST_IN_BATCH = 128
/** Bytes with which a batch is full. Behind them there is room for the last message and two pieces from the socket. */
export const FULL_BYTES = 512 << 10
const MEMORY_BYTES = 768 << 10
/** Of an answer, beside the message: its status line and its end. Where a server says more, its messages take the usual road. */
const AROUND_BYTES = 64

/** What a batch of messages of these sizes takes: less where all of them are less. */
export function memoryFor(sizesBytes: readonly number[]): number {
  const bytes = sizesBytes.reduce((sum, size) => sum + size + AROUND_BYTES, 0)
  return Math.min(bytes, MEMORY_BYTES)
}

/** Kept for the next lane, so that a daemon does not make new memory for every poll; what other threads can see by itself. */
const spare: Buffer[] = []
const spareShared: Buffer[] = []
const MOST_SPARE = 4

export class Batch {
  readonly #memoryBytes: number
  #volleys: Volleys | null
  /** Null: not needed so far. Few messages fill one batch only, and many accounts have few at the same time. */
  #memory: Buffer | null = null
  #volley: Volley | null = null
  /** Of each row: which message of the lane, and where its bytes lie. */
  readonly indexes: number[] = []
  readonly starts: number[] = []
  readonly ends: number[] = []
  readonly received: ReceivedFacts[] = []
  readonly #messageIds: (string | null)[] = []
  readonly #headersBytes: number[] = []

  /** `memoryBytes`: as `memoryFor` says. */
  constructor(volleys: Volleys | null, memoryBytes: number) {
    this.#volleys = volleys
    this.#memoryBytes = memoryBytes
  }

  /** Made at first use. */
  get memory(): Buffer {
    this.#memory ??= memoryOf(this.#memoryBytes, this.#volleys?.isApart === true)
    return this.#memory
  }

  /** Null: they go one by one. */
  get volley(): Volley | null {
    this.#volley ??= this.#volleys?.volley(this.memory) ?? null
    return this.#volley
  }

  get count(): number {
    return this.indexes.length
  }

  /** One that came whole, exactly as long as announced. `work` is to follow. */
  add(index: number, start: number, end: number): void {
    this.indexes.push(index)
    this.starts.push(start)
    this.ends.push(end)
  }

  /** How many rows are worked on: what is to be remembered of each is there, and its file. */
  get worked(): number {
    return this.received.length
  }

  /** Works on the next row. */
  work(intent: string, origin: Origin): void {
    const row = this.received.length
    const body = this.memory.subarray(this.starts[row], this.ends[row])
    const facts = messageFacts(body)
    this.received.push({ receivedBytes: body.length, digest: sha256(body), ...keptOf(facts) })
    this.#messageIds.push(facts.messageId)
    this.#headersBytes.push(facts.headerBytes)
    this.volley?.add({ intent, origin, recipient: '' }, body, facts.receivedMs)
  }

  /** A message with bytes of its own, so that the batch may be renewed. */
  message(
    row: number,
    origin: Origin,
    receivedMs: number,
  ): { readonly message: Message; readonly received: ReceivedFacts } {
    const received = this.received[row]
    if (received === undefined) throw new Error('no such row in the batch')
    const bytes = Buffer.from(this.memory.subarray(this.starts[row], this.ends[row]))
    const { digest, fingerprint } = received
    const messageId = this.#messageIds[row] ?? null
    const header = bytes.subarray(0, this.#headersBytes[row])
    const body = { kind: 'memory', bytes } as const
    const message = { origin, sizeBytes: bytes.length, digest, fingerprint, messageId, header, body, receivedMs }
    return { message, received }
  }

  /** Empty again. */
  renew(volleys: Volleys | null): void {
    this.#volleys = volleys
    this.#volley = null
    const { indexes, starts, ends, received } = this
    for (const column of [indexes, starts, ends, received, this.#messageIds, this.#headersBytes]) column.length = 0
  }

  /** Nobody reads its memory any more. */
  leave(): void {
    const memory = this.#memory
    this.#memory = null
    if (memory === null) return
    const { buffer } = memory
    const kept = buffer instanceof SharedArrayBuffer ? spareShared : spare
    if (memory.length === MEMORY_BYTES && kept.length < MOST_SPARE) kept.push(memory)
    else if (buffer instanceof ArrayBuffer) free(buffer)
  }
}

function memoryOf(bytes: number, isApart: boolean): Buffer {
  const spared = bytes < MEMORY_BYTES ? undefined : (isApart ? spareShared : spare).pop()
  if (spared !== undefined) return spared
  // What several threads can see is not counted as a thread's own.
  if (isApart) return Buffer.from(new SharedArrayBuffer(bytes))
  useOutside(bytes)
  return Buffer.allocUnsafeSlow(bytes)
}

/** Gives it back at once: what forty accounts had would lie about until a collection finds it. */
function free(buffer: ArrayBuffer): void {
  useOutside(-buffer.byteLength)
  buffer.transfer(0)
}

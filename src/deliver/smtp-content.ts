// What goes over the wire for one message: the fields on top and the body, complete and counted before SMTP sees it.
// Never a live stream: nodemailer ends a stream that stops early with a dot, and the server takes the half for the whole
// (D060). A file is counted first and must give exactly that when it is read again, else it fails without a dot.
import { createReadStream } from 'node:fs'
import { Readable } from 'node:stream'
import type { Message } from '../message.ts'
import { NewlineRepair, WireCount, withCrlf } from './newlines.ts'

export interface Content {
  /** With CRLF line ends and the fields on top, without stuffed dots: what SIZE declares (RFC 1870, D033). */
  readonly sizeBytes: number
  /** As DATA carries it, with stuffed dots and the final one. */
  readonly wireBytes: number
  readonly eightBit: boolean
  /** All of it, from the beginning, at every call. A stream that cannot give it all ends with an error. */
  open(): Buffer | Readable
}

/** The body is not what was received: somebody changed the spool file, or it is gone. */
export class SpoolError extends Error {}

/** As fast as larger ones, and four messages of 25 MB at once cost 15 MB of memory. */
const CHUNK_BYTES = 64 * 1024

export async function contentOf(message: Message, prefix: string): Promise<Content> {
  const { body, sizeBytes } = message
  const top = Buffer.from(prefix, 'latin1')
  if (body.kind === 'memory') {
    if (body.bytes.length !== sizeBytes) throw new SpoolError(changed(sizeBytes, body.bytes.length))
    const whole = withCrlf(top.length === 0 ? body.bytes : Buffer.concat([top, body.bytes]))
    const count = new WireCount()
    count.add(whole)
    return { sizeBytes: whole.length, wireBytes: count.wireBytes, eightBit: count.eightBit, open: () => whole }
  }
  const { path, form } = body
  // Only a file in wire form has as many bytes as were received.
  const wanted = form.lineEndings === 'crlf' ? sizeBytes : null
  const chunks = (): AsyncGenerator<Buffer> => repairedFile(path, form.prefixBytes, top, wanted)
  const count = new WireCount()
  for await (const chunk of chunks()) count.add(chunk)
  const { sizeBytes: total, wireBytes, eightBit } = count
  return {
    sizeBytes: total,
    wireBytes,
    eightBit,
    open: () => Readable.from(exactly(chunks(), total), { objectMode: false }),
  }
}

async function* repairedFile(
  path: string,
  start: number,
  top: Buffer,
  wanted: number | null,
): AsyncGenerator<Buffer, void, void> {
  const repair = new NewlineRepair()
  let received = 0
  yield top
  for await (const chunk of createReadStream(path, { start, highWaterMark: CHUNK_BYTES })) {
    const bytes: unknown = chunk
    if (!Buffer.isBuffer(bytes)) throw new SpoolError(`${path} was not read as bytes`)
    received += bytes.length
    yield repair.repair(bytes)
  }
  if (wanted !== null && received !== wanted) throw new SpoolError(changed(wanted, received))
  yield repair.end()
}

async function* exactly(chunks: AsyncGenerator<Buffer>, total: number): AsyncGenerator<Buffer, void, void> {
  let given = 0
  for await (const chunk of chunks) {
    given += chunk.length
    if (given > total) break
    if (chunk.length > 0) yield chunk
  }
  if (given !== total) throw new SpoolError(changed(total, given))
}

function changed(wanted: number, got: number): string {
  return `the stored message has ${got} bytes where ${wanted} were received`
}

// A second look at messages whose file does not match the digest in the ledger. The file may be damaged. Or the message had
// lone LFs on the wire, which a file with LF line ends cannot tell from line ends (P115). Also at messages of which only the
// file name tells, because the ledger was lost. They are fetched once more, and compared as they would be in the file.
// Deletes nothing.
import { createHash } from 'node:crypto'
import type { EntryKey } from '../ledger/ledger.ts'
import type { PlannedDeletion } from '../poll/plan/entry.ts'
import type { Plan } from '../poll/plan/plan.ts'
import type { MessageLooks } from '../poll/run/restrictions.ts'
import type { BodySink } from '../pop3/wire/exchange.ts'

/** Fewer than may be on the wire (P144, pipelining): a server should not send much only to be compared. */
const AT_ONCE = 16

const CR = 13
const LF = 10

export class SecondLook {
  readonly #pace: (bytes: number) => Promise<void> | undefined
  /** For each message the digest of what is in the file, every line end as CRLF. */
  readonly #doubts = new Map<string, string>()
  readonly #proven = new Map<string, string>()

  constructor(pace: (bytes: number) => Promise<void> | undefined) {
    this.#pace = pace
  }

  /** To be told of a message whose file may not be what the server sent; `standing` is the digest of the file. */
  doubt(key: EntryKey, standing: Buffer): void {
    if (!this.isProven(key, standing)) this.#doubts.set(textOf(key), standing.toString('hex'))
  }

  isProven(key: EntryKey, standing: Buffer): boolean {
    return this.#proven.get(textOf(key)) === standing.toString('hex')
  }

  get isWanted(): boolean {
    return this.#doubts.size > 0
  }

  /** Fetches and compares each message in doubt; `plan` has the delivered ones that are listed. Rejects with BrokenLook. */
  async look({ deletions }: Plan, looks: Pick<MessageLooks, 'retrieve'>): Promise<void> {
    const entries = deletions.filter((entry) => this.#doubts.has(textOf(entry)))
    for (let at = 0; at < entries.length; at += AT_ONCE) {
      await Promise.all(entries.slice(at, at + AT_ONCE).map((entry) => this.#compare(entry, looks)))
    }
    // A message that the server does not list any more cannot be fetched.
    this.#doubts.clear()
  }

  async #compare(entry: PlannedDeletion, looks: Pick<MessageLooks, 'retrieve'>): Promise<void> {
    const standing = this.#doubts.get(textOf(entry))
    const digest = new FileDigest(this.#pace)
    const came = await looks.retrieve(entry, digest)
    this.#doubts.delete(textOf(entry))
    if (came && standing !== undefined && digest.end() === standing) {
      this.#proven.set(textOf(entry), standing)
    }
  }
}

/** The digest of a message as readBack() finds it in a file: LF for CRLF when it was written, CRLF for LF when it was read. */
class FileDigest implements BodySink {
  readonly #hash = createHash('sha256')
  readonly #pace: (bytes: number) => Promise<void> | undefined
  #heldCr = false

  constructor(pace: (bytes: number) => Promise<void> | undefined) {
    this.#pace = pace
  }

  write(chunk: Buffer): Promise<void> | undefined {
    const out = Buffer.allocUnsafe(2 * chunk.length + 1)
    let length = 0
    for (const byte of chunk) {
      if (byte === LF) out[length++] = CR
      else if (this.#heldCr) out[length++] = CR
      this.#heldCr = byte === CR
      if (byte !== CR) out[length++] = byte
    }
    this.#hash.update(out.subarray(0, length))
    return this.#pace(chunk.length)
  }

  end(): string {
    if (this.#heldCr) this.#hash.update(Buffer.of(CR))
    return this.#hash.digest('hex')
  }
}

function textOf({ uidl, copy }: EntryKey): string {
  return `${copy} ${uidl}`
}

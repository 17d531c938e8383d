// Small messages that go into a Maildir together, as columns: no object, promise or closure a message. The steps and their order are those
// of file.ts and batch.ts: written in tmp/, synced, linked into new/, with one sync of new/ for all before any of them counts. Where a step
// fails for a file, what was done for it is taken back, or left in tmp/ for a later sweep, and the others go on. Another thread may write
// and link them (hands.ts), so that the event loop goes on meanwhile. The one rule: nothing is linked before its file is synced and closed,
// and nothing counts before new/ is synced (D002, D003).
import { type DeliveryError, errnoOf } from '../../errors.ts'
import { type Attempt, type Receipt, receiptOf, type Volley } from '../destination.ts'
import { writePieces } from '../disk/body.ts'
import { type Awaitable, type FileSystem, isInMemory, lstatOrNull, syncDirectory } from '../disk/filesystem.ts'
import type { Hands } from '../disk/hands.ts'
import type { Done, Failure, Writing } from '../disk/thread.ts'
import { within } from '../disk/time-limit.ts'
import type { Right } from '../right.ts'
import { CREATE, fileError, type OpenMaildir, PRIVATE } from './file.ts'
import { isFolderGone, publish } from './link.ts'
import { fileName, sizedName } from './name.ts'
import { believable, type ParcelRules } from './parcel.ts'

/** No descriptor: it was closed, or never open. */
const NONE = -1
const NOTHING: ReadonlySet<number> = new Set()

/** Told of the work: it may go on for a while, and takes back what it did, when nobody waits for it any more. */
type Begun = (work: Promise<void>) => void

export class MaildirVolley implements Volley {
  readonly #maildir: OpenMaildir
  readonly #rules: ParcelRules
  readonly #limitMs: number
  /** Null: all is done here. */
  readonly #apart: Apart | null
  readonly #begun: Begun
  readonly #fds: number[] = []
  readonly #tmps: string[] = []
  readonly #targets: string[] = []
  /** Why it is not delivered; null: nothing has failed. */
  readonly #errors: (DeliveryError | null)[] = []
  /** Some of them may be visible. */
  #isLinking = false
  /** Nobody waits any more: no further file is linked here. A link that was ordered of the other thread may still be made; it is told
   *  as not known. */
  #isGivenUp = false

  /** `maildir.fileSystem` makes its calls at once. With `apart`, all bodies lie in its memory, and stay there until they are delivered. */
  constructor(
    maildir: OpenMaildir,
    rules: ParcelRules,
    limitMs: number,
    { apart = null, begun = () => {} }: { readonly apart?: HandsAndMemory | null; readonly begun?: Begun } = {},
  ) {
    this.#maildir = maildir
    this.#rules = rules
    this.#limitMs = limitMs
    this.#apart = apart === null ? null : new Apart(apart)
    this.#begun = begun
  }

  add(attempt: Attempt, body: Buffer, receivedMs: number | null): void {
    const { folders } = this.#maildir
    const name = fileName(attempt, this.#rules.host, this.#rules.nowMs())
    const tmp = `${folders.tmp}/${name}`
    const at = this.#fds.push(NONE) - 1
    this.#tmps.push(tmp)
    this.#targets.push('')
    this.#errors.push(null)
    try {
      const prefix = this.#rules.prefix(attempt)
      const dateMs = believable(this.#rules, receivedMs)
      if (this.#apart === null) this.#write(at, body, prefix, dateMs)
      else this.#apart.add(at, body, prefix, dateMs)
    } catch (error) {
      this.#fail(at, error)
    }
  }

  #write(at: number, body: Buffer, prefix: Buffer, dateMs: number | null): void {
    const { fileSystem, mode, lineEndings } = this.#maildir
    const fd = made(fileSystem.open(this.#tmps[at] ?? '', CREATE, PRIVATE))
    this.#fds[at] = fd
    const bytes = made(writePieces(fileSystem, fd, { prefix, body }, lineEndings))
    if (mode !== PRIVATE) made(fileSystem.fchmod(fd, mode))
    if (dateMs !== null) made(fileSystem.futimes(fd, dateMs, dateMs))
    this.#isWritten(at, bytes)
  }

  #isWritten(at: number, bytes: number): void {
    const { folders } = this.#maildir
    const name = (this.#tmps[at] ?? '').slice(folders.tmp.length + 1)
    this.#targets[at] = `${folders.new}/${sizedName(name, bytes)}`
  }

  async deliver(right: Right, signal: AbortSignal): Promise<readonly (Receipt | DeliveryError)[]> {
    try {
      const delivering = this.#deliver(right)
      this.#begun(delivering)
      await within(delivering, this.#limitMs, signal)
    } catch (error) {
      this.#isGivenUp = true
      this.#apart?.leave()
      const scope = signal.aborted ? 'message' : 'destination'
      const verdict = this.#isLinking ? 'unknown' : 'temporary'
      for (const at of this.#fds.keys())
        this.#errors[at] ??= fileError(this.#maildir, error, { verdict, scope, isNamed: false })
    }
    return this.#targets.map((target, at) => this.#errors[at] ?? receiptOf(target))
  }

  async #deliver(right: Right): Promise<void> {
    const { fileSystem, folders } = this.#maildir
    if (this.#apart?.isThere === true) await this.#writeApart(this.#apart)
    else {
      // The thread was there when the volley began, and has ended since, as it does without work.
      this.#apart?.each((at, body, prefix, dateMs) => {
        try {
          this.#write(at, body, prefix, dateMs)
        } catch (error) {
          this.#fail(at, error)
        }
      })
      await this.#sync()
    }
    // The last moment: all of them are in tmp/ now, where whoever took over removes them.
    try {
      if (!this.#isGivenUp) right.requireHeld()
    } catch (error) {
      for (const at of this.#fds.keys()) this.#fail(at, error, 'message')
    }
    this.#isLinking = true
    const linked = this.#isGivenUp ? NOTHING : await this.#linkApart(this.#apart)
    for (const at of this.#fds.keys()) {
      if (linked.has(at)) continue
      if (this.#isGivenUp) this.#takeBack(at)
      else if (this.#errors[at] === null && !this.#publish(at)) await this.#publishAfterAll(at)
    }
    if (this.#errors.every((error) => error !== null)) return
    try {
      await syncDirectory(fileSystem, folders.new)
    } catch (error) {
      for (const at of this.#fds.keys()) if (this.#errors[at] === null) this.#withdraw(at, error)
    }
  }

  /** All at the same time, and no longer than the slowest. */
  async #sync(): Promise<void> {
    const { fileSystem } = this.#maildir
    const underWay: Promise<void>[] = []
    for (const [at, fd] of this.#fds.entries()) {
      if (fd === NONE) continue
      try {
        const syncing = fileSystem.fsync(fd)
        if (syncing instanceof Promise) underWay.push(syncing.catch((error: unknown) => this.#fail(at, error)))
      } catch (error) {
        this.#fail(at, error)
      }
    }
    if (underWay.length > 0) await Promise.all(underWay)
  }

  async #writeApart(apart: Apart): Promise<void> {
    const { fileSystem, lineEndings, mode } = this.#maildir
    const how = {
      flags: CREATE,
      firstMode: PRIVATE,
      toLf: lineEndings === 'lf',
      mode: mode === PRIVATE ? null : mode,
      waits: !isInMemory(fileSystem),
    }
    let each
    try {
      each = await apart.write(this.#tmps, how)
    } catch (error) {
      // The thread is gone, and did not say what it made.
      for (const at of apart.rows) this.#removeTmp(at)
      throw error
    }
    for (const [row, at] of apart.rows.entries()) {
      const result = each[row]
      if (typeof result === 'number') this.#isWritten(at, result)
      else this.#fail(at, errorOf(result))
    }
  }

  /** Those that have their names in new/. */
  async #linkApart(apart: Apart | null): Promise<ReadonlySet<number>> {
    // It may be gone since it wrote them.
    const due = apart?.isThere === true ? apart.rows.filter((at) => this.#errors[at] === null) : []
    if (apart === null || due.length === 0) return NOTHING
    const each = await apart.link(
      due.map((at) => this.#tmps[at] ?? ''),
      due.map((at) => this.#targets[at] ?? ''),
    )
    return new Set(due.filter((_, row) => each[row] === true))
  }

  /** False: it could not be linked, or so it seems. */
  #publish(at: number): boolean {
    const { fileSystem } = this.#maildir
    const tmp = this.#tmps[at] ?? ''
    try {
      // Checked: quotas report some errors only now (D002).
      this.#close(at)
    } catch (error) {
      this.#fail(at, error)
      return true
    }
    try {
      made(fileSystem.link(tmp, this.#targets[at] ?? ''))
    } catch {
      return false
    }
    try {
      made(fileSystem.unlink(tmp))
    } catch {
      // It is delivered, and a later sweep removes the second name.
    }
    return true
  }

  /** A file system without links, or one that reports an error for a link that it made. */
  async #publishAfterAll(at: number): Promise<void> {
    const { fileSystem } = this.#maildir
    const target = this.#targets[at] ?? ''
    try {
      await publish(fileSystem, this.#tmps[at] ?? '', target)
    } catch (error) {
      const isThere = await mayBeThere(fileSystem, target)
      const scope = (await isFolderGone(fileSystem, this.#tmps[at] ?? '', error)) ? 'destination' : undefined
      this.#fail(at, error, scope, isThere && errnoOf(error) !== 'EEXIST' ? 'unknown' : 'temporary')
    }
  }

  /** new/ could not be made durable. */
  #withdraw(at: number, reason: unknown): void {
    const { fileSystem } = this.#maildir
    let verdict: 'temporary' | 'unknown' = 'temporary'
    try {
      made(fileSystem.unlink(this.#targets[at] ?? ''))
    } catch {
      // A reader has moved it, or it cannot be removed: it may be kept, or lost in a power cut.
      verdict = 'unknown'
    }
    this.#errors[at] ??= fileError(this.#maildir, reason, { verdict, scope: 'destination', isNamed: true })
  }

  #fail(
    at: number,
    reason: unknown,
    scope?: 'message' | 'destination',
    verdict: 'temporary' | 'unknown' = 'temporary',
  ): void {
    const isNamed = this.#targets[at] !== ''
    this.#errors[at] ??= fileError(this.#maildir, reason, {
      verdict,
      isNamed,
      ...(scope === undefined ? {} : { scope }),
    })
    this.#takeBack(at)
  }

  /** Leaves nothing in tmp/. */
  #takeBack(at: number): void {
    const isOpen = this.#fds[at] !== NONE
    try {
      this.#close(at)
    } catch {
      // The first error is the one to report.
    }
    // A name that was never ours may be another's.
    if (isOpen || this.#targets[at] !== '') this.#removeTmp(at)
  }

  #removeTmp(at: number): void {
    try {
      made(this.#maildir.fileSystem.unlink(this.#tmps[at] ?? ''))
    } catch {
      // A later sweep removes it.
    }
  }

  #close(at: number): void {
    const fd = this.#fds[at] ?? NONE
    this.#fds[at] = NONE
    if (fd !== NONE) made(this.#maildir.fileSystem.close(fd))
  }
}

export interface HandsAndMemory {
  readonly hands: Hands
  readonly memory: SharedArrayBuffer
}

/** What another thread is to write, as columns. */
class Apart {
  /** Which messages of the volley they are. */
  readonly rows: number[] = []
  readonly #hands: Hands
  readonly #memory: SharedArrayBuffer
  readonly #starts: number[] = []
  readonly #ends: number[] = []
  readonly #datesMs: (number | null)[] = []
  readonly #prefixes: Buffer[] = []
  readonly #prefixOf: number[] = []

  constructor({ hands, memory }: HandsAndMemory) {
    this.#hands = hands
    this.#memory = memory
  }

  /** Throws TypeError where the other thread would not see it. */
  add(at: number, body: Buffer, prefix: Buffer, dateMs: number | null): void {
    if (body.buffer !== this.#memory) throw new TypeError('a message that lies elsewhere')
    this.rows.push(at)
    this.#starts.push(body.byteOffset)
    this.#ends.push(body.byteOffset + body.length)
    this.#datesMs.push(dateMs)
    // Nearly always the same one.
    if (this.#prefixes.at(-1) !== prefix) this.#prefixes.push(prefix)
    this.#prefixOf.push(this.#prefixes.length - 1)
  }

  /** Does the other thread take orders? */
  get isThere(): boolean {
    return this.#hands.isReady
  }

  /** What it was to write. */
  each(take: (at: number, body: Buffer, prefix: Buffer, dateMs: number | null) => void): void {
    for (const [row, at] of this.rows.entries()) {
      const start = this.#starts[row] ?? 0
      const body = Buffer.from(this.#memory, start, (this.#ends[row] ?? 0) - start)
      take(at, body, this.#prefixes[this.#prefixOf[row] ?? 0] ?? Buffer.alloc(0), this.#datesMs[row] ?? null)
    }
  }

  /** `all`: the path in tmp/ of each message of the volley. */
  write(
    all: readonly string[],
    how: Pick<Writing, 'flags' | 'firstMode' | 'toLf' | 'mode' | 'waits'>,
  ): Promise<Done['each']> {
    const [starts, ends, datesMs, prefixOf] = [this.#starts, this.#ends, this.#datesMs, this.#prefixOf]
    const tmps = this.rows.map((at) => all[at] ?? '')
    // Copies: a view of Node's pool would take all of it along.
    const prefixes = this.#prefixes.map((prefix) => Uint8Array.from(prefix))
    return this.#hands.do({
      kind: 'write',
      tmps,
      memory: this.#memory,
      starts,
      ends,
      datesMs,
      prefixes,
      prefixOf,
      ...how,
    })
  }

  link(tmps: readonly string[], targets: readonly string[]): Promise<Done['each']> {
    return this.#hands.do({ kind: 'link', tmps, targets })
  }

  /** It did not answer in time: what comes next is not to wait behind it. */
  leave(): void {
    this.#hands.leave()
  }
}

function errorOf(result: Failure | true | undefined): Error {
  if (result === undefined || result === true) return new TypeError('no answer to what was asked')
  return Object.assign(new Error(result.message), result.code === null ? {} : { code: result.code })
}

async function mayBeThere(fileSystem: FileSystem, target: string): Promise<boolean> {
  try {
    return (await lstatOrNull(fileSystem, target)) !== null
  } catch {
    return true
  }
}

/** What a call gave that was made at once. */
function made<T>(value: Awaitable<T>): T {
  if (value instanceof Promise) {
    value.catch(() => {})
    throw new TypeError('a call that is made later, where all are made at once')
  }
  return value
}

// One message on its way through a Maildir: written in tmp/, synced, linked into new/ (maildir(5); D001, D002, D005). The
// steps are called in that order by the batch it belongs to, which syncs new/ before it says that the message is
// delivered. One rule: a step that fails takes back what the ones before it did, so that nothing is visible.
import { constants } from 'node:fs'
import { display } from '../../display.ts'
import { type DeliveryError, errnoOf } from '../../errors.ts'
import { after, type Awaitable, trying } from '../awaitable.ts'
import type { Receipt } from '../destination.ts'
import { diskError } from '../disk/disk-error.ts'
import type { FileSystem, ImmediateFileSystem } from '../disk/filesystem.ts'
import type { Reserve } from '../disk/reserve.ts'
import type { Folders } from './folders.ts'
import { look, publish } from './link.ts'
import { sizedName } from './name.ts'
import { contentOf, type Parcel, type Pieces } from './parcel.ts'

/** What all files of one Maildir share. */
export interface Room {
  readonly description: string
  readonly folders: Folders
  readonly fileSystem: FileSystem
  readonly mode: number
  readonly lineEndings: 'crlf' | 'lf'
  readonly reserve: Reserve
}

/** `waiting`: nothing of it exists. `linking`: it may be visible. `visible`: it is, but not durably. */
type Stage = 'waiting' | 'written' | 'linking' | 'visible' | 'over'

const CREATE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW
/** Whatever the umask allows (D009); the Maildir's own mode once nobody can be surprised by it. */
const PRIVATE = 0o600

/** For most messages, one after the other. */
const scratch = Buffer.allocUnsafeSlow(64 << 10)

export class MaildirFile {
  readonly receipt: Promise<Receipt>
  readonly parcel: Parcel
  /** What writing it costs the loop. */
  readonly loopBytes: number
  readonly #room: Room
  readonly #tmp: string
  readonly #settle: PromiseWithResolvers<Receipt>
  readonly #ended: (file: MaildirFile) => void
  #target = ''
  #fd: number | null = null
  #stage: Stage = 'waiting'
  #abandoned = false
  /** The receipt is; what takes a file back may still be under way, or hang. */
  #settled = false
  /** It may be visible, or was. */
  #linked = false

  /** `ended` hears when the receipt is settled. */
  constructor(room: Room, parcel: Parcel, ended: (file: MaildirFile) => void) {
    this.#room = room
    this.#ended = ended
    this.parcel = parcel
    this.#tmp = parcel.standing ?? `${room.folders.tmp}/${parcel.name}`
    this.loopBytes = parcel.pieces?.body.length ?? 0
    this.#settle = Promise.withResolvers<Receipt>()
    this.receipt = this.#settle.promise
  }

  get visible(): boolean {
    return this.#stage === 'visible'
  }

  /** Given up before anything of it was made: the steps need not be called. */
  get dropped(): boolean {
    return this.#abandoned && this.#stage === 'waiting'
  }

  /** Nobody waits any longer: the caller hears at once; the steps still to come do not make it visible. */
  abandon(reason: unknown, scope: 'message' | 'destination'): void {
    if (this.#settled) return
    this.#abandoned = true
    this.#refuse(this.#error(reason, { verdict: this.#linked ? 'unknown' : 'temporary', scope }))
  }

  /** This step and the two that follow return a promise only where the file system gives one: five thousand messages are a
   *  hundred thousand calls. */
  write(): Awaitable<void> {
    if (this.#abandoned) return this.#fail(null)
    const { pieces } = this.parcel
    const { immediate } = this.#room.fileSystem
    return this.#step(() =>
      immediate === null || pieces === null ? this.#writeLater(pieces) : this.#writeNow(immediate, pieces),
    )
  }

  #writeNow(fileSystem: ImmediateFileSystem, pieces: Pieces): void {
    const { reserve, folders, mode, lineEndings } = this.#room
    reserve.takeNow(fileSystem, folders.tmp, mostBytes(pieces))
    const fd = fileSystem.open(this.#tmp, CREATE, PRIVATE)
    this.#fd = fd
    const content = contentOf(pieces, lineEndings, scratch)
    let written = 0
    while (written < content.length) written += fileSystem.write(fd, content, written, content.length - written)
    if (mode !== PRIVATE) fileSystem.fchmod(fd, mode)
    const { dateMs } = this.parcel
    if (dateMs !== null) fileSystem.futimes(fd, dateMs, dateMs)
    this.#written(written)
  }

  async #writeLater(pieces: Pieces | null): Promise<void> {
    const { fileSystem } = this.#room
    const fileBytes = pieces === null ? await this.#openStanding() : await this.#create(pieces)
    const { dateMs } = this.parcel
    if (dateMs !== null && this.#fd !== null) await fileSystem.futimes(this.#fd, dateMs, dateMs)
    this.#written(fileBytes)
  }

  #written(fileBytes: number): void {
    this.#target = `${this.#room.folders.new}/${sizedName(this.parcel.name, fileBytes)}`
    this.#stage = 'written'
  }

  sync(): Awaitable<void> {
    const fd = this.#fd
    if (this.#stage !== 'written' || fd === null) return
    return this.#step(() => this.#room.fileSystem.fsync(fd))
  }

  publish(): Awaitable<void> {
    const fd = this.#fd
    if (this.#stage !== 'written' || fd === null) return
    const { fileSystem } = this.#room
    this.#fd = null
    return this.#step(() =>
      // Checked: NFS and quotas tell only now (D002).
      after(fileSystem.close(fd), () => {
        if (this.#abandoned) return this.#fail(null)
        this.#stage = 'linking'
        this.#linked = true
        return after(publish(fileSystem, this.#tmp, this.#target), () => {
          this.#stage = 'visible'
        })
      }),
    )
  }

  /** Does it; takes back what was done when it fails. */
  #step(step: () => Awaitable<void>): Awaitable<void> {
    return trying(step, (error) => this.#fail(error))
  }

  /** new/ is durable. */
  confirm(): void {
    if (this.#stage !== 'visible') return
    this.#stage = 'over'
    if (this.#settled) return
    this.#settled = true
    this.#settle.resolve({ text: receiptText(this.#target) })
    this.#ended(this)
  }

  /** new/ could not be made durable. */
  async withdraw(reason: unknown): Promise<void> {
    if (this.#stage !== 'visible') return
    this.#stage = 'over'
    try {
      await this.#room.fileSystem.unlink(this.#target)
      this.#refuse(this.#error(reason))
    } catch {
      // A reader has moved it, or it will not go: it may be kept, it may be lost.
      this.#refuse(this.#error(reason, { verdict: 'unknown' }))
    }
  }

  async #create(pieces: Pieces): Promise<number> {
    const { fileSystem, reserve, folders, mode, lineEndings } = this.#room
    await reserve.take(fileSystem, folders.tmp, mostBytes(pieces))
    const fd = await fileSystem.open(this.#tmp, CREATE, PRIVATE)
    this.#fd = fd
    const content = contentOf(pieces, lineEndings, null)
    let written = 0
    while (written < content.length) written += await fileSystem.write(fd, content, written, content.length - written)
    if (mode !== PRIVATE) await fileSystem.fchmod(fd, mode)
    return written
  }

  async #openStanding(): Promise<number> {
    const { fileSystem } = this.#room
    const fd = await fileSystem.open(this.#tmp, constants.O_RDONLY | constants.O_NOFOLLOW)
    this.#fd = fd
    return (await fileSystem.fstat(fd)).size
  }

  /** Takes back what was done; `reason` null: it was abandoned and the caller knows. */
  async #fail(reason: unknown): Promise<void> {
    const wasLinking = this.#stage === 'linking'
    const created = this.#fd !== null || this.#stage !== 'waiting'
    this.#stage = 'over'
    const { fileSystem } = this.#room
    let verdict: 'temporary' | 'unknown' = 'temporary'
    try {
      if (this.#fd !== null) await fileSystem.close(this.#fd)
    } catch {
      // The first error is the one to tell.
    }
    try {
      if (wasLinking && (await look(fileSystem, this.#target)) !== null && errnoOf(reason) !== 'EEXIST')
        verdict = 'unknown'
    } catch {
      verdict = 'unknown'
    }
    try {
      if (created && this.parcel.standing === null) await fileSystem.unlink(this.#tmp)
    } catch {
      // Swept one day.
    }
    if (reason !== null) this.#refuse(this.#error(reason, { verdict }))
  }

  #refuse(error: DeliveryError): void {
    if (this.#settled) return
    this.#settled = true
    this.#settle.reject(error)
    this.#ended(this)
  }

  #error(
    reason: unknown,
    facts: { readonly verdict?: 'temporary' | 'unknown'; readonly scope?: 'message' | 'destination' } = {},
  ): DeliveryError {
    const errno = errnoOf(reason)
    // A name that is taken, or a file that somebody removed from tmp/ (D021), says nothing about the next message.
    const own = errno === 'EEXIST' || (errno === 'ENOENT' && this.#target !== '')
    const scope = facts.scope ?? (own ? 'message' : 'destination')
    return diskError(`${this.#room.description}: cannot deliver a message`, reason, {
      scope,
      verdict: facts.verdict ?? 'temporary',
    })
  }
}

/** A receipt is the file's path when it was delivered. */
export function receiptText(file: string): string {
  return display(file, 500)
}

function mostBytes({ prefix, body }: Pieces): number {
  return prefix.length + body.length
}

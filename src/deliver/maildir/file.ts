// One message on its way through a Maildir: written in tmp/, synced, linked into new/ (maildir(5); D001, D002, D005). Its
// batch calls these steps in order, and syncs new/ before the message counts as delivered. One rule: a step that fails
// takes back the work of the steps before it, so that nothing is visible.
import { constants } from 'node:fs'
import { type DeliveryError, errnoOf } from '../../errors.ts'
import { type Receipt, receiptOf } from '../destination.ts'
import { type Pieces, writePieces } from '../disk/body.ts'
import { diskError } from '../disk/disk-error.ts'
import { type FileSystem, lstatOrNull } from '../disk/filesystem.ts'
import type { Reserve } from '../disk/reserve.ts'
import type { Folders } from './folders.ts'
import { isFolderGone, publish } from './link.ts'
import { sizedName } from './name.ts'
import type { Parcel } from './parcel.ts'

/** An opened Maildir: what all its files share. */
export interface OpenMaildir {
  readonly description: string
  readonly folders: Folders
  readonly fileSystem: FileSystem
  readonly mode: number
  readonly lineEndings: 'crlf' | 'lf'
  readonly reserve: Reserve
}

/** `waiting`: nothing is written. `linking`: it may be visible. `visible`: it is visible, but not yet durable. */
type Stage = 'waiting' | 'written' | 'linking' | 'visible' | 'over'

export const CREATE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW
/** Whatever the umask allows (D009). The Maildir's own mode is set once the content is complete. */
export const PRIVATE = 0o600

export class MaildirFile {
  readonly receipt: Promise<Receipt>
  readonly parcel: Parcel
  /** This many bytes are written on the event loop. */
  readonly loopBytes: number
  readonly #maildir: OpenMaildir
  /** Its path before it is visible. */
  readonly #tmp: string
  readonly #settle: PromiseWithResolvers<Receipt>
  readonly #ended: (file: MaildirFile) => void
  #fileBytes = 0
  #target = ''
  #fd: number | null = null
  #stage: Stage = 'waiting'
  #abandoned = false
  /** The receipt is settled. Taking the file back may still be under way, or hang. */
  #settled = false
  /** It may be visible, or may have been. */
  #linked = false

  /** `ended` is called when the receipt is settled. */
  constructor(maildir: OpenMaildir, parcel: Parcel, ended: (file: MaildirFile) => void) {
    this.#maildir = maildir
    this.#ended = ended
    this.parcel = parcel
    const { content, name } = parcel
    this.#tmp = 'file' in content ? content.file : `${maildir.folders.tmp}/${name}`
    this.loopBytes = 'file' in content ? 0 : content.body.length
    this.#settle = Promise.withResolvers<Receipt>()
    this.receipt = this.#settle.promise
  }

  get visible(): boolean {
    return this.#stage === 'visible'
  }

  /** Given up before anything was written: the steps need not be called. */
  get dropped(): boolean {
    return this.#abandoned && this.#stage === 'waiting'
  }

  /** Gives it up: the receipt fails at once, and the remaining steps do not make it visible. */
  abandon(reason: unknown, scope: 'message' | 'destination'): void {
    if (this.#settled) return
    this.#abandoned = true
    this.#refuse(this.#error(reason, { verdict: this.#linked ? 'unknown' : 'temporary', scope }))
  }

  write(): Promise<void> {
    return this.#step(async () => {
      if (this.#abandoned) return this.#fail(null)
      const { content, dateMs, name } = this.parcel
      const fd = 'file' in content ? await this.#openStanding(content.file) : await this.#create(content)
      if (dateMs !== null) await this.#maildir.fileSystem.futimes(fd, dateMs, dateMs)
      this.#target = `${this.#maildir.folders.new}/${sizedName(name, this.#fileBytes)}`
      this.#stage = 'written'
    })
  }

  sync(): Promise<void> {
    return this.#step(async () => {
      if (this.#stage === 'written' && this.#fd !== null) await this.#maildir.fileSystem.fsync(this.#fd)
    })
  }

  publish(): Promise<void> {
    return this.#step(async () => {
      const fd = this.#fd
      if (this.#stage !== 'written' || fd === null) return
      const { fileSystem } = this.#maildir
      this.#fd = null
      // Checked: NFS and quotas report some errors only now (D002).
      await fileSystem.close(fd)
      if (this.#abandoned) return this.#fail(null)
      this.#stage = 'linking'
      this.#linked = true
      await publish(fileSystem, this.#tmp, this.#target)
      this.#stage = 'visible'
    })
  }

  /** If the step fails, what was done so far is taken back. */
  async #step(step: () => Promise<void>): Promise<void> {
    try {
      await step()
    } catch (error) {
      await this.#fail(error)
    }
  }

  /** new/ is durable. */
  confirm(): void {
    if (this.#stage !== 'visible') return
    this.#stage = 'over'
    if (this.#settled) return
    this.#settled = true
    this.#settle.resolve(receiptOf(this.#target))
    this.#ended(this)
  }

  /** new/ could not be made durable. */
  async withdraw(reason: unknown): Promise<void> {
    if (this.#stage !== 'visible') return
    this.#stage = 'over'
    try {
      await this.#maildir.fileSystem.unlink(this.#target)
      this.#refuse(this.#error(reason, { scope: 'destination' }))
    } catch {
      // A reader has moved it, or it cannot be removed: it may be kept, or lost in a power cut.
      this.#refuse(this.#error(reason, { verdict: 'unknown', scope: 'destination' }))
    }
  }

  async #create(pieces: Pieces): Promise<number> {
    const { fileSystem, reserve, folders, mode, lineEndings } = this.#maildir
    await reserve.take(fileSystem, folders.tmp, pieces.prefix.length + pieces.body.length)
    const fd = await fileSystem.open(this.#tmp, CREATE, PRIVATE)
    this.#fd = fd
    this.#fileBytes = await writePieces(fileSystem, fd, pieces, lineEndings)
    if (mode !== PRIVATE) await fileSystem.fchmod(fd, mode)
    return fd
  }

  async #openStanding(file: string): Promise<number> {
    const { fileSystem } = this.#maildir
    const fd = await fileSystem.open(file, constants.O_RDONLY | constants.O_NOFOLLOW)
    this.#fd = fd
    this.#fileBytes = (await fileSystem.fstat(fd)).size
    return fd
  }

  /** Takes back what was done. `reason` null: it was abandoned, and the caller has been told. */
  async #fail(reason: unknown): Promise<void> {
    const wasLinking = this.#stage === 'linking'
    const created = this.#fd !== null || this.#stage !== 'waiting'
    this.#stage = 'over'
    const { fileSystem } = this.#maildir
    let verdict: 'temporary' | 'unknown' = 'temporary'
    try {
      if (this.#fd !== null) await fileSystem.close(this.#fd)
    } catch {
      // The first error is the one to report.
    }
    try {
      if (wasLinking && (await lstatOrNull(fileSystem, this.#target)) !== null && errnoOf(reason) !== 'EEXIST')
        verdict = 'unknown'
    } catch {
      verdict = 'unknown'
    }
    const facts =
      wasLinking && (await isFolderGone(fileSystem, this.#tmp, reason)) ? { scope: 'destination' as const } : {}
    try {
      if (created && !('file' in this.parcel.content)) await fileSystem.unlink(this.#tmp)
    } catch {
      // A later sweep removes it.
    }
    if (reason !== null) this.#refuse(this.#error(reason, { verdict, ...facts }))
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
    return fileError(this.#maildir, reason, { ...facts, isNamed: this.#target !== '' })
  }
}

/** Why a file was not delivered. `isNamed`: it was written, and had its name for new/. */
export function fileError(
  { description }: OpenMaildir,
  reason: unknown,
  facts: {
    readonly verdict?: 'temporary' | 'unknown'
    readonly scope?: 'message' | 'destination'
    readonly isNamed: boolean
  },
): DeliveryError {
  const errno = errnoOf(reason)
  // A name that is taken, or a file that somebody removed from tmp/ (D021), says nothing about the next message.
  const own = errno === 'EEXIST' || (errno === 'ENOENT' && facts.isNamed)
  const scope = facts.scope ?? (own ? 'message' : 'destination')
  const verdict = facts.verdict ?? 'temporary'
  return diskError(`${description}: cannot deliver a message`, reason, { scope, verdict })
}

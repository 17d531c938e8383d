// One message on its way through a Maildir: written in tmp/, synced, linked into new/ (maildir(5); D001, D002, D005). The
// steps are called in that order by the batch it belongs to, which syncs new/ before it says that the message is
// delivered. One rule: a step that fails takes back what the ones before it did, so that nothing is visible.
import { constants } from 'node:fs'
import { display } from '../display.ts'
import { type DeliveryError, errnoOf } from '../errors.ts'
import { receivedDateMs } from '../header.ts'
import type { Message } from '../message.ts'
import type { Attempt, Receipt } from './destination.ts'
import { diskError } from './disk-error.ts'
import type { FileSystem } from './filesystem.ts'
import { crlfToLf } from './line-endings.ts'
import type { Folders } from './maildir-folders.ts'
import { fileName, sizedName } from './maildir-name.ts'
import { look, publish } from './maildir-link.ts'
import type { Reserve } from './reserve.ts'

/** What all files of one Maildir share. */
export interface Room {
  readonly description: string
  readonly folders: Folders
  readonly fileSystem: FileSystem
  readonly host: string
  readonly mode: number
  readonly lineEndings: 'crlf' | 'lf'
  readonly date: 'received' | 'now'
  readonly reserve: Reserve
  nowMs(): number
  /** With this Maildir's line ends. */
  prefix(attempt: Attempt): Buffer
}

/** `waiting`: nothing of it exists. `linking`: it may be visible. `visible`: it is, but not durably. */
type Stage = 'waiting' | 'written' | 'linking' | 'visible' | 'over'

const EARLIEST_MS = Date.UTC(1990, 0, 1)
const DAY_MS = 86_400_000
export class MaildirFile {
  readonly receipt: Promise<Receipt>
  /** What writing it costs the loop. */
  readonly loopBytes: number
  readonly #room: Room
  readonly #message: Message
  readonly #attempt: Attempt
  readonly #name: string
  readonly #tmp: string
  readonly #settle: PromiseWithResolvers<Receipt>
  /** Body that stands complete in tmp/ already, in our form; its owner removes it when it was not delivered. */
  readonly #standing: boolean
  #target = ''
  #fd: number | null = null
  #stage: Stage = 'waiting'
  #abandoned = false

  constructor(room: Room, attempt: Attempt, message: Message, standing: string | null) {
    this.#room = room
    this.#attempt = attempt
    this.#message = message
    this.#standing = standing !== null
    this.#name = fileName(attempt, room.host, room.nowMs())
    this.#tmp = standing ?? `${room.folders.tmp}/${this.#name}`
    this.loopBytes = message.body.kind === 'memory' ? message.body.bytes.length : 0
    this.#settle = Promise.withResolvers<Receipt>()
    this.receipt = this.#settle.promise
  }

  get visible(): boolean {
    return this.#stage === 'visible'
  }

  /** Nobody waits any longer: the caller hears at once; the steps still to come do not make it visible. */
  abandon(reason: unknown, scope: 'message' | 'destination'): void {
    if (this.#stage === 'over' || this.#abandoned) return
    this.#abandoned = true
    const mayBeVisible = this.#stage === 'linking' || this.#stage === 'visible'
    this.#settle.reject(this.#error(reason, { verdict: mayBeVisible ? 'unknown' : 'temporary', scope }))
  }

  async write(): Promise<void> {
    if (this.#abandoned) return this.#fail(null)
    try {
      const { fileSystem } = this.#room
      const fileBytes = this.#standing ? await this.#openStanding() : await this.#create()
      this.#target = `${this.#room.folders.new}/${sizedName(this.#name, fileBytes)}`
      const dateMs = this.#dateMs()
      if (dateMs !== null && this.#fd !== null) await fileSystem.futimes(this.#fd, dateMs, dateMs)
      this.#stage = 'written'
    } catch (error) {
      return this.#fail(error)
    }
  }

  async sync(): Promise<void> {
    if (this.#stage !== 'written' || this.#fd === null) return
    try {
      await this.#room.fileSystem.fsync(this.#fd)
    } catch (error) {
      return this.#fail(error)
    }
  }

  async publish(): Promise<void> {
    if (this.#stage !== 'written' || this.#fd === null) return
    try {
      const fd = this.#fd
      this.#fd = null
      // Checked: NFS and quotas tell only now (D002).
      await this.#room.fileSystem.close(fd)
      if (this.#abandoned) return await this.#fail(null)
      this.#stage = 'linking'
      await publish(this.#room.fileSystem, this.#tmp, this.#target)
      this.#stage = 'visible'
    } catch (error) {
      return this.#fail(error)
    }
  }

  /** new/ is durable. */
  confirm(): void {
    if (this.#stage !== 'visible') return
    this.#stage = 'over'
    this.#settle.resolve({ text: receiptText(this.#target) })
  }

  /** new/ could not be made durable. */
  async withdraw(reason: unknown): Promise<void> {
    if (this.#stage !== 'visible') return
    this.#stage = 'over'
    try {
      await this.#room.fileSystem.unlink(this.#target)
      this.#settle.reject(this.#error(reason))
    } catch {
      // A reader has moved it, or it will not go: it may be kept, it may be lost.
      this.#settle.reject(this.#error(reason, { verdict: 'unknown' }))
    }
  }

  async #create(): Promise<number> {
    const { fileSystem, reserve, folders, mode } = this.#room
    const content = this.#content()
    await reserve.take(fileSystem, folders.tmp, content.length)
    const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants
    // 0600 whatever the umask allows (D009); `mode` once nobody can be surprised by it.
    const fd = await fileSystem.open(this.#tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600)
    this.#fd = fd
    let written = 0
    while (written < content.length) written += await fileSystem.write(fd, content, written, content.length - written)
    if (mode !== 0o600) await fileSystem.fchmod(fd, mode)
    return written
  }

  /** As it will stand in the file: our fields on top, nothing else touched (D016, D017). */
  #content(): Buffer {
    if (this.#message.body.kind !== 'memory') throw new TypeError('a large message is copied to tmp/ first')
    const { bytes } = this.#message.body
    const prefix = this.#room.prefix(this.#attempt)
    if (this.#room.lineEndings === 'crlf') return prefix.length === 0 ? bytes : Buffer.concat([prefix, bytes])
    const content = Buffer.allocUnsafe(prefix.length + bytes.length)
    prefix.copy(content)
    return content.subarray(0, prefix.length + crlfToLf(bytes, content.subarray(prefix.length)))
  }

  async #openStanding(): Promise<number> {
    const { fileSystem } = this.#room
    const fd = await fileSystem.open(this.#tmp, constants.O_RDONLY | constants.O_NOFOLLOW)
    this.#fd = fd
    return (await fileSystem.fstat(fd)).size
  }

  #dateMs(): number | null {
    if (this.#room.date === 'now') return null
    const dateMs = receivedDateMs(this.#message.header)
    return dateMs !== null && dateMs >= EARLIEST_MS && dateMs <= this.#room.nowMs() + DAY_MS ? dateMs : null
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
      if (created && !this.#standing) await fileSystem.unlink(this.#tmp)
    } catch {
      // Swept one day.
    }
    if (reason !== null) this.#settle.reject(this.#error(reason, { verdict }))
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

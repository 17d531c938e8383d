// An mbox as a destination (D100–D103). One file, each message appended whole, durably and once. mboxrd.ts has the form of a
// message, lock.ts the lock, queue.ts and append.ts the appending, and find.ts finds messages again. This file holds them
// together. One rule: every wait ends.
import path from 'node:path'
import { display } from '../../display.ts'
import type { Message } from '../../message.ts'
import { ourUid } from '../../own-file.ts'
import {
  type Attempt,
  type Item,
  type Origins,
  PROBE_MS,
  type Probed,
  type Receipt,
  receiptOf,
  type Recollection,
  type ShowingDestination,
  type Space,
  type Standing,
} from '../destination.ts'
import { type FileSystem, offLoop } from '../disk/filesystem.ts'
import type { Reserve } from '../disk/reserve.ts'
import { messageKey } from '../message-key.ts'
import { MboxRoom } from './context.ts'
import { checkMbox, gone, openMboxFile, openToRead, recover } from './file.ts'
import { sweepLocks } from './lock.ts'
import { eachPlace, markerField, type Place, places, readPlace, stands } from './find.ts'
import { MboxQueue } from './queue.ts'

export interface MboxConfig {
  /** Absolute. */
  readonly path: string
  /** Puts popfetch's fields on top; without them a delivery is not found again. */
  readonly trace: boolean
  /** "mbox ~/mail/inbox". */
  readonly description: string
}

export interface MboxContext {
  readonly hostName: string
  readonly nowMs: () => number
  /** The fields to put on top, with CRLF line ends; '' for none. */
  readonly prefix: (attempt: Attempt) => string
  readonly reserve: Reserve
  /** For tests. */
  readonly uid?: number | null
  readonly readOnly?: true
  readonly fileSystem?: FileSystem
  readonly lockLimitMs?: number
  readonly lockRetryMs?: number
  readonly limitMs?: number
}

/** A mail program holds it for as long as it rewrites the file. */
const LOCK_LIMIT_MS = 30_000
const LOCK_RETRY_MS = 100
/** No working disk or server needs as long. */
const LIMIT_MS = 120_000
/** Messages read again under one lock: nobody else is kept waiting for long. */
const READ_AT_ONCE = 64

export function openMbox(config: MboxConfig, context: MboxContext): ShowingDestination {
  return new Mbox(config, context)
}

/** A larger folder may be that of all users' mail. It is looked through at the first poll, and then only at every tenth or so. */
const FEW_NAMES = 1000
const SWEPT_EACH = 12

class Mbox implements ShowingDestination {
  readonly description: string
  readonly recipients = ['']
  readonly spool = null
  readonly remembers: boolean
  readonly #context: MboxContext
  readonly #room: MboxRoom
  readonly #queue: MboxQueue
  /** Polls until the folder is looked through again. */
  #unsweptPolls = 0
  /** As one walk found them since the last `ready`. */
  #places: ReadonlyMap<string, Place> | null = null

  constructor({ path: file, description, trace }: MboxConfig, context: MboxContext) {
    const { hostName, nowMs, reserve, fileSystem = offLoop } = context
    this.description = description
    this.remembers = trace
    this.#context = context
    this.#room = new MboxRoom({
      fileSystem,
      path: file,
      uid: context.uid === undefined ? ourUid() : context.uid,
      description,
      hostName,
      nowMs,
      reserve,
      lockLimitMs: context.lockLimitMs ?? LOCK_LIMIT_MS,
      lockRetryMs: context.lockRetryMs ?? LOCK_RETRY_MS,
      limitMs: context.limitMs ?? LIMIT_MS,
    })
    this.#queue = new MboxQueue(this.#room)
  }

  async ready(signal: AbortSignal): Promise<void> {
    this.#places = null
    const { fileSystem, options } = this.#room
    const directory = path.dirname(options.path)
    const look = async (): Promise<void> => {
      await checkMbox(options)
      // Another process may have been killed since the last one: what it left by half must not end up amid the mail.
      if (this.#unsweptPolls-- <= 0) this.#unsweptPolls = (await this.#sweep(signal)) <= FEW_NAMES ? 0 : SWEPT_EACH
      options.reserve.refresh(directory)
      await options.reserve.take(fileSystem, directory, 1)
    }
    await this.#room.within(look(), signal)
  }

  /** Takes its lock. A file that is not there is made by the first message. */
  async probe(signal: AbortSignal): Promise<Probed> {
    const late = AbortSignal.any([signal, AbortSignal.timeout(PROBE_MS)])
    await this.ready(late)
    const work = async (): Promise<void> => {
      const lock = await this.#room.lock(late)
      await lock[Symbol.asyncDispose]()
    }
    await this.#room.within(work(), late)
    return { tls: null, findings: [{ name: 'path', value: display(this.#room.options.path) }], warnings: [] }
  }

  async space(signal: AbortSignal): Promise<Space> {
    const { fileSystem, options } = this.#room
    const { reserve, path: file } = options
    const { key, bytes } = await this.#room.within(reserve.space(fileSystem, path.dirname(file)), signal)
    // One file takes them all.
    return { key, bytes, messages: Infinity }
  }

  async recall(attempt: Attempt, signal: AbortSignal): Promise<Recollection | null> {
    if (!this.remembers) return null
    const look = (fd: number): Promise<Place | undefined> => this.#place(fd, attempt.intent)
    const [found = null] = await this.#room.within(this.#recall([look], signal), signal)
    return found
  }

  /** Of a file without markers (`trace: false`) nothing is found. */
  async reread(attempts: readonly Attempt[], signal: AbortSignal): Promise<readonly (Recollection | null)[]> {
    const { fileSystem } = this.#room
    const wanted = new Set(attempts.map(({ intent }) => intent))
    let known: ReadonlyMap<string, Place> | null = null
    const look = (intent: string) => async (fd: number) => {
      const place = known?.get(intent)
      if (known !== null && (place === undefined || (await stands(fileSystem, fd, place)))) return place
      // Mail programs rewrite the file.
      known = await places(fileSystem, fd, (marker) => wanted.has(marker.intent))
      return known.get(intent)
    }
    const found: (Recollection | null)[] = []
    for (let at = 0; at < attempts.length; at += READ_AT_ONCE) {
      const batch = attempts.slice(at, at + READ_AT_ONCE).map(({ intent }) => look(intent))
      found.push(...(await this.#room.within(this.#recall(batch, signal), signal)))
    }
    return found
  }

  /** Messages that an older popfetch delivered do not say which they are, and are not found. */
  async census(origins: Origins, signal: AbortSignal): Promise<readonly (Standing | null)[] | null> {
    if (!this.remembers) return null
    const keys = origins.map(messageKey)
    const wanted = new Set(keys)
    const look = async (fd: number): Promise<ReadonlyMap<string, Place>> => {
      const { fileSystem } = this.#room
      const found = [...(await places(fileSystem, fd, ({ key }) => wanted.has(key))).values()]
      const whole = found.filter(({ from, to, messageBytes }) => to - from >= messageBytes)
      // Whoever wrote it may have died before this.
      if (whole.length > 0) await fileSystem.fsync(fd)
      return new Map(whole.map((place) => [place.key, place]))
    }
    const found = await this.#room.within(this.#locked(look, signal), signal)
    return keys.map((key) => {
      const place = found.get(key)
      if (place === undefined) return null
      const { intent, messageBytes, atMs } = place
      return { ...this.#receipt(), intent, fileBytes: messageBytes, atMs }
    })
  }

  /** None is told of beside it: which files are mboxes, nobody knows. */
  async *items(where: 'here' | 'elsewhere', signal: AbortSignal): AsyncGenerator<readonly Item[]> {
    const { fileSystem, options } = this.#room
    const fd = where === 'here' ? await this.#room.within(openToRead(options), signal) : null
    if (fd === null) return
    try {
      const slices = eachPlace(fileSystem, fd, () => true)
      const next = () => this.#room.within(slices.next(), signal)
      for (let slice = await next(); slice.done !== true; slice = await next())
        yield slice.value.flatMap(({ key, intent, from, to, messageBytes }) =>
          to - from < messageBytes ? [] : [{ key, intent, ...receiptOf(`${options.path}, byte ${from}`) }],
        )
    } finally {
      await fileSystem.close(fd)
    }
  }

  async deliver(attempt: Attempt, message: Message, signal: AbortSignal): Promise<Receipt> {
    const fields = this.#context.prefix(attempt).replaceAll('\r\n', '\n')
    const prefix = (bytes: number): string =>
      fields + (this.remembers ? markerField(attempt.intent, bytes, messageKey(attempt.origin)) : '')
    await this.#queue.add(message, prefix, signal, attempt.right)
    return this.#receipt()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#queue[Symbol.asyncDispose]()
  }

  /** What a popfetch that was killed while it took over a dead one's lock left, is taken back as if the lock still stood. Gives how
   *  many names the folder has. */
  async #sweep(signal: AbortSignal): Promise<number> {
    const { fileSystem, options } = this.#room
    const { left, names } = await sweepLocks(options, options.nowMs())
    if (left.length === 0) return names
    await this.#locked(async (fd) => {
      for (const { journal, leftMs } of left) await recover(fileSystem, fd, journal, leftMs)
    }, signal)
    for (const { path: file } of left) {
      try {
        await fileSystem.unlink(file)
      } catch {
        // Used again, it finds nothing to take back.
      }
    }
    return names
  }

  /** What stands where each of `looks` says, under one lock. */
  async #recall(
    looks: readonly ((fd: number) => Promise<Place | undefined>)[],
    signal: AbortSignal,
  ): Promise<readonly (Recollection | null)[]> {
    const { fileSystem } = this.#room
    return await this.#locked(async (fd) => {
      const found: (Recollection | null)[] = []
      for (const look of looks) {
        const place = await look(fd)
        const read = place === undefined ? null : await readPlace(fileSystem, fd, place)
        found.push(read === null ? null : { ...this.#receipt(), received: read.received })
      }
      // Whoever wrote it may have died before this.
      if (found.some((one) => one !== null) && this.#context.readOnly !== true) await fileSystem.fsync(fd)
      return found
    }, signal)
  }

  /** Does `work` with the file, under its lock, once what a dead popfetch left by half is taken back. */
  async #locked<T>(work: (fd: number) => Promise<T>, signal: AbortSignal): Promise<T> {
    const { fileSystem, options } = this.#room
    if (this.#context.readOnly === true) {
      const read = await openToRead(options)
      if (read === null) throw gone(options)
      try {
        return await work(read)
      } finally {
        await fileSystem.close(read)
      }
    }
    await using lock = await this.#room.lock(signal)
    const fd = await openMboxFile(options)
    try {
      if (lock.leftover !== null) await recover(fileSystem, fd, lock.leftover)
      return await work(fd)
    } finally {
      await fileSystem.close(fd)
    }
  }

  async #place(fd: number, intent: string): Promise<Place | undefined> {
    const { fileSystem } = this.#room
    const known = this.#places?.get(intent)
    if (this.#places !== null && known === undefined) return undefined
    if (known !== undefined && (await stands(fileSystem, fd, known))) return known
    this.#places = await places(fileSystem, fd)
    return this.#places.get(intent)
  }

  #receipt(): Receipt {
    return receiptOf(this.#room.options.path)
  }
}

// A Maildir as a destination: every message is a file that appears complete, durably and once.
//
// `deliver` makes a MaildirFile (file.ts) from a message, and parcel.ts and name.ts say what goes into it under which name. A
// large message that is elsewhere is copied into tmp/ first. batch.ts takes many files through their steps together: written in
// tmp/, synced, linked into new/ (link.ts), with one fsync of new/ for all. folders.ts opens the Maildir and checks that nobody
// can turn it against us. After a crash, find.ts looks for interrupted deliveries by the names of files; read-back.ts reads
// messages again. One rule: every wait ends, even when a file server hangs.
import { randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
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
  type SpoolPlace,
  type Standing,
  type Volleys,
} from '../destination.ts'
import { BodyFile, fill } from '../disk/body-file.ts'
import { diskError } from '../disk/disk-error.ts'
import { fileSystems, isOfSystem, type FileSystems, writeAll } from '../disk/filesystem.ts'
import { expectToConvert } from '../disk/line-endings.ts'
import { sweep } from '../disk/own-files.ts'
import type { Reserve } from '../disk/reserve.ts'
import { within } from '../disk/time-limit.ts'
import { MaildirBatches, MaildirLimits } from './batch.ts'
import { MaildirFile, type OpenMaildir } from './file.ts'
import { census, InterruptedDeliveries } from './find.ts'
import { type Folders, foldersOf, openFolders } from './folders.ts'
import { items } from './items.ts'
import { fileName, hostPart, intentOf } from './name.ts'
import { parcelOf, type ParcelRules } from './parcel.ts'
import { readBack, reread } from './read-back.ts'
import { expectedHands } from '../disk/hands.ts'
import { MaildirVolley } from './volley.ts'

export interface MaildirConfig {
  /** Absolute. */
  readonly path: string
  readonly create: boolean
  readonly lineEndings: 'crlf' | 'lf'
  readonly mode: number
  readonly date: 'received' | 'now'
  /** "maildir ~/Mail". */
  readonly description: string
}

export interface MaildirContext {
  readonly hostName: string
  readonly nowMs: () => number
  /** The fields to put on top, with CRLF line ends; '' for none. */
  readonly prefix: (attempt: Attempt) => string
  readonly reserve: Reserve
  /** For tests. */
  readonly uid?: number | null
  readonly readOnly?: true
  readonly fileSystems?: FileSystems
  readonly limitMs?: number
}

/** For one small message, or a look at the folders: no working disk or server needs that long. */
const LIMIT_MS = 120_000
const DISPOSE_LIMIT_MS = 5000
/** A large message gets more time to be copied and synced, but not below this rate. */
const LEAST_BYTES_PER_MS = 1000

export function openMaildir(config: MaildirConfig, context: MaildirContext): ShowingDestination {
  return new Maildir(config, context)
}

/** What `ready` found. */
interface Opened {
  readonly maildir: OpenMaildir
  readonly batches: MaildirBatches
}

class Maildir implements ShowingDestination {
  readonly description: string
  readonly recipients = ['']
  readonly remembers = true
  readonly spool: SpoolPlace
  readonly #config: MaildirConfig
  readonly #context: MaildirContext
  readonly #folders: Folders
  readonly #host: string
  readonly #fileSystems: FileSystems
  readonly #limitMs: number
  readonly #limits = new MaildirLimits()
  readonly #rules: ParcelRules
  #fields = { text: '', bytes: Buffer.alloc(0) }
  #opening: Promise<Opened> | null = null
  #opened: Opened | null = null
  /** Volleys that are under way, also those that nobody waits for any more. */
  readonly #volleys = new Set<Promise<void>>()
  #interrupted: InterruptedDeliveries | null = null
  #wasThere = false

  constructor(config: MaildirConfig, context: MaildirContext) {
    this.#config = config
    this.#context = context
    this.#folders = foldersOf(path.resolve(config.path))
    this.#host = hostPart(context.hostName)
    this.#fileSystems = context.fileSystems ?? fileSystems
    this.#limitMs = context.limitMs ?? LIMIT_MS
    this.description = config.description
    this.#rules = {
      host: this.#host,
      date: config.date,
      nowMs: context.nowMs,
      prefix: (attempt) => this.#prefix(attempt),
    }
    this.spool = {
      directory: this.#folders.tmp,
      mode: config.mode,
      lineEndings: config.lineEndings,
      fileName: (attempt) => fileName(attempt, this.#host, context.nowMs()),
      prefix: (attempt) => this.#prefix(attempt),
    }
  }

  async ready(signal: AbortSignal, wasThere = false): Promise<void> {
    this.#interrupted = null
    this.#wasThere = wasThere
    await this.#within(this.#open(), signal, 'cannot be used')
  }

  async probe(signal: AbortSignal, wasThere = false): Promise<Probed> {
    this.#wasThere = wasThere
    const limitMs = Math.min(this.#limitMs, PROBE_MS)
    const { maildir } = await this.#within(this.#open(), signal, 'cannot be used', limitMs)
    await this.#within(this.#writeAndRemove(maildir), signal, 'cannot be written to', limitMs)
    const findings = [{ name: 'path', value: display(path.dirname(this.#folders.tmp)) }]
    return { tls: null, findings, warnings: [] }
  }

  async recall(attempt: Attempt, signal: AbortSignal): Promise<Recollection | null> {
    const { maildir } = this.#opened ?? (await this.#within(this.#open(), signal, 'cannot be used'))
    this.#interrupted ??= new InterruptedDeliveries(maildir.fileSystem, maildir.folders)
    const file = await this.#within(
      this.#interrupted.find(attempt.intent),
      signal,
      'cannot look for an earlier delivery',
    )
    if (file === null) return null
    const form = { lineEndings: maildir.lineEndings, prefix: this.#prefix(attempt) }
    const reading = readBack(this.#fileSystems.offLoop, file, form)
    return { ...receiptOf(file), received: await this.#within(reading, signal, 'cannot read an earlier delivery') }
  }

  async census(origins: Origins, signal: AbortSignal): Promise<readonly (Standing | null)[]> {
    const { maildir } = this.#opened ?? (await this.#within(this.#open(), signal, 'cannot be used'))
    return await this.#within(
      census(this.#fileSystems.offLoop, maildir.folders, origins),
      signal,
      'cannot be looked through',
    )
  }

  async deliver(attempt: Attempt, message: Message, signal: AbortSignal): Promise<Receipt> {
    const opened = this.#opened ?? (await this.#within(this.#open(), signal, 'cannot be used'))
    const { body } = message
    if (body.kind === 'memory') return await this.#add(opened, attempt, message, null, signal)
    if (path.dirname(body.path) === this.#folders.tmp && body.form.lineEndings === this.#config.lineEndings) {
      return await this.#add(opened, attempt, message, body.path, signal)
    }
    await using copy = this.#copy(opened.maildir, attempt, message, signal)
    try {
      await fill(copy, message, this.#fileSystems.offLoop)
    } catch (error) {
      throw diskError(`${this.description}: cannot copy a large message`, error)
    }
    return await this.#add(opened, attempt, message, copy.path, signal)
  }

  async reread(attempts: readonly Attempt[], signal: AbortSignal): Promise<readonly (Recollection | null)[]> {
    const { maildir } = this.#opened ?? (await this.#within(this.#open(), signal, 'cannot be used'))
    return await reread(attempts, {
      fileSystem: this.#fileSystems.offLoop,
      folders: maildir.folders,
      formOf: (attempt) => ({ lineEndings: maildir.lineEndings, prefix: this.#prefix(attempt) }),
      limited: (work, bytes) =>
        this.#within(work, signal, 'cannot be read', this.#limitMs + bytes / LEAST_BYTES_PER_MS),
    })
  }

  async *items(where: 'here' | 'elsewhere', signal: AbortSignal): AsyncGenerator<readonly Item[]> {
    const { maildir } = this.#opened ?? (await this.#within(this.#open(), signal, 'cannot be used'))
    const slices = items(this.#fileSystems.offLoop, maildir.folders, where)
    const next = () => this.#within(slices.next(), signal, 'cannot be looked through')
    for (let slice = await next(); slice.done !== true; slice = await next()) yield slice.value
  }

  volleys(): Volleys | null {
    const { maildir } = this.#opened ?? { maildir: null }
    if (maildir?.fileSystem.atOnce !== true) return null
    const isReal = isOfSystem(maildir.fileSystem)
    return {
      reserve: async (messages, bytes) => {
        const { tmp } = maildir.folders
        if (maildir.lineEndings === 'lf') expectToConvert(bytes)
        try {
          await this.#context.reserve.take(maildir.fileSystem, tmp, bytes, messages)
        } catch (error) {
          throw diskError(`${this.description}: cannot deliver a message`, error)
        }
      },
      get isApart() {
        return isReal && expectedHands() !== null
      },
      volley: (memory) => {
        const hands = isReal ? expectedHands() : null
        const shared = memory.buffer instanceof SharedArrayBuffer ? memory.buffer : null
        const apart = hands?.isReady === true && shared !== null ? { hands, memory: shared } : null
        return new MaildirVolley(maildir, this.#rules, this.#limitMs, { apart, begun: (work) => this.#track(work) })
      },
    }
  }

  async space(signal: AbortSignal): Promise<Space> {
    const { maildir } = this.#opened ?? (await this.#within(this.#open(), signal, 'cannot be used'))
    const looking = this.#context.reserve.space(this.#fileSystems.offLoop, maildir.folders.tmp)
    return await this.#within(looking, signal, 'cannot be measured')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#opened === null) return
    // Not for a delivery that hangs: its caller has given it up.
    const idle = Promise.all([this.#opened.batches.idle(), ...this.#volleys])
    await within(idle, Math.min(this.#limitMs, DISPOSE_LIMIT_MS)).catch(() => {})
  }

  #track(work: Promise<void>): void {
    const ended = work.catch(() => {}).finally(() => this.#volleys.delete(ended))
    this.#volleys.add(ended)
  }

  #add(
    { maildir, batches }: Opened,
    attempt: Attempt,
    message: Message,
    standing: string | null,
    signal: AbortSignal,
  ): Promise<Receipt> {
    const file = new MaildirFile(maildir, parcelOf(this.#rules, attempt, message, standing), (ended) =>
      this.#limits.release(ended),
    )
    this.#limits.watch(file, this.#limitMs + message.sizeBytes / LEAST_BYTES_PER_MS, signal)
    batches.add(file)
    return file.receipt
  }

  /** One at a time: whoever asks meanwhile waits for the same one. */
  #open(): Promise<Opened> {
    this.#opening ??= this.#look().finally(() => {
      this.#opening = null
    })
    return this.#opening
  }

  /** Off the loop, since the kind of file system is not known yet. */
  async #look(): Promise<Opened> {
    const { offLoop } = this.#fileSystems
    const { nowMs, reserve } = this.#context
    const { create, mode } = this.#config
    const isChanged = this.#context.readOnly !== true
    const uid = this.#context.uid === undefined ? ourUid() : this.#context.uid
    const folders = await openFolders(offLoop, path.dirname(this.#folders.tmp), {
      create: create && isChanged,
      mode,
      wasThere: this.#wasThere,
      uid,
      description: this.description,
    })
    const fileSystem = this.#fileSystems.of((await offLoop.statfs(folders.new)).type)
    if (isChanged) {
      reserve.refresh(folders.tmp)
      await reserve.take(offLoop, folders.tmp, 1)
      await sweep(offLoop, folders.tmp, (name) => intentOf(name) !== null, nowMs())
    }
    if (this.#opened?.maildir.fileSystem !== fileSystem) {
      const { description, mode, lineEndings } = this.#config
      const maildir: OpenMaildir = { description, mode, lineEndings, folders, fileSystem, reserve }
      this.#opened = { maildir, batches: new MaildirBatches(maildir) }
    }
    return this.#opened
  }

  /** A file in tmp/, which readers do not look at; one that a kill leaves there is swept like any other of ours. */
  async #writeAndRemove({ folders, mode, fileSystem }: OpenMaildir): Promise<void> {
    const origin = { account: 'check', host: '', user: '', uidl: '', copy: 0, protocol: 'POP3' as const }
    const intent = randomBytes(8).toString('hex')
    const file = path.join(folders.tmp, fileName({ intent, origin, recipient: '' }, this.#host, this.#context.nowMs()))
    const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants
    const fd = await fileSystem.open(file, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode)
    try {
      await writeAll(fileSystem, fd, Buffer.from('popfetch check\n'))
      await fileSystem.fsync(fd)
    } finally {
      await fileSystem.close(fd)
      await fileSystem.unlink(file)
    }
  }

  /** Nearly always the same text as for the last message. */
  #prefix(attempt: Attempt): Buffer {
    const fields = this.#context.prefix(attempt)
    if (fields !== this.#fields.text) {
      const text = this.#config.lineEndings === 'lf' ? fields.replaceAll('\r\n', '\n') : fields
      this.#fields = { text: fields, bytes: Buffer.from(text, 'latin1') }
    }
    return this.#fields.bytes
  }

  #copy(maildir: OpenMaildir, attempt: Attempt, message: Message, signal: AbortSignal): BodyFile {
    const asItIs = message.body.kind === 'file' && message.body.form.lineEndings === this.#config.lineEndings
    return new BodyFile({
      directory: maildir.folders.tmp,
      name: fileName(attempt, this.#host, this.#context.nowMs()),
      mode: maildir.mode,
      // 'crlf' leaves the line ends as they are.
      lineEndings: asItIs ? 'crlf' : this.#config.lineEndings,
      prefix: this.#prefix(attempt),
      reserve: this.#context.reserve,
      signal,
      fileSystem: this.#fileSystems.offLoop,
    })
  }

  async #within<T>(work: Promise<T>, signal: AbortSignal, what: string, limitMs = this.#limitMs): Promise<T> {
    try {
      return await within(work, limitMs, signal)
    } catch (error) {
      throw diskError(`${this.description}: ${what}`, error)
    }
  }
}

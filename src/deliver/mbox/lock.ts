// The dot lock of an mbox, as mail programs have agreed on it: FILE.lock, made by a link, so that it works on NFS too
// (D100). That agreement has a second lock, fcntl, which Node does not offer. Our lock also says what is being appended:
// whoever finds the lock of a dead process knows how long the file was (D101). Two rules: a lock is taken over only when its
// owner is gone. Nothing written in a lock of another user is believed, for in a spool anybody can make one.
import { randomBytes } from 'node:crypto'
import { constants, type Stats } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { errnoOf } from '../../errors.ts'
import { type FileSystem, readText, writeAll } from '../disk/filesystem.ts'

/** What an owner was about to do. */
export interface Journal {
  readonly inode: number
  /** Of the mbox before. */
  readonly sizeBytes: number
  /** Of the messages appended, in their order. */
  readonly fromLines: readonly string[]
}

export interface LockOptions {
  readonly fileSystem: FileSystem
  /** Of the mbox. */
  readonly path: string
  readonly hostName: string
  /** Ours; null where owners say nothing. */
  readonly uid: number | null
  readonly signal: AbortSignal
  readonly limitMs: number
  readonly retryMs: number
}

/** The lock was not given up in time. */
export class LockHeld extends Error {}

/** Longer than any program known to us holds one: procmail takes locks over after 1024 s, liblockfile after 300 s. */
const STALE_MS = 1024 * 1000
/** Behind the name of the lock: the process, and a number of its own. */
const OWN_NAME = /^\d{1,10}\.[0-9a-f]{12}(?:\.stale)?$/
/** Behind that: the lock of a dead one, as long as it is looked at. */
const ASIDE = '.stale'
/** Of a lock file; ours may name a hundred senders. */
const CONTENT_BYTES = 128 * 1024

/** Held until disposed of. */
export class MboxLock implements AsyncDisposable {
  /** The journal of the owner that died; null: there was none, or it had nothing under way. */
  readonly leftover: Journal | null
  readonly #fileSystem: FileSystem
  readonly #file: string
  readonly #fd: number
  readonly #ownerBytes: number

  private constructor(fileSystem: FileSystem, file: string, own: Own, leftover: Journal | null) {
    this.#fileSystem = fileSystem
    this.#file = file
    this.#fd = own.fd
    this.#ownerBytes = own.ownerBytes
    this.leftover = leftover
  }

  /** Rejects with LockHeld, the signal's reason, or what the system said when it cannot be made. */
  static async take(options: LockOptions): Promise<MboxLock> {
    const { fileSystem, path, uid, signal, limitMs, retryMs } = options
    const file = `${path}.lock`
    const own = await makeOwn(options)
    let taken = false
    try {
      const deadlineMs = performance.now() + limitMs
      let leftover: Journal | null = null
      while (!(await linked(fileSystem, own.path, file))) {
        const found = await look(fileSystem, file, uid)
        if (found === null) continue
        if ((await isStale(found, own, options.hostName)) && (await mayRemove(fileSystem, path, found, uid))) {
          const known: Journal | null = found.content?.journal ?? leftover
          // Before the dead lock goes and before the lock is ours: if we die too, the next one still knows.
          const keep = async (): Promise<void> => {
            if (known !== null) await write(fileSystem, own, known)
          }
          if (await setAside({ fileSystem, path, uid }, own, found, keep)) leftover = known
          continue
        }
        if (performance.now() >= deadlineMs) throw new LockHeld(holder(found, uid, limitMs))
        await pause(retryMs, undefined, { signal })
      }
      taken = true
      return new MboxLock(fileSystem, file, own, leftover)
    } finally {
      try {
        await fileSystem.unlink(own.path)
      } catch {
        // A name too many; the lock is none the worse for it.
      }
      if (!taken) await fileSystem.close(own.fd)
    }
  }

  /** On return it is durable. */
  async note(journal: Journal): Promise<void> {
    await write(this.#fileSystem, { fd: this.#fd, ownerBytes: this.#ownerBytes }, journal)
  }

  /** On return it is durable that nothing is under way: what was appended counts, whatever becomes of the lock. */
  async clear(): Promise<void> {
    await this.#fileSystem.ftruncate(this.#fd, this.#ownerBytes)
    await this.#fileSystem.fsync(this.#fd)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      const [now, own] = [await this.#fileSystem.lstat(this.#file), await this.#fileSystem.fstat(this.#fd)]
      // Not one that somebody put in the place of ours.
      if (now.ino === own.ino) await this.#fileSystem.unlink(this.#file)
    } catch {
      // It names a process: found dead one day, it is taken over.
    } finally {
      await this.#fileSystem.close(this.#fd)
    }
  }
}

/** A file that a dead popfetch left beside the mbox, with a journal that nobody has used. */
export interface Left {
  readonly path: string
  readonly journal: Journal
  /** When it was put there, by the clock of the file system: what was appended later is no affair of the journal's. */
  readonly leftMs: number
}

/** Removes what popfetches that are gone left beside the mbox: their locks before these were the lock, and the locks that they set
 *  aside (S050). One of which nobody can tell stays as long as a lock would. What fails is left. `left`: those with a journal, which
 *  stay until it was used under the lock. `names`: how many were looked through. */
export async function sweepLocks(
  { fileSystem, path, uid, hostName }: Pick<LockOptions, 'fileSystem' | 'path' | 'uid' | 'hostName'>,
  nowMs: number,
): Promise<{ readonly left: readonly Left[]; readonly names: number }> {
  let looked = 0
  const start = `${basename(path)}.lock.`
  const left: Left[] = []
  const isLeft = async (found: Found): Promise<boolean> => await isStale(found, { madeMs: nowMs }, hostName)
  const sweep = async (name: string): Promise<void> => {
    const file = join(dirname(path), name)
    const found = await look(fileSystem, file, uid)
    if (found === null || !(await isLeft(found))) return
    // Whoever set it aside may be about to read it.
    const taker = name.endsWith(ASIDE) ? await look(fileSystem, file.slice(0, -ASIDE.length), uid) : null
    if (taker !== null && !(await isLeft(taker))) return
    if (uid !== null && found.owner !== uid && taker?.owner !== uid) return
    const journal = found.content?.journal ?? null
    if (journal === null) await fileSystem.unlink(file)
    else left.push({ path: file, journal, leftMs: found.leftMs })
  }
  try {
    const own: string[] = []
    for await (const names of fileSystem.names(dirname(path))) {
      looked += names.length
      own.push(...names.filter((name) => name.startsWith(start) && OWN_NAME.test(name.slice(start.length))))
    }
    // What was set aside first: the other file tells whether that one is alive.
    for (const name of own.toSorted().toReversed()) await sweep(name)
  } catch {
    // If something is wrong with the directory, delivering will show that.
  }
  return { left, names: looked }
}

/** Our lock file before it is the lock. */
interface Own {
  readonly path: string
  readonly fd: number
  readonly ownerBytes: number
  /** By the clock of the file system. */
  readonly madeMs: number
}

interface Found {
  readonly inode: number
  readonly owner: number
  readonly text: string
  readonly changedMs: number
  /** When it came to the name it has, or later. */
  readonly leftMs: number
  /** null: of another program, or of another user. */
  readonly content: Content | null
  readonly pid: number | null
}

interface Content {
  readonly host: string
  readonly identity: string
  readonly journal: Journal | null
}

async function makeOwn({ fileSystem, path, hostName }: LockOptions): Promise<Own> {
  const own = `${path}.lock.${process.pid}.${randomBytes(6).toString('hex')}`
  const { O_RDWR, O_CREAT, O_EXCL, O_NOFOLLOW, O_APPEND } = constants
  const fd = await fileSystem.open(own, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_APPEND, 0o600)
  try {
    // The number first and alone in its line: other programs look there.
    const identity = await identityOf(process.pid)
    const owner = `${process.pid}\n${JSON.stringify({ host: hostName, identity })}\n`
    await writeAll(fileSystem, fd, Buffer.from(owner))
    return { path: own, fd, ownerBytes: Buffer.byteLength(owner), madeMs: (await fileSystem.fstat(fd)).mtimeMs }
  } catch (error) {
    await fileSystem.close(fd)
    await fileSystem.unlink(own)
    throw error
  }
}

/** D011: NFS may do it and report an error. */
async function linked(fileSystem: FileSystem, own: string, file: string): Promise<boolean> {
  try {
    await fileSystem.link(own, file)
    return true
  } catch (error) {
    if ((await fileSystem.lstat(own)).nlink === 2) return true
    if (errnoOf(error) === 'EEXIST') return false
    throw error
  }
}

async function look(fileSystem: FileSystem, file: string, uid: number | null): Promise<Found | null> {
  let fd: number
  try {
    fd = await fileSystem.open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  } catch (error) {
    const errno = errnoOf(error)
    if (errno === 'ENOENT') return null
    // Another user's, or a link: it holds as a lock of another program does, until it is too old.
    if (errno === 'EACCES' || errno === 'ELOOP' || errno === 'ENXIO') return await lookFromOutside(fileSystem, file)
    throw error
  }
  try {
    const stats = await fileSystem.fstat(fd)
    const buffer = Buffer.alloc(CONTENT_BYTES)
    const length = stats.isFile() ? await fileSystem.readAt(fd, buffer, 0) : 0
    const text = buffer.toString('utf8', 0, length)
    const [number = '', owner = '', journal = ''] = text.split('\n')
    const pid = /^\s*\d{1,10}\s*$/.test(number) ? Number(number) : null
    const content = isOurs(stats, uid) ? contentOf(owner, journal) : null
    return { inode: stats.ino, owner: stats.uid, text, changedMs: stats.mtimeMs, leftMs: stats.ctimeMs, pid, content }
  } finally {
    await fileSystem.close(fd)
  }
}

async function lookFromOutside(fileSystem: FileSystem, file: string): Promise<Found | null> {
  try {
    const { ino, uid, mtimeMs, ctimeMs } = await fileSystem.lstat(file)
    return { inode: ino, owner: uid, text: '', changedMs: mtimeMs, leftMs: ctimeMs, pid: null, content: null }
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return null
    throw error
  }
}

/** Only we can have written it. A journal that says size 0 would have the whole mbox cut off. */
function isOurs(stats: Stats, uid: number | null): boolean {
  return stats.isFile() && (uid === null || (stats.uid === uid && (stats.mode & 0o022) === 0))
}

/** Written by another run of popfetch, perhaps cut off in the middle: nothing is believed. */
function contentOf(ownerText: string, journalText: string): Content | null {
  const owner = parsed(ownerText)
  if (owner === null || typeof owner['host'] !== 'string' || typeof owner['identity'] !== 'string') return null
  const { host, identity } = owner
  const { inode, sizeBytes, fromLines } = parsed(journalText) ?? {}
  const isJournal =
    typeof inode === 'number' &&
    typeof sizeBytes === 'number' &&
    Array.isArray(fromLines) &&
    fromLines.every((line) => typeof line === 'string')
  return { host, identity, journal: isJournal ? { inode, sizeBytes, fromLines } : null }
}

function parsed(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? { ...value } : null
  } catch {
    return null
  }
}

async function isStale(
  { content, pid, changedMs }: Found,
  own: Pick<Own, 'madeMs'>,
  hostName: string,
): Promise<boolean> {
  if (content !== null && content.host === hostName && pid !== null) return !(await isRunning(pid, content.identity))
  return own.madeMs - changedMs > STALE_MS
}

/** In a sticky directory the lock of another user stays until that user, or root, removes it. */
async function mayRemove(fileSystem: FileSystem, path: string, { owner }: Found, uid: number | null): Promise<boolean> {
  if (uid === null || uid === 0 || owner === uid) return true
  const directory = await fileSystem.lstat(await fileSystem.realpath(dirname(path)))
  return (directory.mode & 0o1000) === 0 || directory.uid === uid
}

/** False: it was a different lock by then. Between looking and renaming, somebody may have taken over the dead lock; then it is
 *  put back. `keep`: notes what is in it, before it is gone. */
async function setAside(
  { fileSystem, path, uid }: Pick<LockOptions, 'fileSystem' | 'path' | 'uid'>,
  own: Pick<Own, 'path'>,
  found: Found,
  keep: () => Promise<void>,
): Promise<boolean> {
  const [file, aside] = [`${path}.lock`, `${own.path}${ASIDE}`]
  try {
    await fileSystem.rename(file, aside)
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return false
    throw error
  }
  // A new file often has the number of the one that was removed last.
  const now = await look(fileSystem, aside, uid)
  const same = now?.inode === found.inode && now.changedMs === found.changedMs && now.text === found.text
  await (same ? keep() : fileSystem.link(aside, file))
  await fileSystem.unlink(aside)
  return same
}

/** On return it is durable. */
async function write(fileSystem: FileSystem, own: Pick<Own, 'fd' | 'ownerBytes'>, journal: Journal): Promise<void> {
  await fileSystem.ftruncate(own.fd, own.ownerBytes)
  await writeAll(fileSystem, own.fd, Buffer.from(`${JSON.stringify(journal)}\n`))
  await fileSystem.fsync(own.fd)
}

function holder({ pid, owner }: Found, uid: number | null, limitMs: number): string {
  const whose = uid === null || owner === uid ? '' : ` of user ${owner}`
  const by = pid === null ? `another program${whose}` : `process ${pid}${whose}`
  return `held by ${by} for more than ${Math.round(limitMs / 1000)} s`
}

/** '' where the system does not tell. */
export async function identityOf(pid: number): Promise<string> {
  try {
    const boot = (await readText('/proc/sys/kernel/random/boot_id', 64)).trim()
    const stat = await readText(`/proc/${pid}/stat`, 4096)
    // proc(5): the name in parentheses may hold anything; field 22, the 20th after it, is the start time.
    const started = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]
    return started === undefined ? '' : `${boot} ${started}`
  } catch {
    return ''
  }
}

/** `identity`: of then, '' for not known. */
async function isRunning(pid: number, identity: string): Promise<boolean> {
  try {
    process.kill(pid, 0)
  } catch (error) {
    return errnoOf(error) !== 'ESRCH'
  }
  return identity === '' || (await identityOf(pid)) === identity
}

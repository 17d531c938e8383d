// Where the ledger lies: whose it is, its modes, the file system under it, and how a new one comes to be. A file is opened here
// only before SQLite has it: a POSIX lock is lost when its process closes any descriptor of the file. One rule: a file that is
// not a ledger, or that somebody else could write, is never touched.
import { randomBytes } from 'node:crypto'
import { closeSync, constants, lstatSync, openSync, readSync, statSync, type Stats } from 'node:fs'
import { chmod, link, lstat, mkdir, open, readdir, realpath, rename, rm, stat, statfs } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { errnoOf } from '../../errors.ts'
import { judgePlace, openDirectory, ourUid, type Place } from '../../own-file.ts'
import { corrupt, noLedger, ofAnotherProgram, refused } from './rows/fault.ts'
import { APPLICATION_ID, migrate } from './schema/migrations.ts'

// statfs(2) and linux/magic.h; file systems that other machines may write to at the same time. WAL keeps its index in memory
// shared by one machine's processes (S012). FUSE is not among them: most of it is local, and SQLite refuses what cannot map.
const NETWORK_FILE_SYSTEMS: ReadonlyMap<number, string> = new Map([
  [0x6969, 'NFS'],
  [0x517b, 'SMB'],
  [0xff534d42, 'SMB'],
  [0xfe534d42, 'SMB'],
  [0x564c, 'NCP'],
  [0x73757245, 'Coda'],
  [0x5346414f, 'AFS'],
  [0x6b414653, 'AFS'],
  [0x01021997, '9P'],
  [0x00c36400, 'Ceph'],
  [0x0bd00bd0, 'Lustre'],
  [0x47504653, 'GPFS'],
  [0x01161970, 'GFS2'],
  [0x7461636f, 'OCFS2'],
  [0x19830326, 'BeeGFS'],
])

/** Tells the type of the file system that a directory lies on, as statfs(2) numbers it. */
export type FileSystemType = (directory: string) => Promise<number>

// 32 bits, which statfs gives with a sign on some machines.
export const fileSystemType: FileSystemType = async (directory) => (await statfs(directory)).type >>> 0

/** Makes the directory if need be (0700) and refuses a place where a ledger cannot be safe: others could write it, or files
 *  beside it. Gives the real path, so that a symbolic link and its target are one ledger with one set of locks. */
export async function preparePlace(path: string, typeOf: FileSystemType, readOnly: boolean): Promise<string> {
  const uid = ourUid()
  const first = await judgePlace(path, { uid })
  const drafts = await draftsOf(first)
  const { real, faults } = drafts.length === 0 ? first : await judgePlace(path, { uid, names: 1 + drafts.length })
  if (first.stats?.isDirectory() === true) throw refused(path, 'it is a directory', 'choose a file in it')
  const [fault] = faults
  if (fault !== undefined) throw refused(path, `it is ${fault.found}`, fault.mend)
  if (!readOnly) for (const draft of drafts) await rm(draft, { force: true })
  const directory = first.stats === null ? await madeDirectory(real, readOnly) : dirname(real)
  if (directory === null) return real
  const [open, type] = await Promise.all([openDirectory(directory, { uid }), typeOf(directory)])
  if (open !== null) throw refused(path, `it is ${open.found}`, open.mend)
  const network = NETWORK_FILE_SYSTEMS.get(type)
  if (network !== undefined) {
    throw refused(
      path,
      `it is on a network file system (${network})`,
      'choose a place on a local disk with state: or --state',
    )
  }
  return join(directory, basename(real))
}

/** The directory of a ledger that is not there yet; null: there is none, and none is made. */
async function madeDirectory(real: string, readOnly: boolean): Promise<string | null> {
  const made = readOnly ? undefined : await mkdir(dirname(real), { recursive: true, mode: 0o700 })
  if (readOnly && (await statOrNull(dirname(real))) === null) return null
  const directory = await realpath(dirname(real))
  if (made !== undefined) await syncUpwards(directory, await realpath(dirname(made)))
  return directory
}

/** Stands in the name of what a copy took the place of (restore.ts). */
export const BEFORE_RESTORE = '.before-restore-'
/** In that of a damaged one (mend/repair.ts). */
export const BEFORE_REPAIR = '.before-repair-'

/** Further names of the ledger: whoever makes one, or puts a copy in its place, and is killed in between leaves two. */
async function draftsOf({ real, stats: found }: Place): Promise<readonly string[]> {
  if (found === null || found.nlink === 1 || !found.isFile()) return []
  const suffixes = ['.new-', BEFORE_RESTORE, BEFORE_REPAIR]
  const isDraft = (name: string): boolean => suffixes.some((suffix) => name.startsWith(basename(real) + suffix))
  const names = (await readdir(dirname(real))).filter(isDraft)
  const drafts = names.map((name) => join(dirname(real), name))
  const stats = await Promise.all(drafts.map((draft) => lstat(draft).catch(() => null)))
  return drafts.filter((_, at) => stats[at]?.ino === found.ino && stats[at].dev === found.dev)
}

/** Whether there is a ledger. Refuses a file that is not one, or is no longer one. One of ours that is readable by others is
 *  made private (S019). `path` is what `preparePlace` gave. */
export async function inspect(path: string, readOnly: boolean): Promise<boolean> {
  const found = await statOrNull(path)
  if (found === null) {
    // A write-ahead log replayed into a new file would destroy it, and the history it belongs to is not to be forgotten.
    if ((await statOrNull(`${path}-wal`)) === null) return false
    throw corrupt(path, 'the file is missing though its log (-wal) is there')
  }
  // A new ledger gets its name only when it is whole (create), so this one has lost its contents (S011).
  if (found.size === 0) throw corrupt(path, 'it is empty')
  refuseOther(path)
  if ((found.mode & 0o077) !== 0 && !readOnly && found.uid === ourUid()) await chmod(path, 0o600)
  return true
}

/** Files that SQLite has open in this process, each with the number of its connections. */
const atWork = new Map<string, number>()
const fileOf = new WeakMap<DatabaseSync, string>()

/** Opens an existing ledger through SQLite. Until `closeFile` no descriptor of the file is opened or closed here. */
export function openFile(
  path: string,
  options: { readonly timeout: number; readonly readOnly: boolean },
  Kind = DatabaseSync,
): DatabaseSync {
  const file = identity(path)
  const database = new Kind(path, options)
  fileOf.set(database, file)
  atWork.set(file, (atWork.get(file) ?? 0) + 1)
  return database
}

export function closeFile(database: DatabaseSync): void {
  database.close()
  const file = fileOf.get(database)
  if (file === undefined) return
  fileOf.delete(database)
  const others = (atWork.get(file) ?? 1) - 1
  if (others === 0) atWork.delete(file)
  else atWork.set(file, others)
}

/** The file as it was of this name when it was opened: `device inode`. */
export function openedAs(database: DatabaseSync): string | null {
  return fileOf.get(database) ?? null
}

/** The file of this name now; null: there is none. */
export function identityOf(path: string): string | null {
  const found = statSync(path, { throwIfNoEntry: false })
  return found === undefined ? null : `${found.dev} ${found.ino}`
}

function identity(path: string): string {
  const { dev, ino } = lstatSync(path)
  return `${dev} ${ino}`
}

const MAGIC = Buffer.from('SQLite format 3\0', 'latin1')
/** https://sqlite.org/fileformat.html, section 1.3. */
const HEADER_BYTES = 100
const APPLICATION_ID_AT = 68

/** Looks at the first bytes without SQLite, which would make files beside it. Nothing waits in between: SQLite cannot open
 *  the file meanwhile. */
function refuseOther(path: string): void {
  if (atWork.has(identity(path))) return
  const header = Buffer.alloc(HEADER_BYTES)
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants
  const fd = openSync(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
  try {
    readSync(fd, header, 0, HEADER_BYTES, 0)
  } finally {
    closeSync(fd)
  }
  if (!header.subarray(0, MAGIC.length).equals(MAGIC)) throw noLedger(path)
  if (header.readUInt32BE(APPLICATION_ID_AT) !== APPLICATION_ID) throw ofAnotherProgram(path)
}

/** Makes a new ledger under a temporary name, and gives it its real name when it is whole and durable. A kill in between leaves
 *  nothing at `path`. Another process that is faster wins. Nobody believes what has the temporary name, so it is synced once, as a whole:
 *  each step by itself would be a dozen syncs, the longest wait of a first poll. */
export async function create(path: string): Promise<void> {
  const draft = `${path}.new-${randomBytes(8).toString('hex')}`
  try {
    await (await open(draft, 'wx', 0o600)).close()
    const database = new DatabaseSync(draft)
    try {
      database.exec(`PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF; PRAGMA application_id = ${APPLICATION_ID}`)
      await migrate(database, draft)
      // All is in the file by then: nothing goes into a log that might not become part of it.
      database.exec('PRAGMA journal_mode = WAL')
    } finally {
      database.close()
    }
    await syncWhole(draft)
    await appear(draft, path)
  } finally {
    for (const suffix of ['', '-wal', '-shm']) await rm(draft + suffix, { force: true })
  }
}

async function syncWhole(file: string): Promise<void> {
  await using opened = await open(file, 'r')
  await opened.sync()
}

async function appear(draft: string, path: string): Promise<void> {
  try {
    await link(draft, path)
  } catch (thrown) {
    const errno = errnoOf(thrown)
    if (errno === 'EEXIST') return
    // No hard links (FAT, some FUSE): the window between the look and the rename is left open there.
    if (errno !== 'EPERM' && errno !== 'ENOTSUP' && errno !== 'ENOSYS' && errno !== 'EMLINK') throw thrown
    if ((await statOrNull(path)) === null) await rename(draft, path)
  }
  await syncUpwards(dirname(path), dirname(path))
}

/** Makes the names in `directory` durable, and those in the directories above it up to `top`. */
export async function syncUpwards(directory: string, top: string): Promise<void> {
  for (let each = directory; ; each = dirname(each)) {
    const opened = await open(each, 'r')
    try {
      await opened.sync()
    } finally {
      await opened.close()
    }
    if (each === top || each === dirname(each)) return
  }
}

async function statOrNull(path: string): Promise<Stats | null> {
  return stat(path).catch((thrown: unknown) => {
    if (errnoOf(thrown) === 'ENOENT') return null
    throw thrown
  })
}

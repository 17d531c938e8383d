// Whose file it is. Every file that decides something (configuration, secrets, certificates, the ledger, files of older
// programs) is opened here, or judged here before SQLite opens it. Every log and report is opened here too. A file is judged by
// its descriptor, so nobody can exchange it between the look and the read. The directories above it are walked once, link by
// link. One rule: what another user could have written, or could exchange, is refused with the command that mends it, and
// never changed. What a refusal means for mail (its code, its words) is for the caller.
import { closeSync, constants, fstatSync, ftruncateSync, openSync, readFileSync, type Stats } from 'node:fs'
import path from 'node:path'
import { display } from './display.ts'
import { isContainer } from './environment.ts'
import { errnoOf } from './errors.ts'
import { closeFile, lstat, openFile, readlink, readPart, statFile } from './own-file/calls.ts'
import { isPrivateGroup, isRoot } from './owners.ts'

/** Our user id. Null: neither owners nor modes are judged, in a container that says so (a NAS shows 0777), and on a system
 *  without owners. */
export function ourUid(
  env: Readonly<Record<string, string | undefined>> = process.env,
  uid: number | null = process.getuid?.() ?? null,
): number | null {
  return isContainer(env) || uid === null || uid < 0 ? null : uid
}

export interface Rules {
  /** As `ourUid` tells it. */
  readonly uid: number | null
  /** Folders that somebody fills for us (/run/secrets): what lies below may have any owner. */
  readonly deposits?: readonly string[]
  /** How many names a file may have; 1 unless said. */
  readonly names?: number
}

/** What is wrong with a file: "it is" or "found" fits before `found`. */
export interface Fault {
  readonly found: string
  /** The command or the deed that mends it. */
  readonly mend: string
}

/** A file that is not to be believed, or not to be written to. */
export class ForeignFile extends Error implements Fault {
  readonly found: string
  readonly mend: string

  constructor({ found, mend }: Fault) {
    super(`it is ${found}: ${mend}`)
    this.found = found
    this.mend = mend
  }
}

export const NOT_REGULAR: Fault = { found: 'not a regular file', mend: 'give another path' }

const OTHERS_WRITE = 0o002
const GROUP_WRITE = 0o020
const STICKY = 0o1000
/** As many links as Linux follows in one path. */
const LINKS = 40
/** What the kernel keeps for open descriptors: its links are none that a walk could follow. */
const DESCRIPTORS = /^\/proc\/(?:\d+|self)\/(?:task\/\d+\/)?fd$/
const READ_BYTES = 65_536

/** An open file that decides something. */
export class OwnFile implements AsyncDisposable {
  readonly stats: Stats
  /** What is wrong with it; [] in most cases. */
  readonly faults: readonly Fault[]
  readonly #fd: number

  private constructor(fd: number, stats: Stats, faults: readonly Fault[]) {
    this.#fd = fd
    this.stats = stats
    this.faults = faults
  }

  /** Opens a regular file to read. Rejects with ForeignFile for anything else (a named pipe does not make it wait), and with
   *  the system's error. All other faults are told, not thrown. */
  static async open(file: string, rules: Rules): Promise<OwnFile> {
    const place = await walk(file, rules)
    const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK, O_NOCTTY } = constants
    // A device may do something when it is opened.
    if (place.stats !== null && isSpecial(place.stats)) throw new ForeignFile(NOT_REGULAR)
    const fd = await openFile(place.real, O_RDONLY | O_NONBLOCK | O_NOCTTY | (place.isDescriptor ? 0 : O_NOFOLLOW))
    try {
      const stats = await statFile(fd)
      if (!stats.isFile()) throw new ForeignFile(NOT_REGULAR)
      return new OwnFile(fd, stats, [...(await faultsOfFile(place.real, stats, rules)), ...place.faults])
    } catch (error) {
      await closeFile(fd)
      throw error
    }
  }

  /** Its whole content; null: it is too long. */
  async bytes(limitBytes: number): Promise<Buffer | null> {
    const parts: Buffer[] = []
    let length = 0
    for (;;) {
      const part = Buffer.allocUnsafe(Math.min(READ_BYTES * 16, Math.max(READ_BYTES, this.stats.size - length + 1)))
      const { bytesRead } = await readPart(this.#fd, part, 0, part.length, length)
      if (bytesRead === 0) return Buffer.concat(parts, length)
      parts.push(part.subarray(0, bytesRead))
      length += bytesRead
      if (length > limitBytes) return null
      // Most files: all that its length promised, and room was left for more.
      if (bytesRead < part.length && this.stats.size > 0 && length >= this.stats.size)
        return Buffer.concat(parts, length)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await closeFile(this.#fd)
  }
}

/** The content of a file that decides something; null: it is longer than `limitBytes`. Rejects with ForeignFile when anything is
 *  wrong with it, and with the system's error. */
export async function readOwnFile(
  file: string,
  rules: Rules & { readonly limitBytes: number; readonly isSecret?: boolean },
): Promise<Buffer | null> {
  await using opened = await OwnFile.open(file, rules)
  const [fault] = opened.faults
  if (fault !== undefined) throw new ForeignFile(fault)
  const read = rules.isSecret === true ? readableByAll(file, opened.stats, rules) : null
  if (read !== null) throw new ForeignFile(read)
  return await opened.bytes(rules.limitBytes)
}

export interface Place {
  /** The path without links. */
  readonly real: string
  /** Null: there is nothing yet. */
  readonly stats: Stats | null
  readonly faults: readonly Fault[]
}

/** The place of a file that a library opens itself, without opening it, or of a directory. */
export async function judgePlace(file: string, rules: Rules): Promise<Place> {
  const { real, stats, faults } = await walk(file, rules)
  if (stats === null || stats.isDirectory()) return { real, stats, faults }
  if (isSpecial(stats)) return { real, stats, faults: [NOT_REGULAR, ...faults] }
  return { real, stats, faults: [...(await faultsOfFile(real, stats, rules)), ...faults] }
}

/** Whether others could make files beside ours in this directory, be it sticky or not. */
export async function openDirectory(directory: string, { uid }: Rules): Promise<Fault | null> {
  if (uid === null) return null
  const stats = await lstat(directory)
  const who = await writers(stats, uid)
  if (who === null) return null
  const shown = shellWord(directory)
  return {
    found: `in the directory ${shown}, where ${who} can make files (mode ${octal(stats)})`,
    mend: `chmod go-w ${shown}, or use a place in a directory of your own`,
  }
}

/** The content of a file that we keep in a folder of ours that was judged; null: there is none, or not one that we alone could write. */
export function readOwnAtOnce(file: string, rules: Rules, limitBytes: number): Buffer | null {
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK, O_NOCTTY } = constants
  let fd: number | null = null
  try {
    fd = openSync(file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY)
    const stats = fstatSync(fd)
    if (!stats.isFile() || stats.nlink !== 1 || stats.size > limitBytes || isForeign(file, stats, rules)) return null
    return rules.uid !== null && (stats.mode & (OTHERS_WRITE | GROUP_WRITE)) !== 0 ? null : readFileSync(fd)
  } catch {
    return null
  } finally {
    if (fd !== null) closeSync(fd)
  }
}

/** A descriptor for a log or a report, made 0600 where there is none; the caller closes it. A link is followed only if it is ours
 *  or root's. Rejects with ForeignFile where another user has put something, and with the system's error. */
export async function openOutput(file: string, mode: 'append' | 'replace', rules: Rules): Promise<number> {
  const place = await walk(file, rules)
  refuseForeignPath(place)
  const { O_WRONLY, O_CREAT, O_APPEND, O_NOFOLLOW, O_NONBLOCK, O_NOCTTY } = constants
  // A named pipe without a reader fails at once; one whose reader stopped does not hold a thread.
  const flags = O_WRONLY | O_NONBLOCK | O_NOCTTY | (mode === 'append' ? O_APPEND : 0)
  const fd = openSync(place.real, place.isDescriptor ? flags : flags | O_CREAT | O_NOFOLLOW, 0o600)
  try {
    const stats = fstatSync(fd)
    const fault = place.isDescriptor ? null : faultOfOutput(place.real, stats, rules)
    if (fault !== null) throw new ForeignFile(fault)
    if (!place.isDescriptor) await refuseExchanged(file, stats, rules)
    if (mode === 'replace' && stats.isFile()) ftruncateSync(fd)
    return fd
  } catch (error) {
    closeSync(fd)
    throw error
  }
}

/** Why a file could not be opened, in the words of this file or of the system. */
export function obstacleOf(error: unknown): string {
  return error instanceof ForeignFile ? error.message : (errnoOf(error) ?? display(String(error)))
}

/** Whether the socket is one that we made, in a folder that is ours. False also where there is none. */
export async function isOwnSocket(file: string, rules: Rules): Promise<boolean> {
  try {
    const { stats, faults } = await walk(file, rules)
    if (rules.uid === null) return stats !== null
    return faults.length === 0 && stats !== null && stats.isSocket() && stats.uid === rules.uid
  } catch (error) {
    const errno = errnoOf(error)
    if (errno === 'ENOTDIR' || errno === 'EACCES') return false
    throw error
  }
}

/** A secret's own file: the group may read it, others may not. */
export function readableByAll(file: string, { mode, uid }: Stats, rules: Rules): Fault | null {
  if (rules.uid === null || (mode & 0o004) === 0 || isDeposit(path.resolve(file), rules)) return null
  const shown = shellWord(file)
  const command = uid === 0 && rules.uid !== 0 ? `chmod o-r ${shown}` : `chmod 600 ${shown}`
  return { found: `a secret in a file that anybody can read (mode ${octal({ mode })})`, mend: command }
}

interface Walked extends Place {
  /** An open descriptor of a process, as /dev/stdin is: not to be followed by us. */
  readonly isDescriptor: boolean
  /** A link of another user stood in the way, or a directory of another user. */
  readonly foreign: Fault | null
}

/** From the root down to the file, link by link: who could put another file in its place? */
async function walk(file: string, rules: Rules): Promise<Walked> {
  const faults: Fault[] = []
  let foreign: Fault | null = null
  const { root } = path.parse(path.resolve(file))
  const rest = partsOf(path.resolve(file))
  const ahead = lookAhead(root, rest)
  let real = root
  let stats: Stats | null = await lstat(root)
  await judgeDirectory(root, stats, rules, faults)
  for (let links = 0, part = rest.shift(); part !== undefined; part = rest.shift()) {
    const above = real
    real = path.join(above, part)
    stats = await (ahead.get(real) ?? lstatOrNull(real))
    if (stats === null) return { real: path.join(real, ...rest), stats, faults, isDescriptor: false, foreign }
    if (DESCRIPTORS.test(above)) return { real, stats: null, faults, isDescriptor: true, foreign }
    if (stats.isSymbolicLink()) {
      if (++links > LINKS) throw Object.assign(new Error(`too many links: ${file}`), { code: 'ELOOP' })
      if (isForeign(real, stats, rules)) {
        foreign = {
          found: `a file behind ${shellWord(real)}, a link of user ${stats.uid}`,
          mend: `rm ${shellWord(real)}, or use the file itself`,
        }
        faults.push(foreign)
      }
      const target = await readlink(real)
      rest.unshift(...partsOf(target))
      real = path.isAbsolute(target) ? root : above
    } else if (stats.isDirectory()) {
      const fault = await judgeDirectory(real, stats, rules, faults)
      if (rest.length > 0) foreign ??= fault
    } else if (rest.length > 0) {
      throw Object.assign(new Error(`not a directory: ${real}`), { code: 'ENOTDIR' })
    }
  }
  return { real, stats, faults, isDescriptor: false, foreign }
}

/** Asks for all that is on the way at once, as it is without links: the answers cost one turn, not one each. */
function lookAhead(root: string, parts: readonly string[]): ReadonlyMap<string, Promise<Stats | null>> {
  const asked = new Map<string, Promise<Stats | null>>()
  let place = root
  for (const part of parts) {
    const answer = lstatOrNull((place = path.join(place, part)))
    answer.catch(() => {})
    asked.set(place, answer)
  }
  return asked
}

function partsOf(text: string): string[] {
  return text.split(path.sep).filter((part) => part !== '' && part !== '.')
}

/** Puts what is wrong with it into `faults`; gives the fault when its owner is another user. */
async function judgeDirectory(directory: string, stats: Stats, rules: Rules, faults: Fault[]): Promise<Fault | null> {
  const { uid } = rules
  if (uid === null) return null
  const shown = shellWord(directory)
  if (isForeign(directory, stats, rules)) {
    const fault = {
      found: `a file below the directory ${shown}, which belongs to user ${stats.uid}`,
      mend: `chown ${uid} ${shown}, or move the file to a directory of your own`,
    }
    tell(faults, fault)
    return fault
  }
  if ((stats.mode & STICKY) !== 0) return null
  const who = await writers(stats, uid)
  if (who !== null) {
    const found = `a file below the directory ${shown}, which ${who} can write to (mode ${octal(stats)})`
    tell(faults, { found, mend: `chmod go-w ${shown}` })
  }
  return null
}

/** Once: a link may lead through a directory twice. */
function tell(faults: Fault[], fault: Fault): void {
  if (!faults.some(({ found }) => found === fault.found)) faults.push(fault)
}

async function faultsOfFile(file: string, stats: Stats, rules: Rules): Promise<readonly Fault[]> {
  const { uid } = rules
  if (uid === null) return []
  const faults: Fault[] = []
  const shown = shellWord(file)
  const isGiven = isDeposit(file, rules)
  if (isForeign(file, stats, rules)) {
    const trusted =
      uid === 0
        ? `run popfetch as that user, or, if you trust the file, chown root ${shown}`
        : `let root chown ${uid} ${shown}, or use a copy of your own`
    faults.push({ found: `a file of user ${stats.uid}`, mend: trusted })
  }
  const who = isGiven ? ((stats.mode & OTHERS_WRITE) === 0 ? null : 'anybody') : await writers(stats, uid)
  if (who !== null)
    faults.push({ found: `a file that ${who} can write to (mode ${octal(stats)})`, mend: `chmod go-w ${shown}` })
  if (stats.nlink > (rules.names ?? 1) && !isRoot(stats.uid) && !isGiven) {
    faults.push({
      found: `a file with ${stats.nlink} hard links`,
      mend: `cp -p ${shown} ${shown}.new && mv ${shown}.new ${shown}`,
    })
  }
  return faults
}

/** Nothing of ours may go where another user reads it or has linked it to. The mode is not judged: a log decides nothing. */
function faultOfOutput(file: string, stats: Stats, rules: Rules): Fault | null {
  if (rules.uid === null || stats.isCharacterDevice()) return null
  const shown = shellWord(file)
  const mend = `rm ${shown}, or use another file`
  if (stats.isFile() || stats.isFIFO()) {
    if (isForeign(file, stats, rules)) return { found: `a file of user ${stats.uid}`, mend }
    if (stats.isFile() && stats.nlink > 1) return { found: `a file with ${stats.nlink} hard links`, mend }
    return null
  }
  return { found: 'neither a file nor a pipe nor a device to print on', mend: 'give another file' }
}

function refuseForeignPath({ foreign }: Walked): void {
  if (foreign !== null) throw new ForeignFile(foreign)
}

/** Where the group or others may write to a directory, a link could have stood there for a moment. */
async function refuseExchanged(file: string, opened: Stats, rules: Rules): Promise<void> {
  const now = await walk(file, rules)
  refuseForeignPath(now)
  if (now.stats?.ino === opened.ino && now.stats.dev === opened.dev) return
  throw new ForeignFile({
    found: 'a file that was exchanged while it was opened',
    mend: 'see who writes to its directory',
  })
}

function isForeign(file: string, { uid: owner }: Stats, rules: Rules): boolean {
  return rules.uid !== null && !isRoot(owner) && owner !== rules.uid && !isDeposit(file, rules)
}

function isDeposit(file: string, { deposits = [] }: Rules): boolean {
  return deposits.some((folder) => file === folder || file.startsWith(folder.endsWith('/') ? folder : `${folder}/`))
}

/** Who else may write to it. An ACL shows in the bits of the group: they are its mask. */
async function writers({ mode, gid, uid: owner }: Stats, uid: number): Promise<string | null> {
  if ((mode & OTHERS_WRITE) !== 0) return 'anybody'
  if ((mode & GROUP_WRITE) === 0 || (await isPrivateGroup(gid, uid, owner))) return null
  return `the group ${gid}`
}

function isSpecial(stats: Stats): boolean {
  return stats.isFIFO() || stats.isSocket() || stats.isBlockDevice() || stats.isCharacterDevice() || stats.isDirectory()
}

async function lstatOrNull(file: string): Promise<Stats | null> {
  try {
    return await lstat(file)
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return null
    throw error
  }
}

/** The mode as chmod takes it. */
export function octal({ mode }: Pick<Stats, 'mode'>): string {
  return `0${(mode & 0o7777).toString(8).padStart(3, '0')}`
}

/** A path as a shell takes it, never cut short: half a path names another file. */
function shellWord(file: string): string {
  const shown = display(file, 4096)
  return /^[\w./@%+=:,-]+$/.test(shown) ? shown : `'${shown.replaceAll("'", String.raw`'\''`)}'`
}

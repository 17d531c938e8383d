// The folder of an imap destination: its name as the server has it, whether it is there, made where it is not. The rule: a name is
// the server's own where it begins with a namespace, and a slash otherwise means the server's delimiter.
import { type Filling, filledFolder, oddName } from '../placeholders.ts'
import { type Fault, ImapFailure } from './fault.ts'
import type { ImapSession } from './session.ts'

export interface Folder {
  readonly path: string
  /** UIDNEXT when it was opened; null: the server did not say. */
  readonly uidNext: number | null
  /** UIDVALIDITY then: with another one UIDs mean nothing. */
  readonly uidValidity: bigint | null
  /** The largest message that it takes; null: nothing is said of it. */
  readonly limit: number | null
  /** Those of the wanted flags that the folder keeps. */
  readonly flags: readonly string[]
}

export interface Wanted {
  /** As it was written, with what is in braces. */
  readonly folder: string
  readonly filling: Filling
  readonly create: boolean
  readonly flags: readonly string[]
}

/** The folder, made if it may be and is not there. Rejects with ImapFailure. */
export async function openFolder(session: ImapSession, wanted: Wanted, signal: AbortSignal): Promise<Folder> {
  const path = await pathOf(session, wanted, signal)
  const refusal = await refusalOf(session, path, signal)
  if (refusal !== null) {
    const isSure = refusal.fault.kind === 'reply' && isMissing(refusal.fault)
    if (!isSure && !saysNothing(refusal.fault)) throw refusal
    if (!wanted.create)
      throw isSure ? session.refusal('folder', `there is no folder ${path}, and create is false`) : refusal
    await makeFolder(session, path, signal).catch((error: unknown) => {
      // It is there, and cannot be used.
      throw isSure || !isRefusal(error) ? error : refusal
    })
  }
  const query = { uidNext: true, uidValidity: true }
  const status = await session.run('folder', (client) => client.status(path, query), signal)
  if (status === false) throw session.refusal('folder', `the folder ${path} cannot be opened`)
  // Nothing was ever put there: perhaps we made it, and were cut off before the second command.
  const isUnused = status.uidNext === 1 && path !== 'INBOX'
  if (wanted.create && refusal === null && isUnused) await subscribe(session, path, signal)
  const limit = await session.limitOf(path, signal)
  if (limit === 0) throw new ImapFailure('folder', { kind: 'unfit', text: `the folder ${path} takes no messages` })
  const flags = wanted.flags.length === 0 ? [] : await permanent(session, path, wanted.flags, signal)
  return { path, uidNext: status.uidNext ?? null, uidValidity: status.uidValidity ?? null, limit, flags }
}

/** All folders that hold messages, but for this one. */
export async function foldersBeside(
  session: ImapSession,
  own: string,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const folders = await session.run('folder', (client) => client.list(), signal)
  const isFolder = ({ path, flags }: (typeof folders)[number]): boolean =>
    path !== own && !flags.has('\\Noselect') && !flags.has('\\NonExistent')
  return folders.filter(isFolder).map(({ path }) => path)
}

/** CREATE and SUBSCRIBE. That it is there already is good. */
export async function makeFolder(session: ImapSession, path: string, signal: AbortSignal): Promise<void> {
  await session.run('create', (client) => client.mailboxCreate(path), signal)
  await subscribe(session, path, signal)
}

/** A folder that nobody is subscribed to is hidden by some programs; mail gets there all the same. */
async function subscribe(session: ImapSession, path: string, signal: AbortSignal): Promise<void> {
  await session.run('create', (client) => client.mailboxSubscribe(path), signal)
}

async function pathOf(session: ImapSession, { folder, filling }: Wanted, signal: AbortSignal): Promise<string> {
  if (folder.startsWith('\\')) {
    const wanted = folder.toLowerCase()
    const folders = await session.run('folder', (client) => client.list(), signal)
    const fits = folders.filter(({ specialUse }) => specialUse?.toLowerCase() === wanted)
    // What the server says goes before what a name looks like.
    const found = fits.find(({ specialUseSource }) => specialUseSource === 'extension') ?? fits[0]
    if (found === undefined) throw session.refusal('folder', `the server has no folder with the special use ${folder}`)
    return found.path
  }
  if (isInbox(folder)) return 'INBOX'
  const { prefix, delimiter, others } = session.namespace
  const filled = filledFolder(folder, filling, delimiter)
  const name = delimiter === '' ? filled : withoutEmptyLevels(filled, delimiter)
  if (name === '') throw new ImapFailure('folder', { kind: 'unfit', text: 'the name of the folder is empty' })
  // Nobody who writes to inbox@ gets there.
  if (isInbox(name)) return folder.includes('{') ? `${prefix}${oddName(name.toLowerCase())}` : 'INBOX'
  const isBelow = delimiter !== '' && name.toUpperCase().startsWith(`INBOX${delimiter}`)
  const own = isBelow ? `INBOX${name.slice('INBOX'.length)}` : name
  return [prefix, ...others].some((each) => own.startsWith(each)) ? own : `${prefix}${own}`
}

function isInbox(name: string): boolean {
  return name.toUpperCase() === 'INBOX'
}

/** Some servers refuse `Old//2026` and `Old/`, and some make `Old` of it, which is not found again under that name. */
function withoutEmptyLevels(name: string, delimiter: string): string {
  return name
    .split(delimiter)
    .filter((level) => level !== '')
    .join(delimiter)
}

/** Null: it is there. Otherwise why it cannot be used: it is not there, or only as the parent of others, which some servers tell
 *  without a code. */
async function refusalOf(session: ImapSession, path: string, signal: AbortSignal): Promise<ImapFailure | null> {
  if (path === 'INBOX') return null
  try {
    const status = await session.run('folder', (client) => client.status(path, { uidNext: true }), signal)
    return status === false ? session.refusal('folder', `the folder ${path} cannot be opened`) : null
  } catch (error) {
    if (!isRefusal(error) || !isMissing(error.fault)) throw error
    return error
  }
}

function saysNothing(fault: Fault): boolean {
  return fault.kind === 'reply' && fault.status === 'NO' && fault.code === ''
}

function isRefusal(error: unknown): error is ImapFailure & { readonly fault: { readonly kind: 'reply' } } {
  return error instanceof ImapFailure && error.fault.kind === 'reply' && error.fault.status !== 'BYE'
}

/** Does an answer say that the folder is not there? */
export function isMissing({ code }: { readonly code: string }): boolean {
  return code === 'NONEXISTENT' || code === 'TRYCREATE'
}

/** Those of the flags that PERMANENTFLAGS allows; SELECT tells, EXAMINE does not. */
async function permanent(
  session: ImapSession,
  path: string,
  flags: readonly string[],
  signal: AbortSignal,
): Promise<readonly string[]> {
  const { permanentFlags } = await session.run('folder', (client) => client.mailboxOpen(path), signal)
  if (permanentFlags === undefined) return flags
  const kept = new Map([...permanentFlags].map((flag) => [flag.toLowerCase(), flag]))
  return flags.flatMap((flag) => {
    // `\*` means that keywords may be added, and says nothing of the server's own flags.
    const isNew = kept.has('\\*') && !flag.startsWith('\\')
    return kept.get(flag.toLowerCase()) ?? (isNew ? flag : [])
  })
}

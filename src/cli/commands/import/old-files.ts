// The files of fetchmail, getmail, mpop and Thunderbird: finds and reads them. The room setup/ knows what they mean.
import { readdir, stat } from 'node:fs/promises'
import path from 'node:path'
import { resolvePath } from '../../../config/paths.ts'
import { display } from '../../../display.ts'
import { errnoOf, PopfetchError } from '../../../errors.ts'
import { ForeignFile, ourUid, readOwnFile } from '../../../own-file.ts'
import { userName } from '../../../program.ts'
import { importFetchmail } from '../../../setup/fetchmail/fetchmail.ts'
import { importGetmail } from '../../../setup/getmail/getmail.ts'
import { importMpop } from '../../../setup/mpop/mpop.ts'
import { uidlsOf, type ImportContext, type Imported, type SeenLists, type SeenUidl } from '../../../setup/imported.ts'
import { parseNetrc } from '../../../setup/netrc.ts'
import { usualProfile } from '../../../setup/thunderbird/prefs.ts'
import { importThunderbird } from '../../../setup/thunderbird/thunderbird.ts'
import { RECORD_LIMIT_BYTES, SETTINGS_LIMIT_BYTES } from '../../../setup/text.ts'
import { configurationError } from '../../command-errors.ts'
import type { ImportRequest } from './options.ts'
import type { Surroundings } from '../../surroundings.ts'

/** Writing down each costs a tenth of a millisecond; nobody has that many. */
const MOST_ACCOUNTS = 10_000

type Place = Pick<Surroundings, 'env' | 'cwd'>

export interface OldFiles {
  readonly files: readonly string[]
  readonly imported: Imported
}

/** Rejects with ERR_CONFIG when a file does not exist or cannot be read. */
export async function readOldFiles(request: ImportRequest, place: Place): Promise<OldFiles> {
  const files =
    request.files.length === 0
      ? await usualFiles(request, place)
      : await Promise.all(request.files.map((file) => fileOf(request.tool, resolvePath(file, place.cwd, place.env))))
  const netrc = parseNetrc((await textOrNull(inHome('.netrc', place), place.env)) ?? '')
  const around: ImportContext = { localUser: userName(place.env) ?? '', netrc, env: place.env }
  const all: Imported[] = []
  for (const file of files) {
    const text = await textOrNull(file, place.env)
    if (text === null) throw configurationError(`reading ${display(file, 4096)}: it does not exist: give its path`)
    all.push(oneImported(request, { file, text, around, place }))
  }
  const imported = {
    accounts: all.flatMap(({ accounts }) => accounts),
    settings: Object.assign({}, ...all.map(({ settings }) => settings)) as Imported['settings'],
    remarks: all.flatMap(({ remarks }) => remarks),
  }
  if (imported.accounts.length > MOST_ACCOUNTS) {
    const where = display(files.join(', '), 4096)
    throw configurationError(`reading ${where}: it has more than ${MOST_ACCOUNTS} mailboxes: remove some`)
  }
  return { files, imported }
}

/** What an old tool's record has for each account; null: there is no such file. */
export async function readSeen(
  accounts: Imported['accounts'],
  { tool, record }: ImportRequest,
  place: Place,
): Promise<readonly (readonly SeenUidl[] | null)[]> {
  // Many accounts may share a file: each is read once.
  const read = new Map<string, SeenLists | null>()
  const found: (readonly SeenUidl[] | null)[] = []
  for (const { seen } of accounts) {
    const named = record === null || tool !== 'getmail' ? record : path.join(record, path.basename(seen?.file ?? ''))
    const file =
      named === null
        ? resolvePath(seen?.file ?? '', inHome('', place), place.env)
        : resolvePath(named, place.cwd, place.env)
    if (seen !== null && !read.has(file)) {
      const bytes = await bytesOrNull(file, place.env, RECORD_LIMIT_BYTES)
      read.set(file, bytes === null ? null : seen.listsOf(bytes.toString('latin1')))
    }
    const lists = seen === null ? null : (read.get(file) ?? null)
    found.push(seen === null || lists === null ? null : uidlsOf(seen, lists))
  }
  return found
}

interface OldFile {
  readonly file: string
  readonly text: string
  readonly around: ImportContext
  readonly place: Place
}

function oneImported({ tool }: ImportRequest, { file, text, around, place }: OldFile): Imported {
  switch (tool) {
    case 'fetchmail':
      return importFetchmail(text, { ...around, idfile: fetchmailFile('.fetchids', place) })
    case 'getmail':
      return importGetmail(text, { ...around, name: path.basename(file), directory: path.dirname(file) })
    case 'mpop':
      return importMpop(text, around)
    case 'thunderbird':
      return importThunderbird(text, { profile: path.dirname(file) })
  }
}

async function usualFiles({ tool }: ImportRequest, place: Place): Promise<readonly string[]> {
  const config = place.env['XDG_CONFIG_HOME'] || inHome('.config', place)
  if (tool === 'fetchmail') {
    const home = place.env['FETCHMAILHOME']
    return [home ? path.join(home, 'fetchmailrc') : fetchmailFile('.fetchmailrc', place)]
  }
  if (tool === 'thunderbird') return [await thunderbirdFile(place)]
  const directories =
    tool === 'getmail'
      ? [path.join(config, 'getmail'), inHome('.getmail', place)]
      : [inHome('.mpoprc', place), path.join(config, 'mpop', 'config')]
  for (const each of directories) {
    if ((await stat(each).catch(() => null)) !== null) return tool === 'getmail' ? await getmailFiles(each) : [each]
  }
  throw configurationError(
    `looking for the configuration of ${tool}: there is neither ${directories.join(' nor ')}: give the file`,
  )
}

/** Where Thunderbird keeps its profiles: as a package of the system, from Flathub, as a snap, on macOS. */
const THUNDERBIRD = [
  '.thunderbird',
  '.var/app/org.mozilla.Thunderbird/.thunderbird',
  'snap/thunderbird/common/.thunderbird',
  'Library/Thunderbird',
]

async function thunderbirdFile(place: Place): Promise<string> {
  const homes = THUNDERBIRD.map((name) => inHome(name, place))
  for (const home of homes) {
    const profiles = await textOrNull(path.join(home, 'profiles.ini'), place.env)
    const profile = profiles === null ? null : usualProfile(profiles)
    if (profile !== null) return path.join(path.resolve(home, profile), 'prefs.js')
  }
  throw configurationError(
    `looking for the profile of thunderbird: there is neither ${homes.join(' nor ')} with a profiles.ini: give the profile's folder`,
  )
}

/** A profile is a folder; the others name a file. */
async function fileOf(tool: ImportRequest['tool'], file: string): Promise<string> {
  if (tool !== 'thunderbird') return file
  const isFolder = (await stat(file).catch(() => null))?.isDirectory() ?? false
  return isFolder ? path.join(file, 'prefs.js') : file
}

/** Without a getmailrc, getmail reads every file of the directory but those that it wrote itself. */
async function getmailFiles(directory: string): Promise<readonly string[]> {
  const names = (await readdir(directory)).toSorted()
  const files = names.includes('getmailrc')
    ? ['getmailrc']
    : names.filter((name) => !/^oldmail-|^\.|\.json$/.test(name))
  if (files.length === 0)
    throw configurationError(`looking for the configuration of getmail: ${directory} has none: give the file`)
  return files.map((name) => path.join(directory, name))
}

function fetchmailFile(name: string, place: Place): string {
  return path.join(place.env['FETCHMAILHOME'] || place.env['HOME_ETC'] || inHome('', place), name)
}

function inHome(name: string, { env, cwd }: Place): string {
  return resolvePath(`~/${name}`, cwd, env)
}

/** UTF-8, or latin1 where it is not that; null: there is no such file. */
async function textOrNull(file: string, env: Place['env']): Promise<string | null> {
  const bytes = await bytesOrNull(file, env, SETTINGS_LIMIT_BYTES)
  if (bytes === null) return null
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    return bytes.toString('latin1')
  }
}

async function bytesOrNull(file: string, env: Place['env'], limitBytes: number): Promise<Buffer | null> {
  try {
    const bytes = await readOwnFile(file, { uid: ourUid(env), limitBytes })
    if (bytes === null)
      throw configurationError(
        `reading ${display(file, 4096)}: it is larger than ${limitBytes >> 20} MiB: use another file`,
      )
    return bytes
  } catch (error) {
    if (error instanceof PopfetchError) throw error
    const errno = errnoOf(error)
    if (errno === 'ENOENT' || errno === 'ENOTDIR') return null
    if (error instanceof ForeignFile)
      throw configurationError(`reading ${display(file, 4096)}: ${error.message}`, error)
    throw configurationError(`reading ${display(file, 4096)}: ${errno ?? String(error)}: repair its permissions`, error)
  }
}

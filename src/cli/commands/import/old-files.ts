// The files of fetchmail, getmail and mpop: finds and reads them. The room setup/ knows what they mean.
import { readdir, readFile, stat } from 'node:fs/promises'
import { userInfo } from 'node:os'
import path from 'node:path'
import { resolvePath } from '../../../config/paths.ts'
import { display } from '../../../display.ts'
import { errnoOf, PopfetchError } from '../../../errors.ts'
import { importFetchmail } from '../../../setup/fetchmail/fetchmail.ts'
import { importGetmail } from '../../../setup/getmail/getmail.ts'
import { importMpop } from '../../../setup/mpop/mpop.ts'
import type { ImportContext, Imported } from '../../../setup/imported.ts'
import { parseNetrc } from '../../../setup/netrc.ts'
import { configurationError } from '../../command-errors.ts'
import type { ImportRequest } from './options.ts'
import type { Surroundings } from '../../surroundings.ts'

/** A record of a million messages has 70 MB at most. */
const LIMIT_BYTES = 268_435_456

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
      : request.files.map((file) => resolvePath(file, place.cwd, place.env))
  const netrc = parseNetrc((await textOrNull(inHome('.netrc', place))) ?? '')
  const around: ImportContext = { localUser: place.env['LOGNAME'] ?? userInfo().username, netrc }
  const all: Imported[] = []
  for (const file of files) {
    const text = await textOrNull(file)
    if (text === null) throw configurationError(`reading ${display(file, 4096)}: it does not exist: name the file`)
    all.push(oneImported(request, { file, text, around, place }))
  }
  const imported = {
    accounts: all.flatMap(({ accounts }) => accounts),
    settings: Object.assign({}, ...all.map(({ settings }) => settings)) as Imported['settings'],
    remarks: all.flatMap(({ remarks }) => remarks),
  }
  return { files, imported }
}

/** The UIDLs that an old tool's record has for an account; null: there is no such file. */
export async function readSeen(
  account: Imported['accounts'][number],
  { tool, record }: ImportRequest,
  place: Place,
): Promise<readonly string[] | null> {
  if (account.seen === null) return null
  const named = record === null || tool !== 'getmail' ? record : path.join(record, path.basename(account.seen.file))
  const file =
    named === null
      ? resolvePath(account.seen.file, inHome('', place), place.env)
      : resolvePath(named, place.cwd, place.env)
  const bytes = await bytesOrNull(file)
  return bytes === null ? null : account.seen.uidlsOf(bytes.toString('latin1'))
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
  }
}

async function usualFiles({ tool }: ImportRequest, place: Place): Promise<readonly string[]> {
  const config = place.env['XDG_CONFIG_HOME'] || inHome('.config', place)
  if (tool === 'fetchmail') {
    const home = place.env['FETCHMAILHOME']
    return [home ? path.join(home, 'fetchmailrc') : fetchmailFile('.fetchmailrc', place)]
  }
  const directories =
    tool === 'getmail'
      ? [path.join(config, 'getmail'), inHome('.getmail', place)]
      : [inHome('.mpoprc', place), path.join(config, 'mpop', 'config')]
  for (const each of directories) {
    if ((await stat(each).catch(() => null)) !== null) return tool === 'getmail' ? await getmailFiles(each) : [each]
  }
  throw configurationError(
    `looking for the configuration of ${tool}: there is neither ${directories.join(' nor ')}: name the file`,
  )
}

/** Without a getmailrc, getmail reads every file of the directory but those that it wrote itself. */
async function getmailFiles(directory: string): Promise<readonly string[]> {
  const names = (await readdir(directory)).toSorted()
  const files = names.includes('getmailrc')
    ? ['getmailrc']
    : names.filter((name) => !/^oldmail-|^\.|\.json$/.test(name))
  if (files.length === 0)
    throw configurationError(`looking for the configuration of getmail: ${directory} has none: name the file`)
  return files.map((name) => path.join(directory, name))
}

function fetchmailFile(name: string, place: Place): string {
  return path.join(place.env['FETCHMAILHOME'] || place.env['HOME_ETC'] || inHome('', place), name)
}

function inHome(name: string, { env, cwd }: Place): string {
  return resolvePath(`~/${name}`, cwd, env)
}

/** UTF-8, or latin1 where it is not that; null: there is no such file. */
async function textOrNull(file: string): Promise<string | null> {
  const bytes = await bytesOrNull(file)
  if (bytes === null) return null
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    return bytes.toString('latin1')
  }
}

async function bytesOrNull(file: string): Promise<Buffer | null> {
  try {
    const entry = await stat(file)
    if (!entry.isFile()) throw configurationError(`reading ${display(file, 4096)}: it is no file: name one`)
    if (entry.size > LIMIT_BYTES)
      throw configurationError(`reading ${display(file, 4096)}: it is larger than 256 MiB: name another`)
    return await readFile(file)
  } catch (error) {
    const errno = errnoOf(error)
    if (errno === 'ENOENT' || errno === 'ENOTDIR') return null
    if (error instanceof PopfetchError) throw error
    throw configurationError(`reading ${display(file, 4096)}: ${errno ?? String(error)}: repair its permissions`, error)
  }
}

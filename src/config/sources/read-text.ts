// Reads the text of one file of the configuration: its own, or one that it includes. Through cosmiconfig for the configuration itself; this is the only file that
// imports it. Whose file it is, and who else could change it, is judged by own-file.ts (ground).
// The one rule: data, never code (N023, code in a configuration).
// Before cosmiconfig, which needs it.
import { takeBack } from '../lent-home.ts'
import { cosmiconfig, defaultLoaders } from 'cosmiconfig'
import { display } from '../../display.ts'
import { errnoOf, PopfetchError } from '../../errors.ts'
import { ForeignFile, OwnFile } from '../../own-file.ts'
import { IN_ENVIRONMENT, textInEnvironment, type Environment } from '../paths.ts'

takeBack()

/** Ten thousand accounts fit; what is larger is no configuration. */
export const SIZE_LIMIT_BYTES = 16_777_216

/** The text of a configuration file, what fstat says of it (null: it is IN_ENVIRONMENT), and who else could change it. `uid`: as
 *  `ourUid` tells it. `through`: reads it once more. Rejects with ERR_CONFIG. */
export async function readText(
  file: string,
  uid: number | null,
  env: Environment = {},
  through: ((file: string) => Promise<string | null>) | null = loadText,
) {
  const held = file === IN_ENVIRONMENT ? textInEnvironment(env) : null
  if (held !== null) {
    if (held.trim() === '') throw refusal(`${reading(file)}: it is empty: write accounts into it`)
    return { stats: null, text: held, exposures: [] }
  }
  try {
    await using opened = await OwnFile.open(file, { uid })
    const { stats, faults } = opened
    const bytes = await opened.bytes(SIZE_LIMIT_BYTES)
    if (bytes === null) throw refusal(`${reading(file)}: it is larger than 16 MiB: use another file`)
    const read = bytes.toString('utf8')
    if (read.trim() === '') throw refusal(`${reading(file)}: it is empty: write accounts into it`)
    if (read.includes('\uFFFD')) throw refusal(`${reading(file)}: it is not UTF-8 text: convert it`)
    const text = through === null ? read : await through(file)
    // What was judged is what counts.
    if (text !== read) throw refusal(`${reading(file)}: it was changed while it was read: try again`)
    return { stats, text, exposures: faults.map(({ found, mend }) => ({ found, expected: mend })) }
  } catch (error) {
    if (error instanceof PopfetchError) throw error
    if (error instanceof ForeignFile) throw refusal(`${reading(file)}: ${error.message}`, error)
    throw refusal(`${reading(file)}: ${obstacle(error)}`, error)
  }
}

/** The file through cosmiconfig; null: it is empty. Constructing cosmiconfig 10 loads `package.json` and `.config/config.*`
 *  of the working directory, code included. So it is constructed in `/`, where only root can write. The loader is ours for
 *  every extension and returns an empty object: `$import` and keys of `package.json` find nothing to work on. */
export async function loadText(file: string): Promise<string | null> {
  let text: string | null = null
  const take = (_: string, content: string): object => {
    text = content
    return {}
  }
  const loaders = Object.fromEntries(
    [...Object.keys(defaultLoaders), 'noExt', 'default'].map((extension) => [extension, take]),
  )
  const explorer = inRoot(() => cosmiconfig('popfetch', { searchPlaces: [], loaders, cache: false }))
  await explorer.load(file)
  return text
}

function inRoot<T>(act: () => T): T {
  const before = workingDirectory()
  process.chdir('/')
  try {
    return act()
  } finally {
    if (before !== null) goBack(before)
  }
}

/** Null: the directory was removed. */
function workingDirectory(): string | null {
  try {
    return process.cwd()
  } catch {
    return null
  }
}

/** Under sudo -u the working directory may be closed to this user. Nothing depends on it: all paths are absolute. */
function goBack(directory: string): void {
  try {
    process.chdir(directory)
  } catch {
    // Then we stay in `/`.
  }
}

function obstacle(error: unknown): string {
  switch (errnoOf(error)) {
    case 'ENOENT':
    case 'ENOTDIR':
      return 'it does not exist: create it or use another'
    case 'EACCES':
      return 'permission denied: make it readable for this user'
    case null:
      return `${display(String(error))}: repair it`
    default:
      return `${errnoOf(error)}: repair it`
  }
}

export function reading(file: string): string {
  return `reading the configuration ${shownPath(file)}`
}

/** Never cut short: half a path names another file. */
export function shownPath(file: string): string {
  return display(file, 4096)
}

export function refusal(message: string, cause?: unknown): PopfetchError {
  return new PopfetchError('ERR_CONFIG', message, { scope: 'process', retry: 'never', cause })
}

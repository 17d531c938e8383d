// Where `import` and `init` write a configuration, and how: a new file, readable by its owner alone. A file that exists is
// never overwritten, and the new file never hides a configuration that is in effect.
import { chmod, chown, link, lstat, mkdir, open, rename, rm, stat } from 'node:fs/promises'
import path from 'node:path'
import { configurationPlaces, resolvePath, textInEnvironment } from '../../config/paths.ts'
import { wordsOfErrno } from '../../deliver/disk/disk-error.ts'
import { display } from '../../display.ts'
import { errnoOf, type PopfetchError } from '../../errors.ts'
import { configurationError } from '../command-errors.ts'
import type { CommonOptions } from '../common-options.ts'
import type { Surroundings } from '../surroundings.ts'

/** A configuration may have this many names in one directory. */
const NAMES = 3

/** The path to write to: `--output`, else where popfetch looks first. Rejects with ERR_CONFIG when a file is there. */
export async function newFilePath(
  { output, config }: CommonOptions & { readonly output: string | null },
  { env, cwd }: Pick<Surroundings, 'env' | 'cwd'>,
): Promise<string> {
  const named = output ?? config ?? (env['POPFETCH_CONFIG'] || null)
  if (named === null) refuseInEnvironment(env)
  const own = configurationPlaces(env).slice(0, NAMES)
  const places = named === null ? own : [resolvePath(named, cwd, env)]
  for (const place of places) if (await isThere(place)) throw inTheWay(place)
  const [place] = places
  if (place === undefined) throw new TypeError('there is no place for a configuration')
  return place
}

/** The configuration that stands where one would be written; []: none does. */
export async function placesFor(
  { output, config }: CommonOptions & { readonly output: string | null },
  { env, cwd }: Pick<Surroundings, 'env' | 'cwd'>,
): Promise<readonly string[]> {
  const named = output ?? config ?? (env['POPFETCH_CONFIG'] || null)
  if (named === null) refuseInEnvironment(env)
  const places = named === null ? configurationPlaces(env).slice(0, NAMES) : [resolvePath(named, cwd, env)]
  const there: string[] = []
  for (const place of places) if (await isThere(place)) there.push(place)
  return there
}

/** A file would never be read while the environment holds the configuration. Throws ERR_CONFIG. */
export function refuseInEnvironment(env: Surroundings['env']): void {
  if (textInEnvironment(env) === null) return
  const way = 'unset POPFETCH_CONFIG_YAML, or name a file with --config'
  throw configurationError(`the configuration is in the environment, and popfetch cannot write there: ${way}`)
}

/** Writes the file (0600, its directories 0700) and makes it durable. Rejects with ERR_CONFIG, and then leaves no file. `what` it
 *  is, for people. */
export async function writeNewFile(file: string, text: string, what = 'the configuration'): Promise<void> {
  try {
    await mkdir(path.dirname(file), { recursive: true, mode: 0o700 })
    await using handle = await open(file, 'wx', 0o600)
    try {
      await handle.writeFile(text)
      await handle.sync()
    } catch (error) {
      await rm(file, { force: true })
      throw error
    }
  } catch (error) {
    const errno = errnoOf(error)
    if (errno === 'EEXIST') throw inTheWay(file, what)
    throw configurationError(
      `writing ${what} ${display(file, 4096)}: ${reasonOf(error)}, or write another file (--output)`,
      error,
    )
  }
}

/** Puts a new text in the place of a file, whole or not at all, with the owner and the mode of before. A daemon's user may have
 *  to read it. The earlier file stays beside it; its new name is returned. `suffix`: how it ends. Rejects with ERR_CONFIG, and
 *  then nothing is changed. */
export async function replaceFile(file: string, text: string, suffix: string): Promise<string> {
  // A name of its own: what was left of one that was killed is in nobody's way.
  const fresh = `${file}.new-${process.pid}`
  await writeNewFile(fresh, text)
  try {
    await likeBefore(fresh, file)
    const kept = await keep(file, suffix)
    try {
      await rename(fresh, file)
    } catch (error) {
      await rm(kept, { force: true })
      throw configurationError(`replacing ${display(file, 4096)}: ${reasonOf(error)}`, error)
    }
    return kept
  } catch (error) {
    await rm(fresh, { force: true })
    throw error
  }
}

async function likeBefore(fresh: string, file: string): Promise<void> {
  const [is, was] = [await stat(fresh), await stat(file)]
  try {
    if (is.uid !== was.uid || is.gid !== was.gid) await chown(fresh, was.uid, was.gid)
    await chmod(fresh, was.mode & 0o777)
  } catch (error) {
    const reason = errnoOf(error) ?? String(error)
    throw configurationError(
      `giving the new ${display(file, 4096)} the owner and mode of the old one: ${reason}: run popfetch as the owner of the file`,
      error,
    )
  }
}

async function keep(file: string, suffix: string): Promise<string> {
  for (let count = 1; ; count++) {
    const name = count === 1 ? `${file}.${suffix}` : `${file}.${suffix}-${count}`
    try {
      await link(file, name)
      return name
    } catch (error) {
      const errno = errnoOf(error)
      if (errno === 'EEXIST' && count < 100) continue
      throw configurationError(`keeping ${display(file, 4096)} as ${display(name, 4096)}: ${reasonOf(error)}`, error)
    }
  }
}

/** In words, with what to do. */
function reasonOf(error: unknown): string {
  const errno = errnoOf(error)
  const words = wordsOfErrno(errno)
  return words === null ? (errno ?? String(error)) : `${words.says}: ${words.advice}`
}

async function isThere(place: string): Promise<boolean> {
  return await lstat(place).then(
    () => true,
    (error: unknown) => {
      const errno = errnoOf(error)
      if (errno === 'ENOENT' || errno === 'ENOTDIR') return false
      throw configurationError(
        `looking for ${display(place, 4096)}: ${errno ?? String(error)}: repair its permissions`,
        error,
      )
    },
  )
}

function inTheWay(place: string, what = 'the configuration'): PopfetchError {
  const way = 'choose another file with --output FILE'
  return configurationError(`writing ${what}: ${display(place, 4096)} already exists; not overwriting it: ${way}`)
}

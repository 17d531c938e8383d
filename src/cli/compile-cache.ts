// Keeps compiled code between two starts, in $XDG_CACHE_HOME/popfetch (~/.cache/popfetch). Node runs what it finds there,
// so only we and root may be able to write to the folder and its parents. Otherwise, or when it cannot be made, there is
// no cache. Imports no other file: whatever is loaded before the cache is compiled at every start.
import { type Stats, existsSync, lstatSync, mkdirSync, readdirSync, rmSync } from 'node:fs'
import { enableCompileCache } from 'node:module'
import { dirname, isAbsolute, join } from 'node:path'

/** `enable`: Node's own function, which a test replaces. */
export function compileCache(
  env: Readonly<Record<string, string | undefined>>,
  enable: (folder: string) => unknown = enableCompileCache,
): void {
  const folder = cacheFolder(env)
  if (folder !== null) enable(folder)
}

/** The private folder, which is made where it is not there; null: there is none. A start without it is only slower. */
export function cacheFolder(env: Readonly<Record<string, string | undefined>>): string | null {
  const folder = folderOf(env)
  if (folder === null) return null
  const base = dirname(folder)
  try {
    make(base)
    make(folder)
    return [dirname(base), base, folder].every((each) => isOurs(lstatSync(each))) ? folder : null
  } catch {
    return null
  }
}

function folderOf(env: Readonly<Record<string, string | undefined>>): string | null {
  const home = env['HOME']
  const base = env['XDG_CACHE_HOME'] ?? (home === undefined ? undefined : join(home, '.cache'))
  if (base === undefined || !isAbsolute(base) || env['NODE_COMPILE_CACHE'] !== undefined) return null
  return join(base, 'popfetch')
}

/** Each version leaves files that no other one reads, some 5 MB: what is older goes where there is more than this. */
const MOST_BYTES = 32 * 1024 * 1024

/** Nothing happens where there is no cache of ours. */
export function boundCompileCache(env: Readonly<Record<string, string | undefined>>, mostBytes = MOST_BYTES): void {
  const folder = folderOf(env)
  if (folder === null) return
  try {
    if (!isOurs(lstatSync(folder))) return
    const names = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    const all = names.map((name) => ({ file: join(folder, name), stats: lstatSync(join(folder, name)) }))
    const newestFirst = all.filter(({ stats }) => stats.isFile()).toSorted((a, b) => b.stats.mtimeMs - a.stats.mtimeMs)
    let bytes = 0
    for (const { file, stats } of newestFirst) if ((bytes += stats.size) > mostBytes) rmSync(file, { force: true })
  } catch {
    // There is none, or another process is at it.
  }
}

/** Makes the last part alone: a home that is missing is not made. */
function make(folder: string): void {
  if (!existsSync(folder)) mkdirSync(folder, { mode: 0o700 })
}

/** Can only we and root write there? Under sudo the home may still be that of another user. */
export function isOurs({ uid, mode }: Pick<Stats, 'uid' | 'mode'>): boolean {
  return (uid === process.getuid?.() || uid === 0) && (mode & 0o022) === 0
}

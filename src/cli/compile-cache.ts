// Keeps compiled code between two starts, in $XDG_CACHE_HOME/popfetch (~/.cache/popfetch). Node runs what it finds there,
// so only we and root may be able to write to the folder and its parents. Otherwise, or when it cannot be made, there is
// no cache. Imports no other file: whatever is loaded before the cache is compiled at every start.
import { existsSync, lstatSync, mkdirSync } from 'node:fs'
import { enableCompileCache } from 'node:module'
import { dirname, isAbsolute, join } from 'node:path'

/** `enable`: Node's own function, which a test replaces. */
export function compileCache(
  env: Readonly<Record<string, string | undefined>>,
  enable: (folder: string) => unknown = enableCompileCache,
): void {
  const home = env['HOME']
  const base = env['XDG_CACHE_HOME'] ?? (home === undefined ? undefined : join(home, '.cache'))
  if (base === undefined || !isAbsolute(base) || env['NODE_COMPILE_CACHE'] !== undefined) return
  const folder = join(base, 'popfetch')
  try {
    make(base)
    make(folder)
    if ([dirname(base), base, folder].every(isOurs)) enable(folder)
  } catch {
    // A start without a cache is only a little slower.
  }
}

/** Makes the last part alone: a home that is missing is not made. */
function make(folder: string): void {
  if (!existsSync(folder)) mkdirSync(folder, { mode: 0o700 })
}

/** Can only we and root write there? Under sudo the home may still be that of another user. */
function isOurs(folder: string): boolean {
  const { uid, mode } = lstatSync(folder)
  return (uid === process.getuid?.() || uid === 0) && (mode & 0o022) === 0
}

// Keeps compiled code between two starts, in $XDG_CACHE_HOME/popfetch (~/.cache/popfetch). What stands there is run: so the
// folder must be ours alone, and its parent nobody else's; where it is not, or cannot be made, there is no cache.
// Imports nothing of ours: what is loaded before the cache is there is compiled at every start.
import { existsSync, lstatSync, mkdirSync } from 'node:fs'
import { enableCompileCache } from 'node:module'
import { dirname, isAbsolute, join } from 'node:path'

/** `enable`: for tests. */
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
    // A start without a cache is a little slower, nothing else.
  }
}

/** The last part only: where a home is missing, it is not for us to make. */
function make(folder: string): void {
  if (!existsSync(folder)) mkdirSync(folder, { mode: 0o700 })
}

/** Can nobody but us and root put anything there? A home that sudo kept belongs to somebody else. */
function isOurs(folder: string): boolean {
  const { uid, mode } = lstatSync(folder)
  return (uid === process.getuid?.() || uid === 0) && (mode & 0o022) === 0
}

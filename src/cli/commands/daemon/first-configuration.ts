// A container that runs before anybody gave it a configuration, as one that was made on the page of a NAS. It stays up, says what
// to mount, and begins when a configuration is there. Outside of a container a missing one is an error.
import { lstat, stat } from 'node:fs/promises'
import { setTimeout as wait } from 'node:timers/promises'
import { placesToRead, resolvePath, textInEnvironment } from '../../../config/paths.ts'
import { display } from '../../../display.ts'
import { isContainer } from '../../../environment.ts'
import { errnoOf } from '../../../errors.ts'
import type { Surroundings } from '../../surroundings.ts'
import type { DaemonInvocation } from './options.ts'

/** Somebody copies a file to a share and looks at the log. */
const LOOK_MS = 2000

/** Resolves to true when there is something to read, right or wrong; to false when it was told to end meanwhile. */
export async function isConfigured(
  { config, foreground }: Pick<DaemonInvocation, 'config' | 'foreground'>,
  { env, cwd, output, signal }: Pick<Surroundings, 'env' | 'cwd' | 'output' | 'signal'>,
  lookMs = LOOK_MS,
): Promise<boolean> {
  if (!foreground || !isContainer(env)) return true
  const named = config ?? (env['POPFETCH_CONFIG'] || null)
  if (named === null && textInEnvironment(env) !== null) return true
  const places = named === null ? placesToRead(env) : [resolvePath(named, cwd, env)]
  let told = ''
  for (;;) {
    const found = await look(places)
    if (found === null) return true
    const text = `no configuration yet (${found}): mount a folder with your config.yaml at /etc/popfetch, or set POPFETCH_CONFIG_YAML to its text; waiting for it`
    if (text !== told) output.problem(text)
    told = text
    try {
      await wait(lookMs, undefined, { signal })
    } catch {
      return false
    }
  }
}

/** Why there is no configuration yet; null: there is one. */
async function look(places: readonly string[]): Promise<string | null> {
  for (const place of places) {
    try {
      await lstat(place)
      const stats = await stat(place)
      const shown = display(place, 4096)
      if (stats.isDirectory())
        return `${shown} is a directory: an engine makes one where a file to mount was missing; create the container again when it is there`
      return stats.isFile() && stats.size === 0 ? `${shown} is empty` : null
    } catch (error) {
      const errno = errnoOf(error)
      // Other errors are reported when the file is read.
      if (errno !== 'ENOENT' && errno !== 'ENOTDIR') return null
    }
  }
  return `looked for ${places.map((place) => display(place, 4096)).join(', ')}`
}

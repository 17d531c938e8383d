// popfetch as a child process, with a home of its own.
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { dirname, join } from 'node:path'
import { text } from 'node:stream/consumers'
import { inject } from 'vitest'

export const ROOT = join(import.meta.dirname, '..', '..')
/** The bundled program: it starts in a third of the time. main.test.ts starts the checkout's. */
export const BIN = inject('popfetch')
/** What it loads at first use. */
export const CHUNKS = join(dirname(BIN), 'chunks')
/** Node's own cache of compiled code, beside the bundle: popfetch then makes none in the home. */
export const CACHE = join(dirname(BIN), 'cache')

export interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Node with these arguments; everything of the user's own is in `home`. */
export function startNode(home: string, args: readonly string[]): ChildProcess {
  const env = {
    NODE_COMPILE_CACHE: CACHE,
    PATH: process.env['PATH'],
    HOME: home,
    XDG_CONFIG_HOME: home,
    XDG_STATE_HOME: home,
  }
  return spawn(process.execPath, args, { cwd: home, env, stdio: ['ignore', 'pipe', 'pipe'] })
}

export async function ended(child: ChildProcess): Promise<Ended> {
  const closed = once(child, 'close') as Promise<[number | null]>
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout!), text(child.stderr!), closed])
  return { code, stdout, stderr }
}

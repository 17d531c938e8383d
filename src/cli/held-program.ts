// A process that lives for long keeps the program that it was started from. An upgrade (npm, dpkg) deletes the files of the old
// version while a daemon still has modules to load: a destination that is used for the first time, the sign-in of a provider. So
// their text is read at the start, some 3 MB, and loaded from memory when it is needed. A restart runs the new version. The
// sources of a checkout and the single executable need none of this.
import { readdirSync, readFileSync } from 'node:fs'
import { registerHooks } from 'node:module'
import { basename } from 'node:path'
import { isKept, runKept } from './kept-code.ts'

/** Where the built program keeps what is loaded at first use. */
const FOLDER = 'chunks'

/** From now on this process needs no file of the program. Called again, it does nothing. */
export function holdProgram(own: string = import.meta.url): void {
  const folder = new URL('.', own)
  if (held || !own.startsWith('file:') || basename(folder.pathname) !== FOLDER) return
  held = true
  const texts = new Map<string, Buffer | null>()
  for (const name of readdirSync(folder)) {
    const url = new URL(name, folder)
    // What is run as a script reads its file itself: now, as long as it is there.
    if (isKept(url.href)) runKept(url.href)
    texts.set(url.href, isKept(url.href) ? null : readFileSync(url))
  }
  registerHooks({
    // Also for what is loaded already: Node looks whether its file is there.
    resolve(specifier, context, next) {
      const url = /^(?:\.\.?\/|file:)/.test(specifier) ? URL.parse(specifier, context.parentURL)?.href : undefined
      return url !== undefined && texts.has(url)
        ? { url, format: 'module', shortCircuit: true }
        : next(specifier, context)
    },
    load(url, context, next) {
      const source = texts.get(url) ?? null
      return source === null ? next(url, context) : { source, format: 'module', shortCircuit: true }
    },
  })
}

let held = false

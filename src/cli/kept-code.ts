// Compiled code that is kept from one poll for the next starts. What Node itself keeps (compile-cache.ts) was taken before the
// first function ran: all that a poll calls would be compiled again at each start, a quarter of an idle poll. So the chunks of a
// poll are run as scripts here, and a poll that went well keeps their code as it is at its end: once, until the program, Node, or
// a flag of V8 changes. Once more where that poll had mail, as the first one has: most have none, and what they need is a fifth less to
// read, three milliseconds of each. Then a poll without mail says so, and the next one compiles. A file for each chunk lies in the private folder of the cache, so that a poll reads only what it runs. What
// is cut, of another user or of another program is not believed; then the chunk is compiled, as ever. Loaded before anything is kept:
// imports only what lies in its own chunk, and loads of Node what a poll needs anyway.
import { isAscii } from 'node:buffer'
import { closeSync, constants, fstatSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { registerHooks } from 'node:module'
import { join } from 'node:path'
import { Script } from 'node:vm'
import { boundCompileCache, cacheFolder, compileCache, isOurs } from './compile-cache.ts'
import { type Evaluate, type Exports, moduleOf, scriptOf } from './script-form.ts'

/** The chunks of a poll, as .rolldown.config.js names them. */
const CHUNK = /\/((rolldown-runtime|start|poll|full|config)-[\w-]{8}\.js)$/

/** What runs a chunk as a script. The start file and the modules that stand for such chunks find it by this name. */
const LOAD = Symbol.for('popfetch.chunk')

const MOST_BYTES = 16 * 1024 * 1024

/** What is in the file, in front of the code. */
interface Head {
  /** The program, Node and its flags. */
  readonly program: string
  /** The file of the chunk: its length and its times. Whoever changes it changes one of them. */
  readonly chunk: string
  /** The digest of the code: V8 runs whatever it is given. */
  readonly code: string
  /** Not to be made again: by a poll without mail, or it was once. */
  readonly final: boolean
}

/** In place of code, where it is to be made again: the digest of nothing. */
const AGAIN = ''

// At first use: --version and a file that is not there need neither.
const digestOf = (bytes: Uint8Array | string): string => process.getBuiltinModule('node:crypto').hash('sha256', bytes)
const tagOf = (): number => process.getBuiltinModule('node:v8').cachedDataVersionTag()

type Environment = Readonly<Record<string, string | undefined>>

interface Loaded {
  readonly exports: Exports
  readonly script: Script
  readonly chunk: string
  /** How its code was found, which V8 took; null: it was compiled. */
  readonly kept: Head | null
}

/** See Host of surroundings.ts. */
interface Kept {
  /** Keeps the code of the chunks, unless it was kept before: a poll went well, and all that one needs is compiled. Never throws. */
  readonly keepCode: () => void
  readonly cacheFolder: string | null
}

const NOTHING: Kept = { keepCode: () => {}, cacheFolder: null }

/** From now on the chunks of a poll are run as scripts, unless the cache has no place. `own`: a file beside them. Gives what keeps their
 *  code, and the folder. */
export function useKeptCode(env: Environment, argv: readonly string[], own: string = import.meta.url): Kept {
  // What checks a code costs more than that of --version.
  if (argv[0] === '--version') {
    compileCache(env)
    return NOTHING
  }
  const folder = LOAD in globalThis || env['NODE_V8_COVERAGE'] !== undefined ? null : cacheFolder(env)
  if (folder === null) return NOTHING
  const used = new Chunks(new URL('.', own), folder, env)
  Object.assign(globalThis, { [LOAD]: (url: string) => used.reach(url) })
  return { keepCode: () => used.keep(), cacheFolder: folder }
}

/** Is this chunk run as a script, so that its text must not be loaded a second time? */
export function isKept(url: string): boolean {
  return LOAD in globalThis && CHUNK.test(url)
}

/** Runs such a chunk now, unless it was run before. */
export function runKept(url: string): void {
  const load: unknown = Reflect.get(globalThis, LOAD)
  if (typeof load === 'function') load(url)
}

function nameOf(url: string): string | null {
  return CHUNK.exec(url)?.[1] ?? null
}

function roadOf(name: string): string {
  return CHUNK.exec(`/${name}`)?.[2] ?? ''
}

class Chunks {
  readonly #place: URL
  readonly #folder: string
  readonly #program: string
  readonly #env: Environment
  readonly #loaded = new Map<string, Loaded | null>()
  #hasHooks = false
  /** Chunks whose code was of a poll with mail, and is to be made again. */
  readonly #again = new Set<string>()
  /** It stands for V8's version and its flags. Taken before a poll sets any, where something has to be kept. */
  #tag: number | null = null

  constructor(place: URL, folder: string, env: Environment) {
    this.#place = place
    this.#folder = folder
    this.#env = env
    const { version, arch, execArgv } = process
    this.#program = JSON.stringify([place.href, version, arch, execArgv, env['NODE_OPTIONS'] ?? null])
  }

  /** `import()` of a chunk, or of the module of another one. */
  reach(specifier: string): Exports | Promise<Exports> {
    const name = nameOf(specifier)
    const exports = name === null ? null : this.#load(name)
    if (exports !== null) return exports
    this.#hook()
    return import(new URL(specifier, this.#place).href) as Promise<Exports>
  }

  /** What is not run as a script may need what is. */
  #hook(): void {
    if (this.#hasHooks) return
    this.#hasHooks = true
    // Node keeps the code of the rest, as it is before it runs.
    compileCache(this.#env)
    registerHooks({
      load: (url, context, next) => {
        const name = isKept(url) ? nameOf(url) : null
        const exports = name === null ? null : this.#load(name)
        if (exports === null) return next(url, context)
        const source = moduleOf(
          Object.keys(exports),
          `globalThis[Symbol.for('popfetch.chunk')](${JSON.stringify(url)})`,
        )
        return { format: 'module', source, shortCircuit: true }
      },
    })
  }

  /** Runs it, at most once; null: it stays a module. */
  #load(name: string): Exports | null {
    const before = this.#loaded.get(name)
    if (before !== undefined) return before?.exports ?? null
    const url = new URL(name, this.#place)
    const { bytes, chunk } = readChunk(url)
    // A text of single bytes is read and kept in half the time and room.
    const text = scriptOf(bytes.toString(isAscii(bytes) ? 'latin1' : 'utf8'))
    if (text === null) {
      this.#loaded.set(name, null)
      return null
    }
    const found = this.#kept(name, chunk)
    const cachedData = found?.code ?? null
    const script = new Script(text, { filename: url.href, ...(cachedData === null ? {} : { cachedData }) })
    const kept = found !== null && script.cachedDataRejected !== true ? found.head : null
    if (kept === null) this.#tag ??= tagOf()
    const evaluate = script.runInThisContext() as Evaluate
    const exports = evaluate(
      (other) => this.#required(other),
      async (specifier) => await this.reach(specifier),
      url.href,
    )
    this.#loaded.set(name, { exports, script, chunk, kept })
    return exports
  }

  #required(name: string): Exports {
    const exports = nameOf(`/${name}`) === null ? null : this.#load(name)
    if (exports === null) throw new Error(`${name} cannot be loaded at once`)
    return exports
  }

  /** The code that was kept of this very chunk; null: there is none. */
  #kept(name: string, chunk: string): { readonly head: Head; readonly code: Buffer } | null {
    const bytes = readOwn(this.#fileOf(name))
    if (bytes === null) return null
    try {
      const end = bytes.indexOf(0)
      const head = JSON.parse(bytes.toString('utf8', 0, end)) as Head
      const code = bytes.subarray(end + 1)
      if (head.program !== this.#program || head.chunk !== chunk) return null
      if (head.code === AGAIN) this.#again.add(name)
      return head.code === digestOf(code) ? { head, code } : null
    } catch {
      // It was spoilt.
      return null
    }
  }

  /** One for each chunk of each copy of the program, and each Node. */
  #fileOf(name: string): string {
    return join(this.#folder, `code-${digestOf(this.#program).slice(0, 16)}-${roadOf(name)}`)
  }

  keep(): void {
    // What brings mail is in a chunk of its own.
    const isIdle = ![...this.#loaded.keys()].some((name) => roadOf(name) === 'full')
    try {
      if (isIdle) this.#makeAgain()
      if (this.#tag === null) return
      // What garbage.ts may have set: code that was kept under other flags would be refused at each start.
      const { setFlagsFromString } = process.getBuiltinModule('node:v8')
      setFlagsFromString('--semi-space-growth-factor=2')
      setFlagsFromString('--no-expose-gc')
      setFlagsFromString('--heap-growing-percent=0')
      if (tagOf() !== this.#tag) return
      for (const [name, loaded] of this.#loaded) {
        if (loaded === null || loaded.kept !== null) continue
        const code = loaded.script.createCachedData()
        const final = isIdle || this.#again.has(name)
        const head: Head = { program: this.#program, chunk: loaded.chunk, code: digestOf(code), final }
        writeKept(this.#fileOf(name), head, code)
      }
      // It grows at no other time but after an upgrade, and then code is kept as well.
      boundCompileCache(this.#env)
    } catch {
      // The next poll compiles again what it needs.
    }
  }

  /** The code that was found is of a poll with mail, and this one had none: the next one makes it again. */
  #makeAgain(): void {
    for (const [name, loaded] of this.#loaded) {
      if (roadOf(name) !== 'poll' || loaded === null || loaded.kept === null || loaded.kept.final) continue
      writeKept(this.#fileOf(name), { ...loaded.kept, code: AGAIN }, Buffer.alloc(0))
    }
  }
}

/** The text, and what tells it from another one. */
function readChunk(url: URL): { readonly bytes: Buffer; readonly chunk: string } {
  const fd = openSync(url, constants.O_RDONLY)
  try {
    const { size, mtimeNs, ctimeNs } = fstatSync(fd, { bigint: true })
    return { bytes: readFileSync(fd), chunk: `${url.pathname} ${size} ${mtimeNs} ${ctimeNs}` }
  } finally {
    closeSync(fd)
  }
}

/** Null: there is none, or not one that we or root have written. */
function readOwn(file: string): Buffer | null {
  let fd: number | null = null
  try {
    fd = openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
    const stats = fstatSync(fd)
    return stats.isFile() && isOurs(stats) && stats.nlink === 1 && stats.size <= MOST_BYTES ? readFileSync(fd) : null
  } catch {
    return null
  } finally {
    if (fd !== null) closeSync(fd)
  }
}

/** Whole or not at all. */
function writeKept(file: string, head: Head, code: Buffer): void {
  const made = `${file}.${process.pid}`
  try {
    writeFileSync(made, Buffer.concat([Buffer.from(`${JSON.stringify(head)}\0`), code]), { flag: 'wx', mode: 0o600 })
    renameSync(made, file)
  } catch (error) {
    rmSync(made, { force: true })
    throw error
  }
}

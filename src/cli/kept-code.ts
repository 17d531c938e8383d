// Compiled code that is kept from one poll for the next starts. What Node itself keeps (compile-cache.ts) was taken before the
// first function ran: all that a poll calls would be compiled again at each start, a quarter of an idle poll. So the chunks of a
// poll are run as scripts here, and a poll that went well keeps their code as it is at its end: once, until the program, Node, or
// a flag of V8 changes. The file lies in the private folder of the cache. What is cut, of another user or of another program is
// not believed; then the chunks are compiled, as ever. Loaded before anything is kept: imports only what lies in its own chunk.
import { isAscii } from 'node:buffer'
import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { registerHooks } from 'node:module'
import { join } from 'node:path'
import { Script } from 'node:vm'
import { cacheFolder, compileCache, isOurs } from './compile-cache.ts'
import { type Evaluate, type Exports, moduleOf, scriptOf } from './script-form.ts'

/** The chunks of a poll, as .rolldown.config.js names them. */
const CHUNK = /\/((?:rolldown-runtime|start|poll|config)-[\w-]{8}\.js)$/

/** What the modules that stand for these chunks find them by. */
const LOAD = Symbol.for('popfetch.chunk')

const MOST_BYTES = 16 * 1024 * 1024

interface Digests {
  readonly text: string
  /** V8 runs whatever it is given. */
  readonly code: string
}

/** What is in the file, in front of the codes. */
interface Head {
  readonly chunks: readonly (Digests & { readonly name: string; readonly bytes: number })[]
}

interface KeptChunk {
  readonly digests: Digests
  readonly code: Buffer
}

// At first use: --version and a file that is not there need neither.
const digestOf = (bytes: Uint8Array | string): string => process.getBuiltinModule('node:crypto').hash('sha256', bytes)
const tagOf = (): number => process.getBuiltinModule('node:v8').cachedDataVersionTag()

type Environment = Readonly<Record<string, string | undefined>>

interface Loaded {
  readonly exports: Exports
  readonly script: Script
  readonly digest: string
  /** Was its code found, and taken by V8? */
  readonly wasKept: boolean
}

/** See Host of surroundings.ts. */
interface Kept {
  /** Keeps the code of the chunks, unless it was kept before: a poll went well, and all that one needs is compiled. Never throws. */
  readonly keepCode: () => void
  readonly cacheFolder: string | null
}

const NOTHING: Kept = { keepCode: () => {}, cacheFolder: null }

let chunks: Chunks | null = null

/** From now on the chunks of a poll are run as scripts, unless the cache has no place. `own`: a file beside them. Gives what keeps their
 *  code, and the folder. */
export function useKeptCode(env: Environment, argv: readonly string[], own: string = import.meta.url): Kept {
  // What checks a code costs more than that of --version.
  if (argv[0] === '--version') {
    compileCache(env)
    return NOTHING
  }
  const folder = chunks !== null || env['NODE_V8_COVERAGE'] !== undefined ? null : cacheFolder(env)
  if (folder === null) return NOTHING
  const used = new Chunks(new URL('.', own), folder)
  chunks = used
  Object.assign(globalThis, { [LOAD]: (name: string) => used.load(name) })
  registerHooks({
    load(url, context, next) {
      const name = isKept(url) ? nameOf(url) : null
      const exports = name === null ? null : used.load(name)
      if (exports === null) {
        // What is not run as a script: Node keeps its code as it is before it runs.
        compileCache(env)
        return next(url, context)
      }
      const source = moduleOf(Object.keys(exports), `globalThis[Symbol.for('popfetch.chunk')](${JSON.stringify(name)})`)
      return { format: 'module', source, shortCircuit: true }
    },
  })
  return { keepCode: () => used.keep(), cacheFolder: folder }
}

/** Is this chunk run as a script, so that its text must not be loaded a second time? */
export function isKept(url: string): boolean {
  return chunks !== null && CHUNK.test(url)
}

function nameOf(url: string): string | null {
  return CHUNK.exec(url)?.[1] ?? null
}

class Chunks {
  readonly #place: URL
  readonly #file: string
  readonly #tag = tagOf()
  readonly #loaded = new Map<string, Loaded | null>()
  readonly #kept: ReadonlyMap<string, KeptChunk>

  constructor(place: URL, folder: string) {
    this.#place = place
    // One for each copy of the program and each Node. The tag stands for V8's version, its flags and the processor.
    const key = digestOf([place.href, process.version, process.arch, this.#tag].join('\n')).slice(0, 16)
    this.#file = join(folder, `code-${key}`)
    this.#kept = readKept(this.#file)
  }

  /** Runs it, at most once; null: it stays a module. */
  load(name: string): Exports | null {
    const before = this.#loaded.get(name)
    if (before !== undefined) return before?.exports ?? null
    const url = new URL(name, this.#place)
    const bytes = readFileSync(url)
    // A text of single bytes is read and kept in half the time and room.
    const text = scriptOf(bytes.toString(isAscii(bytes) ? 'latin1' : 'utf8'))
    if (text === null) {
      this.#loaded.set(name, null)
      return null
    }
    const digest = digestOf(bytes)
    const kept = this.#kept.get(name)
    const isOurs = kept?.digests.text === digest && kept.digests.code === digestOf(kept.code)
    const cachedData = isOurs ? kept.code : undefined
    const script = new Script(text, { filename: url.href, ...(cachedData === undefined ? {} : { cachedData }) })
    const evaluate = script.runInThisContext() as Evaluate
    const exports = evaluate(
      (other) => this.#required(other),
      (specifier) => this.#reach(specifier),
      url.href,
    )
    const wasKept = cachedData !== undefined && script.cachedDataRejected !== true
    this.#loaded.set(name, { exports, script, digest, wasKept })
    return exports
  }

  #required(name: string): Exports {
    const exports = nameOf(`/${name}`) === null ? null : this.load(name)
    if (exports === null) throw new Error(`${name} cannot be loaded at once`)
    return exports
  }

  #reach(specifier: string): Promise<unknown> {
    const name = nameOf(specifier)
    const exports = name === null ? null : this.load(name)
    return exports === null ? import(specifier) : Promise.resolve(exports)
  }

  keep(): void {
    const all = [...this.#loaded].flatMap(([name, loaded]) => (loaded === null ? [] : [{ name, ...loaded }]))
    if (all.every(({ wasKept }) => wasKept)) return
    // What this poll did not need, if it is of this version.
    const others = [...this.#kept].filter(([name]) => !this.#loaded.has(name) && existsSync(new URL(name, this.#place)))
    try {
      // What garbage.ts may have set: code that was kept under other flags would be refused at each start.
      const { setFlagsFromString } = process.getBuiltinModule('node:v8')
      setFlagsFromString('--semi-space-growth-factor=2')
      setFlagsFromString('--no-expose-gc')
      setFlagsFromString('--heap-growing-percent=0')
      if (tagOf() !== this.#tag) return
      const made = all.map(({ name, digest, script }): readonly [string, KeptChunk] => {
        const code = script.createCachedData()
        return [name, { digests: { text: digest, code: digestOf(code) }, code }]
      })
      writeKept(this.#file, new Map([...others, ...made]))
    } catch {
      // The next poll compiles again what it needs.
    }
  }
}

function readKept(file: string): ReadonlyMap<string, KeptChunk> {
  const kept = new Map<string, KeptChunk>()
  const bytes = readOwn(file)
  if (bytes === null) return kept
  try {
    const end = bytes.indexOf(0)
    const { chunks: listed } = JSON.parse(bytes.toString('latin1', 0, end)) as Head
    let at = end + 1
    for (const { name, text, code, bytes: length } of listed) {
      kept.set(name, { digests: { text, code }, code: bytes.subarray(at, at + length) })
      at += length
    }
  } catch {
    // It was spoilt.
  }
  return kept
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
function writeKept(file: string, kept: ReadonlyMap<string, KeptChunk>): void {
  const chunks = [...kept].map(([name, { digests, code }]) => ({ name, ...digests, bytes: code.length }))
  const head = Buffer.from(`${JSON.stringify({ chunks } satisfies Head)}\0`)
  const made = `${file}.${process.pid}`
  try {
    const content = Buffer.concat([head, ...[...kept.values()].map(({ code }) => code)])
    writeFileSync(made, content, { flag: 'wx', mode: 0o600 })
    renameSync(made, file)
  } catch (error) {
    rmSync(made, { force: true })
    throw error
  }
}

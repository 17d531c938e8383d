// From a configuration file to the effective configuration: this file tells the story of the room.
// 1. paths.ts finds the file. sources/read-text.ts opens it, own-file.ts (ground) says who else could change it, permissions.ts who
//    could read it. sources/include.ts finds more files, sources/asked.ts asks the program of `accountsFrom`.
// 2. document.ts parses YAML and JSON into plain values and knows the line of each; plain-yaml.ts reads what needs no parser for all
//    of YAML.
// 3. assemble.ts looks up names, accounts/ merges `defaults` into each account. schema.ts has the keys and their defaults. A kind
//    of destination has its own file in destinations/, a single value (a duration, a secret) has its schema in values/.
// 4. Everything that is wrong becomes a line of one report: problem.ts has the words, sources/report.ts the places.
// Beside the story: show.ts turns it round for `config show`, outline.ts reads what it can of a broken file, from-urls.ts
// makes a configuration of URLs.
// After this room there are no optional keys, and nobody else knows a default.
// The one rule: data, never code. Nothing is searched for, imported or run for a configuration file (N023, code in a
// configuration), but the program of `accountsFrom`.
import path from 'node:path'
import { refuseUnsafeEnvironment } from '../environment.ts'
import { assembling, findWrittenSecret, type Placed } from './assemble.ts'
import { formatText, parsing } from './document.ts'
import { ourUid } from '../own-file.ts'
import { readableByOthers } from './permissions.ts'
import { findConfiguration, IN_ENVIRONMENT, resolving } from './paths.ts'
import { pathText } from './problem.ts'
import { asWritten } from './show.ts'
import { accountsOf, type Asking, type Memory, type Purpose } from './sources/accounts-from.ts'
import { includedFiles } from './sources/include.ts'
import { loadText, readText, reading, refusal, shownPath } from './sources/read-text.ts'
import { type Line, wrongConfiguration } from './sources/report.ts'
import type { Source } from './sources/source.ts'
import { namedState, statePlace, type StatePlace } from './state/place.ts'
import { statePlaceOf } from './state/written.ts'
import { inTurns } from './turns.ts'
import { isWritten } from './values/written.ts'
import type { Environment } from './paths.ts'
import type { Path } from './problem.ts'
import type { Configuration } from './schema.ts'
import type { Witness } from './kept/witness.ts'
import type { ResolvePath } from './values/values.ts'

export { jsonSchema } from './reference/json-schema.ts'
export { readText } from './sources/read-text.ts'

/** All included files together. */
const ALL_BYTES = 67_108_864

export interface LoadOptions {
  /** `--config`, relative to `cwd`; null: the usual places. */
  readonly file: string | null
  /** `--state`, likewise. */
  readonly state: string | null
  readonly env: Environment
  readonly cwd: string
  readonly uid: number
  /** The process belongs to another program: its working directory is not left, not even for a moment. Where files are looked for is
   *  fixed anyway, and the text is the same. */
  readonly isGuest?: true
  /** Is told all that the configuration is made of; its `env` is used then. */
  readonly witness?: Witness
  /** For whom the program of `accountsFrom` is asked; `poll` unless said. */
  readonly purpose?: Purpose
  /** What it prints is meant, however many accounts it lacks. */
  readonly yes?: boolean
  readonly memory?: Memory
  /** Only the program is asked again; the files are as `memory` has them. */
  readonly again?: boolean
  readonly signal?: AbortSignal
}

/** The configuration in effect. Reads no secret. Rejects with ERR_CONFIG. When the contents are wrong, its
 *  message is a summary and a line for each problem: `FILE:LINE: PATH: found X, expected Y`. */
export async function loadConfiguration(options: LoadOptions): Promise<Configuration> {
  const { cwd, uid, state, witness } = options
  const env = witness?.env ?? options.env
  refuseUnsafeEnvironment(env)
  const file = await findConfiguration(options.file, env, cwd)
  const reader = new Reader(env, ourUid(env, uid), witness ?? null)
  const before = options.again === true ? (options.memory?.read ?? null) : null
  const main = before?.main ?? (await reader.read(file, options.isGuest === true ? null : loadText))
  const doubts = before === null ? await reader.include(main, file) : reader.take(before.others)
  const written = (): StatePlace | null => statePlaceOf(stateIn(main), { resolve: main.resolve, env })
  // Nobody without a home need have one where all files are named.
  const place = state === null ? written() : namedState(state, cwd, env, () => written()?.postgres ?? null)
  const given = place === null ? null : await accountsOf(main, askingOf({ ...options, env }, place.statePath))
  if (given !== null) witness?.never()
  const others = [...reader.included, ...(given?.source ? [given.source] : [])]
  const { configuration, problems } = await inTurns(assembling(main, { env, others }))
  const lines: Line[] = [...reader.lines]
  await inTurns(
    withLines(
      problems.filter(({ source }) => reader.isReadable(source)),
      lines,
    ),
  )
  if (configuration === null || lines.length > 0)
    throw wrongConfiguration(
      file,
      reader.included.map(({ name }) => name),
      lines,
    )

  if (options.memory !== undefined && given !== null) options.memory.read = { file, main, others: reader.included }
  return {
    ...configuration,
    file,
    files: [file, ...reader.included.map(({ name }) => name)],
    ...(place ?? statePlace({ path: configuration.statePath, postgres: configuration.postgres }, env)),
    trouble: given?.trouble ?? null,
    warnings: [...reader.doubts, ...doubts, ...configuration.warnings, ...rootWarnings(uid)],
  }
}

function stateIn({ root }: Source): unknown {
  return isWritten(root) ? root['state'] : undefined
}

function askingOf({ env, uid, purpose = 'poll', yes = false, memory, signal }: LoadOptions, statePath: string): Asking {
  return { purpose, yes, env, uid, statePath, signal: signal ?? new AbortController().signal, memory: memory ?? null }
}

/** The configuration in effect as YAML, with the keys of the file. All defaults are filled in, secrets are masked. */
export function showConfiguration(configuration: Configuration): string {
  const head = [`# ${shownPath(configuration.file)}`, '# What is not shown is not set.']
  if (configuration.perHost === null) head.push('# perHost: 8, without a limit for this machine itself')
  return `${head.join('\n')}\n${formatText(asWritten(configuration))}`
}

/** Reads the files of one configuration, and gathers what is wrong with them as files. */
class Reader {
  readonly lines: Line[] = []
  readonly doubts: string[] = []
  readonly included: Source[] = []
  readonly #env: Environment
  readonly #uid: number | null
  readonly #witness: Witness | null
  /** Files of one folder share it, and so what is made for it (schemas). */
  readonly #resolves = new Map<string, ResolvePath>()
  readonly #unreadable = new Set<Source>()
  #bytes = 0

  constructor(env: Environment, uid: number | null, witness: Witness | null) {
    this.#witness = witness
    this.#env = env
    this.#uid = uid
  }

  isReadable(source: Source): boolean {
    return !this.#unreadable.has(source)
  }

  async read(file: string, through: ((file: string) => Promise<string | null>) | null): Promise<Source> {
    const { stats, text, exposures } = await readText(file, this.#uid, this.#env, through)
    this.#bytes += text.length
    if (this.#bytes > ALL_BYTES) throw refusal(`${reading(file)}: all files together are larger than 64 MiB: use fewer`)
    const document = await inTurns(parsing(text))
    const isMain = through !== null || this.#bytes === text.length
    if (isMain && document.readable && document.root === null)
      throw refusal(`${reading(file)}: it is empty: write accounts into it`)
    const { lines } = this
    for (const exposure of exposures) lines.push({ file, line: null, path: [], ...exposure })
    for (const problem of document.problems) lines.push({ file, ...problem })
    const secretAt = await inTurns(findWrittenSecret(document.root))
    this.#witness?.read({ file, text, holdsSecret: secretAt !== null })
    const readable = secretAt === null || stats === null ? null : readableByOthers(file, stats, this.#uid)
    if (secretAt !== null && readable !== null)
      lines.push({ file, line: document.lineOf(secretAt, 'key'), path: secretAt, ...readable })
    const source: Source = {
      name: file,
      root: document.root ?? {},
      resolve: this.#resolving(file),
      lineOf: (at, which) => document.lineOf(at, which),
      leavesOut: false,
    }
    this.doubts.push(...document.doubts.map((doubt) => doubtText(doubt, this.included.length === 0 ? null : file)))
    if (!document.readable) this.#unreadable.add(source)
    return source
  }

  /** Reads the files that `main` includes. Gives sentences for `config check`. */
  async include(main: Source, file: string): Promise<readonly string[]> {
    const { files, problems, doubts, hasPattern } = await includedFiles(main.root, file, {
      resolve: main.resolve,
      env: this.#env,
    })
    // Another file may match then.
    if (hasPattern) this.#witness?.never()
    for (const problem of problems) this.lines.push({ ...problem, file, line: main.lineOf(problem.path, problem.at) })
    for (const each of files) this.included.push(await this.read(each, null))
    return doubts
  }

  /** Files that were read before. */
  take(others: readonly Source[]): readonly string[] {
    this.included.push(...others)
    return []
  }

  #resolving(file: string): ResolvePath {
    const folder = file === IN_ENVIRONMENT ? file : path.dirname(file)
    const resolve = this.#resolves.get(folder) ?? resolving(file, this.#env)
    this.#resolves.set(folder, resolve)
    return resolve
  }
}

function* withLines(problems: readonly Placed[], lines: Line[]): Generator<void, void> {
  for (const { source, path: at, at: which, found, expected } of problems) {
    lines.push({ file: source.name, path: at, found, expected, line: source.lineOf(at, which) })
    yield
  }
}

function doubtText({ line, path: at }: { readonly line: number; readonly path: Path }, file: string | null): string {
  const place = file === null ? `line ${line}` : `${shownPath(file)}:${line}`
  return `${place}: ${pathText(at)} ends where " #" begins a comment: if that belongs to it, put it in quotes`
}

function rootWarnings(uid: number): readonly string[] {
  return uid === 0 ? ['running as root; a dedicated user is safer'] : []
}

// From a configuration file to the effective configuration: this file tells the story of the room.
// 1. paths.ts finds the file; own-file.ts (ground) opens it and says who else could change it, permissions.ts who could read it.
// 2. This file reads it through cosmiconfig, and is the only one that imports cosmiconfig.
// 3. document.ts parses YAML and JSON into plain values and remembers the line of each.
// 4. assemble.ts merges `defaults` into each account and looks up names. schema.ts has the keys and their defaults. A kind
//    of destination has its own file in destinations/, a single value (a duration, a secret) has its schema in values/.
// 5. Everything that is wrong becomes a line of one report: problem.ts has the words.
// Beside the story: show.ts turns it round for `config show`, outline.ts reads what it can of a broken file, from-urls.ts
// makes a configuration of URLs.
// After this room there are no optional keys, and nobody else knows a default.
// The one rule: data, never code. Nothing is searched for, imported or run for a configuration file (N023, code in a
// configuration).
// Before cosmiconfig, which needs it.
import { takeBack } from './lent-home.ts'
import { cosmiconfig, defaultLoaders } from 'cosmiconfig'
import { display } from '../display.ts'
import { refuseUnsafeEnvironment } from '../environment.ts'
import { errnoOf, PopfetchError } from '../errors.ts'
import { assembling, findWrittenSecret } from './assemble.ts'
import { formatText, parsing, type TextDocument } from './document.ts'
import { ForeignFile, ourUid, OwnFile } from '../own-file.ts'
import { readableByOthers } from './permissions.ts'
import {
  findConfiguration,
  IN_ENVIRONMENT,
  resolvePath,
  resolving,
  textInEnvironment,
  usualStatePath,
} from './paths.ts'
import { mismatchText, pathText, PROBLEMS_SHOWN, WrongConfiguration } from './problem.ts'
import { asWritten } from './show.ts'
import { inTurns } from './turns.ts'
import type { Environment } from './paths.ts'
import type { Path, Problem } from './problem.ts'
import type { Configuration } from './schema.ts'
import type { Witness } from './kept/witness.ts'

export { jsonSchema } from './reference/json-schema.ts'

takeBack()

/** Ten thousand accounts fit; what is larger is no configuration. */
const SIZE_LIMIT_BYTES = 16_777_216

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
}

interface Line {
  /** Null: the file as a whole. */
  readonly line: number | null
  readonly path: Path
  readonly found: string
  readonly expected: string
}

/** The configuration in effect. Runs no command and reads no secret. Rejects with ERR_CONFIG. When the contents are wrong, its
 *  message is a summary and a line for each problem: `FILE:LINE: PATH: found X, expected Y`. */
export async function loadConfiguration(options: LoadOptions): Promise<Configuration> {
  const { cwd, uid, state, witness } = options
  const env = witness?.env ?? options.env
  refuseUnsafeEnvironment(env)
  const file = await findConfiguration(options.file, env, cwd)
  const ours = ourUid(env, uid)
  const through = options.isGuest === true ? null : loadText
  const { stats, text, exposures } = await readText(file, ours, env, through)
  const document = await inTurns(parsing(text))
  if (document.readable && document.root === null)
    throw refusal(`${reading(file)}: it is empty: write accounts into it`)

  const { configuration, problems } = await inTurns(assembling(document.root, resolving(file, env)))
  const lines: Line[] = [...exposures.map((exposure) => ({ line: null, path: [], ...exposure })), ...document.problems]
  if (document.readable) {
    await inTurns(withLines(problems, document, lines))
  }
  const secretAt = await inTurns(findWrittenSecret(document.root))
  const readable = secretAt === null || stats === null ? null : readableByOthers(file, stats, ours)
  if (secretAt !== null && readable !== null) {
    lines.push({ line: document.lineOf(secretAt, 'key'), path: secretAt, ...readable })
  }
  if (configuration === null || lines.length > 0) throw wrong(file, lines)
  witness?.read({ file, text, holdsSecret: secretAt !== null })

  return {
    ...configuration,
    file,
    statePath: state === null ? (configuration.statePath ?? usualStatePath(env)) : resolvePath(state, cwd, env),
    warnings: [...document.doubts.map(doubtText), ...configuration.warnings, ...rootWarnings(uid)],
  }
}

/** The configuration in effect as YAML, with the keys of the file. All defaults are filled in, secrets are masked. */
export function showConfiguration(configuration: Configuration): string {
  const head = [`# ${shownPath(configuration.file)}`, '# What is not shown is not set.']
  if (configuration.perHost === null) head.push('# perHost: 8, without a limit for this machine itself')
  return `${head.join('\n')}\n${formatText(asWritten(configuration))}`
}

/** The text of a configuration file, what fstat says of it (null: it is IN_ENVIRONMENT), and who else could change it. `uid`: as
 *  `ourUid` tells it. `through`: reads it once more. Rejects with ERR_CONFIG. */
export async function readText(
  file: string,
  uid: number | null,
  env: Environment = {},
  through: ((file: string) => Promise<string | null>) | null = loadText,
) {
  const held = file === IN_ENVIRONMENT ? textInEnvironment(env) : null
  if (held !== null) {
    if (held.trim() === '') throw refusal(`${reading(file)}: it is empty: write accounts into it`)
    return { stats: null, text: held, exposures: [] }
  }
  try {
    await using opened = await OwnFile.open(file, { uid })
    const { stats, faults } = opened
    const bytes = await opened.bytes(SIZE_LIMIT_BYTES)
    if (bytes === null) throw refusal(`${reading(file)}: it is larger than 16 MiB: use another file`)
    const read = bytes.toString('utf8')
    if (read.trim() === '') throw refusal(`${reading(file)}: it is empty: write accounts into it`)
    if (read.includes('\uFFFD')) throw refusal(`${reading(file)}: it is not UTF-8 text: convert it`)
    const text = through === null ? read : await through(file)
    // What was judged is what counts.
    if (text !== read) throw refusal(`${reading(file)}: it was changed while it was read: try again`)
    return { stats, text, exposures: faults.map(({ found, mend }) => ({ found, expected: mend })) }
  } catch (error) {
    if (error instanceof PopfetchError) throw error
    if (error instanceof ForeignFile) throw refusal(`${reading(file)}: ${error.message}`, error)
    throw refusal(`${reading(file)}: ${obstacle(error)}`, error)
  }
}

/** The file through cosmiconfig; null: it is empty. Constructing cosmiconfig 10 loads `package.json` and `.config/config.*`
 *  of the working directory, code included. So it is constructed in `/`, where only root can write. The loader is ours for
 *  every extension and returns an empty object: `$import` and keys of `package.json` find nothing to work on. */
async function loadText(file: string): Promise<string | null> {
  let text: string | null = null
  const take = (_: string, content: string): object => {
    text = content
    return {}
  }
  const loaders = Object.fromEntries(
    [...Object.keys(defaultLoaders), 'noExt', 'default'].map((extension) => [extension, take]),
  )
  const explorer = inRoot(() => cosmiconfig('popfetch', { searchPlaces: [], loaders, cache: false }))
  await explorer.load(file)
  return text
}

function inRoot<T>(act: () => T): T {
  const before = workingDirectory()
  process.chdir('/')
  try {
    return act()
  } finally {
    if (before !== null) goBack(before)
  }
}

/** Null: the directory was removed. */
function workingDirectory(): string | null {
  try {
    return process.cwd()
  } catch {
    return null
  }
}

/** Under sudo -u the working directory may be closed to this user. Nothing depends on it: all paths are absolute. */
function goBack(directory: string): void {
  try {
    process.chdir(directory)
  } catch {
    // Then we stay in `/`.
  }
}

function* withLines(problems: readonly Problem[], document: TextDocument, lines: Line[]): Generator<void, void> {
  for (const problem of problems) {
    lines.push({ ...problem, line: document.lineOf(problem.path, problem.at) })
    yield
  }
}

function doubtText({ line, path }: { readonly line: number; readonly path: Path }): string {
  return `line ${line}: ${pathText(path)} ends where " #" begins a comment: if that belongs to it, put it in quotes`
}

function wrong(file: string, lines: readonly Line[]): WrongConfiguration {
  const ordered = lines.toSorted((a, b) => (a.line ?? 0) - (b.line ?? 0))
  const problems = ordered.map(({ line, path, found, expected }) => {
    return { file: shownPath(file), line, path: pathText(path), found, expected }
  })
  return new WrongConfiguration(report(file, ordered), problems)
}

function report(file: string, ordered: readonly Line[]): string {
  const shown = ordered.slice(0, PROBLEMS_SHOWN).map(({ line, path, found, expected }) => {
    const place = line === null ? shownPath(file) : `${shownPath(file)}:${line}`
    return `${place}: ${path.length === 0 ? '' : `${pathText(path)}: `}${mismatchText({ found, expected })}`
  })
  const more = ordered.length - shown.length
  if (more > 0) shown.push(`and ${more} more`)
  const count = ordered.length === 1 ? '1 problem' : `${ordered.length} problems`
  return `${reading(file)}: ${count}; nothing was done:\n${shown.join('\n')}`
}

function rootWarnings(uid: number): readonly string[] {
  return uid === 0 ? ['running as root; a dedicated user is safer'] : []
}

function obstacle(error: unknown): string {
  switch (errnoOf(error)) {
    case 'ENOENT':
    case 'ENOTDIR':
      return 'it does not exist: create it or use another'
    case 'EACCES':
      return 'permission denied: make it readable for this user'
    case null:
      return `${display(String(error))}: repair it`
    default:
      return `${errnoOf(error)}: repair it`
  }
}

function reading(file: string): string {
  return `reading the configuration ${shownPath(file)}`
}

/** Never cut short: half a path names another file. */
function shownPath(file: string): string {
  return display(file, 4096)
}

function refusal(message: string, cause?: unknown): PopfetchError {
  return new PopfetchError('ERR_CONFIG', message, { scope: 'process', retry: 'never', cause })
}

// Loads the configuration: finds the file, checks its permissions, reads it, and reports everything wrong with it at once.
// The only door to cosmiconfig. What keys mean is schema.ts, how they go together assemble.ts, YAML document.ts.
// The one rule: data, never code. Nothing is searched for, imported or run on behalf of a configuration file (N023).
import { stat } from 'node:fs/promises'
import path from 'node:path'
import { cosmiconfig, defaultLoaders } from 'cosmiconfig'
import { display } from '../display.ts'
import { errnoOf, PopfetchError } from '../errors.ts'
import { assemble, findWrittenSecret } from './assemble.ts'
import { formatText, parseText } from './document.ts'
import { readableByOthers, writableByOthers } from './permissions.ts'
import { findConfiguration, resolvePath, usualStatePath } from './paths.ts'
import { pathText } from './problem.ts'
import { asWritten } from './show.ts'
import type { Environment } from './paths.ts'
import type { Path } from './problem.ts'
import type { Configuration } from './schema.ts'

export { jsonSchema } from './schema.ts'

/** Ten thousand accounts fit; what is larger is no configuration. */
const SIZE_LIMIT_BYTES = 16_777_216

/** Of a file that is no configuration at all, the first say enough. */
const PROBLEMS_SHOWN = 100

export interface LoadOptions {
  /** `--config`, relative to `cwd`; null: the usual places. */
  readonly file: string | null
  /** `--state`, likewise. */
  readonly state: string | null
  readonly env: Environment
  readonly cwd: string
  readonly uid: number
}

interface Line {
  /** Null: the file as a whole. */
  readonly line: number | null
  readonly path: Path
  readonly found: string
  readonly expected: string
}

/** What is in force. Runs no command and reads no secret. Rejects with ERR_CONFIG; when the contents are wrong its message is
 *  a summary and then a line for each problem: `FILE:LINE: PATH: found X, expected Y`. */
export async function loadConfiguration(options: LoadOptions): Promise<Configuration> {
  const { env, cwd, uid, state } = options
  if (env['NODE_TLS_REJECT_UNAUTHORIZED'] === '0') {
    // It would switch off the check of every certificate, behind the back of the configuration (N024).
    throw refusal(
      'starting: NODE_TLS_REJECT_UNAUTHORIZED=0 switches certificate checks off: unset it; ca and pin are there',
    )
  }
  const file = await findConfiguration(options.file, env, cwd)
  const { owner, text, exposures } = await readText(file, uid)
  const document = parseText(text)
  if (document.readable && document.root === null)
    throw refusal(`${reading(file)}: it is empty: write accounts into it`)

  const { configuration, problems } = assemble(document.root, (written) =>
    resolvePath(written, path.dirname(file), env),
  )
  const lines: Line[] = [...exposures.map((exposure) => ({ line: null, path: [], ...exposure })), ...document.problems]
  if (document.readable) {
    lines.push(...problems.map((problem) => ({ ...problem, line: document.lineOf(problem.path, problem.at) })))
  }
  const secretAt = findWrittenSecret(document.root)
  const readable = secretAt === null ? null : await readableByOthers(file)
  if (secretAt !== null && readable !== null) {
    lines.push({ line: document.lineOf(secretAt, 'key'), path: secretAt, ...readable })
  }
  if (configuration === null || lines.length > 0) throw refusal(report(file, lines))

  return {
    ...configuration,
    file,
    statePath: state === null ? (configuration.statePath ?? usualStatePath(env)) : resolvePath(state, cwd, env),
    warnings: [...configuration.warnings, ...rootWarnings(file, uid, owner)],
  }
}

/** What is in force, as YAML with the keys of the file and all defaults filled in; secrets are masked. */
export function showConfiguration(configuration: Configuration): string {
  const head = [`# ${shownPath(configuration.file)}`, '# What is not shown is not set.']
  if (configuration.perHost === null) head.push('# perHost: 8, without a limit for this machine itself')
  return `${head.join('\n')}\n${formatText(asWritten(configuration))}`
}

/** The text of a configuration file, its owner, and what is wrong with its permissions. Rejects with ERR_CONFIG. */
export async function readText(file: string, uid: number) {
  try {
    const entry = await stat(file)
    if (!entry.isFile()) throw refusal(`${reading(file)}: it is not a regular file: name one`)
    if (entry.size > SIZE_LIMIT_BYTES) throw refusal(`${reading(file)}: it is larger than 16 MiB: name another`)
    const exposures = await writableByOthers(file, uid)
    const text = await loadText(file)
    if (text === null) throw refusal(`${reading(file)}: it is empty: write accounts into it`)
    if (text.includes('\uFFFD')) throw refusal(`${reading(file)}: it is not UTF-8 text: convert it`)
    return { owner: entry.uid, text, exposures }
  } catch (error) {
    if (error instanceof PopfetchError) throw error
    throw refusal(`${reading(file)}: ${obstacle(error)}`, error)
  }
}

/** The file through cosmiconfig; null: it is empty. Constructing cosmiconfig 10 loads `package.json` and `.config/config.*`
 *  of the working directory, code included, so it is constructed in `/`, where only root can write. Whatever the
 *  extension, the loader is ours, and what it returns is empty: `$import` and `package.json` keys have nothing to work on. */
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

/** Null: it was removed. */
function workingDirectory(): string | null {
  try {
    return process.cwd()
  } catch {
    return null
  }
}

/** Under sudo -u the directory one stands in may be closed to oneself. Nothing depends on it: all paths are absolute. */
function goBack(directory: string): void {
  try {
    process.chdir(directory)
  } catch {
    // Staying in `/` it is.
  }
}

function report(file: string, lines: readonly Line[]): string {
  const ordered = lines.toSorted((a, b) => (a.line ?? 0) - (b.line ?? 0))
  const shown = ordered.slice(0, PROBLEMS_SHOWN).map(({ line, path, found, expected }) => {
    const place = line === null ? shownPath(file) : `${shownPath(file)}:${line}`
    return `${place}: ${path.length === 0 ? '' : `${pathText(path)}: `}found ${found}, expected ${expected}`
  })
  const more = ordered.length - shown.length
  if (more > 0) shown.push(`and ${more} more`)
  const count = lines.length === 1 ? '1 problem' : `${lines.length} problems`
  return `${reading(file)}: ${count}; nothing was done:\n${shown.join('\n')}`
}

function rootWarnings(file: string, uid: number, owner: number): readonly string[] {
  if (uid !== 0) return []
  const warnings = ['running as root: a user of its own for popfetch is safer']
  if (owner !== 0) warnings.push(`running as root with ${shownPath(file)}, which the user ${owner} can change`)
  return warnings
}

function obstacle(error: unknown): string {
  switch (errnoOf(error)) {
    case 'ENOENT':
    case 'ENOTDIR':
      return 'it does not exist: create it or name another'
    case 'EACCES':
      return 'it may not be read: give yourself permission'
    case null:
      return `${display(String(error))}: repair it`
    default:
      return `${errnoOf(error)}: repair it`
  }
}

function reading(file: string): string {
  return `reading the configuration ${shownPath(file)}`
}

/** In full: a path cut short names another file. */
function shownPath(file: string): string {
  return display(file, 4096)
}

function refusal(message: string, cause?: unknown): PopfetchError {
  return new PopfetchError('ERR_CONFIG', message, { scope: 'process', retry: 'never', cause })
}

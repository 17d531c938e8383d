// Who is told that popfetch cannot work: those whom the configuration names. Where its file is broken, those of the part that is right;
// where nothing of it can be read, those of the last good one, which is kept beside the ledger (0600).
// A kept copy counts only for the file from which it came, and only where nobody else could have written it. It is for this one
// purpose: nothing else of a configuration is in it.
import { rename, rm, writeFile } from 'node:fs/promises'
import { PopfetchError } from '../../errors.ts'
import { OwnFile, ourUid, readOwnFile } from '../../own-file.ts'
import { assembling } from '../assemble.ts'
import { sourceOf } from '../sources/source.ts'
import { parseText, parsing, type TextDocument } from '../document.ts'
import { loadConfiguration, type LoadOptions, readText } from '../load.ts'
import { findConfiguration, IN_ENVIRONMENT, keptTelling, placesToRead, resolving } from '../paths.ts'
import type { Configuration } from '../schema.ts'
import { inTurns } from '../turns.ts'
import { namedState, type StatePlace, statePlace } from '../state/place.ts'
import { statePlaceOf } from '../state/written.ts'
import { isWritten } from '../values/written.ts'
import { tellingPart } from './telling.ts'

/** Many notices, each with many header fields. */
const LIMIT_BYTES = 1_048_576

/** Of a configuration, all that is needed to tell somebody. */
export type Told = Pick<Configuration, 'notify' | 'destinations' | 'oauth' | 'statePath' | 'postgres' | 'file'>

/** Keeps whom this configuration names; where it names nobody, forgets whom an earlier one named. Writes nothing that is there already.
 *  Rejects with the system's error. */
export async function keepWhoIsTold(
  { telling, statePath, file }: Pick<Configuration, 'telling' | 'statePath' | 'file'>,
  env: LoadOptions['env'],
): Promise<void> {
  const place = keptTelling({ statePath })
  if (telling === null) return await rm(place, { force: true })
  const text = JSON.stringify({ file, configuration: JSON.parse(telling.reveal()) as unknown })
  if (!(await isKept(place, text, env))) await replaceFile(place, text)
}

/** Null: nobody is named, or others could have named them. Runs no command and reads no secret. */
export async function whoIsTold(options: LoadOptions): Promise<Told | null> {
  try {
    return await loadConfiguration({ ...options, purpose: 'kept' })
  } catch (error) {
    if (!(error instanceof PopfetchError) || error.code !== 'ERR_CONFIG') return null
  }
  try {
    const { env, cwd, uid } = options
    const file = await findConfiguration(options.file, env, cwd).catch(() => null)
    const read = file === null ? null : await readText(file, ourUid(env, uid), env).catch(() => null)
    const document = read === null ? null : await inTurns(parsing(read.text))
    const state = read === null || document === null ? undefined : writtenState(document, read.text)
    const place = placeOf(state, file, options)
    // What others could have written names nobody.
    if (file !== null && document !== null && document.readable && read?.exposures.length === 0) {
      if (isWritten(document.root) && document.root['notify'] !== undefined) {
        const part = tellingPart(document.root)
        if (part === null) return null
        const told = await assembled(part, file, place, env)
        if (told !== null) return told
      }
    }
    return await lastGood(place, file, options)
  } catch {
    return null
  }
}

/** A new file (0600) in the place of an old one: nothing is written through another's link. */
export async function replaceFile(file: string, text: string): Promise<void> {
  const draft = `${file}.new`
  await rm(draft, { force: true })
  await writeFile(draft, text, { mode: 0o600, flag: 'wx' })
  await rename(draft, file)
}

/** Also by its mode: secrets may be in it. */
async function isKept(place: string, text: string, env: LoadOptions['env']): Promise<boolean> {
  try {
    await using kept = await OwnFile.open(place, { uid: ourUid(env) })
    if (kept.faults.length > 0 || (kept.stats.mode & 0o077) !== 0) return false
    return (await kept.bytes(LIMIT_BYTES))?.equals(Buffer.from(text)) ?? false
  } catch {
    return false
  }
}

async function lastGood(place: StatePlace, file: string | null, { env, uid }: LoadOptions): Promise<Told | null> {
  const bytes = await readOwnFile(keptTelling(place), { uid: ourUid(env, uid), limitBytes: LIMIT_BYTES })
  const kept: unknown = JSON.parse(bytes?.toString('utf8') ?? 'null')
  if (!isWritten(kept) || typeof kept['file'] !== 'string') return null
  const isOfThis = file === null ? placesToRead(env).includes(kept['file']) : kept['file'] === file
  return isOfThis ? await assembled(kept['configuration'], kept['file'], place, env) : null
}

/** Null: it is wrong. */
async function assembled(
  part: unknown,
  file: string,
  place: StatePlace,
  env: LoadOptions['env'],
): Promise<Told | null> {
  const { configuration } = await inTurns(assembling(sourceOf(part, resolving(file, env)), { env }))
  return configuration === null ? null : { ...configuration, file, ...place }
}

/** `state` as it is written; in a text that is not readable a guess. A wrong one finds nothing, since what is kept names its file. */
function writtenState(document: TextDocument, text: string): unknown {
  if (document.readable) return isWritten(document.root) ? document.root['state'] : undefined
  const found = stateIn(document)
  if (found !== undefined) return found
  // A quotation mark that is missing takes all that follows for text.
  const [block] = /^state:.*(?:\n[ \t]+.*){0,20}/m.exec(text) ?? []
  return block === undefined ? undefined : stateIn(parseText(block))
}

function stateIn(document: TextDocument): unknown {
  const whole = document.textAt(['state'])
  if (whole !== null) return whole
  const keys = ['path', 'postgres', 'schema'].flatMap((key) => {
    const text = document.textAt(['state', key])
    return text === null ? [] : [[key, text] as const]
  })
  return keys.length === 0 ? undefined : Object.fromEntries(keys)
}

function placeOf(state: unknown, file: string | null, options: LoadOptions): StatePlace {
  const { env, cwd } = options
  const written = statePlaceOf(state, { resolve: resolving(file ?? IN_ENVIRONMENT, env), env })
  if (options.state !== null) return namedState(options.state, cwd, env, () => written?.postgres ?? null)
  return written ?? statePlace({ path: null, postgres: null }, env)
}

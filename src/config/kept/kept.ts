// A configuration that was checked once, kept for the next start: then nothing has to be parsed and checked for a file that has not
// changed, a third of an idle poll. It lies sealed in the private folder of the cache. The key is made of all that it was made of:
// the texts, the variables that were asked for, the program. So whatever changes, the old one does not open, and nothing has to be
// compared. Whoever cannot read the configuration cannot read it here, and no secret is in it (without-secrets.ts).
// The one rule: permissions are judged each time, as load.ts judges them; whatever is not as it was, load.ts reads and tells.
import { createCipheriv, createDecipheriv, createHash, hash, randomBytes } from 'node:crypto'
import { renameSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { deserialize, serialize } from 'node:v8'
import { ourUid, OwnFile, readOwnAtOnce } from '../../own-file.ts'
import { findConfiguration, IN_ENVIRONMENT, type Environment } from '../paths.ts'
import { readableByOthers } from '../permissions.ts'
import type { Configuration } from '../schema.ts'
import type { Source, Witness } from './witness.ts'
import { type Plain, withoutSecrets, withSecrets } from './without-secrets.ts'

const CIPHER = 'aes-256-gcm'
const NONCE_BYTES = 12
const TAG_BYTES = 16
const SOURCE_BYTES = 16 * 1024 * 1024
const MOST_BYTES = 64 * 1024 * 1024

/** What decides which configuration is meant; see LoadOptions. */
export interface Call {
  readonly file: string | null
  readonly state: string | null
  readonly env: Environment
  readonly cwd: string
  readonly uid: number
}

/** In front of what is sealed, and no secret: what the key is made of. */
interface Head {
  readonly files: readonly { readonly file: string; readonly holdsSecret: boolean }[]
  readonly names: readonly string[]
}

/** This very program: a file of the built one has a mark of all that it is made of in its name. */
const PROGRAM = programOf(import.meta.url)

function programOf(url: string): string | null {
  if (!/-[\w-]{8}\.js$/.test(url)) return null
  return `${url} ${process.version}`
}

/** The configuration that `call` means, as it was kept in `folder`; null: it has to be loaded. Never rejects. */
export async function keptConfiguration(
  call: Call,
  folder: string,
  program: string | null = PROGRAM,
): Promise<Configuration | null> {
  if (program === null) return null
  try {
    const main = await findConfiguration(call.file, call.env, call.cwd)
    const bytes = readOwnAtOnce(placeOf(main, folder, program), { uid: ourUid() }, MOST_BYTES)
    if (bytes === null) return null
    const end = bytes.indexOf(0)
    const head = bytes.subarray(0, end)
    const { files, names } = JSON.parse(head.toString()) as Head
    if (files[0]?.file !== main) return null
    const sources: Source[] = []
    for (const { file, holdsSecret } of files) {
      const text = await judgedText(file, holdsSecret, call)
      if (text === null) return null
      sources.push({ file, text, holdsSecret })
    }
    const key = keyOf({ sources, names, program }, call)
    const plain = deserialize(opened(bytes.subarray(end + 1), key, head)) as Plain
    return withSecrets(
      plain,
      sources.map(({ text }) => text),
    ) as Configuration
  } catch {
    return null
  }
}

/** The text of a file that is ours alone to change, and that nobody else can read if a secret is in it; null: somebody has to be told. */
async function judgedText(file: string, holdsSecret: boolean, { env, uid }: Call): Promise<string | null> {
  const ours = ourUid(env, uid)
  await using source = await OwnFile.open(file, { uid: ours })
  if (source.faults.length > 0) return null
  if (holdsSecret && readableByOthers(file, source.stats, ours) !== null) return null
  return (await source.bytes(SOURCE_BYTES))?.toString('utf8') ?? null
}

/** Keeps what the loader made of what `witness` saw. Never throws: the next start loads it again. */
export function keepConfiguration(
  configuration: Configuration,
  witness: Witness,
  call: Call,
  folder: string,
  program: string | null = PROGRAM,
): void {
  const { sources, names } = witness
  if (program === null || !witness.isWhole || sources[0]?.file !== configuration.file) return
  if (configuration.file === IN_ENVIRONMENT) return
  const texts = sources.map(({ text }) => text)
  const plain = withoutSecrets(configuration, texts, configuration.telling)
  if (plain === null) return
  const files = sources.map(({ file, holdsSecret }) => ({ file, holdsSecret }))
  const head = Buffer.from(JSON.stringify({ files, names } satisfies Head))
  const content = sealed(serialize(plain), keyOf({ sources, names, program }, call), head)
  replace(placeOf(configuration.file, folder, program), Buffer.concat([head, Buffer.of(0), content]))
}

/** One for each configuration and copy of the program. */
function placeOf(main: string, folder: string, program: string): string {
  return path.join(folder, `configuration-${hash('sha256', `${program}\n${main}`).slice(0, 16)}`)
}

function keyOf(
  {
    sources,
    names,
    program,
  }: { readonly sources: readonly Source[]; readonly names: readonly string[]; program: string },
  { env, uid, cwd, state }: Call,
): Buffer {
  const variables = names.map((name) => [name, env[name] ?? null])
  const said = [
    program,
    uid,
    state === null ? null : [state, cwd],
    variables,
    sources.map(({ file, text }) => [file, text.length]),
  ]
  const key = createHash('sha256').update(JSON.stringify(said))
  for (const { text } of sources) key.update(text)
  return key.digest()
}

function sealed(content: Uint8Array, key: Buffer, head: Uint8Array): Buffer {
  const nonce = randomBytes(NONCE_BYTES)
  const cipher = createCipheriv(CIPHER, key, nonce).setAAD(head)
  const body = Buffer.concat([cipher.update(content), cipher.final()])
  return Buffer.concat([nonce, cipher.getAuthTag(), body])
}

/** Throws where the key is another one, or a bit has changed. */
function opened(content: Buffer, key: Buffer, head: Uint8Array): Buffer {
  const decipher = createDecipheriv(CIPHER, key, content.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES })
  decipher.setAAD(head).setAuthTag(content.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES))
  return Buffer.concat([decipher.update(content.subarray(NONCE_BYTES + TAG_BYTES)), decipher.final()])
}

/** Whole or not at all, for us alone. */
function replace(file: string, content: Uint8Array): void {
  const made = `${file}.${process.pid}`
  try {
    writeFileSync(made, content, { flag: 'wx', mode: 0o600 })
    renameSync(made, file)
  } catch {
    rmSync(made, { force: true })
  }
}

// The configuration's own files, and what it reads its secrets from: files, entries of the keyring.
import path from 'node:path'
import { configurationPlaces, findConfiguration, IN_ENVIRONMENT, placesToRead } from '../../../config/paths.ts'
import type { Configuration } from '../../../config/schema.ts'
import type { Surroundings } from '../../surroundings.ts'
import { type Findings, type Found, joined, NOTHING, removal, removedFile } from './found.ts'
import { namesIn } from './folders.ts'
import { isThere } from './state.ts'

type Place = Pick<Surroundings, 'env' | 'cwd'>

/** Files of configurations that are there: the one in effect first. */
export async function configurationFiles(named: string | null, { env, cwd }: Place): Promise<readonly string[]> {
  const chosen = await findConfiguration(named, env, cwd).catch(() => null)
  // Without a home only those of the machine can be told.
  const usual = await Promise.resolve()
    .then(() => [...new Set([...configurationPlaces(env), ...placesToRead(env)])])
    .catch(() => placesToRead(env))
  const all = named === null ? [chosen, ...usual] : [chosen]
  const there = await Promise.all(
    all.map(async (file) => file !== null && file !== IN_ENVIRONMENT && (await isThere(file))),
  )
  return [...new Set(all.filter((file, at): file is string => file !== null && there[at] === true))]
}

export async function configurationFindings(files: readonly string[], { env }: Place): Promise<Findings> {
  const inEnvironment: Found[] = (['POPFETCH_CONFIG_YAML', 'POPFETCH_CONFIG'] as const).flatMap((name) =>
    env[name] ? [{ kind: 'configuration', what: `$${name}`, command: null, note: 'remove it where it is set' }] : [],
  )
  const folders = [...new Set(files.map((file) => path.dirname(file)))].filter((it) => path.basename(it) === 'popfetch')
  const own = files.map((file) => removedFile('configuration', file))
  return { found: [...inEnvironment, ...own, ...folders.map(emptied)], kept: [] }
}

function emptied(folder: string): Found {
  return removal('configuration', folder, ['rmdir', '--', folder], 'refused as long as anything is left in it')
}

/** Below these a secret belongs to whoever runs the machine. */
const PROVIDED = /^\/run\/(?:secrets|credentials)\//

/** `init` and `import` write a password into a file of its own beside the configuration. */
const PASSWORD_FILE = /\.password$/

/** What the secrets of a configuration are read from, and password files beside it that nothing reads any longer. */
export async function secretFindings(
  configuration: Configuration | null,
  files: readonly string[],
  { env }: Place,
): Promise<Findings> {
  const { paths, items } = configuration === null ? { paths: [], items: [] } : sourcesIn(configuration)
  const folders = [...new Set(files.map((file) => path.dirname(file)))].filter((it) => path.basename(it) === 'popfetch')
  const besides = await Promise.all(
    folders.map(async (folder) => (await namesIn(folder)).map((name) => path.join(folder, name))),
  )
  const unread = besides.flat().filter((file) => PASSWORD_FILE.test(file) && !paths.includes(file))
  const credentials = env['CREDENTIALS_DIRECTORY']
  const findings = await Promise.all(
    paths.map(async (file): Promise<Findings> => {
      if (!(await isThere(file))) return NOTHING
      const isProvided = PROVIDED.test(file) || (credentials !== undefined && file.startsWith(`${credentials}/`))
      if (isProvided) return { found: [], kept: [{ path: file, why: 'the machine or the container provides it' }] }
      const isBeside = folders.includes(path.dirname(file))
      return { found: [removedFile('secret', file, isBeside ? null : 'other programs may read it, too')], kept: [] }
    }),
  )
  const others = unread.map((file) => removedFile('secret', file, 'no account reads it'))
  return joined([{ found: items.map(keyringItem), kept: [] }, ...findings, { found: others, kept: [] }])
}

function keyringItem(name: string): Found {
  const words =
    process.platform === 'darwin'
      ? ['security', 'delete-generic-password', '-s', 'popfetch', '-a', name]
      : ['secret-tool', 'clear', 'service', 'popfetch', 'account', name]
  return removal('keyring', name, words)
}

/** Wherever in a configuration a secret may stand: every mapping that says where one is. */
function sourcesIn(configuration: Configuration): {
  readonly paths: readonly string[]
  readonly items: readonly string[]
} {
  const paths = new Set<string>()
  const items = new Set<string>()
  const seen = new Set<unknown>()
  const look = (value: unknown): void => {
    if (typeof value !== 'object' || value === null || seen.has(value)) return
    seen.add(value)
    if ('kind' in value && value.kind === 'file' && 'path' in value && typeof value.path === 'string')
      paths.add(value.path)
    if ('kind' in value && value.kind === 'keyring' && 'name' in value && typeof value.name === 'string')
      items.add(value.name)
    for (const inner of value instanceof Map ? value.values() : Object.values(value)) look(inner)
  }
  look(configuration)
  return { paths: [...paths], items: [...items] }
}

// Folders of popfetch's own: one is removed whole only when every file in it has one of popfetch's names. A folder may have been put
// there by somebody else, with mail in it.
import { lstat, opendir, readdir } from 'node:fs/promises'
import path from 'node:path'
import { errnoOf } from '../../../errors.ts'
import { type Findings, type Kind, NOTHING, removal, removedFile } from './found.ts'

/** More are not looked through. Then the folder counts as one that is not known. */
const MOST_FILES = 20_000
const DEEPEST = 4

/** `ours`: the paths within the folder that popfetch itself makes, directories with a slash behind. */
export async function ownFolder(
  kind: Kind,
  folder: string,
  ours: RegExp,
  note: string | null = null,
): Promise<Findings> {
  const stats = await lstat(folder).catch(() => null)
  if (stats === null) return NOTHING
  if (stats.isSymbolicLink())
    return { found: [removedFile(kind, folder, 'a link: where it leads is left alone')], kept: [] }
  if (!stats.isDirectory()) return { found: [], kept: [{ path: folder, why: 'it is no folder of popfetch' }] }
  const state = await lookThrough(folder, ours)
  if (state !== null) return { found: [], kept: [{ path: folder, why: state }] }
  return { found: [removal(kind, folder, ['rm', '-r', '--', folder], note)], kept: [] }
}

/** Null: all of it is ours; else why the folder stays. */
async function lookThrough(folder: string, ours: RegExp): Promise<string | null> {
  let files = 0
  const within = async (directory: string, depth: number): Promise<string | null> => {
    for await (const entry of await opendir(directory)) {
      const file = path.join(directory, entry.name)
      const name = path.relative(folder, file)
      const isFolder = entry.isDirectory()
      if (++files > MOST_FILES) return 'it has too many files to look through'
      if (isFolder && ['cur', 'new', 'tmp'].includes(entry.name)) return 'it holds mail'
      if (!ours.test(isFolder ? `${name}/` : name)) return `it holds what is not popfetch's: ${name}`
      if (!isFolder) continue
      const inner = depth < DEEPEST ? await within(file, depth + 1) : 'it is too deep to look through'
      if (inner !== null) return inner
    }
    return null
  }
  return await within(folder, 0).catch((error: unknown) => `it cannot be looked through (${errnoOf(error) ?? 'error'})`)
}

/** A folder of the XDG specification, where a path that is not absolute is to be ignored; null: there is no home. */
export function baseFolder(env: NodeJS.ProcessEnv, name: string, usual: string): string | null {
  const [named, home] = [env[name] ?? '', env['HOME'] ?? '']
  if (path.isAbsolute(named)) return named
  return path.isAbsolute(home) ? path.join(home, usual) : null
}

/** Names in a folder; [] when it is not there or cannot be read. */
export async function namesIn(folder: string): Promise<readonly string[]> {
  const names = await readdir(folder).catch((): string[] => [])
  return names.toSorted()
}

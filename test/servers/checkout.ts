// A copy of this checkout to build in: dist/ of the real one stays as it is, and two copies in two places show whether a build
// depends on where it is made.
import { cp, mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { runProgram, temporaryDirectory, type TemporaryDirectory } from './program.ts'

export const ROOT = join(import.meta.dirname, '../..')

/** When what is built here was last changed, for those who write that down. */
export const EPOCH = '1790000000'

const NEEDED = [
  '.build',
  '.github',
  '.rolldown.config.js',
  '.tsconfig.types.json',
  'LICENSE',
  'README.md',
  'bin',
  'examples',
  'package.json',
  'src',
  'tsconfig.json',
]

/** These files and folders of the checkout, and its installed packages. */
export async function checkout(names: readonly string[] = NEEDED): Promise<TemporaryDirectory> {
  const copy = await temporaryDirectory()
  for (const name of names) {
    await mkdir(dirname(join(copy.path, name)), { recursive: true })
    await cp(join(ROOT, name), join(copy.path, name), { recursive: true })
  }
  await symlink(join(ROOT, 'node_modules'), join(copy.path, 'node_modules'))
  return copy
}

/** The next version of the same program. */
export async function setVersion({ path }: TemporaryDirectory, version: string): Promise<void> {
  const file = join(path, 'package.json')
  const about = JSON.parse(await readFile(file, 'utf8')) as object
  await writeFile(file, `${JSON.stringify({ ...about, version }, null, 2)}\n`)
}

/** `npm run SCRIPT -- ARGUMENTS` in the copy. */
export async function npmRun({ path }: TemporaryDirectory, script: string, ...args: readonly string[]): Promise<void> {
  const env = [`SOURCE_DATE_EPOCH=${EPOCH}`, 'DEB_COMPRESSION=zstd']
  await runProgram('env', [...env, 'npm', 'run', script, ...(args.length === 0 ? [] : ['--', ...args])], path)
}

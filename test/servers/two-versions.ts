// Two versions of the program as tarballs of npm: this one, and a next one made of the same sources. The next has another number, one
// step of the ledger more and something to take away. Both can be installed in one place, the one over the other, as npm does it and
// as dpkg does it.
import { createHash } from 'node:crypto'
import { cp, mkdir, readdir, readFile, rename, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { checkout, setVersion } from './checkout.ts'
import { runProgram, temporaryDirectory, type TemporaryDirectory } from './program.ts'

export const NEXT_VERSION = '99.0.0'

/** What the next version's authors made up. */
const STEP = `  { sql: 'ALTER TABLE message ADD COLUMN made_up TEXT; ALTER TABLE delivery ADD COLUMN made_up INTEGER NOT NULL DEFAULT 7; CREATE TABLE made_up (id INTEGER PRIMARY KEY) STRICT', oldest: 3 },`
const DATABASE_STEP = `  { sql: 'ALTER TABLE @.message ADD COLUMN made_up text; ALTER TABLE @.delivery ADD COLUMN made_up integer NOT NULL DEFAULT 7; CREATE TABLE @.made_up (id integer PRIMARY KEY);', oldest: 1 },`
const REMOVAL = `{ sql: 'ALTER TABLE message DROP COLUMN last_listed_ms', oldest: MIGRATIONS.length }`

export interface Versions extends AsyncDisposable {
  readonly present: string
  readonly next: string
}

/** The paths of both tarballs. */
export async function packVersions(): Promise<Versions> {
  const folder = await temporaryDirectory()
  return {
    present: await pack(join(folder.path, 'present'), async () => {}),
    next: await pack(join(folder.path, 'next'), asNext),
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  }
}

async function pack(to: string, change: (copy: TemporaryDirectory) => Promise<void>): Promise<string> {
  await using copy = await checkout()
  await change(copy)
  await mkdir(to, { recursive: true })
  await runProgram('npx', ['--no-install', 'rolldown', '-c', '.rolldown.config.js', '--logLevel', 'warn'], copy.path)
  await runProgram('npm', ['pack', '--ignore-scripts', '--pack-destination', to], copy.path)
  const [name = ''] = await readdir(to)
  return join(to, name)
}

async function asNext(copy: TemporaryDirectory): Promise<void> {
  await setVersion(copy, NEXT_VERSION)
  const file = join(copy.path, 'src/ledger/sqlite/schema/migrations.ts')
  const text = await readFile(file, 'utf8')
  const changed = withStep(text, STEP).replace(
    /(export const REMOVALS[^=]*= )\[\]/,
    (_, before: string) => `${before}[${REMOVAL}]`,
  )
  if (!changed.includes('made_up') || !changed.includes('DROP COLUMN'))
    throw new Error('the next version could not be made: the tables of migrations.ts look otherwise')
  await writeFile(file, changed)
  const ofDatabases = join(copy.path, 'src/ledger/postgres/schema/migrations.ts')
  const after = withStep(await readFile(ofDatabases, 'utf8'), DATABASE_STEP)
  if (!after.includes('made_up'))
    throw new Error('the next version could not be made: the steps of migrations.ts look otherwise')
  await writeFile(ofDatabases, after)
}

/** One step more in the list of a file. */
function withStep(text: string, step: string): string {
  return text.replace(
    /(export const MIGRATIONS[^\]]*\] = \[\n[^]*?)(\n\])/,
    (_, list: string, end: string) => `${list}\n${step}${end}`,
  )
}

/** A place where one version of the program is installed at a time. */
export interface Installation {
  /** The program. */
  readonly program: string
  /** The folder that its modules are in. */
  readonly chunks: string
  install(tarball: string): Promise<void>
}

/** How a package takes the place of another. */
export const WAYS: Readonly<Record<'npm' | 'dpkg', (folder: string) => Installation>> = {
  npm: (folder) => ({
    program: join(folder, 'bin/popfetch'),
    chunks: join(folder, 'lib/node_modules/popfetch/dist/chunks'),
    async install(tarball) {
      await mkdir(folder, { recursive: true })
      const offline = ['--offline', '--no-audit', '--no-fund', '--ignore-scripts']
      await runProgram('npm', ['install', '--global', '--prefix', folder, ...offline, tarball], folder)
    },
  }),
  dpkg: (folder) => ({
    program: join(folder, 'usr/bin/popfetch'),
    chunks: join(folder, 'usr/lib/popfetch/chunks'),
    async install(tarball) {
      await using unpacked = await temporaryDirectory()
      await runProgram('tar', ['-xzf', tarball, '-C', unpacked.path], unpacked.path)
      const from = join(unpacked.path, 'package/dist')
      const to = join(folder, 'usr/lib/popfetch')
      await writeFile(join(from, 'package.json'), '{"type":"module"}\n')
      await exchange(from, to)
      await mkdir(join(folder, 'usr/bin'), { recursive: true })
      await symlink('../lib/popfetch/popfetch.js', join(folder, 'usr/bin/popfetch')).catch(() => {})
      await runProgram('chmod', ['755', join(to, 'popfetch.js')], to)
    },
  }),
}

/** Every new file gets its name by a rename, then what only the old package had is removed. */
async function exchange(from: string, to: string): Promise<void> {
  const files = await filesIn(from)
  for (const name of files) {
    await mkdir(dirname(join(to, name)), { recursive: true })
    await cp(join(from, name), join(to, `${name}.dpkg-new`))
    await rename(join(to, `${name}.dpkg-new`), join(to, name))
  }
  const present = new Set(files)
  for (const name of await filesIn(to)) if (!present.has(name)) await rm(join(to, name))
}

export async function filesIn(folder: string): Promise<readonly string[]> {
  const found = await readdir(folder, { recursive: true })
  const kinds = await Promise.all(found.map(async (name) => (await stat(join(folder, name))).isFile()))
  return found.filter((_, at) => kinds[at] === true)
}

export async function digestOf(file: string): Promise<string> {
  return createHash('sha256')
    .update(await readFile(file))
    .digest('hex')
}

// A small Debian in a folder, as debootstrap makes it: what a container's image begins with, and a machine on which nothing else is
// installed. Made once, kept in the cache; a test gets a copy of its own. Needs root, and apt's sources.
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, copyFile, mkdir, mkdtemp, readFile, rename, rm, stat } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { findProgram, isRoot, type TemporaryDirectory } from './program.ts'

const execute = promisify(execFile)

const cache = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'popfetch-tests', 'debian')
/** What our image and our package have beside the base. */
const PACKAGES = ['ca-certificates', 'tini', 'systemd-standalone-sysusers']

export const CHROOT = '/usr/sbin/chroot'

/** Why the tests cannot run; null: they can. */
export const cannotRun: string | null = isRoot ? null : 'only root can make a root directory and run in it'

export async function debianTree(): Promise<TemporaryDirectory> {
  const base = await makeOnce()
  const path = await mkdtemp(join(cache, `run-${process.pid}-`))
  await execute('cp', ['-a', '--reflink=auto', `${base}/.`, path])
  // It is the root directory of other users as well; debootstrap leaves a folder of mkdtemp as it was made.
  await chmod(path, 0o755)
  return {
    path,
    [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 }),
  }
}

async function makeOnce(): Promise<string> {
  const { VERSION_CODENAME: release = 'bookworm' } = Object.fromEntries(
    (await readFile('/etc/os-release', 'utf8')).split('\n').map((line) => line.split('=') as [string, string]),
  ) as Record<string, string>
  const base = join(cache, release)
  if ((await stat(base).catch(() => null)) !== null) return base
  const debootstrap = await findProgram('debootstrap', 'debootstrap')
  await mkdir(cache, { recursive: true })
  const work = await mkdtemp(join(cache, 'new-'))
  try {
    await execute(debootstrap, ['--variant=minbase', `--include=${PACKAGES.join(',')}`, release, work], {
      maxBuffer: 1 << 26,
    })
    // The machine's own proxies and certificates, if it has some.
    await copyFile('/etc/resolv.conf', join(work, 'etc/resolv.conf')).catch(() => {})
    for (const folder of ['usr/share/doc', 'usr/share/locale', 'var/cache/apt', 'var/lib/apt/lists'])
      await rm(join(work, folder), { recursive: true, force: true })
    await rename(work, base)
  } catch (error) {
    await rm(work, { recursive: true, force: true })
    throw error
  }
  return base
}

export interface Ended {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs a program in the tree, as root unless the words begin with another way in, with that environment alone. */
export async function inTree(
  tree: string,
  words: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Ended> {
  return await run(CHROOT, [tree, ...words], { PATH: '/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', ...env })
}

/** Runs a program to its end, whatever that is. */
export async function run(
  program: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = process.env,
): Promise<Ended> {
  const child = spawn(program, args, { env, stdio: ['ignore', 'pipe', 'pipe'] })
  let [stdout, stderr] = ['', '']
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  const [status] = (await once(child, 'close')) as [number | null]
  return { status, stdout, stderr }
}

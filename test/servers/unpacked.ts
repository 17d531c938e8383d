// POP3 servers whose Debian packages exclude one another. Each is unpacked into its own root directory and run from there by
// chroot. Nothing is installed, no configuration of this machine is read or written. The packages come through apt-get and stay
// in a cache. The one rule: a cached root is never written to; a server gets a copy.
import { execFile } from 'node:child_process'
import { chmod, chown, mkdir, mkdtemp, readdir, readFile, rename, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { isRoot, type TemporaryDirectory } from './program.ts'

const execute = promisify(execFile)

const cache = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'popfetch-tests', 'servers')

/** Needed by the packages, not by the servers: mail transport, package management, documentation tools. */
const NOT_NEEDED =
  /^(?:exim4.*|cron.*|dpkg|tar|adduser|debconf|usrmerge|guile.*|gcc-.*-base|media-types|readline-common|init-system-helpers|sysvinit-utils|lsb-base|gamin|sensible-utils)$/

/** Root's rights are needed for chroot, and these servers give them up by themselves. */
export const cannotRun: string | null = isRoot ? null : 'only root can run a server below a root directory of its own'

export interface ServerRoot extends TemporaryDirectory {
  /** Writes a file below the root; a new one, since the old one may be shared with the cache. */
  readonly write: (path: string, content: string | Buffer, mode?: number) => Promise<void>
}

/** A copy of these packages with what they depend on, and with /etc/passwd for root, the server's user and `alice`. */
export async function serverRoot(name: string, packages: readonly string[]): Promise<ServerRoot> {
  await sweep()
  const unpacked = await unpack(name, packages)
  const path = await mkdtemp(join(cache, `run-${process.pid}-`))
  await execute('cp', ['-al', `${unpacked}/.`, path])
  const root: ServerRoot = {
    path,
    write: async (file, content, mode = 0o644) => {
      const target = join(path, file)
      await mkdir(dirname(target), { recursive: true })
      await rm(target, { force: true })
      await writeFile(target, content, { mode })
    },
    [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 }),
  }
  await furnish(root)
  return root
}

/** What every user of a Unix machine expects. */
async function furnish({ path, write }: ServerRoot): Promise<void> {
  for (const directory of ['dev', 'run', 'root', 'home/alice', 'var/mail', 'var/lib/popa3d']) {
    await mkdir(join(path, directory), { recursive: true })
  }
  // Who rewrites an mbox makes a lock beside it.
  await chown(join(path, 'var/mail'), 0, alice.gid)
  await chmod(join(path, 'var/mail'), 0o2775)
  await mkdir(join(path, 'tmp'), { recursive: true })
  await chmod(join(path, 'tmp'), 0o1777)
  // In a container without the right to make devices, files do.
  await execute('mknod', ['-m', '666', join(path, 'dev/null'), 'c', '1', '3']).catch(() => write('dev/null', '', 0o666))
  await execute('mknod', ['-m', '666', join(path, 'dev/urandom'), 'c', '1', '9']).catch(() => {})
  const users = ['root:x:0:0', 'popa3d:x:900:900', 'cyrus:x:901:8', 'courier:x:902:902', 'alice:x:1001:8']
  await write('etc/passwd', users.map((user) => `${user}::/home/${user.split(':')[0]}:/bin/sh\n`).join(''))
  await write('etc/group', 'root:x:0:\nmail:x:8:\nsasl:x:45:\npopa3d:x:900:\ncourier:x:902:\n')
  const { stdout } = await execute('openssl', ['passwd', '-6', password])
  await write('etc/shadow', `root:*:19000::::::\npopa3d:*:19000::::::\nalice:${stdout.trim()}:19000::::::\n`, 0o600)
  await write('etc/nsswitch.conf', 'passwd: files\ngroup: files\nshadow: files\n')
  const pam = 'auth required pam_unix.so\naccount required pam_unix.so\nsession required pam_permit.so\n'
  for (const service of ['pop3', 'popa3d', 'other']) await write(`etc/pam.d/${service}`, pam)
}

export const alice = { uid: 1001, gid: 8 } as const
/** Of alice. */
export const password = 'correct-horse'

async function unpack(name: string, packages: readonly string[]): Promise<string> {
  const debian = (await readFile('/etc/debian_version', 'utf8')).trim().replaceAll('/', '-')
  const unpacked = join(cache, `${name}-${debian}`)
  if (await exists(unpacked)) return unpacked
  await mkdir(cache, { recursive: true })
  const work = await mkdtemp(join(cache, `run-${process.pid}-`))
  const debs = join(work, 'debs')
  const root = join(work, 'root')
  try {
    await mkdir(debs)
    await mkdir(join(root, 'usr'), { recursive: true })
    for (const folder of ['bin', 'sbin', 'lib', 'lib64']) {
      await mkdir(join(root, 'usr', folder))
      await symlink(`usr/${folder}`, join(root, folder))
    }
    await writeFile(join(work, 'status'), '')
    await execute('apt-get', ['-qq', 'download', ...(await closure(join(work, 'status'), packages))], { cwd: debs })
    for (const file of await readdir(debs)) {
      const unpackOne = 'dpkg-deb --fsys-tarfile "$1" | tar -x -C "$2" --keep-directory-symlink "$3" "$4" "$5"'
      const left = ['--exclude=./usr/share/doc', '--exclude=./usr/share/man', '--exclude=./usr/share/locale']
      await execute('bash', ['-o', 'pipefail', '-c', unpackOne, 'bash', join(debs, file), root, ...left])
    }
    await rename(root, unpacked)
  } catch (error) {
    throw new Error(`${packages.join(' ')} could not be had: run apt-get update first`, { cause: error })
  } finally {
    await rm(work, { recursive: true, force: true })
  }
  return unpacked
}

/** The packages that a machine without any would need. */
async function closure(emptyStatus: string, packages: readonly string[]): Promise<readonly string[]> {
  const options = ['-s', '-o', `Dir::State::Status=${emptyStatus}`, '--no-install-recommends', 'install']
  const { stdout } = await execute('apt-get', [...options, ...packages], { maxBuffer: 1 << 24 })
  const names = stdout.matchAll(/^Inst (\S+)/gm).map(([, name]) => name ?? '')
  return [...names].filter((name) => !NOT_NEEDED.test(name))
}

/** Removes what killed runs left. */
async function sweep(): Promise<void> {
  for (const name of await readdir(cache).catch(() => [])) {
    const pid = /^run-(\d+)-/.exec(name)?.[1]
    if (pid !== undefined && !(await exists(`/proc/${pid}`))) {
      await rm(join(cache, name), { recursive: true, force: true })
    }
  }
}

async function exists(path: string): Promise<boolean> {
  return await stat(path).then(
    () => true,
    () => false,
  )
}

// The packages of npm and of Debian: two builds in two places give the same bytes, and the one of Debian in a small Debian.
import { createHash } from 'node:crypto'
import { chmod, copyFile, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Pop3Server } from '../support/pop3-server.ts'
import { checkout, npmRun, setVersion } from './checkout.ts'
import { cannotRun, CHROOT, debianTree, type Ended, inTree, run } from './debian-tree.ts'
import { findProgram, runProgram, type TemporaryDirectory } from './program.ts'

let folder = ''
const owned = new AsyncDisposableStack()
const made: Record<'first' | 'second' | 'next', { tarball: string; deb: string }> = {
  first: { tarball: '', deb: '' },
  second: { tarball: '', deb: '' },
  next: { tarball: '', deb: '' },
}

beforeAll(async () => {
  await findProgram('dpkg-deb', 'dpkg')
  await findProgram('strip', 'binutils')
  folder = await mkdtemp(join(tmpdir(), 'popfetch-packages-'))
  for (const name of ['first', 'second', 'next'] as const) {
    const copy = owned.use(await checkout())
    const to = join(folder, name)
    await mkdir(to)
    if (name === 'next') await setVersion(copy, '99.0.0')
    await npmRun(copy, 'package:deb', to)
    await runProgram('npm', ['pack', '--ignore-scripts', '--pack-destination', to], copy.path)
    for (const file of await readdir(to)) made[name][file.endsWith('.deb') ? 'deb' : 'tarball'] = join(to, file)
  }
}, 900_000)
afterAll(async () => {
  await owned.disposeAsync()
  await rm(folder, { recursive: true, force: true })
})

test('the same sources give the same package of npm and the same package of Debian, wherever they lie', async () => {
  for (const kind of ['tarball', 'deb'] as const) {
    expect([kind, await sha256(made.second[kind])]).toEqual([kind, await sha256(made.first[kind])])
    expect([kind, await sha256(made.next[kind])]).not.toEqual([kind, await sha256(made.first[kind])])
  }
})

describe.skipIf(cannotRun !== null)(`the package of Debian${cannotRun === null ? '' : ` [${cannotRun}]`}`, () => {
  let tree: TemporaryDirectory
  let server: Pop3Server
  beforeAll(async () => {
    tree = await debianTree()
    server = await Pop3Server.start()
    server.mailbox('alice', 'secret').add('Subject: one\n\nbody\n', { uidl: 'u1' })
  }, 600_000)
  afterAll(async () => {
    await server[Symbol.asyncDispose]()
    await tree[Symbol.asyncDispose]()
  })
  const at = (...names: string[]): string => join(tree.path, ...names)
  const dpkg = async (deb: string): Promise<Ended> => {
    await copyFile(deb, at('tmp/popfetch.deb'))
    return await inTree(tree.path, ['dpkg', '-i', '/tmp/popfetch.deb'], { DEBIAN_FRONTEND: 'noninteractive' })
  }
  /** As the service runs it. */
  const popfetch = async (...words: string[]): Promise<Ended> =>
    await run(CHROOT, ['--userspec=popfetch:popfetch', tree.path, '/usr/bin/popfetch', ...words], {
      HOME: '/var/lib/popfetch',
      STATE_DIRECTORY: '/var/lib/popfetch',
      PATH: '/usr/bin:/bin',
    })
  const modeOf = async (...names: string[]): Promise<string> => ((await stat(at(...names))).mode & 0o7777).toString(8)

  test('installs the program, its user, units, manuals and completions, and starts nothing', async () => {
    const { status, stderr } = await dpkg(made.first.deb)
    expect([status, stderr]).toEqual([0, expect.not.stringMatching(/error|warning/i)])
    expect((await popfetch('--version')).stdout).toMatch(/^popfetch \d/)
    const [, uid = '', gid = ''] =
      /^popfetch:x:(\d+):(\d+):.*:\/var\/lib\/popfetch:/m.exec(await readFile(at('etc/passwd'), 'utf8')) ?? []
    expect(Number(uid)).toBeGreaterThan(0)
    const config = await stat(at('etc/popfetch'))
    expect([config.uid, config.gid, await modeOf('etc/popfetch')]).toEqual([0, Number(gid), '750'])
    expect([(await stat(at('var/lib/popfetch'))).uid, await modeOf('var/lib/popfetch')]).toEqual([Number(uid), '700'])
    for (const file of [
      'usr/lib/systemd/system/popfetch.service',
      'usr/lib/systemd/system/popfetch-poll.timer',
      'usr/lib/systemd/user/popfetch.service',
      'usr/share/bash-completion/completions/popfetch',
      'usr/share/zsh/vendor-completions/_popfetch',
      'usr/share/fish/vendor_completions.d/popfetch.fish',
    ])
      expect([file, (await stat(at(file))).size > 0]).toEqual([file, true])
    expect((await inTree(tree.path, ['dpkg', '--verify', 'popfetch'])).stdout).toBe('')
    expect(await readdir(at('etc/systemd/system')).catch(() => [])).not.toContain(
      'multi-user.target.wants/popfetch.service',
    )
  })

  test('fetches mail as the user of the service', async () => {
    const { host, port } = server
    const account = {
      host,
      port,
      tls: 'none',
      user: 'alice',
      password: 'secret',
      deliver: 'maildir:/var/lib/popfetch/Mail',
    }
    await writeFile(at('etc/popfetch/config.yaml'), JSON.stringify({ accounts: { work: account } }), { mode: 0o640 })
    await inTree(tree.path, ['chgrp', 'popfetch', '/etc/popfetch/config.yaml'])
    expect(await popfetch()).toEqual({ status: 0, stdout: '', stderr: '' })
    expect(await readdir(at('var/lib/popfetch/Mail/new'))).toHaveLength(1)
    expect(await popfetch('--daemon')).toEqual({ status: 0, stdout: '', stderr: '' })
    expect((await popfetch('status', '--check', '--self')).status).toBe(0)
    expect(await popfetch('stop')).toMatchObject({ status: 0 })
  })

  test('goes on after an upgrade where it was', async () => {
    await chmod(at('etc/popfetch'), 0o755)
    expect((await dpkg(made.next.deb)).status).toBe(0)
    expect((await popfetch('--version')).stdout).toBe('popfetch 99.0.0\n')
    // What an administrator changed.
    expect(await modeOf('etc/popfetch')).toBe('755')
    expect((await popfetch()).status).toBe(0)
    expect(await readdir(at('var/lib/popfetch/Mail/new'))).toHaveLength(1)
  })

  test('keeps configuration and ledger when it is removed, and mail even when it is purged', async () => {
    expect((await inTree(tree.path, ['dpkg', '--remove', 'popfetch'])).status).toBe(0)
    expect(await stat(at('usr/bin/popfetch')).catch(() => null)).toBeNull()
    expect(await readdir(at('etc/popfetch'))).toEqual(['config.yaml'])
    expect(await readdir(at('var/lib/popfetch'))).toContain('state.db')
    // Others may lie where popfetch writes.
    await mkdir(at('var/lib/popfetch/spool/Archive/cur'), { recursive: true })
    await mkdir(at('var/lib/popfetch/oauth/new'), { recursive: true })
    for (const file of [
      'old.mbox',
      'state.db.mbox',
      'migrations.mbox',
      'spool/Archive/cur/1',
      'spool/in.mbox',
      'oauth/new/1',
    ])
      await writeFile(at('var/lib/popfetch', file), 'From - …\n')
    // And what popfetch itself leaves there.
    const name = 'a'.repeat(32)
    for (const file of [`oauth/${name}.json`, `spool/spool-${name}`, 'state.db.daily.1', `state.db.leases/${name}`]) {
      await mkdir(dirname(at('var/lib/popfetch', file)), { recursive: true })
      await writeFile(at('var/lib/popfetch', file), 'x')
    }
    const { status, stderr } = await inTree(tree.path, ['dpkg', '--purge', 'popfetch'])
    expect([status, stderr]).toEqual([0, expect.stringContaining('/var/lib/popfetch is kept')])
    const left = await readdir(at('var/lib/popfetch'), { recursive: true, withFileTypes: true })
    const files = left.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
    expect(files.map((file) => relative(at('var/lib/popfetch'), file)).toSorted()).toEqual([
      expect.stringMatching(/^Mail\/new\//),
      'migrations.mbox',
      'oauth/new/1',
      'old.mbox',
      'spool/Archive/cur/1',
      'spool/in.mbox',
      'state.db.mbox',
    ])
    expect(await readdir(at('var/lib/popfetch/Mail/new'))).toHaveLength(1)
    expect(await stat(at('etc/popfetch')).catch(() => null)).toBeNull()
  })

  test('leaves nothing of itself when it is purged and no mail lies there', async () => {
    expect((await dpkg(made.first.deb)).status).toBe(0)
    // What the test before has left.
    for (const name of await readdir(at('var/lib/popfetch')))
      await rm(at('var/lib/popfetch', name), { recursive: true, force: true })
    for (const name of ['state.db', 'state.db.notify', 'state.db.told', 'popfetch.log'])
      await writeFile(at('var/lib/popfetch', name), '')
    const { status, stderr } = await inTree(tree.path, ['dpkg', '--purge', 'popfetch'])
    expect([status, stderr]).toEqual([0, ''])
    for (const place of ['var/lib/popfetch', 'etc/popfetch', 'usr/lib/popfetch'])
      expect([place, await stat(at(place)).catch(() => null)]).toEqual([place, null])
  })
})

async function sha256(file: string): Promise<string> {
  return createHash('sha256')
    .update(await readFile(file))
    .digest('hex')
}

// The image of examples/container as people run it: as any user, on a NAS as root with PUID, without a configuration, without a mount.
import { chmod, chown, mkdir, readdir, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { Pop3Server } from '../support/pop3-server.ts'
import { buildImage, Container, dockerfile, type Image, type Run } from './container.ts'
import { cannotRun } from './debian-tree.ts'
import { runProgram, temporaryDirectory, type TemporaryDirectory } from './program.ts'

test('the image has the same end from a checkout and from the package', async () => {
  const [checkout, npm] = [await dockerfile(), await dockerfile('Dockerfile.npm')]
  const end = checkout.slice(checkout.indexOf('RUN install -d'))
  expect(end).toContain('HEALTHCHECK')
  expect(npm.endsWith(end)).toBe(true)
})

describe.skipIf(cannotRun !== null)(`the container${cannotRun === null ? '' : ` [${cannotRun}]`}`, () => {
  let image: Image
  let server: Pop3Server
  let machine: TemporaryDirectory
  beforeAll(async () => {
    image = await buildImage()
  }, 900_000)
  afterAll(() => image[Symbol.asyncDispose]())
  beforeEach(async () => {
    server = await Pop3Server.start()
    server.mailbox('alice', 'secret').add('Subject: one\n\nbody\n', { uidl: 'u1' })
    machine = await temporaryDirectory()
    for (const folder of ['state', 'mail', 'config', 'secrets']) await mkdir(on(folder))
    await writeFile(on('secrets/old-isp'), 'secret', { mode: 0o600 })
  })
  afterEach(async () => {
    await server[Symbol.asyncDispose]()
    await machine[Symbol.asyncDispose]()
  })

  /** A place on the machine. */
  const on = (...names: string[]): string => join(machine.path, ...names)
  const configuration = (changes: object = {}): string => {
    const { host, port } = server
    const password = { file: '/run/secrets/old-isp' }
    const account = { host, port, tls: 'none', user: 'alice', password, deliver: 'maildir:/mail', ...changes }
    return JSON.stringify({ accounts: { work: account } })
  }
  const configured = async (changes: object = {}): Promise<void> =>
    await writeFile(on('config/config.yaml'), configuration(changes), { mode: 0o600 })
  const ownedBy = async (uid: number, gid: number, ...names: string[]): Promise<void> => {
    for (const name of names) await chown(on(name), uid, gid)
  }
  const MOUNTS = ['state', 'mail'] as const
  const start = async (given: Run = {}): Promise<Container> => {
    const mounts = Object.fromEntries(MOUNTS.map((name) => [`/${name}`, on(name)]))
    const others = { '/etc/popfetch': on('config'), '/run/secrets': on('secrets') }
    return await Container.start(image, { mounts: { ...mounts, ...others }, ...given })
  }
  const delivered = async (): Promise<readonly string[]> => await readdir(on('mail/new')).catch(() => [])
  const arrives = async (container: Container): Promise<void> =>
    await container.until(async () => (await delivered()).length === 1)
  /** All that lies below, with owner and mode. */
  const below = async (...names: string[]): Promise<readonly string[]> => {
    const files = await readdir(on(...names), { recursive: true, withFileTypes: true })
    return await Promise.all(
      files.map(async ({ parentPath, name }) => {
        const { uid, gid, mode } = await stat(join(parentPath, name))
        return `${name} ${uid}:${gid} ${(mode & 0o777).toString(8)}`
      }),
    )
  }

  test('runs as any user, without a name, a home or any right, and with a root that cannot be written to', async () => {
    await configured()
    await ownedBy(4711, 4712, 'state', 'mail', 'config', 'config/config.yaml', 'secrets/old-isp')
    await using container = await start({ user: '4711:4712', withoutRights: true, env: { HOME: null } })
    await arrives(container)
    await container.until(async () => await container.isHealthy())
    expect(await container.exec('popfetch', 'wake')).toMatchObject({ status: 0 })
    expect((await container.exec('popfetch', 'status')).stdout).toMatch(/^daemon running/m)
    expect((await below('mail')).filter((line) => !line.includes(' 4711:4712 '))).toEqual([])
    expect((await container.processes()).map(({ uid }) => uid)).toEqual([4711, 4711])
    expect(await container.stop()).toBe(0)
  })

  test('begins in a new volume, whoever it runs as', async () => {
    await configured()
    await ownedBy(4711, 4712, 'config/config.yaml', 'secrets/old-isp')
    // As an engine makes a volume: with owner and mode of the image.
    for (const name of MOUNTS) {
      const { uid, mode } = await stat(join(image.path, name))
      expect([name, uid]).toEqual([name, 0])
      await chmod(on(name), mode & 0o7777)
    }
    await using container = await start({ user: '4711:4712', withoutRights: true })
    await arrives(container)
    expect(await container.stop()).toBe(0)
  })

  test.each([
    [{ UMASK: '' }, '600', '700'],
    [{ UMASK: '027' }, '640', '750'],
    [{ UMASK: '000' }, '664', '775'],
  ])('started as root, becomes the user of PUID before it reads anything, with %j', async (env, file, folder) => {
    // As a NAS shows them.
    await configured()
    await ownedBy(99, 99, 'state', 'config', 'config/config.yaml', 'secrets/old-isp')
    for (const name of ['config', 'config/config.yaml', 'secrets/old-isp', 'state']) await chmod(on(name), 0o777)
    await using container = await start({ env: { PUID: '4711', PGID: '4712', ...env } })
    await arrives(container)
    await container.until(async () => await container.isHealthy())
    // From the page of the NAS, or by hand: also as root.
    expect(await container.exec('popfetch', 'wake')).toMatchObject({ status: 0 })
    // tini, and popfetch.
    expect((await container.processes()).map(({ uid }) => uid)).toEqual([0, 4711])
    const [message] = await delivered()
    expect(await below('mail')).toEqual(
      expect.arrayContaining([`${message} 4711:4712 ${file}`, `new 4711:4712 ${folder}`, `cur 4711:4712 ${folder}`]),
    )
    // The ledger is nobody else's, whatever UMASK says. Its leases are in a folder that is nobody else's.
    expect((await below('state')).filter((line) => !line.includes(' 4711:4712 '))).toEqual([])
    expect((await below('state')).filter((line) => !/ [67]00$|^[0-9a-f]{32}(?:-journal)? /.test(line))).toEqual([])
    expect(await container.stop()).toBe(0)
  })

  test('takes its configuration from POPFETCH_CONFIG_YAML', async () => {
    await using container = await start({
      env: {
        PUID: '4711',
        PGID: '4712',
        POPFETCH_CONFIG_YAML: configuration({ password: { env: 'SECRET' } }),
        SECRET: 'secret',
      },
    })
    await arrives(container)
    expect((await container.exec('popfetch', 'config', 'check')).stdout).toContain('$POPFETCH_CONFIG_YAML')
    expect(await container.exec('popfetch')).toMatchObject({ status: 0, stderr: '' })
    expect(await container.stop()).toBe(0)
  })

  test('without a configuration stays up, says what to mount, and begins when it is there', async () => {
    await using container = await start({ env: { PUID: '4711', PGID: '4712' } })
    await container.until(() => container.output.includes('no configuration yet'))
    expect(container.output).toMatch(
      /mount a folder with your config\.yaml at \/etc\/popfetch, or set POPFETCH_CONFIG_YAML/,
    )
    expect(await container.isHealthy()).toBe(false)
    await configured({ password: 'secret' })
    await ownedBy(4711, 4711, 'config/config.yaml')
    await arrives(container)
    expect(await container.stop()).toBe(0)
  })

  test('that waits for a configuration ends when it is told to', async () => {
    await using container = await start({ user: '4711:4712' })
    await container.until(() => container.output.includes('no configuration yet'))
    expect(await container.stop()).toBe(0)
  })

  test('says so where an engine made a directory in place of a file', async () => {
    await mkdir(on('config/config.yaml'))
    await using container = await start({ user: '4711:4712' })
    await container.until(() => container.output.includes('/etc/popfetch/config.yaml is a directory'))
  })

  test.each([
    ['/state', 'would be gone with this container, and all mail would come twice'],
    ['/mail', 'would be gone with this container'],
  ])('refuses a %s where nothing is mounted', async (place, text) => {
    await configured({ password: 'secret' })
    await ownedBy(4711, 4712, 'config/config.yaml')
    const mounts = { '/state': on('state'), '/mail': on('mail'), '/etc/popfetch': on('config') }
    const left = Object.fromEntries(Object.entries(mounts).filter(([to]) => to !== place))
    await using container = await start({ env: { PUID: '4711', PGID: '4712' }, mounts: left })
    expect(await container.exited).toBe(78)
    expect(container.output).toContain(text)
    expect(container.output).toContain(`${place} is not a mount`)
    expect(server.journal).toHaveLength(0)
  })

  test.each([
    [{ env: { PUID: 'alice' } }, /PUID="alice", expected a number/],
    [{ env: { UMASK: 'rwx' } }, /UMASK="rwx", expected three octal digits/],
    [
      { env: { PUID: '4711' }, withoutRights: true },
      /PUID=4711 \(EPERM\): leave PUID and PGID out .*SETUID and SETGID/,
    ],
  ])('refuses %j with one line', async (given, text) => {
    await configured()
    await using container = await start(given)
    expect(await container.exited).toBe(78)
    expect(container.output).toMatch(text)
    expect(await readdir(on('state'))).toEqual([])
  })

  test('takes care of processes that a program of the user leaves behind', async () => {
    // A process in a session of its own, which ends after its parent.
    const leaves = ['sh', '-c', 'setsid sh -c "touch /mail/left; exec sleep 0.1" >/dev/null 2>&1 &']
    await configured({ before: leaves, password: 'secret' })
    await ownedBy(4711, 4711, 'state', 'mail', 'config/config.yaml')
    await using container = await start({ user: '4711' })
    await arrives(container)
    await container.until(async () => (await stat(on('mail/left')).catch(() => null)) !== null)
    await container.until(async () => (await container.processes()).length === 2)
    expect((await container.processes()).map(({ state }) => state)).not.toContain('Z')
    expect(await container.stop()).toBe(0)
  })

  test('goes on with the ledger of another user when PUID is changed', async () => {
    await configured({ password: 'secret' })
    await ownedBy(4711, 4711, 'config/config.yaml')
    {
      await using first = await start({ env: { PUID: '4711', PGID: '4711' } })
      await arrives(first)
      expect(await first.stop()).toBe(0)
    }
    // The mail is the user's to hand over.
    await runProgram('chown', ['-R', '5000:5000', on('mail'), on('config')], '/')
    server.mailbox('alice').add('Subject: two\n\nbody\n', { uidl: 'u2' })
    await using second = await start({ env: { PUID: '5000', PGID: '5000' } })
    await second.until(async () => (await delivered()).length === 2)
    expect((await below('state')).filter((line) => !line.includes(' 5000:5000 '))).toEqual([])
    expect(await second.stop()).toBe(0)
  })
})

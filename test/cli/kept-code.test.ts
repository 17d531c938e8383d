// The built program, as cron starts it again and again: what a poll that went well keeps of its compiled code, and what the next
// start believes.
import { spawn } from 'node:child_process'
import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { temporaryDirectory } from '../ledger/scene.ts'
import { Pop3Server } from '../support/pop3-server.ts'
import { BIN, ended, type Ended } from './child.ts'

/** Tells which scripts are made, and whether V8 took the code that was kept of each; and which of Node's modules were loaded. */
const WITNESS = `data:text/javascript,${encodeURIComponent(`
  import vm from 'node:vm'
  const names = []
  const Script = vm.Script
  vm.Script = class extends Script {
    constructor(text, options) {
      super(text, options)
      const name = /([\\w-]+)-[\\w-]{8}\\.js$/.exec(options.filename)?.[1]
      if (name) names.push(name + ' ' + (options.cachedData === undefined ? 'compiled' : this.cachedDataRejected ? 'refused' : 'kept'))
    }
  }
  process.on('exit', () => {
    const modules = process.moduleLoadList.filter((name) => name.startsWith('NativeModule ')).map((name) => name.slice(13))
    const seen = JSON.stringify({ scripts: names.sort(), modules })
    process.getBuiltinModule('node:fs').writeFileSync(process.env.WITNESS, seen)
  })
`)}`

let home: string
let server: Pop3Server
beforeEach(async () => {
  home = await temporaryDirectory()
  server = await Pop3Server.start()
  server.mailbox('alice', 'secret')
  const { host, port } = server
  const account = { host, port, tls: 'none', user: 'alice', password: 'secret', deliver: 'maildir:Mail' }
  writeFileSync(join(home, 'config.json'), JSON.stringify({ accounts: { work: account } }), { mode: 0o600 })
})
afterEach(async () => {
  await server[Symbol.asyncDispose]()
})

interface Run extends Ended {
  /** The chunks that were run as scripts, and how each was compiled. */
  readonly scripts: readonly string[]
  /** Node's own. */
  readonly modules: readonly string[]
}

async function popfetch(
  words: readonly string[],
  env: NodeJS.ProcessEnv = {},
  flags: readonly string[] = [],
): Promise<Run> {
  const witness = join(home, 'witness')
  rmSync(witness, { force: true })
  const child = spawn(process.execPath, [...flags, '--import', WITNESS, BIN, ...words], {
    cwd: home,
    env: { PATH: process.env['PATH'], HOME: home, WITNESS: witness, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const result = await ended(child)
  return { ...result, ...(JSON.parse(readFileSync(witness, 'utf8')) as Pick<Run, 'scripts' | 'modules'>) }
}

const poll = (env: NodeJS.ProcessEnv = {}, flags: readonly string[] = []): Promise<Run> =>
  popfetch(['--config', 'config.json'], env, flags)

const folder = (): string => join(home, '.cache/popfetch')
function files(): string[] {
  return readdirSync(folder())
    .filter((name) => name.startsWith('code-'))
    .map((name) => join(folder(), name))
}
const ROADS = ['config', 'full', 'poll', 'rolldown-runtime', 'start']
/** The largest of them; one for each chunk. */
function only(): string {
  const all = files()
  expect(all.map((file) => file.replace(/^.*\/code-[\da-f]{16}-/, '')).toSorted()).toEqual(ROADS)
  return all.find((file) => file.endsWith('-poll')) ?? ''
}

const AGAIN = ['poll compiled', 'rolldown-runtime compiled', 'start compiled']
/** The first poll checks the configuration, too, and like the second it goes the usual road. */
const COMPILED = ['config compiled', 'full compiled', ...AGAIN]
const KEPT = ['full kept', 'poll kept', 'rolldown-runtime kept', 'start kept']
/** All but that of the poll. */
const ONE_AGAIN = ['full kept', 'poll compiled', 'rolldown-runtime kept', 'start kept']
/** From then on, while nothing is new. */
const IDLE = ['poll kept', 'rolldown-runtime kept', 'start kept']

describe('the code of a poll', () => {
  test('is kept once, for its user alone, and used from then on', async () => {
    expect(await poll()).toMatchObject({ code: 0, stderr: '', scripts: COMPILED })
    const { mode, ino, mtimeMs } = statSync(only())
    expect(mode & 0o777).toBe(0o600)
    expect(await poll()).toMatchObject({ code: 0, stderr: '', scripts: KEPT })
    expect(await popfetch(['status', '--config', 'config.json'])).toMatchObject({
      scripts: expect.arrayContaining(IDLE) as string[],
    })
    expect(statSync(only())).toMatchObject({ ino, mtimeMs })
  })

  test('is kept by a poll that brought mail, too', async () => {
    server.mailbox('alice').add(`Subject: large\r\n\r\n${'a line of text\r\n'.repeat(700_000)}`)
    expect(await poll()).toMatchObject({ code: 0, stderr: '' })
    expect((await poll()).scripts).toEqual(KEPT)
  })

  test('is made once more after the first poll without mail, for most have none, and then not again', async () => {
    const inbox = server.mailbox('alice')
    inbox.add('Subject: first\r\n\r\ntext\r\n')
    await poll()
    const { size: large } = statSync(only())
    expect((await poll()).scripts).toEqual(KEPT)
    expect((await poll()).scripts).toEqual(IDLE)
    expect((await poll()).scripts).toEqual(['poll compiled', 'rolldown-runtime kept', 'start kept'])
    const small = statSync(only())
    expect(small.size).toBeLessThan(large)
    expect((await poll()).scripts).toEqual(IDLE)
    inbox.add('Subject: second\r\n\r\ntext\r\n')
    expect((await poll()).scripts).toEqual(KEPT)
    expect((await poll()).scripts).toEqual(KEPT)
    expect((await poll()).scripts).toEqual(IDLE)
    expect(statSync(only())).toMatchObject({ size: small.size, ino: small.ino })
  })

  test('is made once more by whatever poll comes then', async () => {
    const inbox = server.mailbox('alice')
    await poll()
    await poll()
    expect((await poll()).scripts).toEqual(IDLE)
    inbox.add('Subject: new\r\n\r\ntext\r\n')
    expect((await poll()).scripts).toEqual(ONE_AGAIN)
    const { ino } = statSync(only())
    expect((await poll()).scripts).toEqual(KEPT)
    expect((await poll()).scripts).toEqual(IDLE)
    expect((await poll()).scripts).toEqual(IDLE)
    expect(statSync(only()).ino).toBe(ino)
  })

  test.each([
    [
      'a poll that failed',
      async () => {
        await server[Symbol.asyncDispose]()
        expect((await poll()).code).toBe(75)
      },
    ],
    ['--version', async () => void (await popfetch(['--version']))],
    ['status', async () => void (await popfetch(['status', '--config', 'config.json']))],
    ['config check', async () => void (await popfetch(['config', 'check', '--config', 'config.json']))],
    ['a dry run', async () => void (await popfetch(['--dry-run', '--config', 'config.json']))],
  ])('is not kept after %s, which does not run all of it', async (_, act) => {
    await act()
    expect(files()).toEqual([])
  })

  test.each([
    ['it was cut', (file: string) => truncateSync(file, 100_000)],
    ['it is empty', (file: string) => truncateSync(file, 0)],
    ['it ends in its beginning', (file: string) => truncateSync(file, 10)],
    [
      'a bit of it changed',
      (file: string) => {
        const bytes = readFileSync(file)
        bytes[bytes.length >> 1]! ^= 1
        writeFileSync(file, bytes)
      },
    ],
    ['others can write to it', (file: string) => chmodSync(file, 0o666)],
    [
      'it is that of another text',
      (file: string) => writeFileSync(file, readFileSync(file, 'latin1').replace(/("chunk":"[^ ]+ )/, '$19'), 'latin1'),
    ],
    [
      'it is that of another program',
      (file: string) =>
        writeFileSync(file, readFileSync(file, 'latin1').replace('"program":"[', '"program":"[1,'), 'latin1'),
    ],
    [
      'its beginning makes no sense',
      (file: string) => writeFileSync(file, readFileSync(file, 'latin1').replace('{', '['), 'latin1'),
    ],
  ])('is compiled and kept again where %s', async (_, spoil) => {
    await poll()
    const file = only()
    const before = readFileSync(file)
    spoil(file)
    const { code, stderr, scripts } = await poll()
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(scripts.filter((one) => one.endsWith('compiled')).length).toBeGreaterThan(0)
    expect(only()).toBe(file)
    expect(statSync(file).size).toBeGreaterThan(before.length / 2)
    expect(statSync(file).mode & 0o777).toBe(0o600)
    expect((await poll()).scripts).toEqual(IDLE)
  })

  test.each([
    [
      'a link',
      (file: string) => {
        writeFileSync(join(home, 'mine'), readFileSync(file))
        rmSync(file)
        symlinkSync(join(home, 'mine'), file)
      },
    ],
    [
      'a folder',
      (file: string) => {
        rmSync(file)
        mkdirSync(file)
      },
    ],
  ])('is not read through %s, and the poll goes on', async (_, put) => {
    await poll()
    put(only())
    expect(await poll()).toMatchObject({ code: 0, stderr: '', scripts: ONE_AGAIN })
  })

  test('is kept for each set of flags of V8 by itself', async () => {
    await poll()
    const flags = ['--no-sparkplug']
    expect((await poll({}, flags)).scripts).toEqual(['full compiled', ...AGAIN])
    // The configuration was checked before, under whatever flags.
    expect(files()).toHaveLength(2 * ROADS.length - 1)
    expect((await poll({}, flags)).scripts).toEqual(IDLE)
    expect((await poll()).scripts).toEqual(IDLE)
  })

  test.each([
    [
      'the folder is not private',
      () => {
        mkdirSync(folder(), { recursive: true })
        chmodSync(folder(), 0o777)
        return {}
      },
    ],
    ['there is no home', () => ({ HOME: undefined, XDG_STATE_HOME: home })],
    ['Node is told where to keep code', () => ({ NODE_COMPILE_CACHE: join(home, 'elsewhere') })],
  ])('stays as Node loads it where %s', async (_, prepare) => {
    const { code, stderr, scripts } = await poll({ ...prepare(), XDG_STATE_HOME: home })
    expect({ code, stderr, scripts }).toEqual({ code: 0, stderr: '', scripts: [] })
  })
})

describe('a configuration that was checked', () => {
  const place = (): string => join(home, 'config.json')
  const written = (): string => readFileSync(place(), 'utf8')

  test('is kept for its user alone, and loads nothing that checks one', async () => {
    await poll()
    const name = readdirSync(folder()).find((one) => one.startsWith('configuration-')) ?? ''
    const { mode, mtimeMs, ino } = statSync(join(folder(), name))
    expect(mode & 0o777).toBe(0o600)
    expect(readFileSync(join(folder(), name), 'latin1')).not.toContain('secret')
    expect((await poll()).scripts).toEqual(KEPT)
    expect(statSync(join(folder(), name))).toMatchObject({ mtimeMs, ino })
  })

  test('is enough for a poll that loads of Node what it needs: nothing that reads lines, watches files or measures', async () => {
    await poll()
    const { scripts, modules } = await poll()
    expect(scripts).toEqual(KEPT)
    expect(modules).toContain('net')
    for (const rare of ['internal/fs/promises', 'internal/readline/interface', 'internal/fs/watchers', 'perf_hooks'])
      expect(modules).not.toContain(rare)
  })

  test('is checked again once it has changed, and its mistakes are told', async () => {
    await poll()
    server.mailbox('bob', 'secret').add('Subject: for bob\r\n\r\ntext\r\n')
    writeFileSync(place(), written().replace('alice', 'bob'))
    expect(await popfetch(['--config', 'config.json', '--json', '--yes'])).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('"delivered":1') as string,
    })
    writeFileSync(place(), written().replace('"deliver"', '"delivers"'))
    expect(await poll()).toMatchObject({ code: 78, stderr: expect.stringContaining('delivers') as string })
  })

  test.runIf(process.getuid?.() !== undefined)('is not used while others could read its secret', async () => {
    await poll()
    chmodSync(place(), 0o644)
    expect(await poll()).toMatchObject({ code: 78, stderr: expect.stringContaining('can read') as string })
    chmodSync(place(), 0o600)
    expect(await poll()).toMatchObject({ code: 0, scripts: KEPT })
  })
})

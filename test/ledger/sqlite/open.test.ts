import {
  chmod,
  type FileHandle,
  link,
  mkdir,
  open,
  readFile,
  readdir,
  readlink,
  rm,
  stat,
  symlink,
  truncate,
  writeFile,
} from 'node:fs/promises'
import { DatabaseSync } from 'node:sqlite'
import { dirname, join } from 'node:path'
import { describe, expect, test, vi } from 'vitest'
import { PopfetchError } from '../../../src/errors.ts'
import { MIGRATIONS } from '../../../src/ledger/sqlite/schema/migrations.ts'
import { create } from '../../../src/ledger/sqlite/file.ts'
import { openLedger, type LedgerOptions } from '../../../src/ledger/sqlite/open.ts'
import { processAt } from '../kind.ts'
import { beginning, key, leaseOf, temporaryDirectory } from '../scene.ts'
import { sqlite } from './kind.ts'

/** The error of opening `path`: ERR_LEDGER for the whole process, in one line. */
async function refusal(path: string, options: LedgerOptions = {}): Promise<PopfetchError> {
  try {
    await using _ = await openLedger(path, options)
  } catch (thrown) {
    if (!(thrown instanceof PopfetchError)) throw thrown
    expect(thrown).toMatchObject({ code: 'ERR_LEDGER', scope: 'process', retry: 'never' })
    expect(thrown.message).not.toContain('\n')
    return thrown
  }
  throw new Error('it was opened')
}

async function ledgerWithMessages(count: number): Promise<string> {
  const path = join(await temporaryDirectory(), 'state.db')
  await using ledger = await openLedger(path)
  await ledger.begin(
    await leaseOf(ledger, 'old-isp'),
    Array.from({ length: count }, (_, n) => beginning(key(`uid-${n}`))),
  )
  return path
}

function mode(bits: number): string {
  return (bits & 0o777).toString(8)
}

describe('a new ledger', () => {
  test('is private, in a private directory, and leaves no draft behind', async () => {
    const directory = join(await temporaryDirectory(), 'state', 'popfetch')
    const path = join(directory, 'state.db')
    const before = process.umask(0)
    try {
      await using ledger = await openLedger(path)
      const lease = await leaseOf(ledger, 'old-isp')
      expect(lease.account).toBe('old-isp')
      for (const name of ['state.db', 'state.db-wal', 'state.db-shm']) {
        expect([name, mode((await stat(join(directory, name))).mode)]).toEqual([name, '600'])
      }
      expect(mode((await stat(`${path}.leases`)).mode)).toBe('700')
    } finally {
      process.umask(before)
    }
    expect(mode((await stat(directory)).mode)).toBe('700')
    expect((await readdir(directory)).toSorted()).toEqual(['state.db', 'state.db.leases'])
    expect(await readdir(`${path}.leases`)).toEqual([])
  })

  test('is on the disk as a whole before it has its name', async () => {
    const path = join(await temporaryDirectory(), 'state.db')
    const handle = await open(dirname(path))
    const files = Object.getPrototypeOf(handle) as FileHandle
    await handle.close()
    const synced: (readonly [what: string, named: boolean])[] = []
    const sync = Reflect.get<FileHandle, 'sync'>(files, 'sync')
    using _ = vi.spyOn(files, 'sync').mockImplementation(async function (this: FileHandle) {
      const what = await readlink(`/proc/self/fd/${this.fd}`)
      synced.push([what.replace(/\.new-.*/, '.new'), (await readdir(dirname(path))).includes('state.db')])
      await sync.call(this)
    })
    await create(path)
    expect(synced).toEqual([
      [`${path}.new`, false],
      [dirname(path), true],
    ])
  })

  test('made by several at once is one ledger', async () => {
    const path = join(await temporaryDirectory(), 'state.db')
    const ledgers = await Promise.all(Array.from({ length: 4 }, () => openLedger(path)))
    await Promise.all(ledgers.map((ledger, n) => leaseOf(ledger, `account-${n}`)))
    expect((await ledgers[0]!.accounts()).length).toBe(4)
    await Promise.all(ledgers.map((ledger) => ledger[Symbol.asyncDispose]()))
  })

  test('never takes the place of one that another process was faster to make', async () => {
    const path = await ledgerWithMessages(1)
    const before = await stat(path)
    await create(path)
    expect((await stat(path)).ino).toBe(before.ino)
    expect(await readdir(dirname(path))).toEqual(['state.db', 'state.db.leases'])
  })

  test('keeps a write-ahead log, and so does a copy that had lost that', async () => {
    const path = await ledgerWithMessages(1)
    const database = new DatabaseSync(path)
    expect(database.prepare('PRAGMA journal_mode').get()).toEqual({ journal_mode: 'wal' })
    database.exec(`VACUUM INTO '${path}.copy'`)
    database.close()
    await using copy = await openLedger(`${path}.copy`)
    expect((await copy.known('old-isp', [key('uid-0')]))[0]?.state).toBe('open')
    expect((await stat(`${path}.copy-wal`)).isFile()).toBe(true)
  })
})

describe('a ledger that is there', () => {
  test('and readable by others is made private', async () => {
    const path = await ledgerWithMessages(1)
    await chmod(path, 0o644)
    await using _ = await openLedger(path)
    expect(mode((await stat(path)).mode)).toBe('600')
  })

  test('is the same one behind a symbolic link', async () => {
    const path = await ledgerWithMessages(1)
    const alias = join(await temporaryDirectory(), 'alias.db')
    await symlink(path, alias)
    await using first = await openLedger(path)
    await using second = await openLedger(alias)
    expect(second.place).toBe(first.place)
    await using lease = await first.lease('old-isp')
    expect(lease).not.toBeNull()
    expect(await second.lease('old-isp')).toBeNull()
  })

  test('can be opened to be read, and then refuses changes', async () => {
    const path = await ledgerWithMessages(3)
    await using ledger = await openLedger(path, { readOnly: true })
    expect((await ledger.known('old-isp', [key('uid-2')]))[0]?.state).toBe('open')
    expect(await ledger.account('new')).toBeNull()
    expect((await ledger.accounts()).length).toBe(1)
    await expect(ledger.lease('old-isp')).rejects.toMatchObject({ code: 'ERR_LEDGER' })
  })
})

test('a ledger that is not there is an empty one to a reader, who makes nothing', async () => {
  const directory = await temporaryDirectory()
  await using ledger = await openLedger(join(directory, 'none', 'state.db'), { readOnly: true })
  expect(await ledger.accounts()).toEqual([])
  await using beside = await openLedger(join(directory, 'state.db'), { readOnly: true })
  expect(await beside.known('a', [key('x')])).toEqual([null])
  expect(await readdir(directory)).toEqual([])
})

describe('a ledger that somebody else could have written is refused, and left as it is', () => {
  test.each([0o666, 0o602])('of the mode %o', async (bits) => {
    const path = await ledgerWithMessages(1)
    await chmod(path, bits)
    expect((await refusal(path)).message).toContain(
      `that anybody can write to (mode 0${bits.toString(8)}): chmod go-w ${path}`,
    )
    expect(mode((await stat(path)).mode)).toBe(bits.toString(8))
  })

  test.each([0o777, 0o1777])('in a directory of the mode %o, where others can put files beside it', async (bits) => {
    const path = await ledgerWithMessages(1)
    await chmod(dirname(path), bits)
    expect((await refusal(path)).message).toMatch(
      /the directory .*(?:anybody can write|anybody can make files).*chmod go-w/,
    )
    const made = join(dirname(path), 'new.db')
    expect((await refusal(made)).message).toContain('chmod go-w')
    await expect(stat(made)).rejects.toMatchObject({ code: 'ENOENT' })
  })

  test.skipIf(process.getuid?.() === 0)('with a second name [root may have them]', async () => {
    const path = await ledgerWithMessages(1)
    await link(path, `${path}.other`)
    expect((await refusal(path)).message).toContain('2 hard links')
  })

  test('but the name of a draft, left by whoever was killed while making it, is only removed', async () => {
    const path = await ledgerWithMessages(1)
    await link(path, `${path}.new-0123456789abcdef`)
    await using ledger = await openLedger(path)
    expect(await ledger.accounts()).toHaveLength(1)
    expect(await readdir(dirname(path))).not.toContain('state.db.new-0123456789abcdef')
  })
})

test('what is no ledger is never touched: not its mode, and nothing beside it', async () => {
  const directory = await temporaryDirectory()
  const path = join(directory, 'index.html')
  await writeFile(path, '<!doctype html>')
  await chmod(path, 0o644)
  const before = await stat(path)
  expect((await refusal(path)).message).toContain('it is not a popfetch ledger')
  const { mode: bits, mtimeMs, ctimeMs, size } = await stat(path)
  expect({ bits, mtimeMs, ctimeMs, size }).toEqual({
    bits: before.mode,
    mtimeMs: before.mtimeMs,
    ctimeMs: before.ctimeMs,
    size: before.size,
  })
  expect(await readdir(directory)).toEqual(['index.html'])
})

describe('never a silent fresh start: refused, and left as it is, is', () => {
  test('an empty file', async () => {
    const path = join(await temporaryDirectory(), 'state.db')
    await writeFile(path, '')
    expect((await refusal(path)).message).toMatch(
      /it is empty: popfetch state repair saves what can be read, popfetch state restore goes back to a copy/,
    )
    expect((await stat(path)).size).toBe(0)
  })

  test('a file that is missing though its log is there', async () => {
    const path = await ledgerWithMessages(1)
    await rm(path)
    await writeFile(`${path}-wal`, 'x')
    expect((await refusal(path)).message).toContain('missing')
  })

  test('a text file, a directory, the SQLite file of another program', async () => {
    const directory = await temporaryDirectory()
    const text = join(directory, 'text')
    await writeFile(text, 'not a ledger\n'.repeat(1000))
    expect((await refusal(text)).message).toContain('not a popfetch ledger')
    expect(await readFile(text, 'utf8')).toBe('not a ledger\n'.repeat(1000))
    await mkdir(join(directory, 'folder'))
    expect((await refusal(join(directory, 'folder'))).message).toContain('it is a directory')
    const foreign = join(directory, 'places.sqlite')
    const database = new DatabaseSync(foreign)
    database.exec('CREATE TABLE moz_places (id INTEGER); PRAGMA user_version = 1')
    database.close()
    const before = await readFile(foreign)
    expect((await refusal(foreign)).message).toContain('another program')
    expect(await readFile(foreign)).toEqual(before)
  })

  test('one that was cut off', async () => {
    const path = await ledgerWithMessages(2000)
    await truncate(path, Math.floor((await stat(path)).size / 2 / 4096) * 4096)
    expect((await refusal(path)).message).toContain('damaged')
    await truncate(path, 100)
    expect((await refusal(path)).message).toContain('damaged')
  })

  test('one whose tables are gone', async () => {
    const path = await ledgerWithMessages(1)
    const database = new DatabaseSync(path)
    database.exec('DROP TABLE delivery')
    database.close()
    expect((await refusal(path)).message).toContain('damaged (no such table: delivery)')
  })

  test('one of a newer popfetch', async () => {
    const path = await ledgerWithMessages(1)
    const database = new DatabaseSync(path)
    database.exec(`PRAGMA user_version = ${MIGRATIONS.length + 1}`)
    database.close()
    expect((await refusal(path)).message).toContain('newer popfetch')
    expect((await refusal(path, { readOnly: true })).message).toContain('newer popfetch')
  })

  test('one on a network file system', async () => {
    const path = join(await temporaryDirectory(), 'state.db')
    for (const [type, name] of [
      [0x6969, 'NFS'],
      [0xfe534d42, 'SMB'],
    ] as const) {
      const error = await refusal(path, { fileSystemType: () => Promise.resolve(type) })
      expect(error.message).toContain(`network file system (${name})`)
    }
    await expect(stat(path)).rejects.toMatchObject({ code: 'ENOENT' })
  })

  test('a place that cannot be written', async () => {
    const directory = await temporaryDirectory()
    await writeFile(join(directory, 'file'), '')
    await expect(openLedger(join(directory, 'file', 'state.db'))).rejects.toMatchObject({ code: 'ERR_LEDGER' })
  })
})

test('damage in any page is told or harmless, and never forgets the account', async () => {
  const path = await ledgerWithMessages(300)
  const sound = await readFile(path)
  const outcomes = new Set<string>()
  // A stride that visits every page, and different places in each.
  for (let offset = 16; offset < sound.byteLength; offset += 1361) {
    const damagedBytes = Buffer.from(sound)
    damagedBytes.fill(0xa5, offset, offset + 64)
    await writeFile(path, damagedBytes)
    try {
      await using ledger = await openLedger(path)
      const accounts = await ledger.accounts()
      await ledger.known(
        'old-isp',
        Array.from({ length: 300 }, (_, n) => key(`uid-${n}`)),
      )
      outcomes.add(accounts.length === 1 ? 'harmless' : 'forgotten')
    } catch (thrown) {
      outcomes.add(thrown instanceof PopfetchError ? thrown.code : String(thrown))
    }
    for (const suffix of ['-wal', '-shm']) await rm(path + suffix, { force: true })
  }
  expect([...outcomes].toSorted()).toEqual(['ERR_LEDGER', 'harmless'])
})

test('a look ends with ERR_LEDGER when the file is damaged under it', async () => {
  const path = await ledgerWithMessages(1)
  await using ledger = await openLedger(path)
  const other = new DatabaseSync(path)
  other.exec('PRAGMA ignore_check_constraints = ON; UPDATE message SET state = 9')
  other.close()
  const looked = Array.fromAsync(ledger.records.list('old-isp', 'all'))
  await expect(looked).rejects.toMatchObject({ code: 'ERR_LEDGER' })
})

test('a small ledger whose last user was killed is checked when it is opened', async () => {
  const path = await ledgerWithMessages(2000)
  const writer = processAt(sqlite, { name: path }, 'writer.ts', 'old-isp', 'x')
  await writer.line()
  writer.process.kill('SIGKILL')
  await new Promise((resolve) => writer.process.once('exit', resolve))
  expect((await stat(`${path}-wal`)).size).toBeGreaterThan(0)
  // The page of the first deliveries, after the root of their table: neither read by opening nor written by the other.
  const bytes = await readFile(path)
  const root = Math.floor(bytes.indexOf('a'.repeat(16)) / 4096)
  const page = Math.floor(bytes.indexOf('a'.repeat(16), (root + 1) * 4096) / 4096)
  const file = await open(path, 'r+')
  await file.write(Buffer.alloc(64, 0xa5), 0, 64, page * 4096)
  await file.close()
  expect((await refusal(path)).message).toContain('damaged')
})

// The ledger's file is deleted or replaced while it is in use (S043). The next commit and the next read notice that, and it is
// used again once a right file is there.
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { Ledger } from '../../../src/ledger/ledger.ts'
import { openLedger } from '../../../src/ledger/sqlite/open.ts'
import { beginning, DONE, key, leaseOf, settlement, temporaryDirectory } from '../scene.ts'

const MOVED = {
  code: 'ERR_LEDGER',
  // Not `never`: the daemon lives on.
  retry: 'later',
  scope: 'process',
  message: expect.stringContaining('it was deleted or replaced while popfetch had it open') as string,
}

async function opened(): Promise<{ readonly path: string; readonly ledger: Ledger }> {
  const path = join(await temporaryDirectory(), 'state', 'state.db')
  const ledger = await openLedger(path)
  onTestFinished(() => ledger[Symbol.asyncDispose]())
  return { path, ledger }
}

/** Files of the ledger, to another place and back. */
function move(path: string, suffixes: readonly string[], to: string): void {
  mkdirSync(dirname(to), { recursive: true })
  for (const suffix of suffixes) if (existsSync(path + suffix)) renameSync(path + suffix, to + suffix)
}

const ALL = ['', '-wal', '-shm']

/** What happens to the file, and how it is put right. The copy is a backup that was taken before. */
const ACCIDENTS: Readonly<Record<string, { happens(path: string): void; mended(path: string, copy: string): void }>> = {
  'moved away with all that belongs to it, and put back': {
    happens: (path) => move(path, ALL, `${path}-away/x`),
    mended: (path) => move(`${path}-away/x`, ALL, path),
  },
  'moved away with its directory, and put back': {
    happens: (path) => renameSync(dirname(path), `${dirname(path)}-away`),
    mended: (path) => renameSync(`${dirname(path)}-away`, dirname(path)),
  },
  'deleted, and a copy put there': {
    happens: (path) => ALL.forEach((suffix) => rmSync(path + suffix, { force: true })),
    mended: (path, copy) => renameSync(copy, path),
  },
  'deleted alone, and a copy put there once its log was deleted, too': {
    happens: (path) => rmSync(path),
    mended(path, copy) {
      for (const suffix of ['-wal', '-shm']) rmSync(path + suffix, { force: true })
      renameSync(copy, path)
    },
  },
  'replaced by what is no ledger, and by a copy after that': {
    happens(path) {
      move(path, ALL, `${path}-away/x`)
      writeFileSync(path, 'not a ledger')
    },
    mended: (path, copy) => renameSync(copy, path),
  },
}

describe.each(Object.entries(ACCIDENTS))('a ledger that is %s (S043)', (_, accident) => {
  test('takes no change and tells nothing meanwhile, and is used again then', async () => {
    const { path, ledger } = await opened()
    const lease = await leaseOf(ledger, 'a')
    await ledger.begin(lease, [beginning(key('x'))])
    const copy = join(dirname(dirname(path)), 'copy.db')
    await ledger.records.backup(copy)
    accident.happens(path)
    await expect(ledger.settle(lease, settlement(key('x'), DONE))).rejects.toMatchObject(MOVED)
    await expect(ledger.known('a', [key('x')])).rejects.toMatchObject(MOVED)
    await expect(ledger.lease('b')).rejects.toMatchObject(MOVED)
    await expect(ledger.records.backup(`${copy}2`)).rejects.toMatchObject(MOVED)
    // Nothing is made where a ledger was.
    expect(existsSync(path) && readdirSync(dirname(path)).includes('state.db-journal')).toBe(false)
    accident.mended(path, copy)
    await using again = await ledger.lease('a')
    expect(again?.token).not.toBe(lease.token)
    expect(lease.lost.reason).toMatchObject({ code: 'ERR_LEASE_LOST' })
    await expect(ledger.settle(lease, settlement(key('x'), DONE))).rejects.toMatchObject({ code: 'ERR_LEASE_LOST' })
    expect((await ledger.known('a', [key('x')]))[0]?.state).toBe('open')
    if (again !== null) await ledger.settle(again, settlement(key('x'), DONE))
    await using other = await openLedger(path)
    expect((await other.known('a', [key('x')]))[0]?.state).toBe('delivered')
  })
})

test.each(['-wal', '-shm'])('a file that SQLite keeps beside it is missed as well (%s)', async (suffix) => {
  const { path, ledger } = await opened()
  const lease = await leaseOf(ledger, 'a')
  await ledger.begin(lease, [beginning(key('x'))])
  rmSync(path + suffix)
  await expect(ledger.settle(lease, settlement(key('x'), DONE))).rejects.toMatchObject(MOVED)
  await using again = await ledger.lease('a')
  expect(again).not.toBeNull()
  expect((await ledger.known('a', [key('x')]))[0]?.state).toBe('open')
})

test('what another process writes to the new file is left alone when the old one is closed', async () => {
  const { path, ledger } = await opened()
  const lease = await leaseOf(ledger, 'a')
  await ledger.begin(lease, [beginning(key('x'))])
  ALL.forEach((suffix) => rmSync(path + suffix))
  await using other = await openLedger(path)
  const theirs = await leaseOf(other, 'a')
  await other.begin(theirs, [beginning(key('y'))])
  await expect(ledger.known('a', [key('x')])).rejects.toMatchObject(MOVED)
  // It is their account now, by the new file.
  expect(await ledger.lease('a')).toBeNull()
  await other.settle(theirs, settlement(key('y'), DONE))
  await using third = await openLedger(path)
  expect((await third.known('a', [key('y')]))[0]?.state).toBe('delivered')
  expect(existsSync(`${path}-wal`)).toBe(true)
})

test('a ledger that is not there is none to those who only read, and is not missed', async () => {
  const path = join(await temporaryDirectory(), 'state.db')
  await using ledger = await openLedger(path, { readOnly: true })
  expect(await ledger.accounts()).toEqual([])
  expect(existsSync(path)).toBe(false)
})

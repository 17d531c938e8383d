// A copy of the whole file while it is in use.
import { mkdir, readFile, readdir, stat, writeFile, chmod } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { openLedger } from '../../../src/ledger/sqlite/open.ts'
import { keysOf, oneOfEach } from '../contract/samples.ts'
import { processAt } from '../kind.ts'
import { freshLedger, temporaryDirectory } from '../scene.ts'
import { sqlite } from './kind.ts'

describe('a backup', () => {
  test('is a whole ledger that only its owner can read, taken while a poll holds its lease', async () => {
    const ledger = await freshLedger()
    await oneOfEach(ledger)
    const file = join(await temporaryDirectory(), 'copy.db')
    await ledger.records.backup(file)
    expect((await stat(file)).mode & 0o777).toBe(0o600)
    await using copy = await openLedger(file)
    expect(await keysOf(copy, 'all')).toEqual(await keysOf(ledger, 'all'))
    expect(await copy.accounts()).toEqual(await ledger.accounts())
  })

  test('goes through while another process keeps writing', async () => {
    const ledger = await freshLedger()
    const writer = processAt(sqlite, { name: ledger.place }, 'writer.ts', 'a', 'uid-')
    await writer.line()
    const file = join(await temporaryDirectory(), 'copy.db')
    await ledger.records.backup(file)
    await using copy = await openLedger(file)
    expect((await keysOf(copy, 'all')).length).toBeGreaterThan(0)
  })

  test('overwrites nothing, and leaves nothing beside it', async () => {
    const ledger = await freshLedger()
    const directory = await temporaryDirectory()
    const file = join(directory, 'copy.db')
    await writeFile(file, 'mine')
    await expect(ledger.records.backup(file)).rejects.toMatchObject({
      code: 'ERR_LEDGER',
      message: `cannot write the backup ${file}: a file of this name already exists: use another name`,
    })
    expect(await readFile(file, 'utf8')).toBe('mine')
    expect(await readdir(directory)).toEqual(['copy.db'])
  })

  test.each(['missing/copy.db', 'file/copy.db'])('that cannot be written says so: %s', async (name) => {
    const ledger = await freshLedger()
    const directory = await temporaryDirectory()
    await writeFile(join(directory, 'file'), '')
    await expect(ledger.records.backup(join(directory, name))).rejects.toMatchObject({ code: 'ERR_LEDGER' })
    expect(await readdir(directory)).toEqual(['file'])
  })

  test('of a ledger that is not there is refused', async () => {
    const directory = await temporaryDirectory()
    await mkdir(join(directory, 'sub'))
    await chmod(join(directory, 'sub'), 0o700)
    await using ledger = await openLedger(join(directory, 'state.db'), { readOnly: true })
    await expect(ledger.records.backup(join(directory, 'copy.db'))).rejects.toMatchObject({ code: 'ERR_LEDGER' })
    expect(await readdir(directory)).toEqual(['sub'])
  })

  test('of a damaged ledger fails and leaves no file', async () => {
    const ledger = await freshLedger()
    await oneOfEach(ledger)
    const path = ledger.place
    await ledger[Symbol.asyncDispose]()
    const reopened = await openLedger(path)
    const bytes = await readFile(path)
    bytes.fill(0xff, 4096, 4096 * 3)
    await writeFile(path, bytes)
    const directory = await temporaryDirectory()
    await expect(reopened.records.backup(join(directory, 'copy.db'))).rejects.toMatchObject({ code: 'ERR_LEDGER' })
    expect(await readdir(directory)).toEqual([])
    await reopened[Symbol.asyncDispose]()
  })
})

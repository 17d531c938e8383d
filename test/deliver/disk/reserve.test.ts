// The space that is left free on every file system (P5).
import fs from 'node:fs'
import { describe, expect, test } from 'vitest'
import { NoRoom, Reserve } from '../../../src/deliver/disk/reserve.ts'
import { EXT4, FaultyFileSystems } from '../../support/faulty-filesystem.ts'

describe('the reserve', () => {
  const faults = new FaultyFileSystems(EXT4)
  const fileSystem = faults.of()

  test('looks at the file system once for many small messages, and again after 64 MiB', async () => {
    const reserve = new Reserve()
    faults.freeBytes = 500_000_000
    faults.calls = 0
    for (let count = 0; count < 1000; count++) await reserve.take(fileSystem, '/', 4000)
    expect(faults.calls).toBe(1)
    for (let count = 0; count < 64; count++) await reserve.take(fileSystem, '/', 1 << 20)
    expect(faults.calls).toBe(2)
  })

  test('keeps 100 MB free, looking again before it refuses', async () => {
    const reserve = new Reserve()
    faults.freeBytes = 100_008_192
    await reserve.take(fileSystem, '/', 8192)
    faults.freeBytes = 100_000_000
    await expect(reserve.take(fileSystem, '/', 1)).rejects.toThrow(NoRoom)
    faults.freeBytes = 100_004_096
    await reserve.take(fileSystem, '/', 1)
  })

  test.each([
    ['2 %', 10_000_000_000, 200_000_000],
    ['1 GB, of a very large one', 4_000_000_000_000, 1_000_000_000],
  ])('keeps %s of a large file system free', async (_, totalBytes, keptBytes) => {
    const withFree = (freeBytes: number) => ({
      ...fileSystem,
      statfs: () =>
        Object.assign(fs.statfsSync('/'), { bsize: 1000, blocks: totalBytes / 1000, bavail: freeBytes / 1000 }),
    })
    await expect(new Reserve().take(withFree(keptBytes), '/', 1)).rejects.toThrow('must stay free')
    await new Reserve().take(withFree(keptBytes + 5000), '/', 1)
  })

  test('keeps 1000 inodes free, where they are counted (D134)', async () => {
    const withFiles = (files: number, ffree: number) => ({
      ...fileSystem,
      statfs: () => Object.assign(fs.statfsSync('/'), { bsize: 4096, blocks: 1e7, bavail: 1e6, files, ffree }),
    })
    const reserve = new Reserve()
    await reserve.take(withFiles(1e6, 1001), '/', 1)
    await expect(reserve.take(withFiles(1e6, 1000), '/', 1)).rejects.toThrow('inodes')
    await new Reserve().take(withFiles(0, 0), '/', 1)
  })

  test('believes a file system that does not know its size', async () => {
    const vague = {
      ...fileSystem,
      statfs: () => Object.assign(fs.statfsSync('/'), { bsize: 4096, blocks: 0, bavail: 0 }),
    }
    await new Reserve().take(vague, '/', 1e9)
  })
})

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

  test('keeps 2 % of a large file system free', async () => {
    const big = {
      ...fileSystem,
      statfs: () => Object.assign(fs.statfsSync('/'), { bsize: 4096, blocks: 1e9, bavail: 19_999_999 }),
    }
    await expect(new Reserve().take(big, '/', 1)).rejects.toThrow('must stay free')
  })

  test('believes a file system that does not know its size', async () => {
    const vague = {
      ...fileSystem,
      statfs: () => Object.assign(fs.statfsSync('/'), { bsize: 4096, blocks: 0, bavail: 0 }),
    }
    await new Reserve().take(vague, '/', 1e9)
  })
})

import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { boundCompileCache, compileCache } from '../../src/cli/compile-cache.ts'

describe('the cache of compiled code', () => {
  let home = ''
  const enable = vi.fn<(folder: string) => void>()
  beforeEach(() => {
    home = mkdtempSync(path.join(tmpdir(), 'popfetch-home-'))
    enable.mockReset()
  })
  afterEach(() => rmSync(home, { recursive: true }))

  test('is a private folder below ~/.cache, or $XDG_CACHE_HOME', () => {
    compileCache({ HOME: home }, enable)
    expect(enable).toHaveBeenLastCalledWith(path.join(home, '.cache/popfetch'))
    compileCache({ HOME: home, XDG_CACHE_HOME: path.join(home, 'elsewhere') }, enable)
    expect(enable).toHaveBeenLastCalledWith(path.join(home, 'elsewhere/popfetch'))
  })

  test.each([
    ['others can write to the folder', () => chmodSync(path.join(home, '.cache/popfetch'), 0o777)],
    ['others can write to its parent', () => chmodSync(path.join(home, '.cache'), 0o777)],
    [
      'the folder is a link',
      () => {
        rmSync(path.join(home, '.cache/popfetch'), { recursive: true })
        mkdirSync(path.join(home, 'other'), { mode: 0o777 })
        chmodSync(path.join(home, 'other'), 0o777)
        symlinkSync(path.join(home, 'other'), path.join(home, '.cache/popfetch'))
      },
    ],
  ])('is not used where %s', (_, spoil) => {
    mkdirSync(path.join(home, '.cache/popfetch'), { recursive: true })
    spoil()
    compileCache({ HOME: home }, enable)
    expect(enable).not.toHaveBeenCalled()
  })

  test('is not used without a home, with a relative one, or where it cannot be made', () => {
    compileCache({}, enable)
    compileCache({ HOME: 'relative' }, enable)
    compileCache({ HOME: '/proc' }, enable)
    expect(enable).not.toHaveBeenCalled()
  })

  test('keeps what is newest where versions have left too much, and nothing that a link leads to', () => {
    const folder = path.join(home, '.cache/popfetch/v24')
    mkdirSync(folder, { recursive: true })
    chmodSync(path.join(home, '.cache/popfetch'), 0o700)
    for (const [at, name] of ['old', 'middle', 'new'].entries()) {
      writeFileSync(path.join(folder, name), Buffer.alloc(1000))
      utimesSync(path.join(folder, name), at, at)
    }
    writeFileSync(path.join(home, 'mine'), Buffer.alloc(5000))
    symlinkSync(path.join(home, 'mine'), path.join(folder, 'link'))
    boundCompileCache({ HOME: home }, 3000)
    expect(readdirSync(folder).toSorted()).toEqual(['link', 'middle', 'new', 'old'])
    boundCompileCache({ HOME: home }, 2500)
    expect(readdirSync(folder).toSorted()).toEqual(['link', 'middle', 'new'])
    chmodSync(path.join(home, '.cache/popfetch'), 0o777)
    boundCompileCache({ HOME: home }, 0)
    boundCompileCache({}, 0)
    boundCompileCache({ HOME: path.join(home, 'nowhere') }, 0)
    expect(readdirSync(folder).toSorted()).toEqual(['link', 'middle', 'new'])
    expect(readdirSync(home)).toContain('mine')
  })
})

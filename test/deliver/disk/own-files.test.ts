// The directory of popfetch's own files.
import fs from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { ownDirectory } from '../../../src/deliver/disk/own-files.ts'
import { directory } from '../scene.ts'

test('is made with those above it, private', () => {
  const own = path.join(directory(), 'a', 'b')
  expect(ownDirectory(own)).toBe(own)
  expect(ownDirectory(own)).toBe(own)
  expect(fs.statSync(own).mode & 0o777).toBe(0o700)
})

test.each(['/proc/x', '/proc/x/y', 'link', 'link/a/b', 'file/a'])(
  'below %s is one error, and no endless loop (D124)',
  (where) => {
    const base = directory()
    fs.symlinkSync(path.join(base, 'nowhere'), path.join(base, 'link'))
    fs.writeFileSync(path.join(base, 'file'), '')
    expect(() => ownDirectory(path.resolve(base, where))).toThrow()
  },
)

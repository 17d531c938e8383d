// Who may open many files at the same time, where the system allows few.
import { execFileSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { mostOpenFiles, OpenFiles } from '../../../src/deliver/disk/open-files.ts'

test('half of what the system allows is lent, and what is given back is lent again', () => {
  const files = new OpenFiles(() => 1000)
  expect(files.lend(300)).toBe(true)
  expect(files.lend(300)).toBe(false)
  expect(files.lend(200)).toBe(true)
  expect(files.lend(1)).toBe(false)
  files.give(300)
  expect(files.lend(300)).toBe(true)
})

test('who opens none always may, and where the system does not say all may', () => {
  expect(new OpenFiles(() => 0).lend(0)).toBe(true)
  expect(new OpenFiles(() => Infinity).lend(1e9)).toBe(true)
})

test.runIf(process.platform === 'linux')('the system says how many it allows', () => {
  const source = `import { mostOpenFiles } from ${JSON.stringify(import.meta.resolve('../../../src/deliver/disk/open-files.ts'))}; console.log(mostOpenFiles())`
  const script = 'ulimit -n 333 && exec "$0" --input-type=module-typescript -e "$1"'
  expect(execFileSync('sh', ['-c', script, process.execPath, source], { encoding: 'utf8' }).trim()).toBe('333')
  expect(mostOpenFiles()).toBeGreaterThan(100)
})

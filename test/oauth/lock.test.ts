// One renewal at a time, whoever asks: callers of one process, and other processes beside them.
import { execFile } from 'node:child_process'
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { Store } from '../../src/oauth/store.ts'
import { files, signedIn, USER } from './scene.ts'

const { signal } = new AbortController()
const SCRIPT = `
import { Store } from ${JSON.stringify(join(import.meta.dirname, '../../src/oauth/store.ts'))}
const [folder, user] = process.argv.slice(-2)
const lock = await new Store(folder, { env: {} }).lock('company', user, 1, new AbortController().signal)
process.stdout.write(lock === null ? 'busy' : 'free')
`

/** What another process finds. */
function elsewhere(folder: string): Promise<string> {
  const words = ['--input-type=module', '-e', SCRIPT, folder, USER]
  return new Promise((resolve, reject) => {
    execFile(process.execPath, words, (error, out) => (error === null ? resolve(out) : reject(error)))
  })
}

test('a lock is kept from other processes although a second caller of ours gave up waiting for it', async () => {
  await using all = await signedIn()
  const { folder } = all.scene
  {
    using lock = await new Store(folder, { env: {} }).lock('company', USER, 60_000, signal)
    expect(lock).not.toBeNull()
    for (let caller = 0; caller < 3; caller++)
      expect(await new Store(folder, { env: {} }).lock('company', USER, 1, signal)).toBeNull()
    expect(await elsewhere(folder)).toBe('busy')
  }
  expect(await elsewhere(folder)).toBe('free')
  for (const file of await files(folder)) expect((await stat(file)).mode & 0o777).toBe(0o600)
})

// The offline suite is run by whoever has a clone. Its tests that look at who runs them skip some of their cases for root: here they
// are run by another user.
import { execFile } from 'node:child_process'
import { chownSync, globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

const ROOT = join(import.meta.dirname, '..', '..')
/** It belongs to nobody else. */
const SOMEBODY = 41_299
const run = promisify(execFile)

/** What builds or installs the package has its own test as another user. */
const OTHERS =
  /^(?:cli|servers|crash|soak|fuzz|browser|bench)\/|^(?:package|pages|readme)\.test\.ts$|^security\/no-home/

const files = globSync('**/*.test.ts', { cwd: join(ROOT, 'test') })
  .filter((file) => !OTHERS.test(file))
  .filter((file) => /skipIf|runIf/.test(readFileSync(join(ROOT, 'test', file), 'utf8')))

test.runIf(process.getuid?.() === 0)(
  'the tests that look at who runs them pass for a user who is not root (B2)',
  async () => {
    expect(files).toContain('config/load.test.ts')
    const home = mkdtempSync(join(tmpdir(), 'popfetch-somebody-'))
    chownSync(home, SOMEBODY, SOMEBODY)
    const config = join(home, 'vitest.config.mjs')
    const options = { include: files.map((file) => `test/${file}`), testTimeout: 120_000, maxWorkers: 1 }
    writeFileSync(config, `export default ${JSON.stringify({ cacheDir: join(home, 'cache'), test: options })}\n`)
    const vitest = join(ROOT, 'node_modules', 'vitest', 'vitest.mjs')
    const env = { HOME: home, PATH: process.env['PATH'], NO_COLOR: '1' }
    const user = { uid: SOMEBODY, gid: SOMEBODY, cwd: ROOT, env }
    const args = [vitest, 'run', '--root', ROOT, '--configLoader', 'runner', '--config', config, '--reporter=dot']
    try {
      const { stdout } = await run(process.execPath, args, user)
      expect(stdout).toMatch(/Test Files +\d+ passed/)
    } catch (error) {
      const { stdout, stderr } = error as { readonly stdout: string; readonly stderr: string }
      expect.unreachable(`${stdout}\n${stderr}`)
    } finally {
      rmSync(home, { recursive: true })
    }
  },
  600_000,
)

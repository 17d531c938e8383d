// A user without HOME and without an entry in the password file, as in a container or a systemd unit with a numeric user. All
// works whose files are named (N046), and the rest says what is missing.
import { spawnSync } from 'node:child_process'
import { chmodSync, chownSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { BIN, ROOT } from '../cli/child.ts'

/** A user that no machine has. */
const NOBODY = 41_234
const AS_NOBODY = [`--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups', '--']

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'popfetch-nobody-'))
  const account = { host: '127.0.0.1', port: 1, tls: 'none', user: 'u', password: 'p', deliver: 'maildir:Mail' }
  const file = join(folder, 'config.json')
  writeFileSync(file, JSON.stringify({ accounts: { work: account } }), { mode: 0o600 })
  if (process.getuid?.() !== 0) return
  for (const each of [folder, file]) chownSync(each, NOBODY, NOBODY)
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

function asNobody(program: string, ...args: readonly string[]) {
  const words = [...AS_NOBODY, process.execPath, program, ...args]
  return spawnSync('setpriv', words, { cwd: folder, env: { PATH: '/usr/bin:/bin' }, encoding: 'utf8', timeout: 60_000 })
}

const probe =
  process.getuid?.() === 0
    ? spawnSync('setpriv', [...AS_NOBODY, process.execPath, '-e', `fs.accessSync('${import.meta.dirname}')`])
    : null
const missing = probe?.status === 0 ? '' : ' [needs root, and a checkout that others can read]'

describe.skipIf(missing !== '').each([
  ['the built program', BIN],
  ['the checkout', join(ROOT, 'bin/popfetch.ts')],
])(`without a home, %s${missing}`, (_, program) => {
  // A build that was made for the tests is its maker's alone.
  beforeAll(() => chmodSync(dirname(program), 0o755))

  test.each([
    [75, ['--state', 's.db']],
    [0, ['config', 'check', '--state', 's.db']],
    [0, ['status', '--state', 's.db']],
    [0, ['state', 'export', '--state', 's.db']],
    [0, ['stop', '--state', 's.db']],
  ])('ends with %d where its files are named: %j', (code, args) => {
    const { status, stderr } = asNobody(program, ...args, '--config', 'config.json')
    expect([status, stderr]).toEqual([code, expect.not.stringContaining('please report')])
  })

  test.each([[[]], [['--config', 'config.json']], [['status', '--config', 'config.json']], [['import', 'fetchmail']]])(
    'says that there is none: %j',
    (args) => {
      const { status, stderr } = asNobody(program, ...args)
      expect([status, stderr]).toEqual([78, expect.stringMatching(/^popfetch: .*HOME is not set, [^\n]*\n$/)])
    },
  )
})

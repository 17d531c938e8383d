// What can be read of a configuration, whole or broken.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { outlineConfiguration } from '../../src/config/outline.ts'

let directory: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'popfetch-outline-'))
})
afterEach(async () => {
  await rm(directory, { recursive: true })
})

async function outlineOf(text: string | null, state: string | null = null) {
  const file = join(directory, 'config.yaml')
  if (text !== null) await writeFile(file, text, { mode: 0o600 })
  const env = { HOME: directory }
  return await outlineConfiguration({ file, state, env, cwd: directory, uid: process.getuid?.() ?? 0 })
}

const WHOLE = 'accounts:\n  work: { host: h, user: u, password: p, deliver: "maildir:Mail" }\nstate: here/state.db\n'

test('of a whole one is what is in effect', async () => {
  const outline = await outlineOf(WHOLE)
  expect(outline).toMatchObject({ statePath: join(directory, 'here/state.db'), accounts: ['work'], problem: null })
  expect(outline.configuration?.accounts).toHaveLength(1)
})

test.each([
  ['an unknown key', `${WHOLE}colour: red\n`],
  ['an account without a host', 'accounts:\n  work: { user: u }\nstate: here/state.db\n'],
  ['a key twice', `${WHOLE}state: here/state.db\n`],
])('with %s is the place of the ledger, the names, and what is wrong', async (_, text) => {
  expect(await outlineOf(text)).toMatchObject({
    statePath: join(directory, 'here/state.db'),
    accounts: ['work'],
    configuration: null,
    problem: { code: 'ERR_CONFIG' },
  })
})

test('without a state: it is the usual place', async () => {
  const { statePath } = await outlineOf('accounts:\n  work: {}\n')
  expect(statePath).toBe(join(directory, '.local/state/popfetch/state.db'))
})

test.each([
  ['is no YAML', 'accounts: {\n\tstate: x'],
  ['is no mapping', '- state: x\n'],
  ['has no text for a state:', 'accounts:\n  work: {}\nstate: [x]\n'],
  ['is not there', null],
])('rejects when the file %s, unless the ledger is named', async (_, text) => {
  await expect(outlineOf(text)).rejects.toMatchObject({ code: 'ERR_CONFIG' })
  expect(await outlineOf(text, 's.db')).toMatchObject({
    statePath: join(directory, 's.db'),
    configuration: null,
    problem: { code: 'ERR_CONFIG' },
  })
})

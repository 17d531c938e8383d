// The log of a daemon: one that nobody named stays small by itself, one that somebody named is theirs.
import { mkdir, readdir, stat, truncate, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { expect, test } from 'vitest'
import { openLogs } from '../../../../src/cli/commands/daemon/logs.ts'
import { Person } from '../../person.ts'

const LIMIT_BYTES = 10_000_000
/** More than a line, far less than the limit. */
const LINE_BYTES = 1000

type Call = Parameters<typeof openLogs>

/** A log that is as long as it may be gets three more lines, five times. Gives the sizes of all files of the log. */
async function filled(named: string | null): Promise<Readonly<Record<string, number>>> {
  await using person = await Person.arrive()
  const folder = person.path('state')
  await mkdir(folder, { mode: 0o700 })
  const file = named === null ? path.join(folder, 'popfetch.log') : person.path('state', named)
  await writeFile(file, '', { mode: 0o600 })
  const log = { file: named === null ? null : file, level: 'info', format: null }
  const configuration = { statePath: path.join(folder, 'state.db'), log } as unknown as Call[0]
  const invocation = { logFile: null, logLevel: null, verbose: false, quiet: false } as unknown as Call[1]
  const background = {} as NonNullable<Call[3]>
  for (let round = 0; round < 5; round++) {
    await truncate(file, LIMIT_BYTES)
    const logs = await openLogs(configuration, invocation, person.surroundings(), background)
    for (let line = 0; line < 3; line++) logs.log.info('polled', { account: 'work', line })
    await logs.log[Symbol.asyncDispose]()
  }
  const sizes = (await readdir(folder)).map(async (name) => [name, (await stat(path.join(folder, name))).size] as const)
  return Object.fromEntries(await Promise.all(sizes))
}

test('one that nobody named is turned at 10 MB, and one older file is kept', async () => {
  const sizes = await filled(null)
  expect(Object.keys(sizes)).toEqual(['popfetch.log', 'popfetch.log.1'])
  expect(sizes['popfetch.log']).toBeLessThan(LINE_BYTES)
  expect(sizes['popfetch.log.1']).toBeLessThan(LIMIT_BYTES + LINE_BYTES)
})

test('one that somebody named is left to whoever turns their logs', async () => {
  const sizes = await filled('mine.log')
  expect(Object.keys(sizes)).toEqual(['mine.log'])
  expect(sizes['mine.log']).toBeGreaterThan(LIMIT_BYTES)
})

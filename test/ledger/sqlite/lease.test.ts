// Lock files: how one process tells whether another lives.
import { once } from 'node:events'
import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect, test } from 'vitest'
import { openLedger } from '../../../src/ledger/sqlite/open.ts'
import { processAt } from '../kind.ts'
import { type Child, temporaryDirectory } from '../scene.ts'
import { sqlite } from './kind.ts'

async function holder(path: string): Promise<Child> {
  const started = processAt(sqlite, { name: path }, 'holder.ts')
  expect(await started.line()).toBe('ready')
  return started
}

async function say(to: Child, line: string): Promise<string> {
  to.process.stdin?.write(`${line}\n`)
  return to.line()
}

test('a lease of another process that lives is respected also while that is suspended', async () => {
  const path = join(await temporaryDirectory(), 'state.db')
  const other = await holder(path)
  expect(await say(other, 'take a')).toBe('a yes')
  await using ledger = await openLedger(path)
  expect(await ledger.lease('a')).toBeNull()
  other.process.kill('SIGSTOP')
  expect(await ledger.lease('a')).toBeNull()
  await using free = await ledger.lease('b')
  expect(free).not.toBeNull()
  other.process.kill('SIGCONT')
  expect(await say(other, 'release a')).toBe('a released')
  await using now = await ledger.lease('a')
  expect(now).not.toBeNull()
  expect(await say(other, 'take a')).toBe('a no')
})

test('the lock file of a killed process is gone once its lease was taken over', async () => {
  const path = join(await temporaryDirectory(), 'state.db')
  const dead = await holder(path)
  expect(await say(dead, 'take a')).toBe('a yes')
  const left = await readdir(`${path}.leases`)
  expect(left.length).toBe(1)
  const others = await Promise.all([holder(path), holder(path), holder(path)])
  dead.process.kill('SIGKILL')
  await once(dead.process, 'exit')
  const answers = await Promise.all(others.map((other) => say(other, 'take a')))
  expect(answers.toSorted()).toEqual(['a no', 'a no', 'a yes'])
  expect(await readdir(`${path}.leases`)).not.toContain(left[0])
})

test('what dead processes left is swept away, other files and living locks are not', async () => {
  const path = join(await temporaryDirectory(), 'state.db')
  const alive = await holder(path)
  expect(await say(alive, 'take a')).toBe('a yes')
  const [kept] = await readdir(`${path}.leases`)
  await writeFile(join(`${path}.leases`, 'f'.repeat(32)), '')
  await writeFile(join(`${path}.leases`, 'README'), 'a note')
  {
    await using ledger = await openLedger(path)
    await using lease = await ledger.lease('b')
    expect(lease).not.toBeNull()
    expect((await readdir(`${path}.leases`)).length).toBe(3)
  }
  expect(new Set(await readdir(`${path}.leases`))).toEqual(new Set([kept, 'README']))
  await using ledger = await openLedger(path)
  expect(await ledger.lease('a')).toBeNull()
})

test('a row whose lock file is missing is free; one that names no lock file is damage', async () => {
  const path = join(await temporaryDirectory(), 'state.db')
  await using ledger = await openLedger(path)
  const database = new DatabaseSync(path)
  database.exec(`INSERT INTO lease VALUES ('a', '${'0'.repeat(32)}', 1), ('b', '../state.db', 1)`)
  database.close()
  await using lease = await ledger.lease('a')
  expect(lease).not.toBeNull()
  await expect(ledger.lease('b')).rejects.toMatchObject({ code: 'ERR_LEDGER' })
})

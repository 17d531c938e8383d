// Lock files: how one process tells whether another lives.
import { once } from 'node:events'
import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { describe, expect, test } from 'vitest'
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

describe('a process that is stopped in the middle of a commit (S048)', () => {
  /** What keeps others from writing, until it is disposed of. */
  function commitAt(path: string): Disposable {
    const database = new DatabaseSync(path)
    database.exec('BEGIN IMMEDIATE')
    return { [Symbol.dispose]: () => database.close() }
  }

  test('has its accounts: others are told so at once, and need not write', async () => {
    const path = join(await temporaryDirectory(), 'state.db')
    const stopped = await holder(path)
    expect(await say(stopped, 'take a')).toBe('a yes')
    await using ledger = await openLedger(path)
    await using before = await ledger.lease('b')
    expect(before).not.toBeNull()
    stopped.process.kill('SIGSTOP')
    await using other = await openLedger(path)
    using _ = commitAt(path)
    // With this ledger's own lock file, and with none yet.
    expect(await ledger.lease('a')).toBeNull()
    expect(await other.lease('a')).toBeNull()
    expect(await other.lease('b')).toBeNull()
  })

  test('does not have the accounts of the dead, and those of nobody: who wants them waits', async () => {
    const path = join(await temporaryDirectory(), 'state.db')
    const dead = await holder(path)
    expect(await say(dead, 'take a')).toBe('a yes')
    dead.process.kill('SIGKILL')
    await once(dead.process, 'exit')
    await using ledger = await openLedger(path, { busyLimitMs: 1500 })
    using _ = commitAt(path)
    await expect(ledger.lease('a')).rejects.toMatchObject({ code: 'ERR_LEDGER', retry: 'soon' })
    await expect(ledger.lease('c')).rejects.toMatchObject({ code: 'ERR_LEDGER', retry: 'soon' })
  })

  test('that goes on again is waited for, and what was given up meanwhile is not taken', async () => {
    const path = join(await temporaryDirectory(), 'state.db')
    const stopped = await holder(path)
    expect(await say(stopped, 'take a')).toBe('a yes')
    await using ledger = await openLedger(path)
    {
      using _ = commitAt(path)
      expect(await ledger.lease('a')).toBeNull()
    }
    expect(await say(stopped, 'release a')).toBe('a released')
    await using b = await ledger.lease('b')
    expect(b).not.toBeNull()
    expect(await say(stopped, 'take a')).toBe('a yes')
    expect(await ledger.lease('a')).toBeNull()
  })
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

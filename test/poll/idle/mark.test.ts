// The mark of a listing means something only where everything is as it was when it was left.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { loadConfiguration } from '../../../src/config/load.ts'
import type { Account, Configuration } from '../../../src/config/schema.ts'
import { Mark } from '../../../src/poll/idle/mark.ts'

const DAY_MS = 86_400_000
const NOW_MS = Date.UTC(2026, 10, 29)
const PRINT = '3 3000 abc'

interface World {
  readonly account: Account
  readonly destinations: Configuration['destinations']
  readonly lastPollMs: number | null
}

async function worldOf({ destination = '{ type: maildir, path: inbox }', more = '' } = {}): Promise<World> {
  const directory = mkdtempSync(path.join(tmpdir(), 'popfetch-mark-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  const file = path.join(directory, 'config.yaml')
  const account = `{ host: h.example, user: u, password: p, deliver: inbox${more} }`
  writeFileSync(file, `accounts:\n  isp: ${account}\ndestinations:\n  inbox: ${destination}\n`, { mode: 0o600 })
  const uid = process.getuid?.() ?? 0
  const loaded = await loadConfiguration({ file, state: null, env: { HOME: directory }, cwd: directory, uid })
  const [first] = loaded.accounts
  if (first === undefined) throw new Error('no account')
  return { account: first, destinations: loaded.destinations, lastPollMs: NOW_MS }
}

/** As a poll leaves it that found nothing to do. */
function left(world: World, dueMs: readonly (number | null)[] = [null]) {
  const mark = new Mark({ mark: null, lastPollMs: null })
  mark.leave(PRINT, NOW_MS, dueMs)
  const after = mark.after({ error: null, undeleted: 0 }, world)
  if (after === null) throw new Error('no mark was left')
  return after
}

interface Found {
  readonly world: World
  readonly print?: string
  readonly laterMs?: number
}

/** Does the next poll find nothing to do by it? */
function isFound(mark: ReturnType<typeof left>, { world, print = PRINT, laterMs = 60_000 }: Found): boolean {
  const next = new Mark({ mark, lastPollMs: world.lastPollMs })
  const isKnown = next.take(NOW_MS + laterMs, world)
  expect(next.take(NOW_MS + laterMs, world), 'a mark counts once').toBeNull()
  return isKnown?.(print) ?? false
}

test('a mark is found where all is as it was', async () => {
  const world = await worldOf()
  expect(isFound(left(world), { world })).toBe(true)
})

test('another listing, poll, account or kind of destination is not that of the mark', async () => {
  const world = await worldOf()
  const mark = left(world)
  expect(isFound(mark, { world, print: '3 3001 abc' })).toBe(false)
  expect(isFound(mark, { world: { ...world, lastPollMs: NOW_MS - 1 } })).toBe(false)
  expect(isFound(mark, { world: { ...world, lastPollMs: null } })).toBe(false)
  const { account } = await worldOf({ more: ', maxSize: 2MB' })
  expect(isFound(mark, { world: { ...world, account } })).toBe(false)
  const { destinations } = await worldOf({ destination: '{ type: command, run: [/bin/true] }' })
  expect(isFound(mark, { world: { ...world, destinations } })).toBe(false)
})

test('a mark counts until something is due, for a day at most, and not by a clock that was set back', async () => {
  const world = await worldOf()
  const due = left(world, [null, NOW_MS + 5000, NOW_MS + 9000])
  expect(isFound(due, { world, laterMs: 4999 })).toBe(true)
  expect(isFound(due, { world, laterMs: 5000 })).toBe(false)
  expect(isFound(left(world), { world, laterMs: DAY_MS - 1 })).toBe(true)
  expect(isFound(left(world), { world, laterMs: DAY_MS })).toBe(false)
  expect(isFound(left(world), { world, laterMs: -1 })).toBe(false)
})

test('a poll that failed, or left something that was to be deleted, leaves no mark', async () => {
  const world = await worldOf()
  const mark = new Mark({ mark: null, lastPollMs: null })
  expect(mark.after({ error: null, undeleted: 0 }, world)).toBeNull()
  mark.leave(PRINT, NOW_MS, [])
  expect(mark.after({ error: new Error('lost'), undeleted: 0 }, world)).toBeNull()
  expect(mark.after({ error: null, undeleted: 1 }, world)).toBeNull()
  expect(mark.after({ error: null, undeleted: 0 }, world)).not.toBeNull()
})

test('a mark of another version means nothing: it may have judged otherwise', async () => {
  const world = await worldOf()
  const { default: about } = await import('../../../package.json', { with: { type: 'json' } })
  vi.doMock('../../../package.json', () => ({ default: { ...about, version: `${about.version}-other` } }))
  onTestFinished(() => {
    vi.doUnmock('../../../package.json')
    vi.resetModules()
  })
  vi.resetModules()
  const other = await import('../../../src/poll/idle/mark.ts')
  const mark = new other.Mark({ mark: null, lastPollMs: null })
  mark.leave(PRINT, NOW_MS, [null])
  const after = mark.after({ error: null, undeleted: 0 }, world)
  if (after === null) throw new Error('no mark was left')
  expect(isFound(after, { world })).toBe(false)
})

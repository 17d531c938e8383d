// What is told of popfetch itself: by a program, in this process, with a clock that the test turns.
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { isOfProcess, tellProcess } from '../../../src/daemon/notify/process.ts'
import { silentLog } from '../../../src/log.ts'

const HOUR = 3_600_000
const CONFIG = { code: 'ERR_CONFIG', message: 'reading the configuration: 1 problem' }
const LEDGER = { code: 'ERR_LEDGER', message: 'opening the ledger: it is damaged' }

let folder: string
let nowMs: number
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'popfetch-process-'))
  nowMs = 1.8e12
})
afterEach(() => rmSync(folder, { recursive: true }))

function telling(script = 'printf "%s %s\\n" "$POPFETCH_EVENT" "$POPFETCH_CODE" >> told', place = folder) {
  const run = ['/bin/sh', '-c', `cd ${folder}; ${script}`]
  const on = ['process', 'recovery'] as const
  return {
    configuration: {
      notify: [{ on, way: { kind: 'run', run } as const }],
      destinations: new Map(),
      oauth: new Map(),
      statePath: join(place, 'state.db'),
      postgres: null,
      file: join(folder, 'config.yaml'),
    },
    log: silentLog,
    env: { PATH: process.env['PATH'] },
    nowMs,
    signal: new AbortController().signal,
  }
}

const told = (): readonly string[] => {
  const file = join(folder, 'told')
  return existsSync(file) ? readFileSync(file, 'utf8').split('\n').filter(Boolean) : []
}

test('a trouble is told at once, then once a day, another one at once, and the end once', async () => {
  await tellProcess(null, telling())
  for (const hours of [0, 1, 22, 2, 1, 24]) {
    nowMs += hours * HOUR
    await tellProcess(CONFIG, telling())
  }
  expect(told()).toEqual(['process ERR_CONFIG', 'process ERR_CONFIG', 'process ERR_CONFIG'])
  await tellProcess(LEDGER, telling())
  await tellProcess(null, telling())
  await tellProcess(null, telling())
  expect(told().slice(3)).toEqual(['process ERR_LEDGER', 'recovery '])
})

test('a clock that was ahead then keeps nobody from being told', async () => {
  await tellProcess(CONFIG, telling())
  nowMs -= 48 * HOUR
  await tellProcess(CONFIG, telling())
  expect(told()).toHaveLength(2)
})

test('many at once tell it once', async () => {
  await Promise.all(Array.from({ length: 8 }, () => tellProcess(CONFIG, telling())))
  expect(told()).toEqual(['process ERR_CONFIG'])
  await Promise.all(Array.from({ length: 8 }, () => tellProcess(null, telling())))
  expect(told()).toEqual(['process ERR_CONFIG', 'recovery '])
  expect(existsSync(join(folder, 'state.db.told.lock'))).toBe(false)
})

test('the right of a process that was killed while it told is taken over', async () => {
  const lock = join(folder, 'state.db.told.lock')
  writeFileSync(lock, '')
  utimesSync(lock, 1, 1)
  await tellProcess(CONFIG, telling())
  expect(told()).toEqual(['process ERR_CONFIG'])
})

test('what could not be told is told the next time', async () => {
  await tellProcess(CONFIG, telling('exit 1'))
  await tellProcess(CONFIG, telling())
  await tellProcess(null, telling('exit 1'))
  await tellProcess(null, telling())
  expect(told()).toEqual(['process ERR_CONFIG', 'recovery '])
})

test('where nothing can be written it is told, too', async () => {
  writeFileSync(join(folder, 'file'), '')
  await tellProcess(LEDGER, telling(undefined, join(folder, 'file')))
  expect(told()).toEqual(['process ERR_LEDGER'])
})

test.each(['{"code":', '[]', '{"code":1,"atMs":2}', ''])('a memory %j is none', async (text) => {
  writeFileSync(join(folder, 'state.db.told'), text, { mode: 0o600 })
  await tellProcess(null, telling())
  await tellProcess(CONFIG, telling())
  expect(told()).toEqual(['process ERR_CONFIG'])
})

test('a memory that is a folder changes nothing', async () => {
  mkdirSync(join(folder, 'state.db.told'))
  await tellProcess(LEDGER, telling())
  expect(told()).toEqual(['process ERR_LEDGER'])
})

test.each([
  ['ERR_LEDGER', true],
  ['ERR_CONFIG', true],
  ['ERR_BUG', true],
  ['ERR_CONNECT', false],
  ['ERR_USAGE', false],
  ['ERR_BUSY', false],
])('%s is of popfetch itself: %s', (code, expected) => {
  expect(isOfProcess({ code })).toBe(expected)
})
